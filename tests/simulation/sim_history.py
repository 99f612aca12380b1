"""One run's whole life: who drives it, who answers for it, and what stands in its journal.

The engine that calls `drive` is played by its contract alone: at least once, by any process,
again under the same name where the first one seems to be dead, and sometimes where it lives.
"""

import asyncio
import json
import random
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import takewhile
from math import inf
from typing import TYPE_CHECKING, Any

from sim_chaos import LOST_AFTER_S
from sim_computed import COMPUTED_PLANS, computed_plan_of
from sim_judge import Violation, judge_idle, judge_put_aside, judge_rest, must
from sim_looked import LOOKED_PLANS, LOOKED_POLICY, looked_plan_of
from sim_odd import ODD_PLANS, ODD_POLICY, odd_plan_of
from sim_people import People
from sim_plans import PLANS, RUNS, TENANT, TENANTS, broad_plans, plan_of, policy_of, short_plans
from sim_process import DRIVE, WALL, Process
from sim_services import QUESTIONS, SEARCHES, Services
from sim_storage import Database
from sim_wide import WIDE_PLANS, Rules, variant_of, wide_plan_of
from sqlalchemy import Connection

from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.dispatch.base import MOST_CRASHES
from executor.run import events as e
from executor.run.fold import fold
from executor.run.state import Place, RunState
from executor.store import journal, runs
from executor.store.drives import RANKS, Due, Priority
from executor.store.errors import NewerSchemaError, StoreError
from executor.store.runs import RunRow

if TYPE_CHECKING:
    from sim_world import Worker, World

_STANDS = "SELECT driver, status, waiting_for, wake_at FROM runs WHERE id = ?"
POISON = 0.15  # of the runs that wait for their turn
MOST_DRIVES = 500  # one after the other; the slowest search is made some sixty times


class History:
    """Everything around one run; `number` is its own among those of its world."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.run = RUNS[number]
        drawn = random.Random(f"{self.run} {self.seed}")
        self.tenant = drawn.choice(TENANTS) if world.kind == "queued" else TENANT
        self.priority: Priority = drawn.choice([*RANKS]) if len(world.numbers) > 1 else "normal"
        self._comes_s = drawn.choice([0.0, 0.0, 1.0, 4.0]) if number else 0.0
        self.is_there = False
        self._bell = asyncio.Event()
        self.deaths = 0  # of processes that it has killed since a call of it was answered
        self.rules: Rules | None = None
        self.plan, self.accepted = self._planned(number)
        self.kills_at = self._poisoned(drawn)
        self.due = Due("run", self.tenant, self.run, RANKS[self.priority])
        # Of every other run the claim is foreseen, by whoever drives it and whatever it has become.
        self.queued = replace(self.due, plan=f"pln_{self.plan}" if self.seed % 2 else None)
        first = world.services
        own = random.Random(f"services {self.run} {self.seed}")
        self.services: Services = first if number == 0 else first.beside(self.run, own)
        self.services.epoch = self.epoch
        self.drives: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._begun = 0  # of these
        self._overtaken: set[asyncio.Task[None]] = set()  # and not ended yet
        self.people = People(self)
        self.stored: list[journal.StoredEvent] = []  # as of the last look
        self._known = RunState()
        self.idle_at = 0  # by which event it was seen to have nothing to do

    def _poisoned(self, drawn: random.Random) -> str | None:
        """Which of its calls kills whatever process makes it."""
        if self.world.kind != "queued" or drawn.random() > POISON:
            return None
        return drawn.choice(self.accepted.plan.steps).id

    def kills(self, process: Process, action: str, step: str) -> bool:
        """Whether a process dies as it calls for this step: so it knows of no answer."""
        if action in (*SEARCHES, *QUESTIONS):
            return False  # it finds out what became of a call
        if step != self.kills_at:
            self.deaths = 0
            return False
        self.deaths += 1
        self.services.reached["a run kills its process"] += 1
        must(self.deaths <= MOST_CRASHES, f"{self.run} has killed {self.deaths} processes in a row")
        process.kill()
        return True

    def _planned(self, number: int) -> tuple[int, Accepted]:
        """Which plan it is of."""
        seed, drawn = self.seed, self.rng.randrange(PLANS)
        match self.world.kind:
            case "wide pair" if number:
                self.rules = rules = self.world.lives[0].rules
                assert rules is not None
                others = [n for n in range(WIDE_PLANS) if variant_of(n) == rules.first]
                drawn = random.Random(f"beside {seed}").choice(others)
                return PLANS + drawn, wide_plan_of(drawn)
            case "wide" | "wide pair":
                wide = random.Random(f"wide {seed}")
                drawn = wide.randrange(WIDE_PLANS)
                self.rules = Rules(wide, variant_of(drawn))
                return PLANS + drawn, wide_plan_of(drawn)
            case "computed":
                drawn = random.Random(f"computed {seed}").randrange(COMPUTED_PLANS)
                return PLANS + WIDE_PLANS + drawn, computed_plan_of(drawn)
            case "odd":
                drawn = random.Random(f"odd plan of {seed}").randrange(ODD_PLANS)
                return PLANS + WIDE_PLANS + COMPUTED_PLANS + drawn, odd_plan_of(drawn)
            case "looked":
                drawn = random.Random(f"looked plan of {seed}").randrange(LOOKED_PLANS)
                first = PLANS + WIDE_PLANS + COMPUTED_PLANS + ODD_PLANS
                return first + drawn, looked_plan_of(drawn)
            case "queued":
                drawn = self.rng.choice(broad_plans() if self.world.is_crowded else short_plans())
                return drawn, plan_of(drawn, self.tenant)
            case "pair" if number:
                return self._beside(self.world.lives[0])
        return drawn, plan_of(drawn)

    def _beside(self, first: "History") -> tuple[int, Accepted]:
        """The same plan once more, or another one under the same policy."""
        rng = random.Random(f"beside {self.seed}")
        if rng.random() < 0.3:
            return first.plan, first.accepted
        while True:
            drawn = rng.randrange(PLANS)
            found = plan_of(drawn)
            if policy_of(found) is first.policy:
                return drawn, found

    async def live(self) -> None:
        """Be queued, and driven, for ever."""
        if self._comes_s:
            await asyncio.sleep(self._comes_s)
        self.create()
        if self.world.queue is None:
            await self.engine()

    def create(self) -> None:
        """Queue it, unless it is."""
        if self.is_there:
            return
        self.is_there = True
        self.database.do(self._create)
        if self.world.queue is not None:
            self.world.queue.submit(self.queued)

    # ---- what it shares with others

    @property
    def seed(self) -> int:
        """That of its world."""
        return self.world.seed

    @property
    def rng(self) -> random.Random:
        """That of its world."""
        return self.world.rng

    @property
    def database(self) -> Database:
        """Where its journal stands."""
        return self.world.database

    @property
    def slack_s(self) -> float:
        """How far the journal's times may be from true ones."""
        return self.world.slack_s

    def wall(self) -> float:
        """The time."""
        return self.world.wall()

    def now(self) -> float:
        """How much time has passed."""
        return self.world.now()

    def say(self, what: str) -> None:
        """Note it, for whoever looks at a failure."""
        self.world.say(what)

    # ---- the engine: at least once, by anybody

    async def engine(self) -> None:
        """Have it driven, for ever."""
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
                self._judge_put_aside()
                if self.rules and self.world.chaos.gives_back(self, name):
                    del self.drives[name]
                    continue
                await asyncio.sleep(min(30.0, self.rng.choice([0.5, LOST_AFTER_S]) * failures))
                self.drive(name, self.world.any_worker())
            pause_s: float | None = None
            if not self.drives:
                held, due_at = self._stands()
                if held and not self._overtaken:
                    self.drive(
                        held, self.world.any_worker()
                    )  # claimed late, by one that died of it
                elif due_at <= self.wall():
                    count += 1
                    if count > MOST_DRIVES:
                        self.world.break_with(Violation("it is driven again and again"))
                        return
                    self.drive(f"{self.run} {count}", self.world.any_worker())
                elif due_at < inf:
                    pause_s = due_at - self.wall()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._bell.wait()
            await asyncio.sleep(self.rng.choice([0.01, 0.1, 1.0]))

    def look(self) -> None:
        """See that it rests only where it has to."""
        self._stands()

    def _stands(self) -> tuple[str | None, float]:
        """Under the name of which drive it is claimed, and when it wants to be driven otherwise."""
        ((driver, status, waiting_for, wake_at),) = self.ask(_STANDS)
        try:
            # Whoever wakes it says so by its own clock.
            soon = self.wall() + self.slack_s
            rests = driver is None and status == "waiting" and (wake_at or inf) > soon
            if rests and not self._is_lost_in_part:
                judge_rest(self, waiting_for, wake_at)
                if wake_at is None:
                    judge_idle(self)
        except Violation as violation:
            self.world.break_with(violation)
        if status in ("queued", "cancelling"):
            return driver, 0.0
        return driver, inf if wake_at is None or status != "waiting" else wake_at

    def _judge_put_aside(self) -> None:
        if self._is_lost_in_part:
            return  # the rows do not tell all
        try:
            judge_put_aside(self)
        except Violation as violation:
            self.world.break_with(violation)

    @property
    def _is_lost_in_part(self) -> bool:
        """Whether what it waits for may be gone, and what its rows tell may not be all."""
        standby = self.world.standby
        return self.world.kind == "failover" and standby is not None and standby.has_taken_over

    def holder(self) -> str | None:
        """Under the name of which drive the run is claimed."""
        ((name,),) = self.ask("SELECT driver FROM runs WHERE id = ?")
        return None if name is None else str(name)

    def _look_at(self, drive: "asyncio.Task[None]") -> None:
        """Any error of a drive but the store's is a mistake of ours."""
        self._bell.set()
        error = None if drive.cancelled() else drive.exception()
        if isinstance(error, NewerSchemaError):
            self.services.reached["left to a newer version"] += 1
        if error is not None and not isinstance(error, StoreError):
            self.world.break_with(error)

    def drive(self, name: str, worker: "Worker") -> None:
        """Have a process drive the run, under the name of a drive."""
        self.say(f"{worker.process.name} drives {name}")
        self._begun += 1
        token = DRIVE.set(self._begun)
        task = worker.process.start(worker.machine.drive(self.queued, name))
        DRIVE.reset(token)
        task.add_done_callback(self._look_at)
        if name in self.drives and not (before := self.drives[name][1]).done():
            self._overtaken.add(before)
            self.services.reached["overtaken"] += 1
            before.add_done_callback(self._overtaken.discard)
        self.drives[name] = (worker, task)

    def ring(self) -> None:
        """Something arrived; not everybody is told."""
        if not self.is_there:
            return
        self._bell.set()
        for worker in self.world.workers:
            if not worker.process.is_dead and self.rng.random() < 0.8:
                worker.machine.ring(self.run)
        if (queue := self.world.queue) is not None and self.rng.random() < 0.8:
            queue.submit(Due("run", self.tenant, self.run))  # its row says its rank

    # ---- looking

    @property
    def policy(self) -> Policy:
        """What stands now."""
        if self.world.odd is not None:
            return ODD_POLICY
        if self.world.kind == "looked":
            return LOOKED_POLICY
        return self.rules.policy if self.rules else policy_of(self.accepted)

    def state(self) -> RunState:
        """Where the run stands."""
        look = partial(
            journal.read, tenant=self.tenant, subject=self.run, after=len(self.stored), loaded={}
        )
        new = self.database.look(look)
        parsed = ((each.at, e.parse_event(each.type, each.v, each.data)) for each in new)
        self._known = fold(parsed, self._known)
        self.stored += new
        return self._known

    def forget(self) -> None:
        """The database has lost something."""
        self.stored, self._known, self.idle_at = [], RunState(), 0
        self.people.forget()

    @property
    def effects(self) -> Mapping[Place, list[float]]:
        """What happened by the end; where somebody was wrong, what was told of it by then."""
        mistaken = self.world.mistaken
        return self.services.effects if mistaken is None else mistaken.effects(self, self._by_then)

    @property
    def effects_told(self) -> Mapping[Place, list[float]]:
        """The same with what was told after the end."""
        mistaken = self.world.mistaken
        return self.services.effects if mistaken is None else mistaken.effects(self, self.stored)

    @property
    def doubts(self) -> set[Place]:
        """Where somebody was wrong, and nobody knew by the end."""
        mistaken = self.world.mistaken
        return set() if mistaken is None else mistaken.doubts(self._by_then)

    @property
    def _by_then(self) -> list[journal.StoredEvent]:
        return [*takewhile(lambda each: each.type != "run.finished", self.stored)]

    def has_erred(self, place: Place) -> bool:
        """Whether somebody was wrong about a call there."""
        return self.world.mistaken is not None and self.world.mistaken.has_erred(place)

    def status(self) -> str:
        """How the run stands."""
        return str(self.ask("SELECT status FROM runs WHERE id = ?")[0][0])

    def epoch(self) -> int:
        """How often it was claimed."""
        return int(self.ask("SELECT epoch FROM runs WHERE id = ?")[0][0])

    def events(self) -> int:
        """How many events there are."""
        return int(self.ask("SELECT count(*) FROM events WHERE subject = ?")[0][0])

    def row(self) -> RunRow:
        """The run's row."""
        row = self.database.look(partial(runs.get, tenant=self.tenant, run=self.run))
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

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says of this run, whose id the query asks for."""
        return self.database.ask(query, self.run)

    def _create(self, c: Connection) -> None:
        plan, now = f"pln_{self.plan}", self.wall()
        runs.create(
            c, tenant=self.tenant, run=self.run, plan=plan, requester="requester", now=now,
            priority=self.priority,
        )  # fmt: skip
