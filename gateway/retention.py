"""While a gateway works, runs that ended long ago are deleted, where the operator says so."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from executor.store.errors import StoreError
from executor.store.retention import Deleted, delete_some
from executor.store.store import Store
from gateway.meanwhile import meanwhile
from gateway.settings import DAY_S

EVERY_S = 3600.0
PAUSE_S = 0.05  # between two commits, for everybody else
_TOLD = "%d runs and %d requests that ended before %s were deleted"
_log = logging.getLogger("lamgate.retention")


@asynccontextmanager
async def deleting(store: Store, days: int | None) -> AsyncIterator[None]:
    """Meanwhile delete what ended so many days ago; of many processes one does it at a time."""
    if days is None:
        yield
        return
    async with meanwhile(_delete_for_ever(store, days)):
        yield


async def _delete_for_ever(store: Store, days: int) -> None:
    while True:
        before = store.clock() - days * DAY_S
        try:
            done = await _delete_all(store, before)
        except StoreError as error:
            _log.warning("old runs are deleted later: %s", error)
        except Exception:  # noqa: BLE001 - whatever it was, it is told, and the next turn comes
            _log.exception("old runs are deleted later")
        else:
            until = datetime.fromtimestamp(before, UTC).isoformat(" ", "minutes")
            if any(done):
                _log.warning(_TOLD, *done, until)
        await asyncio.sleep(EVERY_S)


async def _delete_all(store: Store, before: float) -> tuple[int, int]:
    runs = requests = 0
    done = Deleted(goes_on=True)
    while done.goes_on:
        done = await store.write(partial(delete_some, before=before, place=done.place))
        runs, requests = runs + done.runs, requests + done.requests
        await asyncio.sleep(PAUSE_S)
    return runs, requests
