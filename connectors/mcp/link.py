"""Keeps one session with a server: opened when it is needed, and anew once it is over.

One that nobody has called through for long is ended, and with it a process that was started for it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from connectors.mcp.wire import LostError, Opening, Session, WireError

IDLE_S = 1800.0


class Link:
    """A session belongs to the task that opened it, so one task holds it for everybody."""

    def __init__(self, opening: Callable[[], Opening]) -> None:
        self._opening = opening
        self._holding: set[asyncio.Task[None]] = set()
        self._opened: asyncio.Future[Session] | None = None
        self._leave = asyncio.Event()
        self._is_closed = False
        self._users = 0
        self._used_at = time.monotonic()
        self.is_resting = False  # ended because nobody called, and not opened again

    @asynccontextmanager
    async def use(self, *, is_call: bool) -> AsyncIterator[Session]:
        """The session that is open, or a new one, for as long as this is; raises `WireError`.

        Only calls keep it from being ended once they are over.
        """
        self._users += 1
        try:
            yield await self._session()
        finally:
            self._users -= 1
            if is_call:
                self._used_at = time.monotonic()

    async def _session(self) -> Session:
        if self._opened is not None and _is_lost(self._opened):
            await self._let_go()
        while self._opened is None and self._holding:
            await asyncio.wait(self._holding)  # a server is not started twice at a time
        if self._is_closed:
            raise LostError("the connection is closed")
        if self._opened is None:
            self.is_resting, self._used_at = False, time.monotonic()
            self._leave = asyncio.Event()
            self._opened = asyncio.get_running_loop().create_future()
            holding = asyncio.create_task(self._hold(self._opened, self._leave))
            self._holding.add(holding)
            holding.add_done_callback(self._holding.discard)
        # Who gives up waiting gives up for themselves alone.
        return await asyncio.shield(self._opened)

    async def aclose(self) -> None:
        """End it; it is not opened again."""
        self._is_closed = True
        await self._let_go()

    async def _let_go(self) -> None:
        """Wait until the old one has ended: a server is not started twice at a time."""
        self._leave.set()
        if self._holding:
            await asyncio.wait(self._holding)
        if self._opened is not None and _is_lost(self._opened):
            self._opened = None

    async def _hold(self, opened: asyncio.Future[Session], leave: asyncio.Event) -> None:
        try:
            async with self._opening() as session:
                opened.set_result(session)
                ends = [asyncio.create_task(session.over()), asyncio.create_task(leave.wait())]
                over: set[asyncio.Task[object]] = set()
                while not over and not self._rests():
                    left_s = max(self._used_at + IDLE_S - time.monotonic(), IDLE_S / 100)
                    over, _ = await asyncio.wait(
                        ends, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
                    )
                for each in ends:
                    each.cancel()
                    with suppress(asyncio.CancelledError):
                        await each
        except WireError as error:
            _tell(opened, error)
        except Exception as error:  # noqa: BLE001 - a session ends as it likes; its calls were told
            _tell(opened, LostError(type(error).__name__))

    def _rests(self) -> bool:
        """Give the session up if nobody uses it: whoever comes from here on opens another."""
        if self._users or time.monotonic() < self._used_at + IDLE_S:
            return False
        self.is_resting, self._opened = True, None
        return True


def _tell(opened: asyncio.Future[Session], error: WireError) -> None:
    if not opened.done():
        opened.set_exception(error)
        opened.exception()  # it counts as told although perhaps nobody waits any more


def _is_lost(opened: asyncio.Future[Session]) -> bool:
    if not opened.done():
        return False
    return opened.cancelled() or opened.exception() is not None or opened.result().is_over
