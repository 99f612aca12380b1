"""The one door: `admit(plan, context)` decides over the whole plan before anything runs.

All checks run and every violation is reported. What cannot be decided yet becomes a guard of
the certificate and is checked on the real value before the call. Only this file builds an
`Accepted`, by `admit` or by `restore`, and the machine runs nothing else.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, TypeAdapter

from connectors.canonical import canonical
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.analysis import Analysis, Binding, with_today
from executor.check.cedar import Judgement, Policy, PolicyQuestion
from executor.check.certificate import (
    ApprovalNeed,
    Certificate,
    Guard,
    Options,
    Standing,
    StepDecision,
    ValueLabel,
)
from executor.check.known import known_arguments
from executor.check.labels import Concern, Labels
from executor.check.rules import structural_violations
from executor.check.types import Flow
from executor.check.unknown import Unknown
from executor.check.violation import Code, Violation
from executor.check.words import Words
from executor.fn import FUNCTIONS
from executor.plan.compose import standalone
from executor.plan.digest import plan_digest
from executor.plan.graph import order
from executor.plan.model import Plan, Question, RefArg, Step
from executor.plan.refs import join_pointer
from executor.plan.types import Type

MAX_STEPS = 50


@dataclass(frozen=True)
class Inputs:
    """What a plan is given besides the words: a schema, values and their labels by name."""

    schema: JsonObject = field(default_factory=dict)
    values: JsonObject = field(default_factory=dict)
    labels: Mapping[str, Label] = field(default_factory=dict)


@dataclass(frozen=True)
class AdmissionContext:
    """All that admission knows besides the plan.

    `policy=None` means that policy is not evaluated (bulk admission without one); the run-time
    check still is. `lift_role` is who may approve made-up or untrusted targets; None: nobody.
    """

    request: str
    inputs: Inputs
    catalog: Catalog
    policy: Policy | None
    principal: Principal
    today: str
    seal_key: bytes
    history: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    lift_role: str | None = "approver"
    max_steps: int = MAX_STEPS


@dataclass(frozen=True)
class Accepted:
    """A plan that may run, with everything its run needs; sealed against change at rest."""

    plan: Plan
    digest: str
    inputs: Inputs
    actions: Mapping[str, ActionSpec]
    principal: Principal
    request: str
    certificate: Certificate
    seal: str


@dataclass(frozen=True)
class Rejected:
    """Every reason why the plan may not run."""

    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class Questions:
    """Nothing runs yet: what to ask the person, or why it cannot be done."""

    questions: tuple[Question, ...]
    unable: str | None


class SealBrokenError(Exception):
    """A stored plan is not what admission accepted."""


Verdict = Accepted | Rejected | Questions


def admit(plan: Plan, context: AdmissionContext) -> Verdict:
    """Accept a plan with its certificate, or say everything that is wrong with it."""
    if plan.questions or plan.unable is not None:
        return Questions(plan.questions, plan.unable)
    analysis = Analysis(plan, context.catalog, context.inputs.schema)
    violations = [*_budget(plan, context), *structural_violations(analysis)]
    labels = _labels(analysis, context)
    decisions = []
    for step in plan.steps:
        action = analysis.action(step)
        if action is None:
            continue
        decision, found = _decide(step, action, analysis, labels, context)
        decisions.append(decision)
        violations += found
    if violations:
        return Rejected(tuple(violations))
    return _accept(plan, context, analysis, tuple(decisions))


def to_row(accepted: Accepted) -> JsonObject:
    """What is stored of an accepted plan."""
    return _content(accepted) | {"seal": accepted.seal}


def restore(row: JsonObject, seal_key: bytes) -> Accepted:
    """Build an accepted plan from its row; raises `SealBrokenError` if anything was changed."""
    content = {key: value for key, value in row.items() if key != "seal"}
    seal = str(row.get("seal", ""))
    if not hmac.compare_digest(seal, _seal(content, seal_key)):
        raise SealBrokenError("the stored plan does not match its seal")
    principal = _Principal.validate_python(row["principal"])
    inputs = row["inputs"]
    assert isinstance(inputs, dict)  # noqa: S101 - the seal says that we wrote it
    return Accepted(
        plan=Plan.model_validate_json(canonical(row["plan"])),
        digest=str(row["digest"]),
        inputs=_Inputs.validate_python(inputs),
        actions=_Actions.validate_python(row["actions"]),
        principal=principal,
        request=str(row["request"]),
        certificate=Certificate.model_validate(row["certificate"]),
        seal=seal,
    )


_Principal = TypeAdapter(Principal)
_Inputs = TypeAdapter(Inputs)
_Actions = TypeAdapter(dict[str, ActionSpec])


def _accept(
    plan: Plan,
    context: AdmissionContext,
    analysis: Analysis,
    decisions: tuple[StepDecision, ...],
) -> Accepted:
    used = {step.action for step in plan.steps if step.action not in FUNCTIONS}
    actions = {name: found for name in sorted(used) if (found := context.catalog.get(name))}
    digest = plan_digest(plan, context.inputs.schema, actions)
    for action in list(actions.values()):
        # The machine may have to look a lost call up; what that takes is fixed now.
        if action.lookup and (found := context.catalog.get(action.lookup.action)):
            actions[found.name] = found
    values = {"today": context.today} | context.inputs.values
    inputs = Inputs(with_today(context.inputs.schema), values, context.inputs.labels)
    certificate = Certificate(
        plan_digest=digest,
        policy="not-evaluated" if context.policy is None else "evaluated",
        policy_version=context.policy.version if context.policy else None,
        options=context.options,
        steps=decisions,
    )
    unsealed = Accepted(
        plan, digest, inputs, actions, context.principal, context.request, certificate, ""
    )
    seal = _seal(_content(unsealed), context.seal_key)
    return Accepted(
        plan, digest, inputs, actions, context.principal, context.request, certificate, seal
    )


def _content(accepted: Accepted) -> JsonObject:
    actions: JsonObject = {
        name: action.model_dump(mode="json", by_alias=True)
        for name, action in accepted.actions.items()
    }
    return {
        "plan": accepted.plan.stored()["plan"],
        "digest": accepted.digest,
        "inputs": _Inputs.dump_python(accepted.inputs, mode="json"),
        "actions": actions,
        "principal": _sorted_roles(accepted.principal),
        "request": accepted.request,
        "certificate": accepted.certificate.model_dump(mode="json"),
    }


def _sorted_roles(principal: Principal) -> JsonValue:
    roles: list[JsonValue] = [*sorted(principal.roles)]
    return {"id": principal.id, "tenant": principal.tenant, "roles": roles}


def _seal(content: JsonObject, key: bytes) -> str:
    return hmac.new(key, canonical(content), "sha256").hexdigest()


def _budget(plan: Plan, context: AdmissionContext) -> Iterator[Violation]:
    if len(plan.steps) > context.max_steps:
        message = f"{len(plan.steps)} steps; at most {context.max_steps} are allowed"
        yield Violation("budget-exceeded", "/steps", message, fix="Split the request.")


def _labels(analysis: Analysis, context: AdmissionContext) -> Labels:
    labels = dict(context.inputs.labels)
    if "today" not in context.inputs.values:
        labels["today"] = Label(Integrity.CONFIG)
    return Labels(analysis, tuple(_said(context)), labels, order(analysis.graph))


def _said(context: AdmissionContext) -> Iterator[tuple[Label, Words]]:
    """What literals may have been taken from, best first; untrusted inputs ground nothing."""
    said: dict[Label, list[str]] = {Label(Integrity.REQUEST): [context.request, *context.history]}
    for name, value in context.inputs.values.items():
        label = context.inputs.labels.get(name, Label(Integrity.REQUEST))
        if label.integrity.at_least(Integrity.TRUSTED):
            said.setdefault(label, []).extend(_texts(value))
    for label, texts in sorted(said.items(), key=lambda each: each[0].integrity.rank):
        yield label, Words(texts, context.today)


def _texts(value: JsonValue) -> Iterator[str]:
    match value:
        case dict():
            for member in value.values():
                yield from _texts(member)
        case list():
            for member in value:
                yield from _texts(member)
        case None | bool():
            pass
        case _:
            yield str(value)


def _decide(
    step: Step,
    action: ActionSpec,
    analysis: Analysis,
    labels: Labels,
    context: AdmissionContext,
) -> tuple[StepDecision, list[Violation]]:
    """Say how one step stands, and what of it no approval may lift."""
    bindings = list(analysis.bindings(step))
    guards = _type_guards(step, action, analysis)
    concerns = list(labels.concerns(step, action))
    violations = [] if context.lift_role else [_not_liftable(each) for each in concerns]
    judgement = _judge(step, action, analysis, labels, context)
    if judgement and judgement.verdict == "deny":
        violations.append(_denied(step, analysis.place[step.id], judgement))
    if judgement and judgement.verdict == "unknown":
        role = f"; it may ask for {judgement.role}" if judgement.role else ""
        guards.append(Guard(kind="policy", at="", why=f"decided on the real values{role}"))
    approval = _approval(action, concerns, judgement, context.lift_role)
    standing = Standing.ALLOWED
    if guards:
        standing = Standing.CONDITIONAL
    if approval:
        standing = Standing.NEEDS_APPROVAL
    result = labels.result(step)
    decision = StepDecision(
        step=step.id,
        action=step.action,
        effect=action.effect,
        standing=standing,
        guards=tuple(guards),
        approval=approval,
        labels={join_pointer(each.to): _shown(labels.argument(each)) for each in bindings},
        result_label=_shown(result),
        policies=judgement.policies if judgement else (),
    )
    return decision, violations


def _type_guards(step: Step, action: ActionSpec, analysis: Analysis) -> list[Guard]:
    """What has to be checked on the real values, because a schema leaves it open."""
    if analysis.whole_flow(step) is Flow.YES:
        return []
    open_ones = [
        Guard(
            kind="type",
            at=join_pointer(binding.to),
            why=_open_type(binding),
            expected=standalone(binding.target),
        )
        for binding in analysis.bindings(step)
        if isinstance(binding.target, Type) and analysis.flow(binding) is Flow.UNKNOWN
    ]
    if open_ones:
        return open_ones
    why = "the arguments together are not known to be valid"
    return [Guard(kind="type", at="", why=why, expected=action.input_schema)]


def _open_type(binding: Binding) -> str:
    match binding.arg:
        case RefArg(ref=ref):
            return f"{ref} is not known to have the right type"
        case _:
            return f"{binding.arg.to} is not known to have the right type"


def _judge(
    step: Step,
    action: ActionSpec,
    analysis: Analysis,
    labels: Labels,
    context: AdmissionContext,
) -> Judgement | None:
    if context.policy is None or step.action in FUNCTIONS:
        return None
    bindings = list(analysis.bindings(step))
    question = PolicyQuestion(
        principal=context.principal,
        action=action,
        arguments=known_arguments(
            bindings, {"today": context.today} | context.inputs.values, Type.of(action.input_schema)
        ),
        labels={join_pointer(each.to): labels.argument(each) for each in bindings},
        run=Unknown(None),
    )
    return context.policy.judge(question)


def _approval(
    action: ActionSpec,
    concerns: Iterable[Concern],
    judgement: Judgement | None,
    lift_role: str | None,
) -> ApprovalNeed | None:
    """What one approval must cover; a second role that policy wants is asked for in the run."""
    own = [f"{action.name} always needs one"] if action.approval else []
    own += [concern.why for concern in concerns]
    role = action.approval or (lift_role if own else None)
    asked = judgement if judgement and judgement.verdict == "approval" else None
    if asked is None:
        return ApprovalNeed(role=role, reasons=tuple(own)) if role else None
    reasons = asked.messages or (f"policy {', '.join(asked.policies)}",)
    if role is None or role == asked.role:
        return ApprovalNeed(
            role=asked.role or role or "",
            quorum=asked.quorum,
            reasons=(*own, *reasons),
            policies=asked.policies,
        )
    also = tuple(f"{reason} (and then by {asked.role})" for reason in reasons)
    return ApprovalNeed(role=role, reasons=(*own, *also), policies=asked.policies)


def _not_liftable(concern: Concern) -> Violation:
    member = next(iter(concern.binding.arg.model_dump(by_alias=True)))
    at = f"/steps/{concern.binding.place}{concern.binding.at}/{member}"
    made_up = concern.label.integrity.value == "model"
    code: Code = "ungrounded-target" if made_up else "tainted-argument"
    fix = "Take it from the request or from a trusted result, or ask a question."
    return Violation(code, at, concern.why, concern.binding.step.id, fix=fix)


def _denied(step: Step, place: int, judgement: Judgement) -> Violation:
    names = f" ({', '.join(judgement.policies)})" if judgement.policies else ""
    message = f"{step.action}: {'; '.join(judgement.messages) or 'forbidden'}{names}"
    code = judgement.code or "policy-denied"
    fix = "Leave the step out, or ask the operator about this policy."
    return Violation(code, f"/steps/{place}/action", message, step.id, fix=fix)


def _shown(label: Label) -> ValueLabel:
    readers = None if label.readers is None else tuple(sorted(label.readers))
    return ValueLabel(integrity=label.integrity, readers=readers)
