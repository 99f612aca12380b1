"""The verdict on turns: who has a higher priority comes first, and no tenant waits for another.

After nine turns of a tenant the next one may be of a lower one that has waited longer.
Where all places are taken, a turn is of a tenant of which nothing is driven of that rank or higher.

Of what two processes in a row died with, one is driven at a time, and has its turn like others;
what three died with is driven no more.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sim_judge import must

from executor import turns
from executor.dispatch.base import MOST_CRASHES
from executor.dispatch.local import LocalDispatcher
from executor.store import runs
from executor.store.drives import Due

if TYPE_CHECKING:
    from sim_history import History
    from sim_world import World

NO_LOOK = -1
_DEATHS = "SELECT crashes FROM runs WHERE id = ?"
_IS_DUE = (
    "SELECT 1 FROM runs WHERE id = ? AND driver IS NULL AND"
    " (status IN ('queued', 'cancelling') OR (status = 'waiting' AND wake_at <= {now}))"
)


class Turns:
    """What one process knows to be waiting, and what it has driven meanwhile."""

    def __init__(self, world: "World", places: int, dispatcher: LocalDispatcher) -> None:
        self._world = world
        self._dispatcher = dispatcher
        self._places = places
        # Runs that wait for their turn: since when, and by which look at all that is due
        self._known: dict[str, tuple[float, int]] = {}
        self._looks = 0
        self._turns: Counter[str] = Counter()  # by tenant, since one of a run that waited longer
        self._driven: set[str] = set()
        self._unranked: set[str] = set()  # of these
        self._suspects: dict[str, bool] = {}  # of the runs that there are: as this process began
        self._suspected: set[str] = set()  # of the driven, be it that the run has just ended
        self._leaving: set[str] = set()  # suspects whose drive has ended, and maybe not their turn
        self._failing: set[str] = set()  # which are left alone for a while
        self._last: tuple[str, float] = ("", 0.0)  # whose turn was the last one, and when
        self._freed: dict[str, float] = {}  # when a drive of a tenant has ended

    def known(self, found: Iterable[Due]) -> None:
        """The process has looked at all that is due."""
        self._looks += 1
        for each in found:
            if not self._is_begun(each) and each.id not in self._failing:
                self._known.setdefault(each.id, (self._now(), self._looks))

    def begun(self) -> None:
        """The process knows by now what others died with."""
        for life in self._world.lives:
            found = life.ask(_DEATHS)
            self._suspects[life.run] = bool(found) and found[0][0] >= MOST_CRASHES - 1

    def begins(self, life: "History") -> None:
        """It is the turn of a run."""
        came, mine = self._known.pop(life.run, (0.0, 0))
        is_early = False
        deaths = _deaths_of(life)
        must(deaths < MOST_CRASHES, f"{life.run} is driven though {deaths} processes died of it")
        is_alone = self._is_suspect(life) and bool(self._suspected)
        must(not is_alone, f"{life.run} is driven beside another one that may have killed")
        reached = self._world.services.reached
        reached["a turn of a suspect"] += self._is_suspect(life)
        for run, (since, look) in [*self._known.items()]:
            other = self._world.life_of(run)
            is_due = other.ask(_IS_DUE.format(now=life.wall()))
            if not is_due or _deaths_of(other) >= MOST_CRASHES:  # that is only to be put aside
                del self._known[run]
                continue
            if self._is_suspect(other) and (self._suspected or self._is_left):
                self._known[run] = self._now(), self._looks  # as if it came now
                continue
            is_news = since >= self._now()  # then it may have come just after this was chosen
            if is_news and look != mine:
                continue
            if other.tenant == life.tenant:
                if other.due.rank < life.due.rank:
                    is_its_turn = self._turns[life.tenant] >= turns.PASSED and came <= since
                    must(is_its_turn, f"{life.run} comes before {run}, which is {other.priority}")
                    is_early = True
                reached["a turn by priority"] += other.due.rank > life.due.rank
                continue
            if not self._has_room(other):
                continue
            whose, at = self._last
            is_again = whose == life.tenant and since < at < self._now()
            if self._freed.get(other.tenant) == self._now():
                continue  # it had a place when this was chosen
            must(not is_again, f"{life.tenant} has two turns while {run} of another waits")
            reached["a turn beside another tenant"] += 1
        self._turns[life.tenant] = 0 if is_early else self._turns[life.tenant] + 1
        has_room = life.run in self._failing or self._has_room(life)  # of these it is no question
        must(has_room, f"{len(self._driven) + 1} are driven at once")
        is_beside = len(self._driven) >= self._places and not self._is_idle(life.tenant)
        reached["a turn beside less urgent ones"] += is_beside
        self._driven.add(life.run)
        if life.due in self._dispatcher._unranked:  # woken, and begun before its rank was known
            self._unranked.add(life.run)
        if self._is_suspect(life):
            self._suspected.add(life.run)
        self._leaving.discard(life.run)
        self._last = (life.tenant, self._now())

    def ends(self, life: "History", *, has_failed: bool) -> None:
        """A drive of it has ended."""
        self._nobody_waits_in_vain()
        self._driven.discard(life.run)
        self._unranked.discard(life.run)
        self._suspected.discard(life.run)
        self._freed[life.tenant] = self._now()
        if self._is_suspect(life):  # what could not begin beside it may be passed over just now
            self._leaving.add(life.run)
            for run in self._known:
                if self._is_suspect(self._world.life_of(run)):
                    self._known[run] = self._now(), NO_LOOK
        (self._failing.add if has_failed else self._failing.discard)(life.run)
        if not has_failed and self._is_suspect(life):
            self._suspects[life.run] = life.ask(_DEATHS) != [(0,)]

    def _is_begun(self, due: Due) -> bool:
        """Whether its turn has come, be it that its drive says so only later."""
        return due in self._dispatcher._active

    def _nobody_waits_in_vain(self) -> None:
        """Of what has waited for a while nothing has a place."""
        if self._dispatcher._stopping:
            return
        begun = {life.run for life in self._world.lives if self._is_begun(life.due)}
        for run in self._known.keys() - begun:
            other = self._world.life_of(run)
            is_new, is_suspect = self._known[run][0] >= self._now(), self._is_suspect(other)
            if is_new or is_suspect or not self._has_room(other, begun):
                continue
            is_due = other.ask(_IS_DUE.format(now=other.wall()))
            must(not is_due, f"{run} waits though there is a place for it")

    def _has_room(self, life: "History", beside: set[str] | None = None) -> bool:
        """Whether there is a place for one more of its tenant and its rank."""
        driven = self._driven if beside is None else beside
        ranked = {self._world.life_of(run) for run in driven - self._unranked}
        is_first = all(
            other.tenant != life.tenant or other.due.rank > life.due.rank for other in ranked
        )
        return len(driven) < self._places or is_first

    def _is_idle(self, tenant: str) -> bool:
        return all(self._world.life_of(run).tenant != tenant for run in self._driven)

    def _is_suspect(self, life: "History") -> bool:
        return self._suspects.get(life.run, False) and life.status() not in runs.ENDED

    @property
    def _is_left(self) -> bool:
        """Whether the drive of a suspect has ended, and its turn maybe not."""
        return any(self._is_begun(self._world.life_of(run).due) for run in self._leaving)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _deaths_of(life: "History") -> int:
    """How many processes in a row died while they were driving it."""
    return max((found for (found,) in life.ask(_DEATHS)), default=0)
