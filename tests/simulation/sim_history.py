"""One history: a run's whole life under faults, and what must be true of it afterwards.

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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf

from sim_plans import APPROVERS, PLANS, POLICY, SEAL, SETTLE_S, TIMEOUT_S, plan_of
from sim_process import LEASE_S, WALL, Process, task_factory
from sim_services import Services
from sim_storage import Database, ProcessStore
from sqlalchemy import Connection

from connectors.spec import Effect
from executor.check.admit import Accepted, to_row
from executor.plan.graph import graph, upstream
from executor.run import events as e
from executor.run.drive import Machine
from executor.run.perform import new_event
from executor.run.state import Place, RunState, fold, undo_place, undoes
from executor.store import approvals, attempts, drives, journal, plans, runs
from executor.store.drives import Due
from executor.store.errors import StoreError
from executor.store.runs import RunRow
from gateway.reconcile import resolve
from gateway.schemas import Reconcile

RUN, TENANT = "run_a", "main"
DUE = Due("run", TENANT, RUN)
PATIENCE_S = 40 * 24 * 3600.0  # virtual: by then even the slowest search was given up
CLOCKS_DIFFER_S = 5.0  # more than the simulated clocks are ever apart
LOST_AFTER_S = LEASE_S + 1.0  # a drive that its process seems to have lost is given to another


def _names(places: set[Place]) -> list[set[str]]:
    """How each place may be told: by its step, or by its item."""
    return [{place[0], f"{place[0]}[{place[1]}]"} for place in sorted(places)]


class Violation(AssertionError):
    """A promise that a history broke."""


@dataclass
class Worker:
    """A process with its machine, and the drives that it was given."""

    process: Process
    machine: Machine


@dataclass
class History:
    """Everything around one run."""

    seed: int
    database: Database
    log: list[str] = field(default_factory=list)
    cancelled_at: int | None = None

    def __post_init__(self) -> None:
        self.rng = random.Random(f"history {self.seed}")
        self.accepted: Accepted = plan_of(self.rng.randrange(PLANS))
        self.services = Services(random.Random(f"services {self.seed}"))
        self.workers: list[Worker] = []
        self.drives: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self.is_calm = False
        self.happenings = self.rng.choice([0, 1, 3, 6])
        self.are_people_eager = self.rng.random() < 0.15
        self.refused: set[str] = set()
        self.wants_back = False
        self.are_approvers_there = self.rng.random() < 0.9
        self.broken: BaseException | None = None

    async def live(self) -> "History":
        """Chaos, then calm, then the verdict."""
        asyncio.get_running_loop().set_task_factory(task_factory)
        self.bell = asyncio.Event()
        self.database.is_lost = False
        self.database.clear()
        self.database.do(self._create)
        chaos_s = self.rng.choice([5.0, 30.0, 120.0, 1000.0])
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            self._new_worker()
        engine = asyncio.ensure_future(self._engine())
        chaos = asyncio.ensure_future(self._chaos())
        await asyncio.sleep(chaos_s)
        chaos.cancel()
        self._calm_down()
        try:
            async with asyncio.timeout(PATIENCE_S):
                pause_s = 1.0
                while not self._has_ended():
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, 12 * 3600.0)
                    self._answer_people(willing=True)
        except TimeoutError:
            self._must(self.broken is None, f"a drive broke: {self.broken!r}")
            raise Violation(f"the run never ends: {self.row()}") from None
        finally:
            engine.cancel()
        await asyncio.sleep(2 * SETTLE_S)  # what is still on its way arrives
        self._answer_people(willing=True)
        self.judge()
        return self

    # ---- the engine: at least once, by anybody

    async def _engine(self) -> None:
        count, failures = 0, 0
        while True:
            for name, (_, task) in [*self.drives.items()]:
                if not task.done():
                    continue
                if not task.cancelled() and task.exception() is None and not self._is_held(name):
                    del self.drives[name]
                    failures = 0
                    continue
                # Dead, broken, or overtaken by one that may be dead by now: somebody else goes on.
                failures += 1
                await asyncio.sleep(min(30.0, self.rng.choice([0.5, LOST_AFTER_S]) * failures))
                self._drive(name, self._any_worker())
            pause_s: float | None = None
            if not self.drives:
                due_at = self._due_at()
                if due_at <= self._wall():
                    count += 1
                    self._drive(f"drive-{count}", self._any_worker())
                elif due_at < inf:
                    pause_s = due_at - self._wall()
            self.bell.clear()
            bell = asyncio.ensure_future(self.bell.wait())
            waiting = [bell, *(task for _, task in self.drives.values())]
            await asyncio.wait(waiting, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            bell.cancel()
            await asyncio.sleep(self.rng.choice([0.01, 0.1, 1.0]))

    def _look_at(self, drive: "asyncio.Task[None]") -> None:
        """Any error of a drive but the store's is a mistake of ours."""
        error = None if drive.cancelled() else drive.exception()
        if error is not None and not isinstance(error, StoreError):
            self.broken = self.broken or error

    def _has_ended(self) -> bool:
        return self.database.ask("SELECT status FROM runs")[0][0] in runs.ENDED

    def _due_at(self) -> float:
        """When the run wants to be driven, if nobody drives it."""
        ((status, wake_at),) = self.database.ask("SELECT status, wake_at FROM runs")
        if status in ("queued", "cancelling"):
            return 0.0
        return wake_at if status == "waiting" and wake_at is not None else inf

    def _is_held(self, name: str) -> bool:
        """Whether the run is still claimed under the name of a drive that has ended."""
        return self.database.ask("SELECT driver FROM runs") == [(name,)]

    def _drive(self, name: str, worker: Worker) -> None:
        self._say(f"{worker.process.name} drives {name}")
        task = worker.process.start(worker.machine.drive(DUE, name))
        task.add_done_callback(self._look_at)
        self.drives[name] = (worker, task)

    def _any_worker(self) -> Worker:
        alive = [each for each in self.workers if not each.process.is_dead]
        return self.rng.choice(alive) if alive else self._new_worker()

    def _new_worker(self) -> Worker:
        process = Process(f"w{len(self.workers)}", self.rng, self.services.reached)
        process.happen = partial(self._happen_there, process)
        worker = Worker(
            process,
            Machine(
                store=ProcessStore(self.database, process, self.services.reached),
                call=partial(self.services.call, process),
                policy_of=lambda _: POLICY,
                seal_key=SEAL,
                key_secret=b"secret of the simulation",
                clock=process.clock,
                monotonic=asyncio.get_running_loop().time,
                lease_ends=process.lease_ends,
                is_alone=False,
            ),
        )
        self.workers.append(worker)
        return worker

    # ---- chaos

    async def _chaos(self) -> None:
        choices: list[Callable[[], Awaitable[None] | None]] = [
            self._kill, self._kill, self._stand_still, self._lose_database, self._cut_off,
            self._take_over, self._wake, self._jump, self._decide, self._decide, self._find_out,
            self._cancel,
        ]  # fmt: skip
        for _ in range(self.rng.choice([0, 3, 6, 12])):
            await asyncio.sleep(self.rng.choice([0.0, 0.01, 0.3, 2.0, 8.0, 30.0]))
            for _ in range(self.rng.randrange(12)):
                await asyncio.sleep(0)  # to anywhere between two steps of any task
            found = self.rng.choice(choices)()
            if found is not None:
                await found

    def _happen_there(self, process: Process, where: str) -> None:
        """Just here, between two steps of the protocol, which is where it hurts most."""
        if self.are_people_eager and where == "before the write" and self.rng.random() < 0.3:
            self._answer_people(willing=False)  # just when the run is about to wait for them
        if self.is_calm or self.happenings <= 0 or process.is_dead or self.rng.random() > 0.05:
            return
        self.happenings -= 1
        match self.rng.randrange(9):
            case 0 | 1:
                self._say(f"{process.name} is killed at {where}")
                process.kill()
            case 2 | 3:
                self._take_over()
            case 4:
                self._stop_for(process, self.rng.choice([5.0, 20.0, 200.0]))
            case 5:
                self._cancel()
            case 6:
                self._decide()
            case 7:
                self._find_out()
            case _:
                self._wake()

    def _stop_for(self, process: Process, seconds: float) -> None:
        self._say(f"{process.name} stands still for {seconds} s")
        process.stop()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, process.go_on)
        loop.call_later(min(seconds, LOST_AFTER_S), self._take_over)

    def _kill(self) -> None:
        worker = self._any_worker()
        self._say(f"{worker.process.name} is killed")
        worker.process.kill()
        self._new_worker()

    def _stand_still(self) -> None:
        """Stopped for a while, in which another may take over."""
        self._stop_for(self._any_worker().process, self.rng.choice([0.5, 20.0, 200.0]))

    def _take_over(self) -> None:
        """Another process is given what one drives whose lease is over, or that only seems dead."""
        now, errs = asyncio.get_running_loop().time(), self.rng.random() < 0.6
        lost = {name: found for name, found in self.drives.items()
                if errs or found[0].process.lease_ends() < now}  # fmt: skip
        if not lost or self.is_calm:
            return
        name, (worker, _) = self.rng.choice([*lost.items()])
        other = self.rng.choice([*self.workers, self._new_worker()])
        if not other.process.is_dead and other is not worker:
            self._drive(name, other)

    async def _lose_database(self) -> None:
        self._say("the database is lost")
        self.database.is_lost = True
        await asyncio.sleep(self.rng.choice([0.1, 3.0, 20.0]))
        self.database.is_lost = False

    def _cut_off(self) -> None:
        process = self._any_worker().process
        process.is_cut_off = True
        asyncio.get_running_loop().call_later(
            self.rng.choice([0.5, 30.0]), setattr, process, "is_cut_off", False
        )

    def _wake(self) -> None:
        self.database.do(partial(drives.wake, due=DUE, now=self._wall()))
        self._ring()

    def _jump(self) -> None:
        """A machine's clock is set wrong, or right again."""
        self._any_worker().process.skew_s = self.rng.choice([0.0, 2.0, -2.0])

    def _cancel(self) -> None:
        if self.rng.random() < 0.6:
            return

        def work(c: Connection) -> bool:
            mode = self.rng.choice(["stop", "undo"])
            if not runs.request_cancel(c, TENANT, RUN, mode, self._wall()):
                return False
            event = e.CancelRequested(by="requester", mode=mode)
            self.wants_back = self.wants_back or mode == "undo"
            (stored,) = journal.append(c, TENANT, RUN, [new_event(event)], self._wall())
            self.cancelled_at = min(self.cancelled_at or stored.seq, stored.seq)
            return True

        if self.database.do(work):
            self._say("cancelled")
            self._ring()

    def _ring(self) -> None:
        self.bell.set()
        for worker in self.workers:
            if not worker.process.is_dead and self.rng.random() < 0.8:
                worker.machine.ring(RUN)

    # ---- people

    def _answer_people(self, *, willing: bool) -> None:
        if self.are_approvers_there:
            self._decide(willing=willing)
        self._find_out()

    def _decide(self, *, willing: bool = False) -> None:
        """Somebody says yes or no to what is asked."""

        def work(c: Connection) -> None:
            for row in approvals.listed(c, TENANT, state="open", run=RUN):
                says = "approve" if willing or self.rng.random() < 0.8 else "refuse"
                by = self.rng.choice(APPROVERS)
                ruling = approvals.decide(c, TENANT, row.id, by, says, "seen", self._wall())
                if says == "refuse" and ruling != "repeated":
                    self.refused.add(row.id)
                if ruling not in ("granted", "refused"):
                    continue
                kind = e.ApprovalGranted if ruling == "granted" else e.ApprovalRefused
                event = kind(approval=row.id, by=by.id, reason="seen")
                journal.append(c, TENANT, RUN, [new_event(event)], self._wall())
                drives.wake(c, DUE, self._wall())

        if self.database.ask("SELECT id FROM approvals WHERE state = 'open'"):
            self.database.do(work)
            self._ring()

    def _find_out(self) -> None:
        """Somebody looks at the service, once all must have come through, and says what is so."""
        if not self.database.ask(f"SELECT n FROM attempts WHERE state IN {attempts.OPEN[1:]}"):
            return
        state = self.state()
        now = asyncio.get_running_loop().time()
        for place in sorted(state.doubts):
            doubt = state.in_doubt(place)
            if doubt is None or not doubt.is_uncertain or doubt.ended is None:
                continue
            last = max((at for at, context, _ in self.services.seen
                        if (context.step, context.iteration) == place), default=0.0)  # fmt: skip
            if now < last + TIMEOUT_S + SETTLE_S:
                continue
            happened = bool(self.services.effects[place])
            says = "happened" if happened else self.rng.choice(["send_again", "abandon"])
            says = "abandon" if self.rng.random() < 0.1 else says
            if says == "send_again" and self.row().has_ended:
                continue
            found = Reconcile.model_validate(
                {"step": place[0], "iteration": place[1], "resolution": says, "reason": "seen"}
                | ({"output": {"id": 1, "ok": True}} if says == "happened" else {})
            )
            row = self.row()
            work = partial(
                resolve, seal_key=SEAL, run=row, by="operator", found=found, now=self._wall()
            )
            self.database.do(work)
        self._ring()

    # ---- calm, and the verdict

    def _calm_down(self) -> None:
        self._say("calm")
        self.is_calm = self.services.is_calm = True
        self.database.is_lost = False
        for worker in self.workers:
            worker.process.go_on()
            worker.process.is_cut_off = False
            worker.process.skew_s = 0.0

    def judge(self) -> None:
        """What the run says is what really happened."""
        if self.broken is not None:
            raise Violation(f"a drive broke: {self.broken!r}") from self.broken
        state, row = self.state(), self.row()
        finish = state.finished
        if finish is None:
            raise Violation("the row has ended, the journal has not")
        for place, found in self.services.effects.items():
            self._must(len(found) <= 1, f"{place} acted {len(found)} times")
        acted = {place for place, found in self.services.effects.items() if found}
        real = {place for place in acted if undoes(place) is None}
        undone = {place for place in real if undo_place(place) in acted}
        standing, unknown = {*finish.standing}, {*finish.uncertain}
        left, back = _names(real - undone), _names(undone)
        self._must(all(each & (standing | unknown) for each in left), "an effect is not told of")
        flat = {name for each in left for name in each}
        self._must(standing <= flat, "an effect is told of that is not")
        self._must({*finish.undone} <= {name for each in back for name in each},
                   "an effect is called undone that stands")  # fmt: skip
        self._must(acted - real <= {undo_place(each) for each in real}, "undone without an effect")
        self._judge_order()
        self._must(row.status == finish.status, "row and journal differ")
        if finish.status in ("succeeded", "undone"):
            self._must(not unknown, f"{finish.status} leaves doubts")
        if finish.status == "undone":
            self._must(real == undone, "undone leaves effects")
        if finish.status == "succeeded":
            for step in self.accepted.plan.steps:
                self._must(state.has_ended(step.id), f"{step.id} was left open")
                if step.id in state.done and step.each is None:
                    action = self.accepted.actions[step.action]
                    acts = action.effect is not Effect.READ
                    self._must(
                        not acts or (step.id, "") in real, f"{step.id} is done without effect"
                    )
        for step_id, failed in state.failed.items():
            happened = (step_id, failed.iteration) in real
            self._must(failed.effect == "unknown" or happened is (failed.effect == "yes"),
                       f"{step_id} failed, effect {failed.effect}, really {happened}")  # fmt: skip
        self._judge_journal()

    def _judge_order(self) -> None:
        """Nothing is undone before what depends on it, nothing at all after a pivot."""
        effects, waits_for = self.services.effects, graph(self.accepted.plan)
        undone = {
            undoes(place): found[0] for place, found in effects.items() if undoes(place) and found
        }
        pivots = {step.id for step in self.accepted.plan.steps if step.action == "shop.pivot_keyed"}
        for place, at in undone.items():
            assert place is not None
            for other in effects:
                if (
                    undoes(other)
                    or not effects[other]
                    or place[0] not in upstream(waits_for, other[0])
                ):
                    continue
                stands = other not in undone and self._can_be_undone(other)
                is_later = other in undone and undone[other] > at
                self._must(not stands and not is_later, f"{place} was undone before {other}")
            acted = [each for each in effects if each[0] in pivots and effects[each]]
            self._must(not any(effects[each][0] < at for each in acted), "undone after a pivot")

    def _can_be_undone(self, place: Place) -> bool:
        decision = self.accepted.certificate.undo_of(place[0])
        return decision is not None and decision.kind == "can"

    def _judge_journal(self) -> None:
        stored = self.database.do(partial(journal.read, tenant=TENANT, subject=RUN))
        self._must([each.seq for each in stored] == [*range(1, len(stored) + 1)], "a gap in seq")
        found = self.database.do(partial(attempts.read, tenant=TENANT, run=RUN))
        rows = {(each.step, each.iteration, each.n): each for each in found}
        intents = {(x.data["step"], x.data["iteration"], x.data["n"]): x.seq
                   for x in stored if x.type == "intent.recorded"}  # fmt: skip
        self._count(stored)
        not_before: dict[tuple[object, object], float] = {}
        for each in stored:
            if each.type == "attempt.ended" and each.data["failure"] is not None:
                asked = each.data["failure"]["retry_at"]  # type: ignore[index,call-overload]
                not_before[each.data["step"], each.data["iteration"]] = asked or 0.0
            if each.type == "intent.recorded":
                early = not_before.get((each.data["step"], each.data["iteration"]), 0.0) - each.at
                self._must(early < CLOCKS_DIFFER_S, f"{each.data['step']}: {early} s too early")
            if each.type == "reconcile.resolved" and each.data["resolution"] == "absent":
                place = (str(each.data["step"]), str(each.data["iteration"]))
                at, by = self.services.made_by.get(place, (inf, 0))
                is_wrong = by == each.data["n"] and WALL + at < each.at
                self._must(not is_wrong, f"attempt {by} of {place} acted and is called absent")
        granted = {x.data["approval"] for x in stored if x.type == "approval.granted"}
        for _, context, action in self.services.seen:
            at = (context.step, context.iteration, context.attempt)
            self._must(at in rows, f"{at} was sent without an intent")
            self._must(rows[at].key == context.idempotency_key, f"{at} was sent under another key")
            after_cancel = self.cancelled_at is not None and intents[at] > self.cancelled_at
            # To take back what may have happened it is found out first: by the same call, at worst.
            settles = self.wants_back and context.attempt > 1
            is_back = undoes((context.step, context.iteration)) is not None
            self._must(not after_cancel or is_back or settles, f"{at} was begun after the cancel")
            if action.approval is not None:
                given = {*rows[at].approvals}
                self._must(bool(given) and given <= granted, f"{at} was sent without its approval")
                self._must(not given & self.refused, f"{at} had been refused")
        keys: dict[tuple[str, str], set[str]] = {}
        for row in rows.values():
            keys.setdefault((row.step, row.iteration), set()).add(row.key)
        self._must(all(len(each) == 1 for each in keys.values()), "one place, several keys")

    def _count(self, stored: list[journal.StoredEvent]) -> None:
        """What this history came by, so that a world without its faults is noticed."""
        for each in stored:
            told = each.type
            match each.type:
                case "attempt.ended":
                    told += f" {each.data['state']}"
                    failure = each.data["failure"]
                    if isinstance(failure, dict) and failure["kind"] == "cancelled":
                        told = "left open by a process"
                case "reconcile.resolved":
                    by = each.data["by"]
                    told += f" {each.data['resolution']} by {by}"
                case "wait.started":
                    told += f" {each.data['waiting_for']}"
                case "run.finished":
                    told += f" {each.data['status']}"
            self.services.reached[told] += 1

    def _must(self, claim: bool, what: str) -> None:
        if not claim:
            raise Violation(what)

    # ---- looking

    def state(self) -> RunState:
        stored = self.database.do(partial(journal.read, tenant=TENANT, subject=RUN))
        return fold((each.at, e.parse_event(each.type, each.v, each.data)) for each in stored)

    def row(self) -> RunRow:
        row = self.database.do(partial(runs.get, tenant=TENANT, run=RUN))
        assert row is not None
        return row

    def trace(self) -> list[str]:
        """Every event, with random ids by number."""
        stored = self.database.do(partial(journal.read, tenant=TENANT, subject=RUN))
        names: dict[str, str] = {}

        def name(found: re.Match[str]) -> str:
            return names.setdefault(found[0], f"approval {len(names)}")

        return [
            re.sub("apr_[a-z2-7]{26}", name,
                   f"{each.at - WALL:12.4f} {each.type} {json.dumps(each.data, sort_keys=True)}")
            for each in stored
        ]  # fmt: skip

    def told(self) -> str:
        """The history, for whoever looks at a failure."""
        steps = [json.dumps(each.model_dump(by_alias=True, exclude_defaults=True), default=str)
                 for each in self.accepted.plan.steps]  # fmt: skip
        options = repr(self.accepted.certificate.options)
        effects = f"effects: {dict(self.services.effects)}"
        return "\n".join([f"seed {self.seed}", options, *steps, *self.log, *self.trace(), effects])

    def _create(self, c: Connection) -> None:
        accepted, now = self.accepted, self._wall()
        row = plans.PlanRow(
            TENANT, "pln_a", accepted.digest, "requester", None, to_row(accepted), now
        )
        plans.add(c, row)
        runs.create(c, tenant=TENANT, run=RUN, plan="pln_a", requester="requester", now=now)

    def _wall(self) -> float:
        return WALL + asyncio.get_running_loop().time()

    def _say(self, what: str) -> None:
        self.log.append(f"{asyncio.get_running_loop().time():12.4f} {what}")
