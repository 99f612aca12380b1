"""The verdict on places among the calls of a connection: tenants take turns for them."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim_judge import Violation

from executor.run.slots import Slot, Slots

if TYPE_CHECKING:
    from sim_world import World


@dataclass(eq=False)
class _Wait:
    """One call that waits, and when another tenant had two turns meanwhile."""

    connection: str
    tenant: str
    since: float
    passed_at: float | None = None


class Places(Slots):
    """The places of one process, watched."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world
        self._waits: set[_Wait] = set()
        self._last: dict[str, tuple[str, float]] = {}  # by connection: whose turn, and when

    async def wait(self, connection: str, most: int | None, tenant: str) -> Slot:
        """As it is; whoever is given a place must not have passed over anybody."""
        mine = _Wait(connection, tenant, _now())
        self._waits.add(mine)
        try:
            slot = await super().wait(connection, most, tenant)
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
        whose, at = self._last.get(given.connection, ("", 0.0))
        for other in self._waits:
            if other.connection != given.connection or other.tenant == given.tenant:
                continue
            self._world.services.reached["a place beside another tenant"] += 1
            if whose == given.tenant and other.since < at and other.passed_at is None:
                other.passed_at = _now()
        self._last[given.connection] = given.tenant, _now()

    def _break(self, passed: _Wait) -> None:
        what = f"a call of {passed.tenant} waits while another tenant has two turns"
        self._world.break_with(Violation(what))


def _now() -> float:
    return asyncio.get_running_loop().time()
