"""What drives write in one transaction, each under its claim and with the journal of its run open.

However many they are, it is a few statements:

    [claim them] ─▶ hold their rows ─▶ see what is new ─▶ see how their attempts stand
    ─▶ [ask for permits] ─▶ write their attempts, what became of others, their events, and which
    runs have ended

Nobody else writes about a run whose row is held, so what was read of it holds until the commit, and
each work is done on what the works before it made of that.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue
from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.store import approvals, attempts, journal, runs
from executor.store.attempts import AttemptRow, Place, Settled, States
from executor.store.blobs import Keeper, Loaded
from executor.store.drives import Asked, Claim, Held, claims, hold_all
from executor.store.errors import FencedError
from executor.store.journal import Look, NewEvent, Seen, StoredEvent
from executor.store.permits import Need, Permits
from executor.store.runs import Ending

AS_QUEUED = Held(0, wake_seq=0, cancel_mode=None, last=0, last_at=None)


@dataclass
class OpenJournal:
    """The journal of one drive inside a transaction that holds its row."""

    c: Connection
    claim: Claim
    woken: int
    cancel_mode: str | None
    last: int
    news: list[StoredEvent]  # after the place that the drive has seen: of others, and its own
    permits: Permits
    at: dict[Place, States]  # how attempts stand, at the places that were looked at
    # What is written at the end:
    events: list[StoredEvent] = field(default_factory=list)
    begun: list[AttemptRow] = field(default_factory=list)
    settled: dict[tuple[Place, int], Settled] = field(default_factory=dict)
    ending: Ending | None = None

    def append(self, new: Sequence[NewEvent], now: float) -> list[StoredEvent]:
        """Write events after the last one, and the rows that they speak of.

        What is not so any more, for somebody was faster, is left out.
        """
        return self.add([each for each in new if self._is_so(each, now)], now)

    def _is_so(self, event: NewEvent, now: float) -> bool:
        if attempts.settling(event.type, event.data) is not None:
            return self.settle(event.type, event.data, now)
        return journal.project(self.c, self.claim.tenant, event)

    def add(self, new: Sequence[NewEvent], now: float) -> list[StoredEvent]:
        """Write events whose rows are written already."""
        stored = journal.numbered(self.claim.id, new, now, self.last)
        self.last += len(stored)
        self.news += stored
        self.events += stored
        return stored

    def attempts_at(self, place: Place) -> States:
        """How the attempts of a step or item stand."""
        if place not in self.at:
            which = (self.claim.tenant, self.claim.id, [place])
            self.at |= attempts.at(self.c, [which])[0]
        return self.at[place]

    def begin(self, attempt: AttemptRow) -> None:
        """Write an attempt that is about to be made."""
        self.attempts_at((attempt.step, attempt.iteration))[attempt.n] = attempt.state
        self.begun.append(attempt)

    def settle(self, kind: str, data: JsonObject, now: float) -> bool:
        """Keep what an event tells of an attempt; False if it tells nothing, or nothing is open."""
        told = attempts.settling(kind, data)
        states = {} if told is None else self.attempts_at(told.place)
        if told is None or not told.counts(states):
            return False
        stood, states[told.n] = states[told.n], told.state
        earlier = self.settled.get((told.place, told.n))  # of an attempt only the last is kept
        was = stood if earlier is None else earlier.stood
        found = Settled(self.claim.tenant, self.claim.id, told, was, now)
        self.settled[told.place, told.n] = found
        return True

    def end(self, status: str, code: str | None, result: JsonValue, now: float) -> None:
        """End the run."""
        self.ending = Ending(self.claim, self.woken, status, code, result, now)


class Work(Protocol):
    """One thing that a drive writes."""

    @property
    def places(self) -> Iterable[Place]:
        """Whose attempts it looks at."""

    @property
    def needs(self) -> Need | None:
        """What it may change of what is known of a connection."""

    def __call__(self, journal: OpenJournal, /) -> None:
        """Write it."""

    def forget(self) -> None:
        """It was written, and nothing of that is kept."""


@dataclass(frozen=True)
class Turn:
    """What one drive writes in one turn of its event loop."""

    claim: Claim
    works: tuple[Work, ...]
    seen: Callable[[], Seen]  # up to which event of its journal it knows what happened
    loaded: Loaded = field(default_factory=dict)
    asked: Asked | None = None  # where the claim is foreseen: it is taken with what is written

    def forget(self) -> None:
        """Nothing of it is kept."""
        for work in self.works:
            work.forget()


def written(c: Connection, turns: Sequence[Turn]) -> list[Look]:
    """Write the turns of drives, and look: whoever wrote needs not read again.

    Raises `FencedError` if one of their claims is over, or is not what was foreseen.
    """
    by_drive: dict[tuple[object, ...], list[Turn]] = {}
    for turn in turns:
        by_drive.setdefault(_drive(turn), []).append(turn)
    journals = dict(zip(by_drive, _opened(c, [*by_drive.values()]), strict=True))
    for turn in turns:
        for work in turn.works:
            work(journals[_drive(turn)])
    _write(c, [*journals.values()])
    found = {drive: Look(tuple(each.news), each.woken) for drive, each in journals.items()}
    return [found[_drive(turn)] for turn in turns]


def _drive(turn: Turn) -> tuple[object, ...]:
    """Whose turn it is; one that only foresees its claim may not be the one that has it."""
    claim = turn.claim
    foreseen_by = None if turn.asked is None else id(turn)
    return claim.kind, claim.tenant, claim.id, claim.epoch, foreseen_by


def _opened(c: Connection, drives: Sequence[Sequence[Turn]]) -> list[OpenJournal]:
    """The journal of each of these, which may have several turns."""
    held = _held(c, [turns[0] for turns in drives])
    permits = _permits(c, [turn for turns in drives for turn in turns])
    found = []
    for turns, row in zip(drives, held, strict=True):
        news = _news(c, turns[0], row)
        claim, last = turns[0].claim, news[-1].seq if news else row.last
        mine = permits[claim.tenant]
        found.append(OpenJournal(c, claim, row.wake_seq, row.cancel_mode, last, news, mine, {}))
    asked = [
        (
            each.claim.tenant,
            each.claim.id,
            {p for turn in turns for w in turn.works for p in w.places},
        )
        for each, turns in zip(found, drives, strict=True)
    ]
    for each, at in zip(found, attempts.at(c, asked), strict=True):
        each.at = at
    return found


def _permits(c: Connection, turns: Sequence[Turn]) -> dict[str, Permits]:
    """Those of each tenant, with what their works need locked in one order."""
    found = {}
    for tenant in sorted({turn.claim.tenant for turn in turns}):
        mine = [work.needs for turn in turns if turn.claim.tenant == tenant for work in turn.works]
        found[tenant] = Permits(c, tenant)
        found[tenant].lock(need for need in mine if need is not None)
    return found


def _held(c: Connection, turns: Sequence[Turn]) -> list[Held]:
    """How their rows stand; one whose claim is taken only now stands as it was queued."""
    foreseen = [(turn.claim, turn.asked) for turn in turns if turn.asked is not None]
    if claims(c, [asked for _, asked in foreseen]) != [claim for claim, _ in foreseen]:
        raise FencedError("a run is not as it was queued any more")
    rest = iter(hold_all(c, [turn.claim for turn in turns if turn.asked is None]))
    return [next(rest) if turn.asked is None else AS_QUEUED for turn in turns]


def _news(c: Connection, turn: Turn, held: Held) -> list[StoredEvent]:
    """What the drive has not seen; whoever else writes to its journal wakes it as well.

    Raises `JournalLostError` where it has seen what is not there any more.
    """
    claim, seen = turn.claim, turn.seen()
    journal.require_woken(claim, held.wake_seq)
    if seen == (held.last, held.last_at) and held.wake_seq == claim.wake_seq:
        return []
    return journal.news(c, claim, seen, turn.loaded)


def _write(c: Connection, journals: Sequence[OpenJournal]) -> None:
    attempts.add(c, [(each.claim, row) for each in journals for row in each.begun])
    attempts.settle(c, [row for each in journals for row in each.settled.values()])
    keeper = Keeper(c)
    journal.add(keeper, ((each.claim.tenant, event) for each in journals for event in each.events))
    endings = [each.ending for each in journals if each.ending is not None]
    runs.finish(keeper, endings)
    approvals.close(c, *((each.claim.tenant, each.claim.id) for each in endings), state="void")
    for permits in {id(each.permits): each.permits for each in journals}.values():
        permits.close()
