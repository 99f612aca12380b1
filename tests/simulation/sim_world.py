"""One world: runs under faults, from their beginning to a verdict on each of them.

    chaos    processes die, stand still and lose the database; services fail; people cancel,
             approve, refuse and find out; runs are woken for no reason
    calm     everything works, and people answer: now every run has to come to its end

What runs share is here: a database, processes, a service's limits, and whoever stops all calls.
"""

import asyncio
import random
from dataclasses import dataclass
from functools import partial

from sim_chaos import Chaos
from sim_history import History
from sim_judge import CLOCKS_DIFFER_S, Violation, judge
from sim_judge_approvals import judge_approvals
from sim_judge_end import judge_end
from sim_judge_looked import Looks
from sim_judge_meaning import Values
from sim_judge_order import Order
from sim_judge_places import Places
from sim_judge_service import judge_service
from sim_kinds import Kind, kind_of
from sim_mistaken import Mistaken
from sim_odd import KEPT_BYTES, Odd, judge_odd
from sim_plans import LIMITS, SEAL, SETTLE_S, restored
from sim_process import WALL, Process, task_factory
from sim_queue import Queue
from sim_services import Services
from sim_standby import Standby
from sim_storage import Database, ProcessStore
from sim_upgrade import Upgrade

from connectors.connector import Outcome
from connectors.spec import ActionSpec, CallContext, JsonObject
from executor.check.budgets import RESULT_BYTES
from executor.check.cedar import Policy
from executor.run.machine import Machine
from executor.store import blobs, runs

PATIENCE_S = 40 * 24 * 3600.0  # virtual: by then even the slowest search was given up


class _Machine(Machine):
    """A machine that shares what it has checked with those of other processes, for speed."""

    restored = staticmethod(restored)


@dataclass
class Worker:
    """A process with its machine."""

    process: Process
    machine: Machine
    store: ProcessStore

    @property
    def goes_on(self) -> bool:
        """Whether it takes drives."""
        return not self.process.is_dead and not self.machine.halted.is_set()


class World:
    """Everything that its runs have in common."""

    def __init__(self, seed: int, database: Database) -> None:
        self.seed = seed
        self.kind: Kind = kind_of(seed)
        self.database = database
        self.log: list[str] = []
        self.rng = random.Random(f"history {seed}")
        self.large = blobs.LARGE  # what is longer stands beside the journal
        if self.kind == "wide":  # of other worlds all of it is short
            self.large = random.Random(f"large {seed}").choice([self.large, self.large, 20])
        # One process a file: a second one is not let in before the first has ended.
        is_file = self.kind == "wide" and random.Random(f"alone {seed}").random() < 0.2
        self.is_alone = is_file or self.kind == "queued"
        felt = {"pair": 4, "wide pair": 4, "queued": 5, "odd": 5}  # so more of them are
        some = LIMITS[felt.get(self.kind, 0) :]
        self.limits = random.Random(f"limits {seed}").choice(some)
        self.mistaken = Mistaken(seed) if self.kind == "mistaken" else None
        own = random.Random(f"services {seed}")
        self.services = Services(own, str(seed), mistaken=self.mistaken)
        self.odd = self.services.odd = Odd(seed) if self.kind == "odd" else None
        # Several runs that begin with several calls, where few may be made at once.
        self.is_crowded = self.kind == "queued" and bool(self.limits and self.limits.concurrency)
        self.services.most_at_once = self.limits.concurrency if self.limits else None
        self.workers: list[Worker] = []
        self.clocks_differ = False  # or did
        self.stopped_by: tuple[str, str] | None = None  # the stop that stands, and of which tenant
        self.broken: BaseException | None = None
        self.lives: list[History] = []
        most = {
            "pair": 2,
            "wide pair": 2,
            "queued": random.Random(f"runs {seed}").choice([3, 3, 4]),
        }
        self.numbers = range(most.get(self.kind, 1))
        for number in self.numbers:
            self.lives.append(History(self, number))
        self.queue = Queue(self) if self.kind == "queued" else None
        self.upgrade = Upgrade(self) if self.kind == "upgraded" else None
        self.standby = Standby(self) if self.kind in ("standby", "failover") else None
        self.chaos = Chaos(self)

    async def live(self) -> "World":
        """Chaos, then calm, then the verdict; raises `Violation`."""
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._loop.set_task_factory(task_factory)
        self.database.clear()
        self.chaos.begin()
        chaos_s = self.rng.choice([5.0, 30.0, 120.0, 1000.0])
        if self.queue is None:
            for _ in range(1 if self.is_alone or self.standby else self.rng.choice([1, 1, 2, 3])):
                self.new_worker()
        engines = [asyncio.ensure_future(each.live()) for each in self.lives]
        if self.queue is not None:
            engines.append(asyncio.ensure_future(self.queue.run()))
            await asyncio.sleep(0.0)
        chaos = asyncio.ensure_future(self.chaos.run())
        if self.upgrade is not None:
            engines.append(asyncio.ensure_future(self.upgrade.run()))
        await asyncio.sleep(chaos_s)
        if chaos.done():
            chaos.result()  # raises what is wrong with it
        chaos.cancel()
        self.say("calm")
        self.chaos.calm_down()
        if self.upgrade is not None:
            self.upgrade.begin()
        for each in self.lives:
            each.create()
            each.services.is_calm = True
        try:
            await self._until_the_end(engines)
        finally:
            for engine in engines:
                engine.cancel()
        await asyncio.sleep(2 * SETTLE_S)  # what is still on its way arrives
        for each in self.lives:
            each.people.answer(willing=True)
            if self.mistaken is not None:
                each.people.say_more()
        self._check()
        if self.standby is None or not self.standby.judge(self.lives[0]):
            self._judge()
        return self

    def _judge(self) -> None:
        """Everything that must be true of every run at the end."""
        for each in self.lives:
            judge(each)
            Order(each).judge()
            Values(each).judge()
            if self.kind == "looked":
                Looks(each).judge()
        judge_service(self)
        if self.upgrade is not None:
            self.upgrade.judge()
        for each in self.lives:
            judge_end(each)
            judge_approvals(each, each.rules)
            if self.odd is not None:
                judge_odd(each)

    async def _until_the_end(self, engines: "list[asyncio.Task[None]]") -> None:
        pause_s = 1.0
        while (open_ones := self._open_ones()) or (self.standby and self.standby.is_coming):
            await asyncio.sleep(pause_s)
            pause_s = min(4 * pause_s, 12 * 3600.0)
            self._check()
            for engine in engines:
                if engine.done():
                    engine.result()
            if self.now() > PATIENCE_S:
                raise Violation(f"the run never ends: {[each.row() for each in open_ones]}")
            for each in self.lives:
                each.people.answer(willing=True)

    def _open_ones(self) -> list[History]:
        return [each for each in self.lives if each.status() not in runs.ENDED]

    def break_with(self, error: BaseException) -> None:
        """Something is wrong; the first that is counts."""
        self.broken = self.broken or error

    def _check(self) -> None:
        if self.broken is not None:
            raise Violation(f"a drive broke: {self.broken!r}") from self.broken

    # ---- processes

    def any_worker(self) -> Worker:
        """One that lives."""
        if self.queue is not None:
            return self.workers[-1]  # one at a time, be it that it has ended
        alive = [each for each in self.workers if each.goes_on]
        return self.rng.choice(alive) if alive else self.new_worker()

    def new_worker(self) -> Worker:
        """One more process."""
        process = Process(f"w{len(self.workers)}", self.rng, self.services.reached)
        process.has_lease = not self.is_alone
        process.happen = partial(self.chaos.there, process)
        joins, reached = len(self.lives) > 1, self.services.reached
        store = ProcessStore(self.database, process, reached, joins=joins)
        machine = _Machine(
            store=store,
            call=partial(self._call, process),
            policy_of=self._policy_of,
            seal_key=SEAL,
            key_secret=b"secret of the simulation",
            clock=process.clock,
            monotonic=self.now,
            limits_of=lambda _: self.limits,
            lease_ends=process.lease_ends,
            is_alone=self.is_alone,
            result_bytes=KEPT_BYTES if self.odd else RESULT_BYTES,
            slots=Places(self),
        )
        for each in self.lives:
            if each.queued.plan is not None:
                machine.know(each.tenant, each.queued.plan, each.accepted)
        worker = Worker(process, machine, store)
        self.workers.append(worker)
        if self.upgrade is not None and not self.upgrade.is_begun:
            process.is_older = True
            process.start(self.upgrade.beat(worker))
        return worker

    async def _call(
        self, process: Process, action: ActionSpec, arguments: JsonObject, context: CallContext
    ) -> Outcome:
        life = self.life_of(context.run)
        try:
            is_over = life.kills(process, action.name, context.step)
        except Violation as violation:
            self.break_with(violation)
            raise
        if is_over:
            await process.point("send")
        return await life.services.call(process, action, arguments, context)

    def _policy_of(self, tenant: str) -> Policy:
        return next(each.policy for each in self.lives if each.tenant == tenant)

    # ---- looking

    def life_of(self, run: str) -> History:
        """The one of a run."""
        return next(each for each in self.lives if each.run == run)

    @property
    def slack_s(self) -> float:
        """How far the journal's times may be from true ones."""
        return CLOCKS_DIFFER_S if self.clocks_differ else 0.001

    def wall(self) -> float:
        """The time."""
        return WALL + self._loop.time()

    def say(self, what: str) -> None:
        """Note it, for whoever looks at a failure."""
        self.log.append(f"{self._loop.time():12.4f} {what}")

    def trace(self) -> list[str]:
        """Every event of every run, with random ids by number."""
        return [line for each in self.lives for line in each.trace()]
