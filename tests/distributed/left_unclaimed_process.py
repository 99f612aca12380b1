"""A worker that is told to end just as its end of the queue brings it a job.

left_unclaimed_process.py URL HOW

HOW is what becomes of it then: `cut-off` is what it says to the database fails from that moment on,
`killed` is that it dies once it has taken leave, and before the queue knows that the job is over.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from partition import Network, network
from sqlalchemy.engine import make_url

from executor.dispatch.dbos import DbosQueue
from executor.dispatch.distributed import DistributedDispatcher
from executor.dispatch.queue import Job, Queue
from executor.store import workers
from executor.store.drives import Due
from executor.store.store import Store


class AsItStops:
    """The queue, whose jobs come to a process that is just being stopped."""

    def __init__(self, queue: Queue, stopped: Callable[[], Awaitable[None]]) -> None:
        self._queue = queue
        self._stopped = stopped
        self.put, self.take_over, self.holders = queue.put, queue.take_over, queue.holders
        self.sweep, self.leave = queue.sweep, queue.leave

    async def open(self, run: Callable[[Job], Awaitable[None]]) -> None:
        async def run_late(job: Job) -> None:
            await self._stopped()
            await run(job)

        await self._queue.open(run_late)


async def main(url: str, how: str, way: Network) -> None:
    through = make_url(url).set(port=way.port).render_as_string(hide_password=False)
    store = await Store.open(through)
    stopping = asyncio.get_running_loop().create_future()

    async def stopped() -> None:
        if stopping.done():
            return
        stopping.set_result(asyncio.create_task(worker.stop()))
        await asyncio.sleep(0)  # it is stopping from here on
        if how == "cut-off":
            way.cut()
            return
        while worker.worker in await store.read(workers.known):
            await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGKILL)

    async def nothing(due: Due, *_: object) -> None:
        raise AssertionError(f"{due} was to be driven")

    worker = DistributedDispatcher(store, lambda name: AsItStops(DbosQueue(url, name, 4), stopped))
    worker.register("run", nothing, nothing)
    await worker.start()
    await (await stopping)
    print("left", flush=True)
    os._exit(0)


with network(make_url(sys.argv[1]).port or 5432) as the_way:
    asyncio.run(main(sys.argv[1], sys.argv[2], the_way))
