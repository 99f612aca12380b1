"""DBOS as a queue: each drive is a short workflow, which any process may take.

A job's name is its workflow id, so that asking for it twice asks once. It says the version of our
journal, for a workflow goes to processes of the version that asked for it alone; the tenant is
the queue's partition, and partitions take turns. Arguments are JSON: pickles, which are DBOS's
default, would let whoever can write the database run code here.

What asks is a client that never waits for a lost database. What runs workflows does wait, for
ever, but in threads of its own, where nothing of ours is. A process that is stopped while it takes
a job would keep others from that row for a minute, and them from their leases: as with sessions of
the store, the server ends such a session after some seconds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, WorkflowSerializationFormat, error
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from executor.dispatch.queue import Job
from executor.store.errors import StoreUnavailableError
from executor.store.migrate import JOURNAL
from executor.store.postgres import IDLE_S, address_of

QUEUE, WORKFLOW, APPLICATION, SCHEMA = "lamgate", "drive", "lamgate", "lamgate_dbos"
POLL_S = 0.1
VERSION = f"lamgate-journal-{JOURNAL}"
KEPT_S = 600.0  # of a workflow that has ended
_TO_COME = ("ENQUEUED", "DELAYED", "PENDING")  # how a job stands that somebody will do, or does
_MOST = 1000
_POOL = 8
T = TypeVar("T")


@dataclass
class _Runner:
    """What runs the jobs of this process, once it does."""

    run: Callable[[Job], Awaitable[None]]
    loop: asyncio.AbstractEventLoop


class DbosQueue:
    """One process's end of the queue; with `concurrency` 0 it asks, and runs nothing."""

    def __init__(self, url: str, worker: str, concurrency: int) -> None:
        self._url = address_of(url)
        self._worker = worker
        self._concurrency = concurrency
        self._client: DBOSClient | None = None
        self._is_launched = False

    async def open(self, run: Callable[[Job], Awaitable[None]]) -> None:
        """Make the queue if it is not there, and begin to take from it."""
        await _answered(partial(self._open, _Runner(run, asyncio.get_running_loop())))

    def _open(self, runner: _Runner) -> None:
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        if self._concurrency > 0:
            self._launch(runner)
        else:
            DBOS.migrate(self._url, schema=SCHEMA)
        self._client = DBOSClient(
            system_database_url=self._url,
            dbos_system_schema=SCHEMA,
            application_name=APPLICATION,
            serializer=DBOSPortableJSONSerializer(),
            sys_db_idle_transaction_timeout_sec=IDLE_S,
            system_database_pool_size=2,
            retry_connection_errors=False,
            lazy=True,
        )

    def _launch(self, runner: _Runner) -> None:
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._url,
                "dbos_system_schema": SCHEMA,
                "executor_id": self._worker,
                "application_version": VERSION,
                "sys_db_pool_size": _POOL,
                "sys_db_idle_transaction_timeout_sec": IDLE_S,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "CRITICAL",
                "enable_otlp": False,
            }
        )

        @DBOS.workflow(name=WORKFLOW)
        async def drive(kind: str, tenant: str, name: str, epoch: int) -> None:
            # DBOS has an event loop of its own; ours does the work.
            work = _run(runner, Job.of(kind, tenant, name, epoch))
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, runner.loop))

        DBOS.launch()
        self._is_launched = True
        DBOS.register_queue(
            QUEUE,
            # The queue asks partitions in an order that it draws: one place more than any tenant
            # may have is left for another one, however many the first has waiting.
            worker_concurrency=self._concurrency + 1,
            partition_worker_concurrency=self._concurrency,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )

    def put(self, c: Connection, job: Job) -> bool:
        """Ask for a drive in a transaction of the store; the same job again changes nothing.

        False if that one has ended already: its name is used up.
        """
        try:
            self._opened.enqueue_in_transaction(
                c,
                {
                    "workflow_name": WORKFLOW,
                    "queue_name": QUEUE,
                    "workflow_id": f"{VERSION}:{job.name}",
                    "workflow_id_reuse_policy": "reject",
                    "app_version": VERSION,
                    "priority": job.priority,
                    "queue_partition_key": job.due.tenant,
                    "serialization_type": WorkflowSerializationFormat.PORTABLE,
                },
                job.due.kind,
                job.due.tenant,
                job.due.id,
                job.epoch,
            )
        except error.DBOSWorkflowIDInUseError as there:
            return there.workflow_status in _TO_COME
        return True

    async def holders(self) -> set[str]:
        """The processes that have taken something which is not over."""
        return await _answered(self._holders)

    def _holders(self) -> set[str]:
        taken = self._opened.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {each.executor_id for each in taken if each.executor_id is not None}

    async def take_over(self, dead: str) -> int:
        """Let others take what a dead process had taken from the queue; returns how much."""
        return await _answered(partial(self._take_over, dead))

    def _take_over(self, dead: str) -> int:
        left = self._opened.list_workflows(
            status="PENDING", executor_id=dead, load_input=False, load_output=False
        )
        if left:
            self._opened.resume_workflows([each.workflow_id for each in left], queue_name=QUEUE)
        return len(left)

    async def sweep(self, now: float) -> None:
        """Forget workflows that ended some time ago; the journal is the record."""
        await _answered(partial(self._sweep, now))

    def _sweep(self, now: float) -> None:
        before, is_more = datetime.fromtimestamp(now - KEPT_S, UTC).isoformat(), True
        while is_more:
            ended = self._opened.list_workflows(
                status=["SUCCESS", "ERROR", "CANCELLED"],
                completed_before=before,
                limit=_MOST,
                load_input=False,
                load_output=False,
            )
            if ended:
                self._opened.delete_workflows([each.workflow_id for each in ended])
            is_more = len(ended) == _MOST

    async def leave(self, within_s: float) -> None:
        """Take nothing more, and wait a while for the workflows under way to be noted as ended."""
        if self._is_launched:
            self._is_launched = False
            await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=int(within_s))
        if self._client is not None:
            await asyncio.to_thread(self._client.destroy)
            self._client = None

    @property
    def _opened(self) -> DBOSClient:
        if self._client is None:
            raise StoreUnavailableError("the queue is closed")
        return self._client


async def _answered(ask: Callable[[], T]) -> T:
    """What the queue says, in a thread of its own; raises `StoreUnavailableError`."""
    try:
        return await asyncio.to_thread(ask)
    except DBAPIError as failed:
        raise StoreUnavailableError(f"the queue does not answer: {failed.orig}") from failed


async def _run(runner: _Runner, job: Job) -> None:
    await runner.run(job)
