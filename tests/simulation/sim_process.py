"""A process of the simulation: it may be killed, or stand still, at any point that it reaches."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from math import inf
from typing import Any, TypeVar

T = TypeVar("T")
LEASE_S = 12.0  # a process may begin effects for so long after its last heartbeat
BEAT_S = 4.0
WALL = 1_700_000_000.0
_here: ContextVar["Process | None"] = ContextVar("process", default=None)
DRIVE: ContextVar[int] = ContextVar("drive", default=0)  # which one of its run, where it is known


class Process:
    """What runs in it is cancelled when it is killed, and can do nothing more that is seen."""

    def __init__(self, name: str, rng: random.Random, reached: Counter[str]) -> None:
        self.name = name
        self.reached = reached
        self.is_dead = False
        self.is_cut_off = False  # from the database
        self.has_lease = True  # else nobody takes over what it drives while it lives
        self.skew_s = 0.0
        self.stood_still_at = 0.0  # before it went on
        self.went_on_at = 0.0  # after it had stood still
        self._stopped_at = 0.0
        self._rng = rng
        self._running = asyncio.Event()
        self._running.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.is_older = False  # than one that may begin on the same database
        self.beaten_at = asyncio.get_running_loop().time()
        self.ended = asyncio.Event()
        self.happen: Callable[[str], None] = lambda _: None  # what chaos does just there

    def clock(self) -> float:
        """The wall's time, as this machine sees it."""
        return WALL + asyncio.get_running_loop().time() + self.skew_s

    def lease_ends(self) -> float:
        """Until when it may begin effects: its heart beats as long as it runs and is connected."""
        if not self.has_lease:
            return inf
        is_well = self._running.is_set() and not self.is_cut_off and not self.is_dead
        if is_well and not self.is_older:  # that one asks for its lease itself
            now = asyncio.get_running_loop().time()
            self.beaten_at = max(self.beaten_at, now - now % BEAT_S)
        return self.beaten_at + LEASE_S

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Begin it in this process."""
        return self.do(lambda: asyncio.get_running_loop().create_task(work))

    def do(self, work: Callable[[], T]) -> T:
        """Do it in this process: every task that it makes belongs to the process, too."""
        token = _here.set(self)
        try:
            return work()
        finally:
            _here.reset(token)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Note a task, to be able to end it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def point(self, where: str) -> None:
        """Somewhere in the process where time may pass, or everything may end."""
        self.happen(where)
        if not self.is_dead and self._rng.random() < 0.3:
            await asyncio.sleep(self._rng.choice([0.0, 0.001, 0.05]))
        if not self._running.is_set():
            await self._running.wait()
        if self.is_dead:
            self.reached["died at a point"] += 1
            raise asyncio.CancelledError

    def stop(self) -> None:
        """Stand still, as after SIGSTOP."""
        self.lease_ends()
        if self._running.is_set():
            self._stopped_at = asyncio.get_running_loop().time()
        self._running.clear()

    def go_on(self) -> None:
        """Go on as if nothing had been."""
        if not self._running.is_set():
            self.stood_still_at = self._stopped_at
            self.went_on_at = asyncio.get_running_loop().time()
        self._running.set()

    def kill(self) -> None:
        """End at once, as after SIGKILL."""
        self.is_dead = True
        self.ended.set()
        self._running.set()
        for task in [*self._tasks]:
            task.cancel()


def task_factory(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any
) -> "asyncio.Task[Any]":
    """Give every task to the process in which it is made."""
    task = asyncio.Task(work, loop=loop, **more)
    process = _here.get()
    if process is not None:
        process.adopt(task)
        if process.is_dead:
            task.cancel()
    return task
