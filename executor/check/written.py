"""What of a plan's values the plan puts together itself, and only passes on between functions.

How many elements a written list has, and what the keys of a written map are called, nobody said or
read: a count of fifty nulls is a fifty that was made up, and so is a key of a map that is written
out. Nor did anybody say what is calculated of constants alone: a fifty that is five times ten. And
a map of others stays one, though the functions that it goes through know no more of its type.
"""

from collections.abc import Iterable
from typing import Final

from connectors.spec import ActionSpec
from executor.check.analysis import Analysis
from executor.check.binding import Binding
from executor.check.entry import gives_maps
from executor.fn import FUNCTIONS
from executor.fn.function import Function
from executor.fn.numbers import NUMBERS
from executor.plan.model import RefArg, Step
from executor.plan.refs import OWN_ROOTS, parse_ref, refs_of_args

_TOLD_BY_SHAPE: Final = frozenset({"fn.count", "fn.keys"})
_CALCULATED: Final = frozenset(f"fn.{each.name}" for each in NUMBERS)


class Written:
    """What is known of the steps that were looked at, each after all that it refers to."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._constants: set[str] = set()  # steps whose results follow from what is written out
        self._shapes: set[str] = set()  # steps whose list or map the plan puts together
        self._with_maps: set[str] = set()  # steps in whose results a map of others may be

    def look_at(self, step: Step, action: ActionSpec | None, bindings: Iterable[Binding]) -> None:
        """Take one more step into account."""
        function = FUNCTIONS.get(step.action)
        if self._puts_together(step, function, bindings):
            self._shapes.add(step.id)
        if function is None:
            self._with_maps |= {step.id} if action is not None and gives_maps(action) else set()
            return
        made_of = _made_of(step)
        if made_of <= self._constants:
            self._constants.add(step.id)
        if not made_of.isdisjoint(self._with_maps):
            self._with_maps.add(step.id)

    def is_constant(self, root: str) -> bool:
        """Whether what a step gives is written out in the plan."""
        return root in self._constants

    def is_made_up(self, step: Step) -> bool:
        """Whether nobody said or read what a step gives, though all that it looks at was."""
        return (step.action in _TOLD_BY_SHAPE and step.id in self._shapes) or (
            step.action in _CALCULATED and step.id in self._constants
        )

    def may_hide_a_map(self, step: Step | None, root: str) -> bool:
        """Whether a map has gone through functions, whose results may not say so."""
        if not self._with_maps:
            return False
        if root == "each_item":
            step, root = self._analysis.each_source(step), "each"
        if root == "each" and step is not None and step.each is not None:
            root = parse_ref(step.each).root
        found = step if root == "result" else self._analysis.by_id.get(root)
        return found is not None and found.action in FUNCTIONS and found.id in self._with_maps

    def _puts_together(
        self, step: Step, function: Function | None, bindings: Iterable[Binding]
    ) -> bool:
        """Whether a step's result is such a list or map."""
        if step.each is not None and parse_ref(step.each).root in self._shapes:
            return True
        return function is not None and any(self._is_written(each, function) for each in bindings)

    def _is_written(self, binding: Binding, function: Function) -> bool:
        if binding.to[:1] and binding.to[0] in function.control:
            return False
        # An option of `fn.first_of` is the result, and not a part of it.
        deepest = 2 if function.name == "first_of" else 1
        if len(binding.to) > deepest or any(isinstance(it, dict | list) for it in binding.constant):
            return True
        return isinstance(binding.arg, RefArg) and parse_ref(binding.arg.ref).root in self._shapes


def _made_of(step: Step) -> frozenset[str]:
    """The roots that its arguments, and the list that it goes through, are taken from."""
    listed = () if step.each is None else (parse_ref(step.each).root,)
    return frozenset((*listed, *(use.ref.root for use in refs_of_args(step.args)))) - OWN_ROOTS
