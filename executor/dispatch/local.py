"""Drives everything in this process, one drive at a time for each request or run.

What waits to be driven is taken by turns: tenant after tenant, each by its priorities; of those
what is new and what goes on by turns, each in order of arrival (`executor/turns.py`). A tenant of
which nothing is driven has a place of its own, however many the others have taken; and so has a
rank of which, and of all higher ones, nothing of its tenant is driven.

What was being driven when two processes died in a row is a suspect: the suspects are driven one
after the other, each when its turn comes, so that only the one that kills has a third death to its
name, and is put aside. Deaths are counted when a process begins, so that is when they are known.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf

from executor.dispatch.base import (
    MOST_ASKING,
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
    tell_stuck,
    too_many_deaths,
)
from executor.store.drives import RANKS, DriveKind, Due
from executor.store.errors import StoreError, StorePausedError
from executor.store.ready import due, generation, next_wake
from executor.store.recovery import crashed, crashes_of, hand_back, release
from executor.store.store import Store
from executor.store.waking import is_to_wake_on, wake_on
from executor.turns import Turns

LONGEST_SLEEP_S = 5.0
_NEW, _GOES_ON = 0, 1  # lanes
_UNRANKED = max(RANKS.values()) + 1
_log = logging.getLogger("lamgate.dispatch")


class LocalDispatcher:
    """One process a SQLite file, so whatever was running before has died with its process."""

    def __init__(
        self,
        store: Store,
        *,
        concurrency: int = 64,
        drain_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._clock = clock
        self._drain_s = drain_s
        self._driver = f"local-{uuid.uuid4().hex[:12]}"
        self._drives: dict[DriveKind, tuple[Drive, Park]] = {}
        self._halts: list[Halt] = []
        self._active: dict[Due, asyncio.Task[None]] = {}
        self._driven: Counter[tuple[str, int]] = Counter()  # of these, by tenant and rank
        self._unranked: set[Due] = set()  # of these, those that were woken and began at once
        self._waiting: set[Due] = set()
        self._turns: Turns[Due] = Turns()
        self._deaths: dict[Due, int] = {}  # of the suspects
        self._suspected: Due | None = None  # the one that is being driven
        self._ranking: set[asyncio.Task[None]] = set()  # of what waits to be ranked
        self._again: set[Due] = set()
        self._failures: dict[Due, int] = {}
        self._broken: dict[Due, int] = {}  # of these, those that are no fault of the store
        self._concurrency = concurrency
        self._bell = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._stopping = False
        self.outdated = asyncio.Event()  # never: nobody else uses the file

    def register(
        self,
        kind: DriveKind,
        drive: Drive,
        park: Park,
        halt: Halt = no_halt,
        look_back: LookBack = no_look_back,
    ) -> None:
        """As every dispatcher; nobody looks back, for no file takes over from another."""
        self._drives[kind] = (drive, park)
        self._halts.append(halt)

    def lease_ends(self) -> float:
        """Never: the file is locked by this process."""
        return inf

    def submit(self, due: Due) -> None:
        """Drive it when its turn comes; while it is being driven, once more afterwards.

        Who wakes it does not know its rank: where it has to wait, its row says it.
        """
        if due.plan is not None or due in self._active or due in self._waiting:
            self._let_wait(due)
        else:
            self._wake(due)

    def _wake(self, due: Due) -> None:
        if self._begins_at_once(due):
            self._unranked.add(due)
            self._let_wait(due)
            return
        if len(self._ranking) >= MOST_ASKING:
            return  # it is due, and so it is found when those are through
        ranking = asyncio.get_running_loop().create_task(self._rank(due))
        self._ranking.add(ranking)
        ranking.add_done_callback(self._ranking.discard)

    async def _rank(self, due: Due) -> None:
        with contextlib.suppress(StoreError):  # then it is found with all that is due
            found = await self._store.read(partial(generation, due=due, now=self._clock()))
            if found is not None:
                self._let_wait(replace(due, epoch=found[0], rank=found[1]))

    def _let_wait(self, due: Due) -> None:
        if due in self._active:
            self._again.add(due)
        elif due not in self._waiting:
            self._waiting.add(due)
            self._turns.add(due.tenant, due, due.rank, _GOES_ON if due.epoch else _NEW)
            self._fill()

    async def start(self) -> None:
        """Hand back what a dead process was driving, then drive all that is due."""
        await in_pieces(self._store, partial(hand_back, now=self._clock()))
        for each in await self._store.read(partial(crashed, times=MOST_CRASHES - 1)):
            self._deaths[each] = each.crashes
            is_killer = each.crashes >= MOST_CRASHES
            if is_killer and await self._park(each, too_many_deaths()) is not None:
                self._let_wait(each)
        if self._ranking:  # what came meanwhile has its rank before the first turn is given
            await asyncio.wait(self._ranking)
        self._timer = asyncio.get_running_loop().create_task(self._tick())
        self._fill()

    async def stop(self) -> None:
        """Begin nothing new, give drives `drain_s` to end, then leave the rest to the next start.

        A drive that is cut off resumes from its journal, like one whose process was killed.
        """
        self._stopping = True
        for halt in self._halts:
            halt()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, *self._ranking, return_exceptions=True)
        if self._active:
            _, late = await asyncio.wait(list(self._active.values()), timeout=self._drain_s)
            for drive in late:
                drive.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(StoreError):  # then the next start counts it as a recovery
            await in_pieces(self._store, partial(release, driver=self._driver, now=self._clock()))

    def _fill(self) -> None:
        """Begin drives while there is room for them, once it is known what others died with."""
        while self._goes_on:
            following = self._turns.next(self._may_begin, self._has_room)
            if following is None:
                return
            if following in self._deaths:
                self._suspected = following
            self._waiting.discard(following)
            drive = asyncio.get_running_loop().create_task(self._drive(following))
            self._active[following] = drive
            self._driven[following.tenant, self._rank_of(following)] += 1

    def _begins_at_once(self, due: Due) -> bool:
        return self._goes_on and self._has_room(due.tenant, _UNRANKED) and self._may_begin(due)

    def _has_room(self, tenant: str, rank: int) -> bool:
        """Whether one more may be driven; where its tenant has none of its rank or higher, always.

        What holds a place may hold it for as long as a service takes: whoever has filled all of
        them is to be waited for neither by others, nor by what is more urgent.
        """
        is_full = len(self._active) >= self._concurrency
        return not (is_full and any(self._driven[tenant, each] for each in range(rank + 1)))

    def _rank_of(self, due: Due) -> int:
        """As which it is counted: what nobody has looked up is of no rank, and keeps none away."""
        return _UNRANKED if due in self._unranked else due.rank

    @property
    def _goes_on(self) -> bool:
        return self._timer is not None and not self._stopping

    def _may_begin(self, due: Due) -> bool:
        return self._suspected is None or due not in self._deaths

    async def _drive(self, what: Due) -> None:
        pause: float | None = None
        try:
            if self._deaths.get(what, 0) >= MOST_CRASHES:  # it could not be put aside yet
                pause = await self._park(what, too_many_deaths())
                return
            drive, _ = self._drives[what.kind]
            await drive(what, self._driver)
            await self._recount(what)
            self._forgive(what)
            self._bell.set()  # it may have made something else due
        except StoreError as error:
            pause = self._pause(what, error)
            _log.warning("%s %s goes on in %.1f s: %s", what.kind, what.id, pause, error)
            if self._failures[what] >= MOST_FAILURES and not isinstance(error, StorePausedError):
                await tell_stuck(self._store, what, error)
        except Exception as error:  # noqa: BLE001 - one broken drive must not end the others
            pause = self._pause(what, error)
            _log.exception("%s %s broke its drive", what.kind, what.id)
            self._broken[what] = self._broken.get(what, 0) + 1
            if self._broken[what] >= MOST_FAILURES:
                pause = await self._park(what, error)
        finally:
            del self._active[what]
            self._driven[what.tenant, rank := self._rank_of(what)] -= 1
            self._unranked.discard(what)
            if self._suspected == what:
                self._suspected = None
            if what in self._again:
                self._again.discard(what)
                is_known = pause is not None or rank != _UNRANKED  # or else its row can be asked
                goes_on = self._let_wait if is_known else self._wake
                goes_on(replace(what, epoch=what.epoch + 1))
            elif pause is not None:
                asyncio.get_running_loop().call_later(pause, self._let_wait, what)
            self._fill()

    async def _park(self, what: Due, error: Exception) -> float | None:
        """Put aside what cannot be driven; None, or when to try again where that fails too."""
        _, park = self._drives[what.kind]
        trouble = await put_aside(self._store, park, what, self._driver, error)
        if trouble is not None:
            return self._pause(what, trouble)
        self._forgive(what)
        self._deaths.pop(what, None)
        return None

    async def _recount(self, what: Due) -> None:
        """A suspect of which a call has ended, or that has ended itself, is none any more."""
        if what in self._deaths and not await self._store.read(partial(crashes_of, due=what)):
            del self._deaths[what]

    def _forgive(self, what: Due) -> None:
        self._failures.pop(what, None)
        self._broken.pop(what, None)

    def _pause(self, what: Due, error: Exception) -> float:
        failures = self._failures[what] = self._failures.get(what, 0) + 1
        return pause_after(failures, error)

    async def _tick(self) -> None:
        while True:
            self._bell.clear()
            pause, now = LONGEST_SLEEP_S, self._clock()
            try:
                if await self._wake_on(now):
                    pause = WAKES_AGAIN_S
                for found in await self._store.read(partial(due, now=now)):
                    if found not in self._active and found not in self._failures:
                        self._let_wait(found)
                following = await self._store.read(partial(next_wake, after=now))
                if following is not None:
                    pause = min(pause, max(0.01, following - self._clock()))
            except StoreError as error:
                _log.warning("cannot look for what is due: %s", error)
            except Exception:  # noqa: BLE001 - without another look nothing would go on
                _log.exception("cannot look for what is due")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._bell.wait()

    async def _wake_on(self, now: float) -> bool:
        """Wake some of what is noted; whether there may be more."""
        is_noted = await self._store.read(is_to_wake_on)
        return is_noted and await self._store.write(partial(wake_on, now=now))
