"""A newer version begins on the same database, amid a run; this one is the older.

The newer one is played by the same code. What it writes is of another version in the journal, which
it reads and the older one does not: so nothing of that may be gone on with, or put aside. Older
processes ask for their lease as they do on a server, and end in good order once they are told.
"""

import asyncio
import random
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from sim_judge import Violation, must
from sim_process import BEAT_S, LEASE_S
from sqlalchemy import Connection

from executor.store import facts, workers
from executor.store.errors import NewerSchemaError, StoreError
from executor.store.migrate import JOURNAL, require_readable

if TYPE_CHECKING:
    from sim_world import Worker, World

NEWER = JOURNAL + 1
DRAIN_S = 20.0
SLACK_S = 1e-3


class Upgrade:
    """When a newer version begins, and what becomes of the older processes."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = random.Random(f"upgrade {world.seed}")
        self._at_s = self._rng.choice([0.05, 0.5, 2.0, 5.0, 20.0, 60.0])
        self.begun_at: float | None = None
        self._told_at: dict[str, float] = {}  # when each of the older processes was told

    @property
    def is_begun(self) -> bool:
        """Whether processes that begin from now on are of the newer version."""
        return self.begun_at is not None

    async def run(self) -> None:
        """Begin, and then somebody tries the older version once more."""
        await asyncio.sleep(self._at_s)
        self.begin()
        await asyncio.sleep(self._rng.choice([0.1, 10.0]))
        try:
            self._world.database.do(require_readable)
        except NewerSchemaError:
            self._world.services.reached["an older version is refused"] += 1
        else:
            raise Violation("an older version begins after a newer one")

    def begin(self) -> None:
        """The first process of the newer version raises the number; as `migrate` does."""
        if self.begun_at is not None:
            return

        def work(c: Connection) -> None:
            require_readable(c, NEWER)
            facts.note(c, "journal", str(NEWER))

        self._world.database.do(work)
        self.begun_at = self._world.now()
        self._world.database.newer = set()
        self._world.say("a newer version begins")
        self._world.new_worker()

    async def beat(self, worker: "Worker") -> None:
        """Ask for the lease again and again; once told of a newer version, end in good order."""
        process = worker.process
        while True:
            asked_at = self._world.now()
            renew = partial(
                workers.renew, worker=process.name, place="", lease_s=LEASE_S, now=process.clock()
            )
            try:
                await worker.store.write(renew)
                process.beaten_at = asked_at
                if process.name not in self._told_at:
                    await worker.store.read(require_readable)
                    is_news = self.begun_at is not None and self.begun_at < asked_at
                    must(not is_news, f"{process.name} is not told of a newer version")
            except NewerSchemaError:
                self._end(worker)
            except StoreError:
                pass
            except Violation as violation:
                self._world.break_with(violation)
            await asyncio.sleep(BEAT_S)

    def _end(self, worker: "Worker") -> None:
        """Let what is under way come to its end, under its lease."""
        self._told_at[worker.process.name] = self._world.now()
        self._world.services.reached["ended for a newer version"] += 1
        self._world.say(f"{worker.process.name} makes room")
        worker.machine.halt()
        asyncio.get_running_loop().call_later(DRAIN_S, worker.process.kill)

    def judge(self) -> None:
        """No older process began a call once it was over with it, or after what it cannot read."""
        if self.begun_at is None:
            return
        older = {each.process.name for each in self._world.workers if each.process.is_older}
        newer = {*self._world.database.ask_newer()}
        for life in self._world.lives:
            first = min((seq for subject, seq in newer if subject == life.run), default=None)
            seqs = {(x.data["step"], x.data["iteration"], x.data["n"]): x.seq
                    for x in life.stored if x.type == "intent.recorded"}  # fmt: skip
            for seen in life.services.seen:
                if seen.process not in older:
                    continue
                late = seen.at - self._told_at.get(seen.process, inf) - LEASE_S
                must(late < SLACK_S, f"{seen.place} is called {late} s too late")
                seq = seqs[*seen.place, seen.context.attempt]
                is_told = first is not None and seq > first
                must(not is_told, f"an older process goes on with {seen.place}")
                self._world.services.reached["called by an older version"] += 1
