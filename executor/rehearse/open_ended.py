"""What only real answers say of a plan: how often a step acts, and how much it moves."""

from collections.abc import Iterator

from connectors.spec import ActionSpec, Sink
from executor.check.admit import Accepted
from executor.plan.refs import split_pointer
from executor.rehearse.origins import Origins, refs_in


def open_lists(accepted: Accepted) -> Iterator[str]:
    """Steps that call something for each element of a list which answers make as long as it is."""
    origins = Origins({step.id: step for step in accepted.plan.steps})
    for step in accepted.plan.steps:
        calls = step.action in accepted.actions
        if calls and step.each is not None and origins.behind_length(step.each, step):
            yield step.id


def open_amounts(accepted: Accepted) -> Iterator[str]:
    """Steps that write an amount which rests on answers."""
    origins = Origins({step.id: step for step in accepted.plan.steps})
    for step in accepted.plan.steps:
        action = accepted.actions.get(step.action)
        if action is not None and action.is_write:
            args = (arg for arg in step.args if _is_amount(action, arg.to))
            refs = (ref for arg in args for ref in refs_in(arg))
            if any(origins.behind(ref, step) for ref in refs):
                yield step.id


def _is_amount(action: ActionSpec, to: str) -> bool:
    """Whether an amount is there, around it or below it."""
    amounts = (split_pointer(at) for at, sink in action.sinks.items() if sink is Sink.AMOUNT)
    pairs = (zip(at, split_pointer(to), strict=False) for at in amounts)
    return any(all(one in ("*", other) for one, other in each) for each in pairs)
