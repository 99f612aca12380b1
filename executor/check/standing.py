"""How each step stands: its guards, its approval, its labels, and what no approval may lift."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import product

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, JsonObject, Label
from executor.check.analysis import Analysis
from executor.check.binding import Binding
from executor.check.cedar import Judgement, PolicyQuestion, Slice
from executor.check.certificate import ApprovalNeed, Guard, Standing, StepDecision, ValueLabel
from executor.check.concern import Concern
from executor.check.context import AdmissionContext
from executor.check.entry import declared_input
from executor.check.foreseen import Foreseen
from executor.check.known import known_arguments
from executor.check.labels import Labels
from executor.check.say import PRINTABLE
from executor.check.types import Flow
from executor.check.violation import Code, Violation
from executor.check.words import Words
from executor.fn import FUNCTIONS
from executor.fn.extract import CALLED, EXTRACT
from executor.fn.shade import Shade
from executor.plan.compose import standalone
from executor.plan.model import Arg, RefArg, RefPiece, Step, TextArg
from executor.plan.refs import join_pointer, parse_ref
from executor.plan.size import size_of
from executor.plan.types import Type

MOST_EXPECTED = 50_000  # characters of the schemas that the guards of one step say
MOST_ASKED = 32  # of what a run may have done and read, policy is asked about so many at most


def labels_of(analysis: Analysis, context: AdmissionContext) -> Labels:
    """The label of every value of the plan."""
    labels = dict(context.inputs.labels)
    labels["today"] = Label(Integrity.CONFIG)
    return Labels(analysis, tuple(_said(context)), labels, analysis.order)


def _said(context: AdmissionContext) -> Iterator[tuple[Shade, Words]]:
    """What literals may have been taken from, best first; untrusted inputs ground nothing."""
    said: dict[Label, list[str]] = {Label(Integrity.REQUEST): [context.request, *context.history]}
    for name, value in context.inputs.values.items():
        label = context.inputs.labels.get(name, Label(Integrity.REQUEST))
        if label.integrity.at_least(Integrity.TRUSTED):
            said.setdefault(label, []).extend(_texts(value))
    for label, texts in sorted(said.items(), key=lambda each: each[0].integrity.rank):
        yield Shade(label), Words(texts, context.today)


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


def decide(
    step: Step,
    action: ActionSpec,
    analysis: Analysis,
    labels: Labels,
    foreseen: Foreseen,
    context: AdmissionContext,
) -> tuple[StepDecision, list[Violation]]:
    """Say how one step stands, and what of it no approval may lift."""
    bindings = analysis.bindings(step)
    guards = _type_guards(step, action, analysis)
    concerns = list(labels.concerns(step, action))
    violations = [] if context.lift_role else [_not_liftable(each) for each in concerns]
    violations += _shown_to_others(action, bindings, labels)
    bound = {join_pointer(each.to): labels.argument(each) for each in bindings}
    judgement = _judge(step, action, bindings, bound, foreseen, context)
    if judgement and judgement.verdict == "deny":
        violations.append(_denied(step, analysis.place[step.id], judgement))
    if judgement and judgement.verdict == "unknown":
        guards.append(_undecided(judgement))
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
        may_need=_may_need(judgement),
        labels={at: _shown(label) for at, label in bound.items()},
        result_label=_shown(result),
        policies=judgement.policies if judgement else (),
        note=CALLED if step.action == EXTRACT else None,
        observed=judgement.told if judgement and judgement.observed else None,
    )
    return decision, violations


def _undecided(judgement: Judgement) -> Guard:
    """What policy has to see before it can decide, and which of its texts want it."""
    what = ", ".join(judgement.needs) or "the real values"
    why = f"{', '.join(judgement.policies) or 'policy'}: decided once {what} can be seen"
    why += f"; it may ask for {judgement.role}" if judgement.role else ""
    return Guard(kind="policy", at="", why=why, policies=judgement.policies, needs=judgement.needs)


def _type_guards(step: Step, action: ActionSpec, analysis: Analysis) -> list[Guard]:
    """What has to be checked on the real values, because a schema leaves it open."""
    unprintable = [
        _unprintable(each) for each in analysis.bindings(step) if _is_open(each, analysis)
    ]
    if analysis.whole_flow(step) is Flow.YES:
        return unprintable
    open_ones = [*unprintable, *_open_ones(step, analysis)]
    if open_ones:
        return open_ones
    why = "the arguments together are not known to be valid"
    return [Guard(kind="type", at="", why=why, expected=action.input_schema)]


def _open_ones(step: Step, analysis: Analysis) -> Iterator[Guard]:
    """Each argument that may turn out to be of another type; the first of them say of which.

    The arguments as a whole are held against the action's schema in any case.
    """
    left = MOST_EXPECTED
    for binding in analysis.bindings(step):
        if isinstance(binding.target, Type) and analysis.flow(binding) is Flow.UNKNOWN:
            at, why = join_pointer(binding.to), _open_type(binding)
            expected = standalone(binding.target) if left > 0 else None
            left -= size_of(expected, left)
            yield Guard(kind="type", at=at, why=why, expected=expected if left >= 0 else None)


def _is_open(binding: Binding, analysis: Analysis) -> bool:
    """Whether a piece of a text may turn out to be null, a list or an object."""
    if not isinstance(binding.arg, TextArg):
        return False
    refs = [parse_ref(each.ref) for each in binding.arg.text if isinstance(each, RefPiece)]
    found = [analysis.type_of(binding.step, ref) for ref in refs]
    return any(
        isinstance(each, Type) and analysis.types.flow(each, PRINTABLE) is not Flow.YES
        for each in found
    )


def _unprintable(binding: Binding) -> Guard:
    why = "a piece is not known to be a text, a number or a boolean"
    return Guard(kind="type", at=join_pointer(binding.to), why=why, expected={"type": "string"})


def _open_type(binding: Binding) -> str:
    match binding.arg:
        case RefArg(ref=ref):
            return f"{ref} is not known to have the right type"
        case _:
            return f"{binding.arg.to} is not known to have the right type"


def _judge(
    step: Step,
    action: ActionSpec,
    bindings: Iterable[Binding],
    bound: Mapping[str, Label],
    foreseen: Foreseen,
    context: AdmissionContext,
) -> Judgement | None:
    if context.policy is None or step.action in FUNCTIONS:
        return None
    question = PolicyQuestion(
        principal=context.principal,
        action=action,
        arguments=known_arguments(
            bindings, context.inputs.values | {"today": context.today}, declared_input(action)
        ),
        labels=bound,
    )
    moments = _moments(question, context.policy.slice_of(action), step, foreseen)
    found = context.policy.judge(next(moments))
    others = [*moments] if found.verdict == "unknown" else []
    if not 1 < len(others) <= MOST_ASKED:
        return found
    # What the run will have done and read is one of a few: sure is what policy says of each.
    told = [context.policy.judge(each) for each in others]
    return told[0] if all(each == told[0] for each in told) else found


def _moments(
    question: PolicyQuestion, rules: Slice, step: Step, foreseen: Foreseen
) -> Iterator[PolicyQuestion]:
    """The call after what the run may have done and read: all that is open unknown, then each."""
    if not rules.run_members and not rules.reads:
        yield question
        return
    runs: list[JsonObject] = [{}]
    reads: list[tuple[JsonObject, JsonObject]] = [({}, {})]
    if rules.run_members:
        runs = [*foreseen.runs(step, rules.run_members)]
    if rules.reads:
        reads = [*foreseen.reads(step, rules.reads, rules.stale_reads)]
    for run, (read, stale) in ((runs[0], reads[0]), *product(runs[1:] or runs, reads[1:] or reads)):
        yield replace(question, run=run, read=read, stale=stale)


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
    reasons = (*own, *asked.reasons(role or asked.role))
    if role is None or role == asked.role:
        return ApprovalNeed(
            role=asked.role or role or "",
            quorum=asked.quorum,
            reasons=reasons,
            policies=asked.policies,
            expires_s=asked.expires_s,
        )
    return ApprovalNeed(role=role, reasons=reasons, policies=asked.policies)


def _may_need(judgement: Judgement | None) -> ApprovalNeed | None:
    """Whom policy may ask once it can see the values."""
    if judgement is None or judgement.verdict != "unknown" or judgement.role is None:
        return None
    return ApprovalNeed(
        role=judgement.role,
        quorum=judgement.quorum,
        reasons=judgement.reasons(judgement.role),
        policies=judgement.policies,
        expires_s=judgement.expires_s,
    )


def _shown_to_others(
    action: ActionSpec, bindings: Iterable[Binding], labels: Labels
) -> Iterator[Violation]:
    """What some may read goes to no action that shows it to others."""
    for binding in bindings if action.egress else ():
        readers = labels.argument(binding).readers
        if readers is None or (action.readers is not None and readers.issuperset(action.readers)):
            continue
        who = ", ".join(sorted(readers)) or "nobody"
        message = f"only {who} may read what goes into {binding.arg.to!r}; {action.name} shows it"
        at = f"/steps/{binding.place}{binding.at}/{_member(binding.arg)}"
        yield Violation("private-to-open", at, message, binding.step.id, fix="Leave it out.")


def _member(arg: Arg) -> str:
    return next(iter(arg.model_dump(by_alias=True)))


def _not_liftable(concern: Concern) -> Violation:
    at = f"/steps/{concern.binding.place}{concern.binding.at}/{_member(concern.binding.arg)}"
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


@lru_cache(1_024)
def _shown(label: Label) -> ValueLabel:
    readers = None if label.readers is None else tuple(sorted(label.readers))
    return ValueLabel(integrity=label.integrity, readers=readers)
