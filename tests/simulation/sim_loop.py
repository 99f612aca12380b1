"""An event loop whose time is virtual: when nothing is ready it jumps to the next timer.

Everything that runs on it is deterministic, as long as nothing on it uses threads, sockets or a
real clock. A day of waiting takes no time at all.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


MOST_JUMPS = 100_000  # a history takes some two hundred


class StuckError(Exception):
    """Nothing is ready and no timer is set, or somebody asks the time again and again."""


class _Jump:
    """What the loop asks for I/O: there is none, so that waiting is passing the time."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise StuckError("everybody waits for ever")
        if timeout > 0:
            self._loop.jump(timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """`asyncio` without I/O, in virtual seconds since its start."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump(self)
        self._clock_resolution = 1e-6
        self._now = 0.0
        self._jumps = 0

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass; no less than the clock can tell, or a timer would never be due."""
        self._now += max(seconds, self._clock_resolution)
        self._jumps += 1
        if self._jumps > MOST_JUMPS:
            raise StuckError("it never comes to rest")

    def _process_events(self, event_list: list[object]) -> None:
        pass

    def _write_to_self(self) -> None:
        raise AssertionError("something on the virtual loop uses a thread")


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, and leave no task behind."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return copy_context().run(loop.run_until_complete, main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
