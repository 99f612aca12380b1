"""What becomes of one step, or of one item of it: the decision table of a single call.

what is known of the last attempt        what follows
---------------------------------------  -----------------------------------------------
none                                     policy and approval, then the call
applied                                  `expect`, then done or failed
refused, not sent; may be tried again    the same call later, never before Retry-After
refused                                  failed, and no effect
uncertain: read, idempotent              the same call again
uncertain: keyed, window open            the same call under the same key
uncertain: lookup                        search; found = applied, absent counts once settled
uncertain: blind, or nothing of these    a person decides
resolved as absent                       the same call under the same key
resolved as abandoned                    failed, effect unknown
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import ActionSpec, Effect, JsonObject, Label
from connectors.validate import validator_of
from executor.check.admit import Accepted
from executor.check.cedar import Judgement, Policy, PolicyQuestion
from executor.check.certificate import StepDecision
from executor.fn import FUNCTIONS, FnError
from executor.plan.model import Step
from executor.run import events as e
from executor.run.commands import Command, LookUp, OpenGate, Perform
from executor.run.keys import args_hash, jitter_of
from executor.run.resolve import ResolveError, Scope, bind, check_guards, first_false
from executor.run.retry import MOST_ATTEMPTS, retry_at
from executor.run.state import Attempt, Place, RunState

WINDOW_SHARE = 0.8  # a key is trusted for this share of the service's window


@dataclass(frozen=True)
class Outside:
    """What a decision needs besides the plan and the journal, passed in as values."""

    policy: Policy
    now: float
    in_flight: frozenset[Place] = frozenset()
    not_before: Mapping[Place, float] | None = None  # permits refused, look-ups to repeat


@dataclass(frozen=True)
class Done:
    """It ended well."""

    output: JsonValue


@dataclass(frozen=True)
class Skipped:
    """A condition was false."""

    because: str


@dataclass(frozen=True)
class Failed:
    """It ended badly."""

    code: str
    message: str
    effect: e.EffectHappened = "no"


@dataclass(frozen=True)
class Next:
    """Something is to be done now."""

    command: Command


@dataclass(frozen=True)
class Waiting:
    """It has to wait: for a call in flight (`flight`), a time, or somebody."""

    waiting_for: str
    until: float | None = None


@dataclass(frozen=True)
class Halted:
    """Nothing new may begin."""


Verdict = Done | Skipped | Failed | Next | Waiting | Halted


@dataclass(frozen=True)
class Surroundings:
    """How the run as a whole stands, for one of its steps."""

    is_stopping: bool
    early_gates_open: bool
    uncertain_elsewhere: bool


def judge_instance(
    accepted: Accepted,
    state: RunState,
    outside: Outside,
    around: Surroundings,
    step: Step,
    iteration: str,
    scope: Scope,
) -> Verdict:
    """Say what becomes of one step or item now."""
    try:
        false = first_false(step.when, scope)
        if false is not None:
            return Skipped(f"{_shown(false.model_dump(by_alias=True))} is false")
        arguments = bind(step, scope)
        if step.action in FUNCTIONS:
            return _computed(step, arguments, scope)
        action = accepted.actions[step.action]
        decision = accepted.certificate.of(step.id)
        check_guards(decision, arguments, action.input_schema)
    except ResolveError as error:
        where = f" at {error.at!r}" if error.at else ""
        return Failed(error.code, f"{error.message}{where}")
    case = _Case(accepted, state, outside, around, step, iteration, scope, action, decision)
    return case.verdict(arguments)


@dataclass(frozen=True)
class _Case:
    accepted: Accepted
    state: RunState
    outside: Outside
    around: Surroundings
    step: Step
    iteration: str
    scope: Scope
    action: ActionSpec
    decision: StepDecision

    @property
    def place(self) -> Place:
        return (self.step.id, self.iteration)

    def verdict(self, arguments: JsonObject) -> Verdict:
        if self.place in self.outside.in_flight:
            return Waiting("flight")
        last = self.state.last(self.place)
        if last is None:
            return self._call(arguments, 1, None)
        if last.is_applied:
            return self._expected(last.output)
        if last.resolved is not None and last.resolved.resolution == "abandoned":
            return Failed("abandoned", last.resolved.reason, "unknown")
        if last.resolved is not None:
            return self._call(arguments, last.intent.n + 1, last)
        if last.is_uncertain:
            return self._class_rule(arguments, last)
        return self._refused(arguments, last)

    def _expected(self, output: JsonValue) -> Verdict:
        effect: e.EffectHappened = "yes" if self.action.is_write else "no"
        try:
            false = first_false(self.step.expect, self.scope.with_own(result=output))
        except ResolveError as error:
            return Failed(error.code, error.message, effect)
        if false is not None:
            shown = _shown(false.model_dump(by_alias=True))
            return Failed("expect-failed", f"expected {shown}", effect)
        return Done(output)

    def _refused(self, arguments: JsonObject, last: Attempt) -> Verdict:
        failure = last.ended.failure if last.ended else None
        if failure is None or not failure.may_retry:
            kind = failure.kind if failure else "internal"
            return Failed(kind, failure.message if failure else "refused")
        if last.intent.n >= MOST_ATTEMPTS:
            return Failed(failure.kind, f"{failure.message}; given up after {last.intent.n} calls")
        return self._call(arguments, last.intent.n + 1, last, wait_as=_wait_name(failure.kind))

    def _class_rule(self, arguments: JsonObject, last: Attempt) -> Verdict:
        again = last.intent.n < MOST_ATTEMPTS
        first = self.state.attempts[self.place][0]
        match self.action.effect:
            case Effect.READ if not again:
                return Failed("unavailable", f"given up after {last.intent.n} calls")
            case Effect.READ | Effect.IDEMPOTENT if again:
                return self._call(arguments, last.intent.n + 1, last)
            case Effect.KEYED if again and self._key_is_fresh(first):
                return self._call(arguments, last.intent.n + 1, last)
        if self.action.lookup is not None:
            return self._look_up(last)
        return Waiting("reconcile")

    def _key_is_fresh(self, first: Attempt) -> bool:
        window = self.action.idempotency.window_s if self.action.idempotency else 0.0
        return self.outside.now - first.at < WINDOW_SHARE * window

    def _look_up(self, last: Attempt) -> Verdict:
        held = (self.outside.not_before or {}).get(self.place, 0.0)
        if held > self.outside.now:
            return Waiting("reconcile", held)
        lookup = self.action.lookup
        found = self.accepted.actions.get(lookup.action) if lookup else None
        if found is None:
            return Waiting("reconcile")
        ended_at = last.ended_at if last.ended_at is not None else last.at
        settled = ended_at + self.action.settle_s
        place = (self.step.id, self.iteration)
        return Next(LookUp(*place, last.intent.n, self.action, last.intent.key, settled))

    def _call(
        self, arguments: JsonObject, n: int, last: Attempt | None, *, wait_as: str = "retry"
    ) -> Verdict:
        if self.around.is_stopping:
            return Halted()
        hashed = last.intent.args_hash if last else args_hash(arguments)
        not_before = (self.outside.not_before or {}).get(self.place, 0.0)
        if not_before > self.outside.now:
            return Waiting("rate_limit", not_before)
        if last is not None and last.resolved is None:
            due = retry_at(last, n - 1, jitter_of(hashed, n))
            if due > self.outside.now:
                return Waiting(wait_as, due)
        gate = self._gate(arguments, hashed)
        if not isinstance(gate, _Open):
            return gate
        if self.action.is_write and self.around.early_gates_open:
            return Waiting("approval")
        if self.action.is_write and self.around.uncertain_elsewhere:
            return Waiting("reconcile")
        key = last.intent.key if last else None
        return Next(
            Perform(
                self.step.id, self.iteration, n, self.action, arguments, hashed, key, gate.approval
            )
        )

    def _gate(self, arguments: JsonObject, hashed: str) -> "Failed | Next | Waiting | _Open":
        """Policy on the real values, and every approval that it or the certificate asks for."""
        gates = [
            gate for gate in self.state.gates.get(self.place, ()) if gate.opened.args_hash == hashed
        ]
        granted = {
            gate.opened.role: gate.opened.approval
            for gate in gates
            if isinstance(gate.ruling, e.ApprovalGranted)
        }
        judgement = self._judge(arguments, frozenset(granted))
        if judgement.verdict == "deny":
            message = "; ".join(judgement.messages) or ", ".join(judgement.policies) or "forbidden"
            return Failed(judgement.code or "policy-denied", message)
        for role, quorum, reasons in self._needs(judgement):
            if role in granted:
                continue
            asked = next((gate for gate in gates if gate.opened.role == role), None)
            if asked is None:
                return Next(
                    OpenGate(
                        *self.place, self.action, arguments, hashed, role, quorum, reasons,
                        judgement.policies,
                    )
                )  # fmt: skip
            if isinstance(asked.ruling, e.ApprovalRefused):
                return Failed("approval-refused", f"{asked.ruling.by}: {asked.ruling.reason}")
            if isinstance(asked.ruling, e.ApprovalExpired):
                return Failed("approval-expired", "nobody answered in time")
            return Waiting("approval", asked.opened.expires_at)
        return _Open(next(iter(granted.values()), None))

    def _judge(self, arguments: JsonObject, approvals: frozenset[str]) -> Judgement:
        labels = {
            at: Label(found.integrity, None if found.readers is None else frozenset(found.readers))
            for at, found in self.decision.labels.items()
        }
        writes = sum(
            1
            for attempts in self.state.attempts.values()
            for each in attempts
            if each.is_applied and each.intent.effect is not Effect.READ
        )
        return self.outside.policy.judge(
            PolicyQuestion(
                principal=self.accepted.principal,
                action=self.action,
                arguments=arguments,
                labels=labels,
                run={"writes": writes},
                approvals=approvals,
            )
        )

    def _needs(self, judgement: Judgement) -> list[tuple[str, int, tuple[str, ...]]]:
        needs = []
        certified = self.decision.approval
        if certified is not None:
            needs.append((certified.role, certified.quorum, certified.reasons))
        if judgement.verdict == "approval" and judgement.role is not None:
            reasons = judgement.messages or (f"policy {', '.join(judgement.policies)}",)
            needs.append((judgement.role, judgement.quorum, reasons))
        return needs


@dataclass(frozen=True)
class _Open:
    """No gate stands before the call, or the one that did was opened by `approval`."""

    approval: str | None


def _computed(step: Step, arguments: JsonObject, scope: Scope) -> Verdict:
    function = FUNCTIONS[step.action]
    validator = validator_of(function.input_schema)
    if validator is not None:
        for error in validator.iter_errors(arguments):
            return Failed("type-mismatch", str(error.message))
    try:
        output = function.call(arguments)
    except FnError as error:
        return Failed(error.code, error.message)
    false = first_false(step.expect, scope.with_own(result=output))
    if false is not None:
        return Failed("expect-failed", f"expected {_shown(false.model_dump(by_alias=True))}")
    return Done(output)


def _wait_name(kind: str) -> str:
    return "rate_limit" if kind == "rate_limited" else "retry"


def _shown(cond: Mapping[str, object]) -> str:
    return " ".join(str(value) for value in cond.values())
