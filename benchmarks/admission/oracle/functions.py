"""What each function gives, and what a value may be ordered as."""

import re
from collections.abc import Callable
from typing import Any

from benchmarks.admission.oracle.schemas import (
    OPEN,
    Node,
    at,
    below,
    items,
    kinds_of,
    members,
    reach,
)
from benchmarks.admission.oracle.text import split

_MONEY: Node = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
_DECIMAL = {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"}


def is_pattern(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > 200:
        return False
    try:
        re.compile(value)
    except re.error:
        return False
    return True


def scales(node: Node) -> set[str] | None:
    """What a value may be ordered as; None where that is open."""
    if "const" in node:
        return _scales_of(node["const"])
    names = kinds_of(node)
    if names is None:
        return None
    found = {"number"} if names & {"integer", "number"} else set()
    found |= {"money"} if "object" in names else set()
    if "string" in names:
        dated = node.get("format") if names == {"string"} else None
        texts = {"text", "decimal", "date", "date-time"}
        found |= {dated} if dated in ("date", "date-time") else texts
    return found


def _scales_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {"money"} if value.keys() == {"amount", "currency"} else set()
    if value is None or isinstance(value, bool | list):
        return set()
    if not isinstance(value, str):
        return {"number"}
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return {"decimal"}
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return {"date"}
    dated = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+([Zz]|[+-][0-9:]+)?", value)
    return {"date-time"} if dated else {"text"}


def _quantity(*types: Node) -> Node:
    """What arithmetic over these gives."""
    names = [kinds_of(each) for each in types]
    if {"object"} in names:
        return _MONEY
    if all(each is not None and each <= {"integer", "number"} for each in names):
        return {"type": "number"}
    if {"string"} in names and all(each is not None and "object" not in each for each in names):
        return _DECIMAL
    return OPEN


def _sum(given: dict[str, Node]) -> Node:
    path = given.get("field", {"const": ""}).get("const")
    if "list" not in given or not isinstance(path, str):
        return OPEN
    found = at(items(given["list"]), split(path))
    one = _quantity(found if found is not None else OPEN)
    if not one or one == {"type": "number"} or given["list"].get("minItems", 0) >= 1:
        return one
    return {"anyOf": [one, {"const": 0}]}


def _looked_up(given: dict[str, Node]) -> Node:
    entries, key = given.get("map", OPEN), given.get("key", OPEN).get("const")
    found = below(entries, key) if isinstance(key, str) else members(entries)
    return found if found is not None else OPEN


def _picked(given: dict[str, Node]) -> Node:
    fields = given.get("fields", OPEN)
    bound = fields.get("prefixItems", [])
    places = [each["const"] for each in bound if "const" in each] or fields.get("const")
    names = [str(each) for each in places] if isinstance(places, list) else []
    if len(names) < len(bound):
        names = []
    if not names or "*" in str(names):
        return {"type": "array", "items": {"type": "object"}}
    element = items(given.get("list", OPEN))
    own = {(split(each) or ["value"])[-1]: reach(element, each) or OPEN for each in names}
    return {
        "type": "array",
        "items": {"type": "object", "properties": own, "additionalProperties": False},
    }


def _dated(given: dict[str, Node]) -> Node:
    date = given.get("date", OPEN)
    constant = date.get("const")
    if isinstance(constant, str) and len(constant) == 10:
        return {"type": "string", "format": "date"}
    named = date.get("format")
    is_date = named in ("date", "date-time")
    return {"type": "string"} | ({"format": named} if is_date else {})


def _element(given: dict[str, Node]) -> Node:
    return items(given.get("list", OPEN))


def _array(item: Node) -> Node:
    return {"type": "array", "items": item}


def _zipped(given: dict[str, Node]) -> Node:
    sides = {side: items(given.get(side, OPEN)) for side in ("left", "right")}
    return _array(
        {"type": "object", "properties": sides, "required": [*sides], "additionalProperties": False}
    )


RESULTS: dict[str, Callable[[dict[str, Node]], Node]] = {
    "select": _element,
    "min_by": _element,
    "max_by": _element,
    "filter": lambda given: _array(_element(given)),
    "sort": lambda given: _array(_element(given)),
    "lookup": _looked_up,
    "values": lambda given: _array(members(given.get("map", OPEN))),
    "keys": lambda given: _array({"type": "string"}),
    "first_of": lambda given: items(given.get("options", OPEN)),
    "count": lambda given: {"type": "integer", "minimum": 0},
    "pick": _picked,
    "zip": _zipped,
    "join": lambda given: {"type": "string"},
    "sum": _sum,
    "add": lambda given: _quantity(given.get("left", OPEN), given.get("right", OPEN)),
    "subtract": lambda given: _quantity(given.get("left", OPEN), given.get("right", OPEN)),
    "multiply": lambda given: _quantity(given.get("left", OPEN), given.get("right", OPEN)),
    "format_money": lambda given: {"type": "string"},
    "date_add": _dated,
    "days_between": lambda given: {"type": "integer"},
}
