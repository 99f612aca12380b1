"""Small plans accepted by the real admission, and a journal on paper to decide over."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.budgets import Budgets
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.envelope import Envelope
from executor.plan.model import Plan
from executor.run import events as e
from executor.run.commands import (
    Command,
    Finish,
    LookUp,
    OpenEnvelope,
    OpenGate,
    Perform,
    Record,
    Wait,
)
from executor.run.decide import decide
from executor.run.fold import fold
from executor.run.keys import idempotency_key
from executor.run.state import Attempt, Place, RunState, doubt_of
from executor.run.verdicts import Held, Outside

NOW = 1_700_000_000.0
SEAL = b"seal-key-of-the-tests"
GATE_S = 24 * 3600.0
REQUESTER = Principal("requester", "main", frozenset({"requester"}))
PERMIT = "permit (principal, action, resource);"
WINDOW_S, SETTLE_S = 100.0, 10.0
FIND = {"action": "shop.find", "by": "ref"}
EVERY_EFFECT = ("read", "idempotent", "keyed", "lookup", "blind")


def action(name: str, effect: str = "read", **more: Any) -> ActionSpec:
    """An action that takes and gives anything; no approval unless it is asked for."""
    manifest: dict[str, Any] = {
        "name": name,
        "input_schema": {"type": "object"},
        "effect": effect,
        "irreversible": False,
        "egress": False,
        "approval": None,
    }
    if effect == "keyed":
        manifest["idempotency"] = {"in": "header", "name": "key", "window_s": WINDOW_S}
    if effect == "lookup":
        manifest |= {"lookup": FIND, "settle_s": SETTLE_S}
    return ActionSpec.model_validate(manifest | more)


CATALOG = (
    *(action(f"shop.{effect}", effect) for effect in EVERY_EFFECT),
    *(action(f"shop.asked_{effect}", effect, approval="approver") for effect in EVERY_EFFECT[1:]),
    action("shop.found_keyed", "keyed", lookup=FIND, settle_s=SETTLE_S),
    action("shop.found_blind", "blind", lookup=FIND, settle_s=SETTLE_S),
    action("shop.find"),
    action("shop.typed", input_schema={"type": "object", "properties": {"n": {"type": "integer"}}}),
)


def policy(text: str = PERMIT) -> Policy:
    """A policy of one text."""
    return Policy.parse({"test": text})


def accept(
    *steps: dict[str, Any],
    answer: list[dict[str, Any]] | None = None,
    rules: str | None = PERMIT,
    options: Options | None = None,
    more: tuple[ActionSpec, ...] = (),
    budgets: Budgets | None = None,
    **inputs: Any,
) -> Accepted:
    """Admit a plan; whatever is wrong with it fails the test."""
    plan = Plan.model_validate_json(json.dumps({"steps": steps, "answer": answer or []}))
    context = AdmissionContext(
        request="do it",
        inputs=Inputs({"type": "object", "additionalProperties": True}, dict(inputs)),
        catalog=Catalog((*CATALOG, *more)),
        policy=None if rules is None else policy(rules),
        principal=REQUESTER,
        today="2026-01-01",
        seal_key=SEAL,
        options=options or Options(),
        budgets=budgets or Budgets(),
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def step(name: str, what: str = "read", *args: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One step; `what` is an effect class, or an action."""
    full = what if "." in what else f"shop.{what}"
    return {"id": name, "action": full, "args": list(args), **more}


def ref(source: str, to: str) -> dict[str, Any]:
    return {"ref": source, "to": to}


def value(given: Any, to: str) -> dict[str, Any]:
    return {"value": given, "to": to}


@dataclass(frozen=True)
class Answer:
    """What a service, or its silence, makes of a call."""

    state: e.AttemptState
    output: Any = None
    failure: e.Failure | None = None
    replayed: bool = False


def applied(output: Any = None, *, replayed: bool = False) -> Answer:
    return Answer("applied", output, replayed=replayed)


def refused(kind: str = "invalid", *, again: bool = False, at: float | None = None) -> Answer:
    failure = e.Failure(kind=kind, message=f"said {kind}", may_retry=again, retry_at=at)
    return Answer("refused", failure=failure)


def not_sent() -> Answer:
    failure = e.Failure(kind="unavailable", message="no connection", may_retry=True)
    return Answer("not_sent", failure=failure)


def uncertain(at: float | None = None) -> Answer:
    failure = e.Failure(kind="timeout", message="no answer", may_retry=True, retry_at=at)
    return Answer("uncertain", failure=failure)


UNREADABLE = Answer("applied_unreadable", failure=e.Failure(kind="internal", message="not JSON"))
PENDING = Answer("applied_pending")


@dataclass
class Play:
    """A run on paper: what `decide` wants is written down as the journal would, by the test."""

    accepted: Accepted
    policy: Policy = field(default_factory=policy)
    now: float = NOW
    events: list[tuple[float, e.Event]] = field(default_factory=list)
    flying: dict[Place, Perform | LookUp] = field(default_factory=dict)
    not_before: dict[Place | str, Held] = field(default_factory=dict)
    look_again: dict[Place, float] = field(default_factory=dict)
    state: RunState = field(default_factory=RunState)
    gates: int = 0
    woken: int = 0

    def outside(self) -> Outside:
        return Outside(
            policy=self.policy,
            now=self.now,
            plan="pln_a",
            in_flight=frozenset(self.flying),
            not_before=self.not_before,
            look_again=self.look_again,
            woken=self.woken,
        )

    def decide(self) -> tuple[Command, ...]:
        return decide(self.accepted, self.state, self.outside())

    def write(self, event: e.Event) -> None:
        self.events.append((self.now, event))
        self.state = fold([(self.now, event)], self.state)

    def go(self) -> tuple[Command, ...]:
        """Write down what follows until there is something to do, and say what."""
        while commands := self.decide():
            records = [each for each in commands if isinstance(each, Record)]
            if not records:
                return commands
            assert len(records) == len(commands)
            for each in records:
                self.write(each.event)
        return commands

    def performs(self) -> dict[str, Perform]:
        """The calls that may begin now, by `step` or `step[item]`."""
        found = [each for each in self.go() if isinstance(each, Perform)]
        return {_shown((each.step, each.iteration)): each for each in found}

    def begin(self, command: Perform | LookUp) -> None:
        """Its intent is in the journal, or its search is under way."""
        if isinstance(command, Perform):
            self.write(self._intent(command))
        self.flying[command.step, command.iteration] = command

    def _intent(self, command: Perform) -> e.IntentRecorded:
        key = command.key or idempotency_key(
            b"secret", "main", "run_a", command.step, command.iteration,
            command.action.name, command.args_hash,
        )  # fmt: skip
        return e.IntentRecorded(
            step=command.step,
            iteration=command.iteration,
            n=command.n,
            action=command.action.name,
            effect=command.action.effect,
            key=key,
            args_hash=command.args_hash,
            arguments=command.arguments,
            approvals=[each.approval for each in command.grants],
            send_before=self.now + command.action.timeout_s,
            timeout_s=command.action.timeout_s,
        )

    def end(self, command: Perform, answer: Answer) -> None:
        """Its outcome is in the journal."""
        self.flying.pop((command.step, command.iteration), None)
        self._ended(command, answer)

    def end_late(self, command: Perform, answer: Answer) -> None:
        """The same, as told by a drive that has lost the run, if that is to be told."""
        attempt = self.state.attempts[command.step, command.iteration][command.n - 1]
        is_untold = attempt.ended is None or attempt.ended.state == "uncertain"
        if is_untold and attempt.late is None and answer.state != "uncertain":
            self._ended(command, answer, late=True)

    def _ended(self, command: Perform, answer: Answer, *, late: bool = False) -> None:
        self.write(
            e.AttemptEnded(
                step=command.step,
                iteration=command.iteration,
                n=command.n,
                state=answer.state,
                output=answer.output,
                failure=answer.failure,
                replayed=answer.replayed,
                late=late,
            )
        )

    def call(self, name: str, answer: Answer) -> Perform:
        """The call of this step or item is decided on, begun and answered."""
        found = self.performs()
        assert name in found, (name, self.go())
        self.begin(found[name])
        self.end(found[name], answer)
        return found[name]

    def lose(self, name: str) -> Perform:
        """The process ends after the intent and before the answer."""
        found = self.performs()[name]
        self.begin(found)
        self.crash()
        self.go()
        return found

    def ask_in_vain(self, name: str, pause_s: float | None) -> None:
        """The service was asked what became of what is in doubt, and did not say."""
        place = (name.partition("[")[0], name.partition("[")[2].rstrip("]"))
        doubt = self.state.in_doubt(place)
        assert doubt is not None
        self.defer(place, doubt.intent.n, pause_s)

    def defer(self, place: Place, n: int, pause_s: float | None) -> None:
        again_at = None if pause_s is None else self.now + pause_s
        step, iteration = place
        self.write(
            e.AttemptDeferred(
                step=step, iteration=iteration, n=n, again_at=again_at, woken=self.woken
            )
        )

    def crash(self) -> None:
        self.flying.clear()
        self.not_before.clear()
        self.look_again.clear()

    def resolve(
        self, name: str, n: int, resolution: Any, output: Any = None, *, by: str = "operator"
    ) -> None:
        self.write(
            e.ReconcileResolved(
                step=name.partition("[")[0],
                iteration=name.partition("[")[2].rstrip("]"),
                n=n,
                resolution=resolution,
                by=by,
                reason="checked",
                output=output,
            )
        )

    def cancel(self, mode: Any = "stop") -> None:
        self.write(e.CancelRequested(by="requester", mode=mode))

    def open(self, gate: OpenGate) -> str:
        """Ask, as the drive does; returns the approval's id."""
        self.gates += 1
        self.write(
            e.GateOpened(
                approval=f"apr_{self.gates}",
                step=gate.step,
                iteration=gate.iteration,
                role=gate.role,
                quorum=gate.quorum,
                args_hash=gate.args_hash,
                reasons=list(gate.reasons),
                policies=list(gate.policies),
                expires_at=self.now + GATE_S,
                policy_version=self.policy.version,
                policy_texts=sorted(self.policy.slice_of(gate.action).texts_asking(gate.role)),
            )
        )
        return f"apr_{self.gates}"

    def open_whole(self, found: OpenEnvelope) -> str:
        """Ask for an envelope, as the drive does; returns the approval's id."""
        self.gates += 1
        envelope = found.envelope
        actions = [self.accepted.actions[each.action] for each in envelope.steps]
        texts = {
            text
            for each in actions
            for text in self.policy.slice_of(each).texts_asking(envelope.role)
        }
        self.write(
            e.GateOpened(
                approval=f"apr_{self.gates}",
                step="",
                iteration="",
                role=envelope.role,
                quorum=envelope.quorum,
                args_hash=envelope.digest,
                reasons=list(envelope.reasons),
                policies=list(envelope.policies),
                expires_at=self.now + GATE_S,
                policy_version=self.policy.version,
                policy_texts=sorted(texts),
                kind="envelope",
                steps=[each.step for each in envelope.steps],
            )
        )
        return f"apr_{self.gates}"

    def ask(self) -> list[str]:
        """Open every gate that is wanted now."""
        return [self.open(each) for each in self.go() if isinstance(each, OpenGate)]

    def grant(self, approval: str, envelope: Envelope | None = None) -> None:
        self.write(
            e.ApprovalGranted(approval=approval, by="approver", reason="checked", envelope=envelope)
        )

    def refuse(self, approval: str) -> None:
        self.write(e.ApprovalRefused(approval=approval, by="approver", reason="too much"))

    def finish(self) -> Finish:
        """The end, which must be what comes now."""
        (found,) = self.go()
        assert isinstance(found, Finish), found
        return found

    def wait(self) -> Wait:
        """The wait, which must be what comes now."""
        (found,) = self.go()
        assert isinstance(found, Wait), found
        return found

    def later(self, seconds: float) -> "Play":
        self.now += seconds
        return self


def _shown(place: Place) -> str:
    return f"{place[0]}[{place[1]}]" if place[1] else place[0]


def play(*steps: dict[str, Any], **more: Any) -> Play:
    """Accept a plan of these steps and begin on paper; `judged_by` is the policy of the run."""
    judged_by = more.pop("judged_by", more.get("rules", PERMIT) or PERMIT)
    return Play(accept(*steps, **more), policy(judged_by))


def kept(state: RunState) -> list[Any]:
    """What a state keeps of its attempts, as they change."""
    answers = {(step, item): each for step, found in state.answers.items()
               for item, each in found.items()}  # fmt: skip
    return [
        state.calls, state.begun, {*state.repeated}, state.under_way, state.doubts,
        state.unsettled, answers,
    ]  # fmt: skip


def anew(state: RunState) -> list[Any]:
    """The same, worked out from the attempts alone."""
    found = state.attempts

    def first(claim: Callable[[Attempt], bool]) -> dict[Place, Attempt]:
        each = {place: next(filter(claim, calls), None) for place, calls in found.items()}
        return {place: call for place, call in each.items() if call is not None}

    def doubts(of: Callable[[tuple[Attempt, ...]], tuple[Attempt, ...]]) -> dict[Place, Attempt]:
        each = {place: doubt_of(of(calls)) for place, calls in found.items()
                if not state.is_undone(place)}  # fmt: skip
        return {place: call for place, call in each.items() if call is not None}

    return [
        Counter(each.intent.action.partition(".")[0] for calls in found.values() for each in calls),
        Counter(step for step, _ in found),
        {place for place, calls in found.items() if len(calls) > 1},
        first(lambda each: each.ended is None),
        doubts(lambda calls: calls),
        doubts(lambda calls: calls if calls[-1].ended else calls[:-1]),
        first(lambda each: each.is_applied),
    ]  # fmt: skip
