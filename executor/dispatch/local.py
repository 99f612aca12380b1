"""Drives everything in this process, one drive at a time for each request or run."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from functools import partial

from executor.dispatch.base import Drive
from executor.store.drives import DriveKind, Due, due, hand_back, next_wake
from executor.store.errors import StoreError
from executor.store.store import Store

LONGEST_SLEEP_S = 5.0
_log = logging.getLogger("lamgate.dispatch")


class LocalDispatcher:
    """One process a SQLite file, so whatever was running before has died with its process."""

    def __init__(
        self, store: Store, *, concurrency: int = 64, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._clock = clock
        self._driver = f"local-{uuid.uuid4().hex[:12]}"
        self._drives: dict[DriveKind, Drive] = {}
        self._active: dict[Due, asyncio.Task[None]] = {}
        self._again: set[Due] = set()
        self._permits = asyncio.Semaphore(concurrency)
        self._bell = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._stopping = False

    def register(self, kind: DriveKind, drive: Drive) -> None:
        """Say who drives what."""
        self._drives[kind] = drive

    def submit(self, due: Due) -> None:
        """Drive it soon; while it is being driven, drive it once more afterwards."""
        if self._stopping:
            return
        if due in self._active:
            self._again.add(due)
            return
        self._active[due] = asyncio.get_running_loop().create_task(self._drive(due))

    async def start(self) -> None:
        """Hand back what a dead process was driving, then drive all that is due."""
        await self._store.write(partial(hand_back, now=self._clock()))
        self._timer = asyncio.get_running_loop().create_task(self._tick())

    async def stop(self) -> None:
        """Stop the timer and wait for the drives to come to an end."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._timer
        for drive in list(self._active.values()):
            drive.cancel()
        await asyncio.gather(*self._active.values(), return_exceptions=True)

    async def _drive(self, what: Due) -> None:
        try:
            async with self._permits:
                await self._drives[what.kind](what, self._driver)
            self._bell.set()  # it may have made something else due
        except StoreError as error:
            _log.warning("%s %s is left for later: %s", what.kind, what.id, error)
        except Exception:  # noqa: BLE001 - one broken drive must not end the others
            _log.exception("%s %s stays where it is until a restart", what.kind, what.id)
        finally:
            del self._active[what]
            if what in self._again:
                self._again.discard(what)
                self.submit(what)

    async def _tick(self) -> None:
        while True:
            self._bell.clear()
            pause = LONGEST_SLEEP_S
            try:
                for found in await self._store.read(partial(due, now=self._clock())):
                    if found not in self._active:
                        self.submit(found)
                following = await self._store.read(next_wake)
                if following is not None:
                    pause = min(pause, max(0.01, following - self._clock()))
            except StoreError as error:
                _log.warning("cannot look for what is due: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._bell.wait()
