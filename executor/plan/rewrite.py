"""The same step with other references, wherever one stands."""

from collections.abc import Callable, Iterable

from executor.plan.model import Arg, Cond, ListCond, RefCond, Step

Change = Callable[[str, str], str]
"""From a reference and its place below the step to another reference."""


def with_refs(step: Step, change: Change) -> Step:
    """Every reference of `each`, `when` and `expect` changed; arguments stay as they are."""
    return step.model_copy(
        update={
            "each": None if step.each is None else change(step.each, "/each"),
            "when": changed_conds(step.when, change, "/when"),
            "expect": changed_conds(step.expect, change, "/expect"),
        }
    )


def with_args(step: Step, args: Iterable[Arg], after: Iterable[str]) -> Step:
    """Other arguments and another order."""
    return step.model_copy(update={"args": tuple(args), "after": tuple(after)})


def changed_conds(conds: tuple[Cond, ...], change: Change, at: str = "") -> tuple[Cond, ...]:
    """Every reference of some conditions changed."""
    return tuple(_cond(cond, change, f"{at}/{index}") for index, cond in enumerate(conds))


def _cond(cond: Cond, change: Change, at: str) -> Cond:
    match cond:
        case RefCond():
            sides = {
                "lhs": change(cond.lhs, f"{at}/lhs"),
                "rhs": change(cond.rhs, f"{at}/rhs"),
            }
            return cond.model_copy(update=sides)
        case ListCond():
            return cond.model_copy(update={"subject": change(cond.subject, f"{at}/subject")})
        case _:
            return cond.model_copy(update={"left": change(cond.left, f"{at}/left")})
