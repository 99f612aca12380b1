"""What a drive waits at: somebody rings because something arrived, or one of its calls ends."""

import asyncio
import contextlib


class Bell:
    """Whoever waits learns whether it was rung; a call that ends only stirs it."""

    def __init__(self) -> None:
        self._has_rung = False
        self._stirred = asyncio.Event()

    def ring(self) -> None:
        """Say that something may have arrived."""
        self._has_rung = True
        self._stirred.set()

    def stir(self) -> None:
        """Say that a call has ended."""
        self._stirred.set()

    async def wait(self, seconds: float | None) -> bool:
        """Wait for either, or for so long; returns whether it was rung."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        self._stirred.clear()
        has_rung, self._has_rung = self._has_rung, False
        return has_rung
