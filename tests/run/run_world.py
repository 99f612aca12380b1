"""A little world that a run on paper acts on: services that fail, people, and a clock.

The world alone knows what really happened. It decides at the moment a call is begun whether its
effect happens; the answer comes later, or never. What a run says in the end is judged by it.
"""

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from run_cases import (
    PENDING,
    PERMIT,
    SETTLE_S,
    UNREADABLE,
    WINDOW_S,
    Answer,
    Play,
    accept,
    applied,
    not_sent,
    policy,
    ref,
    refused,
    step,
    uncertain,
    value,
)

from connectors.spec import Effect
from executor.check.certificate import Options
from executor.check.grant import Grant
from executor.plan.graph import graph
from executor.run import events as e
from executor.run.commands import Abort, Command, Finish, LookUp, OpenGate, Perform, Wait
from executor.run.state import Place
from executor.run.verdicts import Held

ACTIONS = (
    "read", "idempotent", "keyed", "lookup", "blind", "asked_keyed", "asked_blind",
    "found_keyed", "found_blind",
)  # fmt: skip
ASKING = """
permit (principal, action, resource);
@approval("treasurer") forbid (principal, action, resource)
when { context.args has x && context.args.x == 3 }
unless { context.approvals.contains("treasurer") };
"""
FOUR = """
permit (principal, action, resource);
forbid (principal, action, resource) when { context.run.writes > 3 && action != Action::"read" };
"""
CHAOS, MOST_ROUNDS = 60, 1500


def random_play(rng: random.Random) -> Play:
    """A run of a small plan of any shape."""
    rules = rng.choice([PERMIT, PERMIT, ASKING, FOUR])
    steps: list[dict[str, Any]] = []
    for number in range(rng.randint(1, 5)):
        steps.append(_step(rng, f"s{number}", steps))
    options = Options(
        on_failure=rng.choice(["stop", "continue"]), on_uncertain=rng.choice(["wait", "continue"])
    )
    answer = [ref(f"{each['id']}", each["id"]) for each in steps]
    accepted = accept(
        *steps, answer=answer, rules=rules, options=options, list=[*range(rng.randint(0, 4))], n=3
    )
    return Play(accepted, policy(rules))


def _step(rng: random.Random, name: str, before: list[dict[str, Any]]) -> dict[str, Any]:
    single = [each["id"] for each in before if "each" not in each and "fn." not in each["action"]]
    lists = [each["id"] for each in before if "each" in each]
    if len(single) > 1 and rng.random() < 0.15:
        return step(name, "fn.first_of", *(
            ref(f"{each}/id", f"options/{at}") for at, each in enumerate(rng.sample(single, 2))
        ))  # fmt: skip
    args, more = [value(rng.randint(1, 3), "x")], dict[str, Any]()
    if single and rng.random() < 0.5:
        args.append(ref(f"{rng.choice(single)}/id", "from"))
    if rng.random() < 0.3:
        more["each"] = rng.choice([*lists, "input/list"])
        args.append(ref("each", "item"))
    if before and rng.random() < 0.3:
        more["after"] = [rng.choice(before)["id"]]
    if rng.random() < 0.25:
        left = f"{rng.choice(single)}/id" if single and rng.random() < 0.6 else "input/n"
        more["when"] = [{"left": left, "op": ">", "value": rng.choice([0, 0, 5])}]
    if rng.random() < 0.25:
        more["expect"] = [{"left": "result/ok", "op": "==", "value": True}]
    return step(name, rng.choice(ACTIONS), *args, **more)


@dataclass
class World:
    """Services, people and time around one run."""

    run: Play
    rng: random.Random
    effects: dict[Place, list[float]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[str, float] = field(default_factory=dict)
    fates: dict[Place, Answer] = field(default_factory=dict)
    lost: list[tuple[Perform, Answer]] = field(default_factory=list)
    finish: Finish | None = None
    modes: tuple[str, ...] = ("stop",)  # of a cancel

    def live(self) -> None:
        """Let chaos reign for a while, then peace until the run has ended."""
        for number in range(MOST_ROUNDS):
            self.round(calm=number >= CHAOS)
            if self.finish is not None:
                return
        raise AssertionError(f"the run never ends: {self.run.go()}")

    def round(self, *, calm: bool) -> None:
        """What is decided is done, or something happens."""
        run, rng = self.run, self.rng
        if not calm and rng.random() < 0.25:
            self._happen()
        commands = run.go()
        assert commands == run.decide()  # the same again
        for each in commands:
            self._check(each)
        match commands:
            case (Finish() as finish,):
                self.finish = finish
                self._judge(finish)
            case (Wait() as wait,):
                self._wait(wait, calm=calm)
            case _:
                for each in commands:
                    self._do(each, calm=calm)

    def _do(self, command: Command, *, calm: bool) -> None:
        run = self.run
        match command:
            case OpenGate():
                run.open(command)
            case Perform() if not calm and self.rng.random() < 0.1:
                held = self.rng.choice([(command.step, command.iteration), "shop"])
                reason = self.rng.choice(["rate_limit", "service"])
                run.not_before[held] = Held(run.now + self.rng.choice([0.1, 5.0]), reason)
            case Perform():
                run.begin(command)
                place = (command.step, command.iteration)
                self.fates[place] = self._send(command, calm=calm)
            case LookUp():
                run.begin(command)
            case Abort():
                del run.flying[command.step, command.iteration]

    def _send(self, command: Perform, *, calm: bool) -> Answer:
        """Decide what the service really does, and what it will answer."""
        rng, now = self.rng, self.run.now
        kind = "applied" if calm else rng.choice(FATES)
        output = {"id": rng.randint(1, 9), "ok": calm or rng.random() < 0.9}
        match kind:
            case "refused":
                return refused(rng.choice(["invalid", "conflict", "auth"]))
            case "again":
                at = rng.choice([None, now + 20.0])
                return rng.choice([not_sent(), refused("rate_limited", again=True, at=at)])
            case "silence":
                return uncertain()
        replayed = self._act(command, now)
        match kind:
            case "unusable":
                return rng.choice([UNREADABLE, PENDING])
            case "lost":
                return uncertain(rng.choice([None, now + 30.0]))
            case _:
                return applied(output, replayed=replayed)

    def _act(self, command: Perform, now: float) -> bool:
        """The effect happens, perhaps a little later; True if it had happened before."""
        place, effect = (command.step, command.iteration), command.action.effect
        if effect is Effect.READ or (effect is Effect.IDEMPOTENT and self.effects[place]):
            return False
        key = self.run.state.attempts[place][-1].intent.key
        if effect is Effect.KEYED:
            if key in self.keys and now - self.keys[key] < WINDOW_S:
                return True
            self.keys[key] = now
        self.effects[place].append(now + self.rng.uniform(0, SETTLE_S / 2))
        return False

    def _wait(self, wait: Wait, *, calm: bool) -> None:
        """Whatever ends the wait: an answer, a time or a person; there must be one of them."""
        run, chances = self.run, []
        if run.flying:
            chances.append(self._land)
        if wait.until is not None:
            assert wait.until > run.now
            chances.append(lambda: run.later((wait.until or 0.0) - run.now))
        if self._doubts():
            chances.append(self._reconcile)
        if run.state.open_gates:
            chances.append(lambda: self._rule(calm=calm))
        assert chances, f"nothing ends {wait}"
        assert wait.waiting_for != "reconcile" or self._doubts()
        assert wait.waiting_for != "approval" or run.state.open_gates
        self.rng.choice(chances)()

    def _happen(self) -> None:
        """Something that nobody waits for."""
        run, rng = self.run, self.rng
        match rng.randrange(9):
            case 0:
                self._lose_all()
            case 1 if rng.random() < 0.15 and run.state.cancelled is None:
                run.cancel(rng.choice(self.modes))
            case 2:
                run.later(rng.choice([0.2, 3.0, 30.0, 90.0, 500.0]))
            case 3 if run.state.open_gates:
                self._rule(calm=False)
            case 4 if self._doubts():
                self._reconcile()
            case 5 if self.lost:
                run.end_late(*self.lost.pop(rng.randrange(len(self.lost))))
            case _ if run.flying:
                self._land()

    def _lose_all(self) -> None:
        """The process ends, or only seems to: then it tells later how its writes ended."""
        for place, command in self.run.flying.items():
            if isinstance(command, Perform) and command.action.is_write:
                self.lost.append((command, self.fates[place]))
        self.run.crash()
        self.run.woken += self.rng.choice((0, 1))  # or the next drive only follows this one

    def _land(self) -> None:
        """An answer arrives."""
        run = self.run
        place = self.rng.choice(sorted(run.flying))
        match run.flying[place]:
            case Perform() as command:
                run.end(command, self.fates[place])
            case LookUp() as search:
                del run.flying[place]
                self._found(search, place)

    def _found(self, search: LookUp, place: Place) -> None:
        run = self.run
        if self.rng.random() < 0.3:
            run.defer(place, search.n, self.rng.choice([1.0, 60.0, None]))
        elif any(at <= run.now for at in self.effects[place]):
            run.resolve(_name(place), search.n, "applied", {"id": 1, "ok": True}, by="lookup")
        elif run.now >= search.absent_from:
            run.resolve(_name(place), search.n, "absent", by="lookup")
        else:
            run.defer(place, search.n, min(1.0, search.absent_from - run.now))

    def _doubts(self) -> list[Place]:
        return [each for each in self.run.state.doubts if each not in self.run.flying]

    def _reconcile(self) -> None:
        """A person finds out, once all must have come through, and says so, or gives up."""
        run = self.run
        place = self.rng.choice(self._doubts())
        doubt = run.state.in_doubt(place)
        assert doubt is not None
        run.later(SETTLE_S)
        if self.rng.random() < 0.15:
            run.resolve(_name(place), doubt.intent.n, "abandoned")
        elif self.effects[place]:
            run.resolve(_name(place), doubt.intent.n, "applied", {"id": 1, "ok": True})
        else:
            run.resolve(_name(place), doubt.intent.n, "absent")

    def _rule(self, *, calm: bool) -> None:
        gate = self.rng.choice(self.run.state.open_gates)
        if calm or self.rng.random() < 0.8:
            self.run.grant(gate.opened.approval)
        else:
            self.run.refuse(gate.opened.approval)

    def _check(self, command: Command) -> None:
        """What must hold of every command at the moment it is given."""
        state = self.run.state
        if not isinstance(command, Perform | LookUp | OpenGate):
            return
        assert not state.has_ended(command.step)
        if isinstance(command, OpenGate):
            assert state.cancelled is None
            return
        place = (command.step, command.iteration)
        assert place not in self.run.flying
        if isinstance(command, LookUp):
            assert state.in_doubt(place) is not None
            return
        assert state.cancelled is None
        assert graph(self.run.accepted.plan)[command.step] <= {*state.done, *state.skipped}
        self._check_repetition(command, place)
        self._check_approval(command)

    def _check_repetition(self, command: Perform, place: Place) -> None:
        attempts = self.run.state.attempts.get(place, ())
        assert command.n == len(attempts) + 1
        assert self.run.state.applied(place) is None
        for each in attempts:
            assert (command.key, command.arguments) == (each.intent.key, each.intent.arguments)
            assert not each.is_abandoned
            if command.action.effect in (Effect.LOOKUP, Effect.BLIND):
                assert not each.may_have_happened

    def _check_approval(self, command: Perform) -> None:
        need = self.run.accepted.certificate.of(command.step).approval
        gates = self.run.state.gates.get((command.step, ""), ())
        granted = {
            gate.opened.role
            for gate in gates
            if isinstance(gate.ruling, e.ApprovalGranted)
            and gate.opened.expires_at > self.run.now
            and Grant(gate.opened.approval, gate.opened.args_hash) in command.grants
        }
        assert need is None or need.role in granted

    def _judge(self, finish: Finish) -> None:
        """What the run says is what really happened."""
        state, real = self.run.state, {place for place, found in self.effects.items() if found}
        for place, found in self.effects.items():
            assert len(found) <= 1, f"{place} acted {len(found)} times"
        assert {place[0] for place in real} <= {*finish.standing, *finish.uncertain}
        assert {*finish.standing} <= {place[0] for place in real}
        if finish.status == "succeeded":
            assert not finish.uncertain
            assert not state.doubts
            assert all(state.has_ended(each.id) for each in self.run.accepted.plan.steps)
        for step_id, failed in state.failed.items():
            happened = (step_id, failed.iteration) in real
            assert failed.effect == "unknown" or happened is (failed.effect == "yes")
        assert finish.status in ("succeeded", "failed", "cancelled")

    def told(self) -> str:
        """The history, for whoever looks at a failure."""
        plan = [json.dumps(each.model_dump(by_alias=True, exclude_defaults=True), default=str)
                for each in self.run.accepted.plan.steps]  # fmt: skip
        events = [f"{at - 1.7e9:9.2f} {event!r}"[:230] for at, event in self.run.events]
        options = self.run.accepted.certificate.options
        return "\n".join([repr(options), *plan, *events, f"effects: {dict(self.effects)}"])


FATES = (
    "applied", "applied", "applied", "refused", "again", "silence", "lost", "lost", "unusable",
)  # fmt: skip


def _name(place: Place) -> str:
    return f"{place[0]}[{place[1]}]" if place[1] else place[0]
