"""One history: a run's whole life under faults.

    chaos    processes die, stand still and lose the database; services fail; people cancel,
             approve, refuse and find out; runs are woken for no reason
    calm     everything works, and people answer: now the run has to come to its end

The engine that calls `drive` is played by its contract alone: at least once, by any process,
again under the same name where the first one seems to be dead, and sometimes where it lives.
"""

import asyncio
import json
import random
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import inf

from sim_chaos import LOST_AFTER_S, Chaos
from sim_computed import COMPUTED_PLANS, computed_plan_of
from sim_judge import CLOCKS_DIFFER_S, Violation, judge, judge_idle, judge_rest
from sim_judge_approvals import judge_approvals
from sim_judge_end import judge_end
from sim_judge_meaning import Values
from sim_judge_order import Order
from sim_judge_service import judge_service
from sim_kinds import kind_of
from sim_people import DUE, People
from sim_plans import LIMITS, PLANS, RUN, SEAL, SETTLE_S, TENANT, plan_of, policy_of, restored
from sim_process import WALL, Process, task_factory
from sim_services import Services
from sim_storage import Database, ProcessStore
from sim_wide import WIDE_PLANS, Rules, variant_of, wide_plan_of
from sqlalchemy import Connection

from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.run import events as e
from executor.run.fold import fold
from executor.run.machine import Machine
from executor.run.state import RunState
from executor.store import blobs, journal, runs
from executor.store.errors import StoreError
from executor.store.runs import RunRow

_STANDS = "SELECT driver, status, waiting_for, wake_at FROM runs"
MOST_DRIVES = 500  # one after the other; the slowest search is made some sixty times
PATIENCE_S = 40 * 24 * 3600.0  # virtual: by then even the slowest search was given up


class _Machine(Machine):
    """A machine that shares what it has checked with those of other processes, for speed."""

    restored = staticmethod(restored)


@dataclass
class Worker:
    """A process with its machine."""

    process: Process
    machine: Machine

    @property
    def goes_on(self) -> bool:
        """Whether it takes drives."""
        return not self.process.is_dead and not self.machine.halted.is_set()


class History:
    """Everything around one run."""

    due = DUE

    def __init__(self, seed: int, database: Database) -> None:
        self.seed = seed
        self.database = database
        self.log: list[str] = []
        self.rng = random.Random(f"history {seed}")
        self.plan = self.rng.randrange(PLANS)
        self.rules: Rules | None = None
        self.large = blobs.LARGE  # what is longer stands beside the journal
        self.kind = kind_of(seed)
        if self.kind == "wide":
            self.large = random.Random(f"large {seed}").choice([self.large, self.large, 20])
            wide = random.Random(f"wide {seed}")
            number = wide.randrange(WIDE_PLANS)
            self.plan, self.rules = PLANS + number, Rules(wide, variant_of(number))
            self.accepted: Accepted = wide_plan_of(number)
        elif self.kind == "computed":
            number = random.Random(f"computed {seed}").randrange(COMPUTED_PLANS)
            self.plan = PLANS + WIDE_PLANS + number
            self.accepted = computed_plan_of(number)
        else:
            self.accepted = plan_of(self.plan)
        # Of every other run the claim is foreseen, by whoever drives it and whatever it has become.
        self.queued = replace(DUE, plan=f"pln_{self.plan}" if seed % 2 else None)
        # One process a file: a second one is not let in before the first has ended.
        self.is_alone = self.kind == "wide" and random.Random(f"alone {seed}").random() < 0.2
        self.services = Services(random.Random(f"services {seed}"))
        self.limits = random.Random(f"limits {seed}").choice(LIMITS)
        self.services.most_at_once = self.limits.concurrency if self.limits else None
        self.workers: list[Worker] = []
        self.drives: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._overtaken: set[asyncio.Task[None]] = set()  # and not ended yet
        self.clocks_differ = False  # or did
        self.people = People(self)
        self._chaos = Chaos(self)
        self._broken: BaseException | None = None
        self.stored: list[journal.StoredEvent] = []  # as of the last look
        self._known = RunState()
        self.idle_at = 0  # by which event it was seen to have nothing to do

    async def live(self) -> "History":
        """Chaos, then calm, then the verdict; raises `Violation`."""
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._loop.set_task_factory(task_factory)
        self._bell = asyncio.Event()
        self.database.clear()
        self.database.do(self._create)
        chaos_s = self.rng.choice([5.0, 30.0, 120.0, 1000.0])
        for _ in range(1 if self.is_alone else self.rng.choice([1, 1, 2, 3])):
            self.new_worker()
        engine = asyncio.ensure_future(self._engine())
        chaos = asyncio.ensure_future(self._chaos.run())
        await asyncio.sleep(chaos_s)
        if chaos.done():
            chaos.result()  # raises what is wrong with it
        chaos.cancel()
        self.say("calm")
        self._chaos.calm_down()
        self.services.is_calm = True
        try:
            await self._until_its_end(engine)
        finally:
            engine.cancel()
        await asyncio.sleep(2 * SETTLE_S)  # what is still on its way arrives
        self.people.answer(willing=True)
        self._check()
        judge(self)
        Order(self).judge()
        Values(self).judge()
        judge_service(self)
        judge_end(self)
        judge_approvals(self, self.rules)
        return self

    async def _until_its_end(self, engine: "asyncio.Task[None]") -> None:
        pause_s = 1.0
        while self.status() not in runs.ENDED:
            await asyncio.sleep(pause_s)
            pause_s = min(4 * pause_s, 12 * 3600.0)
            self._check()
            if engine.done():
                engine.result()
            if self.now() > PATIENCE_S:
                raise Violation(f"the run never ends: {self.row()}")
            self.people.answer(willing=True)

    def _check(self) -> None:
        if self._broken is not None:
            raise Violation(f"a drive broke: {self._broken!r}") from self._broken

    # ---- the engine: at least once, by anybody

    async def _engine(self) -> None:
        count, failures = 0, 0
        while True:
            self._bell.clear()
            for name, (_, task) in [*self.drives.items()]:
                if not task.done():
                    continue
                if not task.cancelled() and task.exception() is None and self.holder() != name:
                    del self.drives[name]
                    failures = 0
                    continue
                # Dead, broken, or overtaken by one that may be dead by now: somebody else goes on.
                failures += 1
                if self.rules and self._chaos.gives_back(name):
                    del self.drives[name]
                    continue
                await asyncio.sleep(min(30.0, self.rng.choice([0.5, LOST_AFTER_S]) * failures))
                self.drive(name, self.any_worker())
            pause_s: float | None = None
            if not self.drives:
                held, due_at = self._stands()
                if held and not self._overtaken:
                    self.drive(held, self.any_worker())  # claimed late, by one that died of it
                elif due_at <= self.wall():
                    count += 1
                    if count > MOST_DRIVES:
                        self._broken = Violation("it is driven again and again")
                        return
                    self.drive(f"drive-{count}", self.any_worker())
                elif due_at < inf:
                    pause_s = due_at - self.wall()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._bell.wait()
            await asyncio.sleep(self.rng.choice([0.01, 0.1, 1.0]))

    def _stands(self) -> tuple[str | None, float]:
        """Under the name of which drive it is claimed, and when it wants to be driven otherwise."""
        ((driver, status, waiting_for, wake_at),) = self.database.ask(_STANDS)
        try:
            # Whoever wakes it says so by its own clock.
            soon = self.wall() + self.slack_s
            if driver is None and status == "waiting" and (wake_at or inf) > soon:
                judge_rest(self, waiting_for)
                if wake_at is None:
                    judge_idle(self)
        except Violation as violation:
            self._broken = self._broken or violation
        if status in ("queued", "cancelling"):
            return driver, 0.0
        return driver, inf if wake_at is None or status != "waiting" else wake_at

    def holder(self) -> str | None:
        """Under the name of which drive the run is claimed."""
        ((name,),) = self.database.ask("SELECT driver FROM runs")
        return None if name is None else str(name)

    def _look_at(self, drive: "asyncio.Task[None]") -> None:
        """Any error of a drive but the store's is a mistake of ours."""
        self._bell.set()
        error = None if drive.cancelled() else drive.exception()
        if error is not None and not isinstance(error, StoreError):
            self._broken = self._broken or error

    def drive(self, name: str, worker: Worker) -> None:
        """Have a process drive the run, under the name of a drive."""
        self.say(f"{worker.process.name} drives {name}")
        task = worker.process.start(worker.machine.drive(self.queued, name))
        task.add_done_callback(self._look_at)
        if name in self.drives and not (before := self.drives[name][1]).done():
            self._overtaken.add(before)
            self.services.reached["overtaken"] += 1
            before.add_done_callback(self._overtaken.discard)
        self.drives[name] = (worker, task)

    def any_worker(self) -> Worker:
        """One that lives."""
        alive = [each for each in self.workers if each.goes_on]
        return self.rng.choice(alive) if alive else self.new_worker()

    def new_worker(self) -> Worker:
        """One more process."""
        process = Process(f"w{len(self.workers)}", self.rng, self.services.reached)
        process.has_lease = not self.is_alone
        process.happen = partial(self._chaos.there, process)
        machine = _Machine(
            store=ProcessStore(self.database, process, self.services.reached),
            call=partial(self.services.call, process),
            policy_of=lambda _: self.policy,
            seal_key=SEAL,
            key_secret=b"secret of the simulation",
            clock=process.clock,
            monotonic=self.now,
            limits_of=lambda _: self.limits,
            lease_ends=process.lease_ends,
            is_alone=self.is_alone,
        )
        if self.queued.plan is not None:
            machine.know(TENANT, self.queued.plan, self.accepted)
        self.workers.append(Worker(process, machine))
        return self.workers[-1]

    def ring(self) -> None:
        """Something arrived; not everybody is told."""
        self._bell.set()
        for worker in self.workers:
            if not worker.process.is_dead and self.rng.random() < 0.8:
                worker.machine.ring(RUN)

    # ---- looking

    @property
    def policy(self) -> Policy:
        """What stands now."""
        return self.rules.policy if self.rules else policy_of(self.accepted)

    @property
    def slack_s(self) -> float:
        """How far the journal's times may be from true ones."""
        return CLOCKS_DIFFER_S if self.clocks_differ else 0.001

    def wall(self) -> float:
        """The time."""
        return WALL + self._loop.time()

    def state(self) -> RunState:
        """Where the run stands."""
        look = partial(journal.read, tenant=TENANT, subject=RUN, after=len(self.stored), loaded={})
        new = self.database.look(look)
        parsed = ((each.at, e.parse_event(each.type, each.v, each.data)) for each in new)
        self._known = fold(parsed, self._known)
        self.stored += new
        return self._known

    def status(self) -> str:
        """How the run stands."""
        return str(self.database.ask("SELECT status FROM runs")[0][0])

    def events(self) -> int:
        """How many events there are."""
        return int(self.database.ask("SELECT count(*) FROM events")[0][0])

    def row(self) -> RunRow:
        """The run's row."""
        row = self.database.look(partial(runs.get, tenant=TENANT, run=RUN))
        assert row is not None
        return row

    def trace(self) -> list[str]:
        """Every event, with random ids by number."""
        self.state()
        names: dict[str, str] = {}

        def name(found: re.Match[str]) -> str:
            return names.setdefault(found[0], f"approval {len(names)}")

        return [
            re.sub("apr_[a-z2-7]{26}", name,
                   f"{each.at - WALL:12.4f} {each.type} {json.dumps(each.data, sort_keys=True)}")
            for each in self.stored
        ]  # fmt: skip

    def say(self, what: str) -> None:
        """Note it, for whoever looks at a failure."""
        self.log.append(f"{self._loop.time():12.4f} {what}")

    def _create(self, c: Connection) -> None:
        plan, now = f"pln_{self.plan}", self.wall()
        runs.create(c, tenant=TENANT, run=RUN, plan=plan, requester="requester", now=now)
