"""Runs what blocks in threads of its own: those of the gateway are never waited for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Threads(Generic[_T]):
    """So many calls at a time, each in a thread; one that was given up keeps its place to its end.

    Nobody can end a thread, so none of them keeps the process from ending either.
    """

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)

    async def place(self) -> None:
        """Wait for a place; who has one calls `run` at once, or `leave`."""
        await self._places.acquire()

    def leave(self) -> None:
        """Give a place back that nothing is run in."""
        self._places.release()

    def run(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        """Begin at once; `work` raises nothing."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[_T] = loop.create_future()
        context = copy_context()

        def end(result: _T) -> None:
            self._places.release()
            if not ended.done():
                ended.set_result(result)

        def body() -> None:
            result = context.run(work)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(end, result)

        threading.Thread(target=body, name="lamgate-tool", daemon=True).start()
        return ended
