"""How many calls of one connection are under way at once, in this process."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

from connectors.spec import ActionSpec


class Slots:
    """A place for each call that may be under way, for connections that have a limit of them."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], asyncio.Semaphore] = {}

    def of(self, action: ActionSpec) -> AbstractAsyncContextManager[None]:
        """Wait for a place before this action's intent is written, and keep it over the call."""
        most = action.limits.concurrency if action.limits else None
        if most is None:
            return nullcontext()
        return self._places.setdefault((action.connection, most), asyncio.Semaphore(most))
