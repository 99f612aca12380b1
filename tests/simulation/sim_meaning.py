"""What a plan means: a second reading of the language, as far as the plans of histories use it.

It shares nothing with how the machine resolves references, decides conditions and computes: what
the one gets wrong the other does not.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sim_plans import INPUTS

from executor.fn.extract import EXTRACT
from executor.plan.model import Plan, Step

_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    "==": lambda left, right: type(left) is type(right) and left == right,
    "!=": lambda left, right: type(left) is not type(right) or left != right,
}
Own = Mapping[str, Any]  # what a reference reaches in one item: `each`, `each_item`, `result`


class Flaw(Exception):
    """Here a plan says nothing: a value is missing, or is of a kind that does not go."""


def computes(step: Step) -> bool:
    """Whether it is a function: it is no call, and nobody is asked."""
    return step.action.startswith("fn.") and step.action != EXTRACT


@dataclass(frozen=True)
class Meaning:
    """A plan, with the results of the steps that are done."""

    plan: Plan
    done: Mapping[str, Any]

    def at(self, ref: str, own: Own | None = None) -> Any:
        """The value there; raises `Flaw`."""
        root, *tokens = ref.split("/")
        there: Mapping[str, Any] = {"input": INPUTS, **self.done, **(own or {})}
        if root not in there:
            raise Flaw(f"nothing is at {ref}")
        return _inside(there[root], tokens)

    def items(self, step: Step) -> list[Any]:
        """The list that a step is made for, each of its elements; raises `Flaw`."""
        found = self.at(step.each or "")
        if not isinstance(found, list):
            raise Flaw(f"{step.each} is no list")
        return found

    def own(self, step: Step, iteration: str) -> Own:
        """What is at hand in one item, or in a step that has none."""
        if step.each is None:
            return {}
        index = int(iteration)
        own: dict[str, Any] = {"each": self.items(step)[index]}
        maker = next((each for each in self.plan.steps if each.id == step.each), None)
        if maker is not None and maker.each is not None:
            own["each_item"] = self.items(maker)[index]
        return own

    def is_passed_over(self, step: Step, iteration: str) -> bool:
        """Whether its condition is false, or what it is made for was itself passed over."""
        own = self.own(step, iteration)
        return ("each_item" in own and own["each"] is None) or not self._hold(step.when, own)

    def is_as_expected(self, step: Step, iteration: str, result: Any) -> bool:
        """Whether the result is what the plan expects; raises `Flaw`."""
        return self._hold(step.expect, {**self.own(step, iteration), "result": result})

    def _hold(self, conditions: Any, own: Own) -> bool:
        return all(_compared(each.op, self.at(each.left, own), each.value) for each in conditions)

    def arguments(self, step: Step, iteration: str = "") -> dict[str, Any]:
        """What it is called with; raises `Flaw`."""
        own, built = self.own(step, iteration), dict[str, Any]()
        for each in step.model_dump(by_alias=True)["args"]:
            name, _, place = each["to"].partition("/")
            value = self._value(each, own)
            if place:
                built.setdefault(name, []).append(value)
            else:
                built[name] = value
        return built

    def _value(self, arg: Mapping[str, Any], own: Own) -> Any:
        if "ref" in arg:
            return self.at(arg["ref"], own)
        if "json" in arg:
            return json.loads(arg["json"])
        if "text" in arg:
            return "".join(each["lit"] if "lit" in each else _text(self.at(each["ref"], own))
                           for each in arg["text"])  # fmt: skip
        return arg["value"]

    def computed(self, step: Step, iteration: str = "") -> Any:
        """What a function gives; raises `Flaw`."""
        if step.action == "fn.first_of":
            options = (each.ref for each in step.args)  # type: ignore[union-attr]
            return self.at(_first([ref for ref in options if ref.partition("/")[0] in self.done]))
        return _computed(step.action, self.arguments(step, iteration))


def _inside(value: Any, tokens: list[str]) -> Any:
    for token in tokens:
        if not isinstance(value, dict) or token not in value:
            raise Flaw(f"there is no {token}")
        value = value[token]
    return value


def _text(value: Any) -> str:
    if not isinstance(value, int | str):
        raise Flaw(f"{value} is no text")
    return str(value)


def _compared(op: str, left: Any, right: Any) -> bool:
    if op in (">", "<=") and (not isinstance(left, int) or isinstance(left, bool)):
        raise Flaw(f"{left} has no order with {right}")
    return _OPS[op](left, right)


# ---- functions


def _fitting(elements: Any, where: Any) -> Iterator[Any]:
    for each in _list(elements):
        if all(_fits(each, clause) for clause in where):
            yield each


def _fits(element: Any, clause: Mapping[str, Any]) -> bool:
    try:
        found = _field(element, clause["field"])
    except Flaw:
        return False
    return clause["op"] == "exists" or _compared(clause["op"], found, clause["value"])


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Flaw(f"{value} is no list")
    return value


def _field(element: Any, field: str) -> Any:
    return _inside(element, field.split("/") if field else [])


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Flaw(f"{value} is no number")
    return value


def _sorted(elements: Any, by: str, *, down: bool) -> list[Any]:
    """In order; of equal ones the first stays first, both ways."""
    keys = [_field(each, by) for each in _list(elements)]
    if any(not isinstance(each, int | str) for each in keys) or len({*map(type, keys)}) > 1:
        raise Flaw(f"{keys} have no order")
    places = sorted({*keys}, reverse=down)
    return [each for key in places for each, found in zip(elements, keys, strict=True)
            if found == key]  # fmt: skip


def _first(found: list[Any]) -> Any:
    if not found:
        raise Flaw("there is none")
    return found[0]


def _only(found: list[Any]) -> Any:
    if len(found) != 1:
        raise Flaw(f"{found} are not one")
    return found[0]


def _zipped(left: Any, right: Any) -> list[Any]:
    if len(_list(left)) != len(_list(right)):
        raise Flaw("they are of two lengths")
    return [{"left": one, "right": other} for one, other in zip(left, right, strict=True)]


def _picked(elements: Any, fields: list[str]) -> list[Any]:
    return [{name: each[name] for name in fields if isinstance(each, dict) and name in each}
            for each in _list(elements)]  # fmt: skip


def _computed(name: str, given: Mapping[str, Any]) -> Any:
    match name:
        case "fn.filter":
            return [*_fitting(given["list"], given["where"])]
        case "fn.select":
            return _only([*_fitting(given["list"], given["where"])])
        case "fn.sort":
            return _sorted(given["list"], given["by"], down=given["descending"])
        case "fn.min_by" | "fn.max_by":
            return _first(_sorted(given["list"], given["by"], down=name == "fn.max_by"))
        case "fn.count":
            return len(_list(given["list"]))
        case "fn.sum":
            return sum(_number(_field(each, given["field"])) for each in _list(given["list"]))
        case "fn.pick":
            return _picked(given["list"], given["fields"])
        case "fn.zip":
            return _zipped(given["left"], given["right"])
        case "fn.add":
            return _number(given["left"]) + _number(given["right"])
        case _:
            raise AssertionError(f"nobody has said what {name} gives")
