"""Drives on a database that many processes share: a queue says who drives what.

    a row that wants to be driven ─▶ a job on the queue, one for each generation of the row
    a process takes the job ─▶ claims the row, drives it, lets go ─▶ looks whether it is due again

The rows are the truth and the queue is how fast they are seen: a job that is lost is asked for
again by whoever looks after everything, once a second (`asking.py`). A generation is the row's
epoch, which every claim raises, so a job that comes twice or too late finds nothing to do.

A process that dies stops renewing its lease. Another one then hands back what it drove, lets its
jobs be taken again, and forgets it; what it had in flight is treated by its effect class. What was
taken by a process of which nobody knows (it died as it took leave) is found a little later.

What was being driven when two processes died in a row is a suspect. Of the suspects a process
drives one at a time, so that only the one that kills has a third death to its name, and is put
aside; one that comes meanwhile keeps no place from others, and is asked for again. A process that
was only cut off takes the death back once it is heard again.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from executor.dispatch.asking import Asking, Suspects
from executor.dispatch.base import (
    MOST_CRASHES,
    MOST_FAILURES,
    WAKES_AGAIN_S,
    Drive,
    Halt,
    LookBack,
    Park,
    in_pieces,
    no_halt,
    no_look_back,
    pause_after,
    put_aside,
    too_many_deaths,
)
from executor.dispatch.lease import Lease
from executor.dispatch.queue import Job, Queue
from executor.store import drives, recovery, waking, workers
from executor.store.drives import DriveKind, Due
from executor.store.errors import NewerSchemaError, StoreError, StorePausedError
from executor.store.migrate import require_readable
from executor.store.store import Store
from executor.store.trouble import Trouble

BEAT_S = 1.0
SWEEP_S = 10.0
T = TypeVar("T")
_log = logging.getLogger("lamgate.dispatch")


class DistributedDispatcher:
    """One of many processes on a database; with `drives_here` false it asks and drives nothing."""

    def __init__(
        self,
        store: Store,
        queue_of: Callable[[str], Queue],
        *,
        drives_here: bool = True,
        drain_s: float = 20.0,
    ) -> None:
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._store = store
        self._lease = Lease(store, self.worker)
        self._queue = queue_of(self.worker)
        self._drives_here = drives_here
        self._drain_s = drain_s
        self._drives: dict[DriveKind, tuple[Drive, Park]] = {}
        self._halts: list[Halt] = []
        self._looks_back: list[LookBack] = []
        self._looked_back_at = 0  # so many take-overs
        self._active: dict[Due, asyncio.Task[None]] = {}
        self._astray: set[Due] = set()  # what was said to be driven here, and was not
        self._suspects = Suspects()
        self._going_on: list[asyncio.Task[None]] = []  # all that is done again and again
        self._stopping = asyncio.Event()
        self._asking = Asking(store, self._queue, self.worker, self._suspects, self._stopping)
        self.outdated = asyncio.Event()  # set once a newer version has begun on this database

    def register(
        self,
        kind: DriveKind,
        drive: Drive,
        park: Park,
        halt: Halt = no_halt,
        look_back: LookBack = no_look_back,
    ) -> None:
        """As every dispatcher."""
        self._drives[kind] = (drive, park)
        self._halts.append(halt)
        self._looks_back.append(look_back)

    def lease_ends(self) -> float:
        """Until when this process may begin effects, as a reading of `time.monotonic()`."""
        return self._lease.ends

    def submit(self, due: Due) -> None:
        """Ask for a drive soon, by whichever process comes first."""
        self._asking.soon(due)

    async def start(self) -> None:
        """Join: say that this process lives, then take jobs; raises `StoreError`."""
        if self._drives_here:
            await self._lease.renew(self._active)
        await self._queue.open(self._run)
        # Each beside the others: however much is due or over, the lease is renewed.
        again = [("the lease", self._beat, BEAT_S)]
        if self._drives_here:
            again += [("a look at everything", self._watch, BEAT_S)]
            again += [("a look back", self._look_back, BEAT_S)]
            again += [("what is to be woken", self._wake_on, BEAT_S)]
            again += [("a look at the queue", self._sweep, SWEEP_S)]
        loop = asyncio.get_running_loop()
        self._going_on = [loop.create_task(self._again(*each)) for each in again]

    async def stop(self) -> None:
        """Take nothing more, let drives come to where they can be taken up, and leave."""
        self._stopping.set()
        for halt in self._halts:
            halt()
        leaving = asyncio.create_task(self._queue.leave(self._drain_s + 2))
        if self._active:
            _, late = await asyncio.wait(list(self._active.values()), timeout=self._drain_s)
            for drive in late:
                drive.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for each in self._going_on:  # until here the lease lasts
            each.cancel()
        await asyncio.gather(*self._going_on, return_exceptions=True)
        await self._asking.end()
        if self._drives_here:
            with contextlib.suppress(StoreError):  # then another process finds out
                now = self._store.clock()
                forget = partial(workers.forget, worker=self.worker, now=now)
                await in_pieces(self._store, forget)
        await leaving

    async def _run(self, job: Job) -> None:
        """Do what a job asks for, and see to it that nothing that came meanwhile is forgotten."""
        if (under_way := self._active.get(job.due)) is not None:
            # It was asked for twice, or taken from this process meanwhile: then that drive is over
            # at its next word, and what this job is for is still to be done.
            await asyncio.wait([under_way])
        elif not self._stopping.is_set():
            task = asyncio.get_running_loop().create_task(self._take(job.due))
            self._active[job.due] = task
            self._lease.note(job.due)
            try:
                await asyncio.wait([task])
            finally:
                del self._active[job.due]
        after = self._asking.ended(job)
        await self._until_answered(lambda: self._store.write(after))

    async def _take(self, what: Due) -> None:
        """Drive it; a suspect not beside another one, and not at all once it has killed three."""
        self._suspects.put_off.pop(what, None)
        known = partial(recovery.crashes_of, due=what)
        crashes = await self._until_answered(lambda: self._store.read(known))
        if crashes is None:
            return
        if crashes >= MOST_CRASHES:
            await self._put_aside(what, too_many_deaths())
        elif crashes < MOST_CRASHES - 1:
            await self._see_through(what)
        elif self._suspects.driven is not None:
            self._suspects.put_off[what] = None
        else:
            await self._see_through_alone(what)

    async def _see_through_alone(self, what: Due) -> None:
        """The same for a suspect; then it is the turn of one that came meanwhile."""
        self._suspects.driven = what
        try:
            await self._see_through(what)
        finally:
            self._suspects.driven = None
            if self._suspects.put_off:
                following = next(iter(self._suspects.put_off))
                del self._suspects.put_off[following]
                self.submit(following)

    async def _see_through(self, what: Due) -> None:
        """Drive until it comes back; pause after failures, put aside what breaks every time."""
        drive, _ = self._drives[what.kind]
        failures = broken = 0
        while not self._stopping.is_set():
            try:
                await drive(what, self.worker)
                return
            except StorePausedError as error:  # as for everything else that is driven
                failures += 1
                pause = pause_after(failures, error)
                _log.warning("%s %s waits for the store: %s", what.kind, what.id, error)
            except Exception as error:  # noqa: BLE001 - one broken drive must not end the others
                failures, broken = failures + 1, broken + 1
                pause = pause_after(failures, error)
                _log.exception("%s %s broke its drive", what.kind, what.id)
                if broken >= MOST_FAILURES:
                    await self._put_aside(what, error)
                    return
            await self._pause(pause)

    async def _put_aside(self, what: Due, error: Exception) -> None:
        """Put it aside; where that fails too it is said to be driven here, and keeps no place.

        So nobody takes it at once, and what is not driven here is given back, and tried again.
        """
        _, park = self._drives[what.kind]
        if await put_aside(self._store, park, what, self.worker, error) is not None:
            now = self._store.clock()
            rest = partial(drives.claim, due=what, driver=self.worker, now=now)
            with contextlib.suppress(StoreError):  # then it is tried again sooner
                await self._store.write(rest)

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the store until it answers; None once this process is stopping."""
        failures = 0
        while True:
            try:
                return await ask()
            except StoreError as error:
                failures += 1
                if self._stopping.is_set():
                    return None
                await self._pause(pause_after(failures, error))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _beat(self) -> None:
        self._asking.forget()
        # Also where a newer version has begun: what is under way is seen to its end.
        if self._drives_here:
            await self._lease.renew(self._active)
        else:
            await self._store.set_clock()
        if not self.outdated.is_set():
            await self._store.read(require_readable)

    async def _again(self, what: str, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        """Do it for ever, whatever goes wrong."""
        trouble = Trouble(_log, f"{what} is put off")
        while True:
            begun = time.monotonic()
            try:
                await work()
                trouble.is_over()
            except NewerSchemaError as error:
                _log.warning("ending: %s", error)
                self.outdated.set()
            except StoreError as error:
                trouble.goes_on(error)
            except Exception:  # noqa: BLE001 - the queue's own; without these all would be lost
                _log.exception("%s failed, and is tried again", what)
            await asyncio.sleep(max(0.05, every_s - (time.monotonic() - begun)))

    async def _watch(self) -> None:
        """Look after everything, for as long as nobody else has to look after this process."""
        if time.monotonic() > self._lease.ends or self.outdated.is_set():
            return
        seen = await self._store.write_at_once(partial(workers.watch, now=self._store.clock()))
        if seen is None:
            return
        for dead in seen.dead:
            count = await self._queue.take_over(dead)
            bury = partial(workers.bury, worker=dead, now=self._store.clock())
            await self._store.write_at_once(bury)
            _log.warning("took over %d drives of %s, which is gone", count, dead)
        wanted = [each for each in seen.due if not self._asking.was_asked(Job(each, each.epoch))]
        # Of the suspects one at a time: a process with one under way passes on what else comes.
        later = {*[each for each in wanted if each.crashes == MOST_CRASHES - 1][1:]}
        await self._asking.ask([each for each in wanted if each not in later])

    async def _look_back(self) -> None:
        """Where another server has taken over: whether it holds what was seen of what is driven."""
        seen = self._lease.take_overs
        if seen != self._looked_back_at:
            for look_back in self._looks_back:
                await look_back()
            self._looked_back_at = seen

    async def _wake_on(self) -> None:
        """Wake what is noted, bit by bit; it is found with everything that is due."""
        while not self.outdated.is_set() and await self._store.read(waking.is_to_wake_on):
            wake = partial(waking.wake_on, now=self._store.clock())
            if not await self._store.write(wake):
                return  # another process is at it
            await asyncio.sleep(WAKES_AGAIN_S)

    async def _sweep(self) -> None:
        """Hand on what nobody is at, though somebody is said to be, and forget what is over."""
        await self._give_back()
        if self.outdated.is_set():
            return
        holders = await self._queue.holders()  # who takes a job has said before that it lives
        for gone in holders - await self._store.read(workers.known):
            count = await self._queue.take_over(gone)
            _log.warning("took over %d drives of %s, which nobody knows", count, gone)
        await self._queue.sweep(self._store.clock())

    async def _give_back(self) -> None:
        """Give back what was twice said to be driven here, and was not: its end was lost."""
        said = await self._store.read(partial(recovery.driven_by, driver=self.worker))
        astray = said - self._active.keys()
        for each in astray & self._astray:
            _log.warning("%s %s is given back: nobody drives it here", each.kind, each.id)
            now = self._store.clock()
            await self._store.write(
                partial(recovery.release, driver=self.worker, now=now, only=each)
            )
        self._astray = astray
