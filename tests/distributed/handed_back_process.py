"""A worker that is taken for dead amid a drive, and then is the one that takes the run again.

handed_back_process.py URL
"""

import asyncio
import os
import sys
from functools import partial

from executor.dispatch.dbos import DbosQueue
from executor.dispatch.distributed import DistributedDispatcher
from executor.store import drives, recovery
from executor.store.drives import Due
from executor.store.store import Store


async def main(url: str) -> None:
    store = await Store.open(url)
    begun, goes_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def drive(due: Due, driver: str) -> None:
        now = store.clock()
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
        if claim is None:
            return
        if not begun.is_set():
            begun.set()
            await goes_on.wait()  # a long call; by then somebody else has the run
            return
        await store.write(partial(drives.end_drive, claim=claim, status="succeeded", now=now))
        ended.set()

    async def nothing(due: Due, driver: str, error: Exception) -> None:
        raise AssertionError(f"{due} was to be driven: {error}")

    worker = DistributedDispatcher(store, lambda name: DbosQueue(url, name, 4))
    worker.register("run", drive, nothing)
    await worker.start()
    await begun.wait()
    await store.write(partial(recovery.hand_back, now=store.clock(), driver=worker.worker))
    await asyncio.sleep(2.0)  # until its own end of the queue has brought the run back to it
    goes_on.set()
    async with asyncio.timeout(20.0):
        await ended.wait()
    print("driven again", flush=True)
    os._exit(0)


asyncio.run(main(sys.argv[1]))
