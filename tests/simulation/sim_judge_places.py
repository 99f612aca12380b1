"""The verdict on places among the calls of a connection: tenants take turns, each by its ranks."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim_judge import Violation

from executor import turns
from executor.run.slots import Slot, Slots

if TYPE_CHECKING:
    from sim_world import World


@dataclass(eq=False)
class _Wait:
    """One call that waits, when it was passed over, and by what."""

    connection: str
    tenant: str
    rank: int
    since: float
    passed_at: float | None = None
    by: str = ""


class Places(Slots):
    """The places of one process, watched."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world
        self._waits: set[_Wait] = set()
        self._last: dict[str, tuple[str, float]] = {}  # by connection: whose turn, and when
        self._turns: Counter[tuple[str, str]] = Counter()  # since one before its rank

    async def wait(self, connection: str, most: int | None, tenant: str, rank: int = 0) -> Slot:
        """As it is; whoever is given a place must not have passed over anybody."""
        mine = _Wait(connection, tenant, rank, _now())
        self._waits.add(mine)
        try:
            slot = await super().wait(connection, most, tenant, rank)
        except asyncio.CancelledError:
            self._waits.remove(mine)
            if mine.passed_at is not None and mine.passed_at < _now():  # else it had just given up
                self._break(mine)
            raise
        self._waits.remove(mine)
        if mine.passed_at is not None:
            self._break(mine)
        self._note(mine)
        return slot

    def _note(self, given: _Wait) -> None:
        self._judge_rank(given)
        whose, at = self._last.get(given.connection, ("", 0.0))
        for other in self._waits:
            if other.connection != given.connection or other.tenant == given.tenant:
                continue
            self._world.services.reached["a place beside another tenant"] += 1
            if whose == given.tenant and other.since < at and other.passed_at is None:
                other.passed_at, other.by = _now(), "another tenant that has two turns"
        self._last[given.connection] = given.tenant, _now()

    def _judge_rank(self, given: _Wait) -> None:
        """Who comes before a higher rank has waited longer, and so many turns were not of its."""
        own = given.connection, given.tenant
        before = [
            other
            for other in self._waits
            if (other.connection, other.tenant) == own
            and other.rank < given.rank
            and other.since < _now()
        ]
        if any(other.rank > given.rank for other in self._waits if other.tenant == given.tenant):
            self._world.services.reached["a place by priority"] += 1
        for other in before:
            is_its_turn = self._turns[own] >= turns.PASSED and given.since <= other.since
            if other.passed_at is None and not is_its_turn:
                other.passed_at, other.by = _now(), "a lower priority"
        self._turns[own] = 0 if before else self._turns[own] + 1

    def _break(self, passed: _Wait) -> None:
        what = f"a call of {passed.tenant} waits for {passed.by}"
        self._world.break_with(Violation(what))


def _now() -> float:
    return asyncio.get_running_loop().time()
