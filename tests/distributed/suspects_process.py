"""A worker whose suspects stay until the run that waited has been driven; says what it drove.

suspects_process.py URL PLACES COUNT
"""

import asyncio
import json
import os
import sys
from functools import partial

from sqlalchemy import update

from executor.dispatch.dbos import DbosQueue
from executor.dispatch.distributed import DistributedDispatcher
from executor.store import drives, tables
from executor.store.drives import Due
from executor.store.store import Store


async def main(url: str, places: int, count: int) -> None:
    store = await Store.open(url)
    order, suspects, goes_on = list[str](), set[str](), asyncio.Event()

    async def drive(due: Due, driver: str) -> None:
        now = store.clock()
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
        if claim is None:
            return
        if claim.crashes:
            suspects.add(due.id)
            assert len(suspects) == 1, suspects
            await goes_on.wait()
            suspects.remove(due.id)
        else:
            goes_on.set()
        end = partial(drives.end_drive, claim=claim, status="succeeded", now=now)
        await store.write(end)
        order.append(due.id)

    async def nothing(due: Due, driver: str, error: Exception) -> None:
        raise AssertionError(f"{due} was to be driven: {error}")

    worker = DistributedDispatcher(store, lambda name: DbosQueue(url, name, places))
    worker.register("run", drive, nothing)
    await worker.start()
    while not suspects:
        await asyncio.sleep(0.01)
    await asyncio.sleep(1.0)  # by now the others have been taken too
    woken = update(tables.runs).where(tables.runs.c.status == "waiting").values(status="queued")
    await store.write(lambda c: c.execute(woken))
    while len(order) < count:
        await asyncio.sleep(0.01)
    print(json.dumps(order), flush=True)
    os._exit(0)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
