"""How many calls of one connection are under way at once, in this process."""

import asyncio
from dataclasses import dataclass

from connectors.spec import ActionSpec


@dataclass(frozen=True)
class Slot:
    """A place for one call; where nothing is limited there is always one."""

    semaphore: asyncio.Semaphore | None = None

    def release(self) -> None:
        """Leave it to the next call."""
        if self.semaphore is not None:
            self.semaphore.release()


class Slots:
    """A place for each call that may be under way, for connections that have a limit of them."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], asyncio.Semaphore] = {}

    async def take(self, action: ActionSpec) -> Slot | None:
        """Take a place if one is free at once, before anybody else can."""
        semaphore = self._of(action)
        if semaphore is None:
            return Slot()
        if semaphore.locked():
            return None
        await semaphore.acquire()
        return Slot(semaphore)

    async def wait(self, action: ActionSpec) -> Slot:
        """Wait for a place, in the order of asking."""
        semaphore = self._of(action)
        if semaphore is not None:
            await semaphore.acquire()
        return Slot(semaphore)

    def _of(self, action: ActionSpec) -> asyncio.Semaphore | None:
        most = action.limits.concurrency if action.limits else None
        if most is None:
            return None
        return self._places.setdefault((action.connection, most), asyncio.Semaphore(most))
