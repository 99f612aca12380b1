"""Where a plan can go one way or another, and which way it went.

when, expect   a condition, true or false
each           a list to go through, filled or empty
found          a function that looks for something: it found it (one of it, where one is needed)
asks           a call that policy may want approved, hanging on its values: it does
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from executor.check.admit import Accepted
from executor.fn import FUNCTIONS
from executor.plan.graph import data_sources
from executor.plan.model import Cond, Step
from executor.plan.refs import parse_ref
from executor.run.resolve import ResolveError, Scope, holds, value_at
from executor.run.state import RunState

Kind = Literal["when", "expect", "each", "found", "asks"]
LOOKING = ("fn.select", "fn.filter", "fn.min_by", "fn.max_by", "fn.lookup")
_NOTHING = ("no-match", "several-matches")


@dataclass(frozen=True)
class Branch:
    """One place where a plan can go two ways; `index` is that of the condition."""

    step: str
    kind: Kind
    index: int = 0


@dataclass(frozen=True)
class Outcome:
    """Which way it went, and the values that were at hand."""

    branch: Branch
    value: bool
    scope: Scope


def branches_of(accepted: Accepted) -> Iterator[Branch]:
    """Every branch of a plan, in its order."""
    for step in accepted.plan.steps:
        if step.each is not None:
            yield Branch(step.id, "each")
        yield from (Branch(step.id, "when", index) for index in range(len(step.when)))
        if step.action in LOOKING and step.each is None:
            yield Branch(step.id, "found")
        if _may_ask(accepted, step):
            yield Branch(step.id, "asks")
        yield from (Branch(step.id, "expect", index) for index in range(len(step.expect)))


def _may_ask(accepted: Accepted, step: Step) -> bool:
    """Whether it hangs on values if somebody is asked."""
    if step.action in FUNCTIONS:
        return False
    decision = accepted.certificate.of(step.id)
    return decision.approval is None and decision.may_need is not None


def outcomes(accepted: Accepted, state: RunState) -> Iterator[Outcome]:
    """Which way each branch went that was come to; for each item, where there are several."""
    for step in accepted.plan.steps:
        if state.has_ended(step.id) and not _was_passed_over(step, state):
            scope = Scope(accepted.inputs.values, state.done)
            if _may_ask(accepted, step) and step.id not in state.skipped:
                yield Outcome(Branch(step.id, "asks"), (step.id, "") in state.gates, scope)
            if step.each is None:
                yield from _of_one(step, state, scope, "")
            else:
                yield from _of_items(accepted, step, state, scope)


def _was_passed_over(step: Step, state: RunState) -> bool:
    """Whether it never came to this step's own conditions."""
    return step.id in state.skipped and not data_sources(step).isdisjoint(state.skipped)


def _of_items(accepted: Accepted, step: Step, state: RunState, scope: Scope) -> Iterator[Outcome]:
    items = value_at(scope, step.each or "")
    if not isinstance(items, list):
        return
    yield Outcome(Branch(step.id, "each"), bool(items), scope)
    makers = _makers(accepted, step, scope)
    for index, item in enumerate(items):
        own: dict[str, JsonValue] = {"each": item}
        if makers is not None and index < len(makers):
            own["each_item"] = makers[index]
            if item is None:
                continue
        yield from _of_one(step, state, scope.with_own(**own), str(index))


def _makers(accepted: Accepted, step: Step, scope: Scope) -> list[JsonValue] | None:
    ref = parse_ref(step.each or "")
    source = next((each for each in accepted.plan.steps if each.id == ref.root), None)
    if source is None or source.each is None or ref.tokens:
        return None
    found = value_at(scope, source.each)
    return found if isinstance(found, list) else None


def _of_one(step: Step, state: RunState, scope: Scope, iteration: str) -> Iterator[Outcome]:
    whens = [*_of_conds(step, "when", step.when, scope)]
    yield from whens
    if len(whens) < len(step.when) or not all(each.value for each in whens):
        return
    if step.action in LOOKING and not iteration:
        yield from _looked(step, state, scope)
    result = _result(step, state, iteration)
    if result is not None:
        yield from _of_conds(step, "expect", step.expect, scope.with_own(result=result))


def _of_conds(
    step: Step, kind: Literal["when", "expect"], conds: tuple[Cond, ...], scope: Scope
) -> Iterator[Outcome]:
    """Each condition up to the first false one, as a run looks at them."""
    for index, cond in enumerate(conds):
        try:
            value = holds(cond, scope)
        except ResolveError:
            return
        yield Outcome(Branch(step.id, kind, index), value, scope)
        if not value:
            return


def _looked(step: Step, state: RunState, scope: Scope) -> Iterator[Outcome]:
    failed = state.failed.get(step.id)
    if failed is not None and failed.code in _NOTHING:
        yield Outcome(Branch(step.id, "found"), False, scope)
    elif step.id in state.done:
        there = step.action != "fn.filter" or bool(state.done[step.id])
        yield Outcome(Branch(step.id, "found"), there, scope)


def _result(step: Step, state: RunState, iteration: str) -> JsonValue:
    """What a step gave, whatever became of it; None where nothing is known."""
    if step.action not in FUNCTIONS:
        applied = state.applied((step.id, iteration))
        return None if applied is None else applied.output
    found = state.done.get(step.id)
    if iteration and isinstance(found, list):
        return found[int(iteration)] if int(iteration) < len(found) else None
    return found
