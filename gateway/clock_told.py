"""Tells where the machine's clock was set after the start: nothing that is under way follows it.

A database in a file goes by the machine's clock as it was when the gateway began. A machine that
boots with a wrong clock and is set right later so keeps the wrong time until the next start.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from executor.store.clock import apart
from executor.store.store import Store
from gateway.meanwhile import meanwhile

EVERY_S = 30.0
APART_S = 60.0  # what is less does no harm
_log = logging.getLogger("lamgate.clock")


@asynccontextmanager
async def telling(store: Store, machine: Callable[[], float] = time.time) -> AsyncIterator[None]:
    """Meanwhile compare the two; a server's database goes by the server's own."""
    if store.is_shared:
        yield
        return
    async with meanwhile(_tell_for_ever(store, machine)):
        yield


async def _tell_for_ever(store: Store, machine: Callable[[], float]) -> None:
    told_s = 0.0
    while True:
        ahead_s = machine() - store.clock()
        if abs(ahead_s - told_s) > APART_S:
            told_s = ahead_s if abs(ahead_s) > APART_S else 0.0
            _log.warning("%s", _said(told_s))
        await asyncio.sleep(EVERY_S)


def _said(ahead_s: float) -> str:
    if not ahead_s:
        return "this machine's clock agrees again with the time that the gateway goes by"
    return (
        f"this machine's clock is {apart(ahead_s)} the time that the gateway goes by, which is the "
        "clock's at the start: end the gateway and start it again if the machine's clock is right"
    )
