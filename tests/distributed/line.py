"""A queue of the test's, and runs that nobody drives but who is told to."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import Connection

from executor.dispatch.queue import Job
from executor.store import plans, runs
from executor.store.drives import Due


class Line:
    """A queue that takes its time for each job, and from which nobody takes any by himself."""

    def __init__(self, takes_s: float = 0.0, sweeps_s: float = 0.0) -> None:
        self._takes_s, self._sweeps_s = takes_s, sweeps_s
        self.jobs: set[str] = set()

    async def open(self, run: Callable[[Job], Awaitable[None]]) -> None:
        """Nothing is taken but what is told to be."""
        self._run = run

    async def takes(self, due: Due) -> None:
        """The process takes this job."""
        await self._run(Job(due, 0))

    def put(self, c: Connection, job: Job) -> bool:
        time.sleep(self._takes_s)
        self.jobs.add(job.name)
        return True

    async def holders(self) -> set[str]:
        return set()

    async def take_over(self, dead: str) -> int:
        raise AssertionError(f"{dead} is alive")

    async def sweep(self, now: float) -> None:
        await asyncio.sleep(self._sweeps_s)

    async def leave(self, within_s: float) -> None:
        """Nothing is under way."""


def add(c: Connection, names: Sequence[str]) -> list[Due]:
    now = time.time()
    plans.add(c, plans.PlanRow("main", "pln_a", "sha256:0", "asker", None, {"language": 1}, now))
    return [
        runs.create(c, tenant="main", run=each, plan="pln_a", requester="asker", now=now)
        for each in names
    ]
