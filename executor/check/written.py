"""Which lists and maps a plan puts together itself, and only passes on from function to function.

How many elements such a list has, and what the keys of such a map are called, nobody said or read:
a count of fifty nulls is a fifty that was made up, and so is a key of a map that is written out.
"""

from collections.abc import Container, Iterable
from typing import Final

from executor.check.binding import Binding
from executor.fn.function import Function
from executor.plan.model import RefArg, Step
from executor.plan.refs import parse_ref

TOLD_BY_SHAPE: Final = frozenset({"fn.count", "fn.keys"})


def puts_together(
    step: Step, function: Function | None, bindings: Iterable[Binding], before: Container[str]
) -> bool:
    """Whether a step's result is such a list or map; `before` are the steps whose results are."""
    if step.each is not None and parse_ref(step.each).root in before:
        return True
    return function is not None and any(_is_written(each, function, before) for each in bindings)


def _is_written(binding: Binding, function: Function, before: Container[str]) -> bool:
    if binding.to[:1] and binding.to[0] in function.control:
        return False
    # An option of `fn.first_of` is the result, and not a part of it.
    deepest = 2 if function.name == "first_of" else 1
    if len(binding.to) > deepest or any(isinstance(it, dict | list) for it in binding.constant):
        return True
    return isinstance(binding.arg, RefArg) and parse_ref(binding.arg.ref).root in before
