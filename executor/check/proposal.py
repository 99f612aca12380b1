"""What envelopes a plan has: for each role that is surely asked, all that one yes of it may cover.

Known values are bands of exactly that value; of a list that is known, of the values of its items.
A value that is not known yet is a band only where its schema lists all that there can be; else
the place is open, and nothing is approved there before the approver says what may stand in it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.spec import ActionSpec, Integrity, JsonObject, Sink
from executor.check.analysis import Analysis
from executor.check.budgets import amounts_of, by_currency
from executor.check.cedar import Policy
from executor.check.certificate import ApprovalNeed, StepDecision
from executor.check.concern import TARGETS
from executor.check.context import AdmissionContext
from executor.check.entry import is_amount, said_at
from executor.check.envelope import Band, CoveredStep, Envelope
from executor.check.known import known_arguments, known_input
from executor.check.unknown import Unknown, is_open
from executor.fn import FUNCTIONS
from executor.plan.model import Step
from executor.plan.refs import join_pointer, split_pointer
from executor.plan.render import render_step
from executor.plan.types import Type, constants_of, descend

_SUM = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_Calls = list[JsonObject]


def propose(
    analysis: Analysis, decisions: Sequence[StepDecision], context: AdmissionContext
) -> tuple[Envelope, ...]:
    """One envelope a role, of the steps that need it or may; none where nobody is surely asked."""
    policy = context.policy
    if not context.options.envelope or policy is None:
        return ()
    roles = sorted({each.approval.role for each in decisions if each.approval is not None})
    found = (_of_role(role, policy, analysis, decisions, context) for role in roles)
    return tuple(each for each in found if each is not None)


def _of_role(
    role: str,
    policy: Policy,
    analysis: Analysis,
    decisions: Sequence[StepDecision],
    context: AdmissionContext,
) -> Envelope | None:
    needs, steps, calls = (
        list[ApprovalNeed](),
        list[CoveredStep](),
        list[tuple[ActionSpec, _Calls]](),
    )
    for decision in decisions:
        step = analysis.by_id[decision.step]
        action, need = analysis.action(step), _need(decision, role)
        if action is None or need is None or step.action in FUNCTIONS:
            continue
        if role in policy.slice_of(action).each_call:
            continue
        made, most = _calls(step, action, analysis, context)
        needs.append(need)
        calls.append((action, made if most == len(made) else []))
        steps.append(_covered(step, action, decision, made, most))
    if not any(each.is_sure for each in steps):
        return None
    need = reduce(ApprovalNeed.with_, needs)
    return Envelope(
        role=role,
        quorum=need.quorum,
        reasons=need.reasons,
        policies=need.policies,
        expires_s=need.expires_s,
        steps=tuple(steps),
        sums=_sums(calls),
    )


def _need(decision: StepDecision, role: str) -> ApprovalNeed | None:
    for need in (decision.approval, decision.may_need):
        if need is not None and need.role == role:
            return need
    return None


def _calls(
    step: Step, action: ActionSpec, analysis: Analysis, context: AdmissionContext
) -> tuple[_Calls, int]:
    """The arguments of each call as far as they are known, and how many calls there are at most."""
    inputs = context.inputs.values | {"today": context.today}
    bindings, into = analysis.bindings(step), Type.of(action.input_schema)
    if step.each is None:
        return [known_arguments(bindings, inputs, into)], 1
    items = known_input(step.each, inputs)
    if isinstance(items, list):
        return [known_arguments(bindings, inputs, into, item) for item in items], len(items)
    return [known_arguments(bindings, inputs, into)], context.budgets.items


def _covered(
    step: Step, action: ActionSpec, decision: StepDecision, calls: _Calls, most: int
) -> CoveredStep:
    return CoveredStep(
        step=step.id,
        action=action.name,
        action_digest=action.digest,
        effect=action.effect,
        irreversible=action.irreversible,
        call=render_step(step),
        is_sure=decision.approval is not None,
        calls=most,
        bands=tuple(_bands(action, decision, (), [*calls])),
    )


def _bands(
    action: ActionSpec, decision: StepDecision, place: tuple[str, ...], values: list[JsonValue]
) -> Iterator[Band]:
    """Bands of what stands at one place in every call, or of what stands below it."""
    first = values[0] if values else {}
    if not place and all(
        isinstance(each, dict) and not isinstance(each, Unknown) for each in values
    ):
        for name in dict.fromkeys(
            name for each in values if isinstance(each, dict) for name in each
        ):
            inside = [each.get(name, Unknown(None)) for each in values if isinstance(each, dict)]
            yield from _bands(action, decision, (name,), inside)
    elif not any(map(is_open, values)):
        yield _band(action, decision, place, values)
    elif len(values) == 1 and isinstance(first, dict) and first and not is_amount(action, place):
        for name, value in first.items():
            yield from _bands(action, decision, (*place, name), [value])
    else:
        yield _band(action, decision, place, _listed(action, place))


def _listed(action: ActionSpec, place: tuple[str, ...]) -> list[JsonValue]:
    """All that can stand there, where the schema lists it and it is no target."""
    found = descend(Type.of(action.input_schema), place)
    if not isinstance(found, Type) or said_at(action, place) & TARGETS:
        return []
    return constants_of(found.keywords) or []


def _band(
    action: ActionSpec, decision: StepDecision, place: tuple[str, ...], values: list[JsonValue]
) -> Band:
    different = {canonical(each): each for each in values}
    return Band(
        at=join_pointer(place),
        kind="values" if different else "open",
        values=tuple(different.values()),
        sinks=tuple(sorted(said_at(action, place))),
        integrity=_integrity(decision, place),
    )


def _integrity(decision: StepDecision, place: tuple[str, ...]) -> Integrity | None:
    """The lowest of all that is bound there, above it or below it."""
    found = [
        label.integrity
        for at, label in decision.labels.items()
        if all(a == b for a, b in zip(split_pointer(at), place, strict=False))
    ]
    return max(found, key=lambda each: each.rank, default=None)


def _sums(calls: Iterable[tuple[ActionSpec, _Calls]]) -> dict[str, str]:
    """What all calls together move, by currency, where all of it is known."""
    amounts = []
    for action, made in calls:
        if not made and Sink.AMOUNT in action.sinks.values():
            return {}
        amounts += [amount for each in made for amount in amounts_of(action, each)]
    if any(each.value is None or each.currency is None for each in amounts):
        return {}
    found = {name: f"{value:f}" for name, value in by_currency(amounts).items()}
    return {name: value for name, value in found.items() if _SUM.fullmatch(value)}
