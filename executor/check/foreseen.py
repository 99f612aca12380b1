"""What a run will have done by the time a step is called, as far as its plan proves it.

The same members as `executor/run/so_far.py` counts from the journal. What runs surely before the
step has been called once; what runs surely after it has not; of the rest nobody knows, so that a
number is `Unknown`. Of a set it is known what it holds for certain and what it may hold: with few
of the latter, policy is asked about every set that there can be, and sure only where it always
says the same. What was read is never known before the run, but it is where nothing can have been.
"""

from collections.abc import Iterator
from itertools import chain, combinations, product

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject, Sink
from executor.check.analysis import Analysis
from executor.check.budgets import amounts_of, by_currency, minor_units
from executor.check.entry import declared_input, sinks_at
from executor.check.known import known_arguments
from executor.check.objects import answers_as, objects_of
from executor.check.order import Order
from executor.check.unknown import Unknown
from executor.fn import FUNCTIONS
from executor.plan.model import RefArg, Step
from executor.plan.types import Type, kinds

MOST_OPEN = 3
_NUMBER = frozenset({"integer"})
_OBJECT = frozenset({"object"})
_IDS = (frozenset({"string"}), frozenset({"integer"}))


class Foreseen:
    """What the order of one plan says of each of its calls."""

    def __init__(self, analysis: Analysis, order: Order, inputs: JsonObject) -> None:
        self._analysis = analysis
        self._inputs = inputs
        self._order = order
        self._called: dict[str, tuple[Step, ActionSpec]] = {
            step.id: (step, action)
            for step in analysis.plan.steps
            if step.action not in FUNCTIONS and (action := analysis.action(step))
        }
        self._given: dict[str, JsonObject] = {}

    def runs(self, step: Step, asked: frozenset[str]) -> Iterator[JsonObject]:
        """What the run may have done: first with all that is open unknown, then each set.

        `asked` are the members that policy looks at; "" stands for all of them.
        """
        sure, open_ones = self._succeeded(step)
        same, same_open = self._same_object(step)
        numbers = self._numbers(step)
        yield numbers | {
            "succeeded": _set(sure, open_ones), "same_object": _set(same, same_open),
        }  # fmt: skip
        open_ones = open_ones if asked & _asking("succeeded") else frozenset()
        same_open = same_open if asked & _asking("same_object") else frozenset()
        if 0 < len(open_ones) + len(same_open) <= MOST_OPEN:
            for some, others in product(_subsets(open_ones), _subsets(same_open)):
                yield numbers | {
                    "succeeded": [*sorted(sure | some)], "same_object": [*sorted(same | others)],
                }  # fmt: skip

    def reads(
        self, step: Step, asked: frozenset[str], stale: frozenset[str]
    ) -> Iterator[tuple[JsonObject, JsonObject]]:
        """What may have been read of the objects of a call: all that is open unknown, then each.

        The second of two is what a write has outdated since. `asked` are the operations that
        policy looks at, `stale` those of them it looks at in both; "" stands for all of them.
        """
        after = self._order.after(step)
        may = {
            operation
            for name, (_, action) in self._called.items()
            if name != step.id and name not in after and (operation := answers_as(action))
            if asked & {"", operation}
        }
        yield (Unknown(_OBJECT), Unknown(_OBJECT)) if may else ({}, {})
        if 0 < len(may) <= MOST_OPEN:
            names = sorted(may)
            choices = [(None, 0, 1) if stale & {"", name} else (None, 0) for name in names]
            for chosen in product(*choices):
                found: tuple[JsonObject, JsonObject] = ({}, {})
                for name, which in zip(names, chosen, strict=True):
                    if which is not None:
                        found[which][name] = self._answer(name)
                yield found

    def _answer(self, name: str) -> Unknown:
        """What a read gives, as far as its definition says."""
        found = self._analysis.catalog.get(name)
        schema = found.output_schema if found else None
        return Unknown(kinds(Type.of(schema)) if schema else None)

    def _numbers(self, step: Step) -> JsonObject:
        before, maybe = self._others(step)
        calls: JsonObject = {}
        for name in dict.fromkeys(action.name for _, action in self._called.values()):
            calls[name] = self._count(step, [each for each in before if self._is(each, name)],
                                      any(self._is(each, name) for each in maybe),
                                      step.action == name)  # fmt: skip
        writes = self._count(
            step,
            [each for each in before if self._called[each][1].is_write],
            any(self._called[each][1].is_write for each in maybe),
            self._called[step.id][1].is_write,
        )
        return {"writes": writes, "calls": calls, "sums": self._sums(step, before, maybe)}

    def _others(self, step: Step) -> tuple[list[str], list[str]]:
        """The other steps that have surely been called, and those that may have been."""
        before, after = self._order.before(step), self._order.after(step)
        others = [name for name in self._called if name != step.id and name not in after]
        return (
            [name for name in others if name in before],
            [name for name in others if name not in before],
        )

    def _count(self, step: Step, before: list[str], maybe: bool, is_own: bool) -> JsonValue:
        many = any(self._called[each][0].each is not None for each in before)
        if maybe or many or (is_own and step.each is not None):
            return Unknown(_NUMBER)
        return len(before)

    def _is(self, name: str, action: str) -> bool:
        return self._called[name][1].name == action

    def _sums(self, step: Step, before: list[str], maybe: list[str]) -> JsonValue:
        """Minor units by currency; a part that may be there or not leaves all of it open."""
        moving = [name for name in (*before, *maybe, step.id) if self._moves_money(name)]
        amounts = [
            amount
            for name in moving
            if name != step.id
            for amount in amounts_of(self._called[name][1], self._arguments(name))
        ]
        is_open = any(name in maybe or self._called[name][0].each is not None for name in moving)
        if is_open or any(each.value is None or each.currency is None for each in amounts):
            return Unknown(frozenset({"object"}))
        return {
            name: minor_units(name, sum_) for name, sum_ in by_currency(amounts).items() if name
        }

    def _moves_money(self, name: str) -> bool:
        action = self._called[name][1]
        return action.is_write and Sink.AMOUNT in action.sinks.values()

    def _succeeded(self, step: Step) -> tuple[frozenset[str], frozenset[str]]:
        """The operations that surely succeeded, and those that may have."""
        before, maybe = self._others(step)
        sure = {self._called[name][1].name for name in before if self._is_single(name)}
        rest = {self._called[name][1].name for name in (*before, *maybe)}
        return frozenset(sure), frozenset(rest - sure)

    def _same_object(self, step: Step) -> tuple[frozenset[str], frozenset[str]]:
        """Of these, those that surely were about an object of this call, and those that may."""
        before, maybe = self._others(step)
        mine = objects_of(self._called[step.id][1], self._arguments(step.id))
        sure, rest = set[str](), set[str]()
        for name in (*before, *maybe):
            action = self._called[name][1]
            theirs = objects_of(action, self._arguments(name))
            if theirs == frozenset() or mine == frozenset():
                continue
            is_known = theirs is not None and mine is not None
            is_same = bool(theirs & mine) if theirs is not None and mine is not None else False
            if (is_same or self._sources(name) & self._sources(step.id)) and self._is_sure(
                name, before
            ):
                sure.add(action.name)
            elif is_same or not is_known:
                rest.add(action.name)
        return frozenset(sure), frozenset(rest - sure)

    def _is_sure(self, name: str, before: list[str]) -> bool:
        return name in before and self._is_single(name)

    def _is_single(self, name: str) -> bool:
        return self._called[name][0].each is None

    def _sources(self, name: str) -> frozenset[str]:
        """The references that a call takes the id of one object from, which is surely there."""
        step, action = self._called[name]
        return frozenset(
            each.arg.ref
            for each in self._analysis.bindings(step)
            if isinstance(each.arg, RefArg)
            and Sink.RESOURCE_ID in sinks_at(action, each.to)
            and isinstance(each.source, Type)
            and kinds(each.source) in _IDS
        )

    def _arguments(self, name: str) -> JsonObject:
        if name not in self._given:
            step, action = self._called[name]
            into = declared_input(action)
            bindings = self._analysis.bindings(step)
            self._given[name] = known_arguments(bindings, self._inputs, into)
        return self._given[name]


def _asking(name: str) -> frozenset[str]:
    return frozenset({"", name, f"{name}_count"})


def _set(sure: frozenset[str], open_ones: frozenset[str]) -> JsonValue:
    return Unknown(frozenset({"array"})) if open_ones else [*sorted(sure)]


def _subsets(names: frozenset[str]) -> Iterator[frozenset[str]]:
    ordered = sorted(names)
    sizes = (combinations(ordered, size) for size in range(len(ordered) + 1))
    return (frozenset(each) for each in chain.from_iterable(sizes))
