"""Who drives: this process alone on a file, or any number of them on a server's database.

What a shared database needs is an extra, and dear to import: it is imported here, when it is used.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from executor.dispatch.base import Dispatcher
from executor.dispatch.distributed import DistributedDispatcher
from executor.dispatch.local import LocalDispatcher
from executor.dispatch.queue import Queue
from executor.run.machine import Machine
from executor.store.drives import Due
from executor.store.errors import StoreError
from executor.store.store import Store
from gateway.notices import Notices
from gateway.settings import Settings


def dispatcher_of(settings: Settings, store: Store) -> Dispatcher:
    """The dispatcher for the kind of database; raises `StoreError`."""
    if not store.is_shared:
        return LocalDispatcher(store, clock=store.clock)
    concurrency = settings.workers.concurrency

    def queue_of(worker: str) -> Queue:
        try:
            from executor.dispatch.dbos import DbosQueue
        except ImportError as error:
            raise StoreError("PostgreSQL needs DBOS: install lamgate[distributed]") from error
        return DbosQueue(settings.database_url, worker, concurrency)

    return DistributedDispatcher(store, queue_of, drives_here=concurrency > 0)


@asynccontextmanager
async def listening(
    settings: Settings, machine: Machine, notices: Notices, dispatcher: Dispatcher
) -> AsyncIterator[None]:
    """Hear what other processes have to tell, and tell them, where there are any."""
    if not isinstance(dispatcher, DistributedDispatcher):
        yield
        return
    from executor.store.bells import Bells

    def heard(due: Due | None) -> None:
        notices.hear(due)
        if due is None:
            machine.ring_all()
        elif due.kind == "run":
            machine.ring(due.id)

    bells = Bells(settings.database_url, dispatcher.worker, heard)
    notices.elsewhere = bells.tell
    tasks = [asyncio.create_task(each) for each in (bells.listen(), bells.ring())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
