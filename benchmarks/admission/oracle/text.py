"""A plan as text: strict JSON, the closed shape of a plan, and where it refers to."""

import json
import re
from collections.abc import Iterator
from typing import Any

MOST_SAFE = 2**53 - 1
ORDER = {"<", "<=", ">", ">="}
_OPERATORS = {"==", "!=", *ORDER, "matches", "exists"}
_SCALAR = (str, int, float, bool, type(None))
_STEP = {"id", "why", "action", "args", "each", "when", "expect", "after"}
_PLAN = {"understanding", "assumptions", "questions", "unable", "steps", "answer"}


class FlawedError(Exception):
    pass


def read_json(text: str) -> Any:
    """Strict JSON; raises `FlawedError` with the code."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise FlawedError("duplicate-key")
        return dict(pairs)

    def never(_: str) -> Any:
        raise FlawedError("malformed-json")

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=never)
    except json.JSONDecodeError:
        raise FlawedError("malformed-json") from None
    for number in _numbers(value):
        if abs(number) > MOST_SAFE:
            raise FlawedError("number-out-of-range")
    return value


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _numbers(member)


def has_shape(plan: Any) -> bool:
    if not isinstance(plan, dict) or not plan.keys() <= _PLAN:
        return False
    steps, answer = plan.get("steps", []), plan.get("answer", [])
    return (
        isinstance(steps, list)
        and all(map(_is_step, steps))
        and isinstance(answer, list)
        and all(map(_is_arg, answer))
        and isinstance(plan.get("understanding", ""), str)
    )


def _is_step(step: Any) -> bool:
    return (
        isinstance(step, dict)
        and step.keys() <= _STEP
        and isinstance(step.get("id"), str)
        and re.fullmatch(r"[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,5}", step["id"])
        is not None
        and isinstance(step.get("action"), str)
        and isinstance(step.get("why", ""), str)
        and isinstance(step.get("each"), str | None)
        and all(
            isinstance(step.get(name, []), list) for name in ("args", "when", "expect", "after")
        )
        and all(map(_is_arg, step.get("args", [])))
        and all(map(_is_cond, [*step.get("when", []), *step.get("expect", [])]))
        and all(isinstance(each, str) for each in step.get("after", []))
    )


def _is_arg(arg: Any) -> bool:
    match arg:
        case {"to": str(), "ref": str()} | {"to": str(), "json": str()}:
            return len(arg) == 2
        case {"to": str(), "value": value}:
            return len(arg) == 2 and isinstance(value, _SCALAR)
        case {"to": str(), "text": list(pieces)}:
            return len(arg) == 2 and all(
                isinstance(each, dict)
                and len(each) == 1
                and isinstance(each.get("lit", each.get("ref")), str)
                and each.keys() <= {"lit", "ref"}
                for each in pieces
            )
        case _:
            return False


def _is_cond(cond: Any) -> bool:
    match cond:
        case {"left": str(), "op": str(op), "value": value}:
            return len(cond) == 3 and op in _OPERATORS and isinstance(value, _SCALAR)
        case {"lhs": str(), "op": str(op), "rhs": str()}:
            return len(cond) == 3 and op in _OPERATORS
        case {"subject": str(), "op": "in", "list": list(values)}:
            return len(cond) == 3 and all(isinstance(each, _SCALAR) for each in values)
        case _:
            return False


def split(text: str) -> list[str]:
    parts = text.split("/") if text else []
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def refs_in(step: Any) -> Iterator[tuple[str, str]]:
    for arg in step.get("args", []):
        for ref in refs_of_arg(arg):
            yield ref, "arg"
    if step.get("each") is not None:
        yield step["each"], "each"
    for role in ("when", "expect"):
        for cond in step.get(role, []):
            for name in ("left", "lhs", "rhs", "subject"):
                if name in cond:
                    yield cond[name], role


def refs_of_arg(arg: Any) -> list[str]:
    return [each["ref"] for each in (arg, *arg.get("text", [])) if "ref" in each]


def opened(place: tuple[str, ...], arg: Any) -> dict[tuple[str, ...], Any]:
    """An argument, and what a constant has inside as if each member had been bound by itself."""
    found = {place: arg}
    try:
        inside = json.loads(arg["json"]) if "json" in arg else None
    except ValueError:
        inside = None
    if isinstance(inside, list):
        inside = {str(number): each for number, each in enumerate(inside)}
    for name, each in inside.items() if isinstance(inside, dict) and len(place) < 3 else ():
        is_plain = not isinstance(each, dict | list)
        found |= opened((*place, name), {"value": each} if is_plain else {"json": json.dumps(each)})
    return found
