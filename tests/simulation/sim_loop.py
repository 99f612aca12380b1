"""An event loop whose time is virtual: when nothing is ready it jumps to the next timer.

Everything that runs on it is deterministic, as long as nothing on it uses threads, sockets or a
real clock. A day of waiting takes no time at all. An error in a callback ends the whole history.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")


MOST_JUMPS = 20_000  # a history takes some fifty, the longest some three thousand
TICK_S = 1e-6  # the least that the clock can tell


class StuckError(Exception):
    """Nothing is ready and no timer is set, or somebody asks the time again and again."""


class _Handle:
    """Something to call, unless it is cancelled."""

    __slots__ = ("args", "callback", "is_cancelled", "run")

    def __init__(
        self, callback: Callable[..., object], args: tuple[object, ...], context: Context | None
    ) -> None:
        self.run = (context or copy_context()).run
        self.callback = callback
        self.args = args
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class VirtualLoop(asyncio.BaseEventLoop):
    """`asyncio` without I/O, in virtual seconds since its start; ready things go in order."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._jumps = 0
        self._numbered = 0
        self._due: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []  # of one time: in the order of setting

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args, context)
        self._due.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: object,
        context: Context | None = None,
    ) -> _Handle:  # fmt: skip
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: object,
        context: Context | None = None,
    ) -> _Handle:  # fmt: skip
        handle = _Handle(callback, args, context)
        self._numbered += 1
        heappush(self._timers, (when, self._numbered, handle))
        return handle

    def call_soon_threadsafe(self, *_: object, **__: object) -> asyncio.Handle:
        raise AssertionError("something on the virtual loop uses a thread")

    def _run_once(self) -> None:
        """What is ready by now; if nothing is, the time of the next timer comes first."""
        due, timers = self._due, self._timers
        while timers and timers[0][2].is_cancelled:
            heappop(timers)
        if not due:
            if not timers:
                raise StuckError("everybody waits for ever")
            self._jump_to(timers[0][0])
        while timers and timers[0][0] < self._now + TICK_S:
            due.append(heappop(timers)[2])
        for _ in range(len(due)):
            each = due.popleft()
            if not each.is_cancelled:
                each.run(each.callback, *each.args)

    def _jump_to(self, when: float) -> None:
        """Let time pass; no less than the clock can tell, or a timer would never be due."""
        self._now = max(when, self._now + TICK_S)
        self._jumps += 1
        if self._jumps > MOST_JUMPS:
            raise StuckError("it never comes to rest")


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, and leave no task behind."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return copy_context().run(loop.run_until_complete, main)
    finally:
        while left := asyncio.all_tasks(loop):  # what ends may begin something
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
