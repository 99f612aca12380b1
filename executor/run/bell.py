"""What a drive waits at: somebody rings because something arrived, or one of its calls ends."""

import asyncio


class Bell:
    """The one who waits learns whether it was rung; a call that ends only stirs it."""

    def __init__(self) -> None:
        self._has_rung = False
        self._is_stirred = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Say that something may have arrived."""
        self._has_rung = True
        self.stir()

    def stir(self) -> None:
        """Say that a call has ended."""
        self._is_stirred = True
        self._wake()

    async def wait(self, seconds: float | None) -> bool:
        """Wait for either, or for so long; returns whether it was rung."""
        if not self._is_stirred:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = None if seconds is None else loop.call_later(seconds, self._wake)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        self._is_stirred = False
        has_rung, self._has_rung = self._has_rung, False
        return has_rung

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
