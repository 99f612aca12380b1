"""What one process puts on the queue: a job for each generation of a row that wants to be driven.

The queue knows ranks and no turns. So that no rank waits for ever, each process puts, after nine
turns of a tenant, what has waited longest of it before everything else, once more.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from executor.dispatch.base import MOST_ASKING, MOST_CRASHES
from executor.dispatch.queue import Job, Queue
from executor.store import drives, ready, recovery
from executor.store.drives import Due
from executor.store.errors import StoreError
from executor.store.store import Store
from executor.store.writer import Joint, Stage
from executor.turns import PASSED

TOGETHER = 50  # jobs that are asked for in one transaction: others' writes wait for it
ASKED_AGAIN_S = 30.0  # for a job that is on the queue already, as far as this process knows


@dataclass
class Suspects:
    """What two processes in a row died with: one of them is driven at a time."""

    driven: Due | None = None
    put_off: dict[Due, None] = field(default_factory=dict)  # they came while another was driven


@dataclass(frozen=True)
class _Wanted:
    """What is to be asked for; or a job is over, and what came meanwhile is to be asked for."""

    dues: tuple[Due, ...] = ()
    over: Job | None = None
    is_tenth: bool = False  # of its tenant's jobs


class Asking:
    """Asks for drives, in transactions that are shared with whoever else asks."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        worker: str,
        suspects: Suspects,
        stopping: asyncio.Event,
    ) -> None:
        self._store = store
        self._queue = queue
        self._worker = worker
        self._suspects = suspects
        self._stopping = stopping
        self._turns: Counter[str] = Counter()  # of jobs that are over, by tenant
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: dict[Job, float] = {}

    def soon(self, due: Due) -> None:
        """Ask for a drive beside whatever else is done."""
        if not self._stopping.is_set() and len(self._tasks) < MOST_ASKING:
            task = asyncio.get_running_loop().create_task(self.ask([due]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def ask(self, wanted: list[Due]) -> None:
        """Put jobs on the queue; what fails now is found by whoever looks after everything."""
        with contextlib.suppress(StoreError):
            for first in range(0, len(wanted), TOGETHER):
                some = _Wanted(tuple(wanted[first : first + TOGETHER]))
                jobs = await self._store.write(Joint(self._put_all, some, Stage.JOBS))
                self._asked.update(dict.fromkeys(jobs, time.monotonic()))

    def ended(self, job: Job) -> Joint[_Wanted, list[Job]]:
        """What is to be written once a job is over: nothing that came meanwhile is forgotten."""
        self._turns[job.due.tenant] += 1
        is_tenth = self._turns[job.due.tenant] % (PASSED + 1) == PASSED
        return Joint(self._put_all, _Wanted(over=job, is_tenth=is_tenth), Stage.JOBS)

    def was_asked(self, job: Job) -> bool:
        """Whether this process has asked for it a short while ago."""
        return time.monotonic() - self._asked.get(job, -ASKED_AGAIN_S) < ASKED_AGAIN_S

    def forget(self) -> None:
        """Keep no more than is of use."""
        self._asked = {job: at for job, at in self._asked.items() if self.was_asked(job)}

    async def end(self) -> None:
        """Wait for what is being asked for."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _put_all(self, c: Connection, every: Sequence[_Wanted]) -> list[list[Job]]:
        """In one order: who asks for the same as another process waits for its commit."""
        over = sorted((job for each in every if (job := each.over)), key=lambda job: job.due.id)
        wanted = {due for each in every for due in each.dues}
        wanted |= {job.due for job in over if self._is_due_again(c, job)}
        tenants = {each.over.due.tenant for each in every if each.over and each.is_tenth}
        first = {due for tenant in tenants if (due := self._passed_over(c, tenant)) is not None}
        put = {
            due: self._put(c, due, is_first=due in first)
            for due in sorted(wanted | first, key=lambda due: due.id)
        }
        return [[job for due in each.dues if (job := put[due]) is not None] for each in every]

    def _is_due_again(self, c: Connection, job: Job) -> bool:
        """Whether what a job was for is to be asked for once more, now that the job is over."""
        if self._stopping.is_set():  # a drive that was halted lets go of nothing by itself
            recovery.release(c, self._worker, self._store.clock(), job.due)
        if ready.generation(c, job.due, self._store.clock()) is None:
            return False
        drives.pass_on(c, job.due, job.epoch)  # this job's name is used up
        return job.due not in self._suspects.put_off

    def _passed_over(self, c: Connection, tenant: str) -> Due | None:
        """What has waited longest; no suspect while another one is driven, for it would wait."""
        crashes = MOST_CRASHES if self._suspects.driven is None else MOST_CRASHES - 1
        return ready.passed_over(c, tenant, self._store.clock(), crashes)

    def _put(self, c: Connection, due: Due, *, is_first: bool = False) -> Job | None:
        found = ready.generation(c, due, self._store.clock())
        if found is None:
            return None
        job = Job(replace(due, rank=found[1]), found[0], is_first)
        if self.was_asked(job):
            return None
        if not self._queue.put(c, job):
            # Whoever had it could not claim the row, and not say so: it was ending.
            drives.pass_on(c, due, job.epoch)
            job = replace(job, epoch=job.epoch + 1)
            self._queue.put(c, job)
        return job
