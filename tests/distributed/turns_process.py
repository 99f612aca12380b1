"""A worker whose drives end their runs at once; says in which order their turns came.

turns_process.py URL PLACES COUNT
"""

import asyncio
import json
import os
import sys
from functools import partial

from executor.dispatch.dbos import DbosQueue
from executor.dispatch.distributed import DistributedDispatcher
from executor.store import drives
from executor.store.drives import Due
from executor.store.store import Store


async def main(url: str, places: int, count: int) -> None:
    store = await Store.open(url)
    order: list[tuple[str, str]] = []

    async def drive(due: Due, driver: str) -> None:
        now = store.clock()
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
        if claim is not None:
            order.append((due.tenant, due.id))
            end = partial(drives.end_drive, claim=claim, status="succeeded", now=now)
            await store.write(end)

    async def nothing(due: Due, driver: str, error: Exception) -> None:
        raise AssertionError(f"{due} was to be driven: {error}")

    worker = DistributedDispatcher(store, lambda name: DbosQueue(url, name, places))
    worker.register("run", drive, nothing)
    await worker.start()
    while len(order) < count:
        await asyncio.sleep(0.01)
    print(json.dumps(order), flush=True)
    os._exit(0)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
