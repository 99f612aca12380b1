"""Functions over lists and maps: choose, filter, count, order, take apart, put together."""

from collections.abc import Callable, Iterator
from functools import cmp_to_key

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.fn.compare import NotComparableError, compare, equal, rank
from executor.fn.function import FnError, Function, Types, arguments
from executor.plan.refs import split_pointer
from executor.plan.types import UNKNOWN, Type, child, descend, items_of, members_of

_LIST: JsonObject = {"type": "array"}
_MAP: JsonObject = {"type": "object"}
_FIELD: JsonObject = {"type": "string", "description": 'a pointer in the element, "" for itself'}
_WHERE: JsonObject = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "field": _FIELD,
            "op": {"enum": ["==", "!=", "<", "<=", ">", ">=", "matches", "in", "exists"]},
            "value": {},
        },
        "required": ["field", "op", "value"],
        "additionalProperties": False,
    },
}
_ABSENT = object()


def _select(given: JsonObject) -> JsonValue:
    found = [each for each in _elements(given["list"]) if _fits(each, given["where"])]
    if len(found) != 1:
        code = "several-matches" if found else "no-match"
        raise FnError(code, f"{len(found)} elements match; exactly one was expected")
    return found[0]


def _filter(given: JsonObject) -> JsonValue:
    return [each for each in _elements(given["list"]) if _fits(each, given["where"])]


def _extreme(sign: int) -> Callable[[JsonObject], JsonValue]:
    def call(given: JsonObject) -> JsonValue:
        ordered = _ordered(_elements(given["list"]), _text(given["by"]))
        if not ordered:
            raise FnError("no-match", "the list is empty")
        return ordered[0] if sign < 0 else ordered[-1]

    return call


def _sort(given: JsonObject) -> JsonValue:
    ordered = _ordered(_elements(given["list"]), _text(given["by"]))
    return ordered[::-1] if given.get("descending") is True else ordered


def _lookup(given: JsonObject) -> JsonValue:
    entries, key = _members(given["map"]), _text(given["key"])
    if key not in entries:
        raise FnError("no-match", f"the map has no key {key!r}")
    return entries[key]


def _values(given: JsonObject) -> JsonValue:
    entries = _members(given["map"])
    return [entries[key] for key in sorted(entries)]


def _keys(given: JsonObject) -> JsonValue:
    names: list[JsonValue] = [*sorted(_members(given["map"]))]
    return names


def _first_of(given: JsonObject) -> JsonValue:
    options = _elements(given["options"])
    if not options:
        raise FnError("missing-value", "none of the references exists")
    return options[0]


def _count(given: JsonObject) -> JsonValue:
    return len(_elements(given["list"]))


def _pick(given: JsonObject) -> JsonValue:
    fields = [_text(each) for each in _elements(given["fields"])]
    picked: list[JsonValue] = []
    for element in _elements(given["list"]):
        taken: dict[str, JsonValue] = {}
        for field in fields:
            for value in _reach(element, split_pointer(field)):
                taken[split_pointer(field)[-1] if field else "value"] = value
        picked.append(taken)
    return picked


def _zip(given: JsonObject) -> JsonValue:
    left, right = _elements(given["left"]), _elements(given["right"])
    if len(left) != len(right):
        raise FnError("unequal-length", f"the lists have {len(left)} and {len(right)} elements")
    return [{"left": one, "right": other} for one, other in zip(left, right, strict=True)]


def _join(given: JsonObject) -> JsonValue:
    return _text(given.get("separator", "")).join(_text(each) for each in _elements(given["list"]))


def _fits(element: JsonValue, where: JsonValue) -> bool:
    return all(_clause_holds(element, clause) for clause in _elements(where))


def _clause_holds(element: JsonValue, clause: JsonValue) -> bool:
    if not isinstance(clause, dict):
        raise FnError("type-mismatch", "a clause is {field, op, value}")
    values = list(_reach(element, split_pointer(_text(clause["field"]))))
    if clause["op"] == "exists":
        return bool(values) is (clause["value"] is True)
    try:
        return any(compare(_text(clause["op"]), value, clause["value"]) for value in values)
    except NotComparableError as error:
        raise FnError("not-comparable", str(error)) from error


def _reach(value: JsonValue, tokens: tuple[str, ...]) -> Iterator[JsonValue]:
    """Every value at a path in an element; the token `*` stands for every member there."""
    if not tokens:
        yield value
        return
    head, rest = tokens[0], tokens[1:]
    if head == "*" and isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _reach(member, rest)
    elif isinstance(value, dict) and head in value:
        yield from _reach(value[head], rest)
    elif isinstance(value, list) and head.isdigit() and int(head) < len(value):
        yield from _reach(value[int(head)], rest)


def _ordered(elements: list[JsonValue], by: str) -> list[JsonValue]:
    def key(element: JsonValue) -> JsonValue:
        found = list(_reach(element, split_pointer(by)))
        if not found:
            raise FnError("missing-value", f"an element has no {by!r}")
        return found[0]

    def in_order(one: tuple[JsonValue, JsonValue], other: tuple[JsonValue, JsonValue]) -> int:
        if equal(one[0], other[0]):
            return 0
        return -1 if compare("<", one[0], other[0]) else 1

    try:
        pairs = [(key(element), element) for element in elements]
        for place, _ in pairs[:1]:
            rank(place)
        return [element for _, element in sorted(pairs, key=cmp_to_key(in_order))]
    except NotComparableError as error:
        raise FnError("not-comparable", str(error)) from error


def _elements(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise FnError("type-mismatch", "expected a list")
    return value


def _members(value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise FnError("type-mismatch", "expected a map")
    return value


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise FnError("type-mismatch", "expected a text")
    return value


def _element_type(types: Types) -> Type:
    return items_of(types["list"]) if "list" in types else UNKNOWN


def _same_list(types: Types) -> Type:
    return types.get("list", UNKNOWN)


def _list_of(schema: JsonObject) -> Type:
    return Type.of({"type": "array", "items": schema})


def _value_list(types: Types) -> Type:
    return _list_of(members_of(types["map"]).standalone() if "map" in types else {})


def _first_type(types: Types) -> Type:
    options = types.get("options", UNKNOWN).resolved() or {}
    arms = options.get("prefixItems")
    if not isinstance(arms, list):
        return UNKNOWN
    root = types["options"].root
    return Type(arms[0], root) if len(arms) == 1 else Type({"anyOf": arms}, root)


def _zip_type(types: Types) -> Type:
    parts: JsonObject = {
        side: items_of(types[side]).standalone() if side in types else {}
        for side in ("left", "right")
    }
    if any(
        "$defs" in part or "definitions" in part
        for part in parts.values()
        if isinstance(part, dict)
    ):
        parts = {"left": {}, "right": {}}
    return _list_of({"type": "object", "properties": parts, "required": ["left", "right"]})


def _pick_type(types: Types) -> Type:
    element = _element_type(types)
    fields = types.get("fields", UNKNOWN).resolved() or {}
    names = fields.get("const")
    if not isinstance(names, list):
        return _list_of({"type": "object", "additionalProperties": True})
    properties: JsonObject = {}
    for name in names:
        tokens = split_pointer(str(name))
        found = descend(element, tokens)
        usable = isinstance(found, Type) and "*" not in tokens
        schema = found.standalone() if usable and isinstance(found, Type) else {}
        properties[tokens[-1] if tokens else "value"] = {} if "$defs" in schema else schema
    return _list_of({"type": "object", "properties": properties, "additionalProperties": False})


def _member(types: Types) -> Type:
    entries = types.get("map", UNKNOWN)
    key = (types.get("key", UNKNOWN).resolved() or {}).get("const")
    if isinstance(key, str):
        found = child(entries, key)
        return found if isinstance(found, Type) else UNKNOWN
    return members_of(entries)


def _always(schema: JsonObject) -> Callable[[Types], Type]:
    return lambda _: Type.of(schema)


_STRING: JsonObject = {"type": "string"}
_BY = arguments({"list": _LIST, "by": _FIELD})

ELEMENTS: tuple[Function, ...] = (
    Function(
        "select",
        "The one element of a list for which every clause of `where` holds; none or several fail.",
        arguments({"list": _LIST, "where": _WHERE}),
        _element_type,
        _select,
    ),
    Function(
        "filter",
        "Every element for which every clause of `where` holds.",
        arguments({"list": _LIST, "where": _WHERE}),
        _same_list,
        _filter,
    ),
    Function(
        "min_by", "The element with the smallest value at `by`.", _BY, _element_type, _extreme(-1)
    ),
    Function(
        "max_by", "The element with the largest value at `by`.", _BY, _element_type, _extreme(1)
    ),
    Function(
        "sort",
        "The list in the order of the values at `by`.",
        arguments({"list": _LIST, "by": _FIELD}, {"descending": {"type": "boolean"}}),
        _same_list,
        _sort,
    ),
    Function(
        "lookup",
        "The value of a map at a key.",
        arguments({"map": _MAP, "key": _STRING}),
        _member,
        _lookup,
    ),
    Function(
        "values",
        "The values of a map, in the order of its keys.",
        arguments({"map": _MAP}),
        _value_list,
        _values,
    ),
    Function(
        "keys",
        "The keys of a map, in order.",
        arguments({"map": _MAP}),
        _always({"type": "array", "items": _STRING}),
        _keys,
    ),
    Function(
        "first_of",
        "The first of `options` whose step was not skipped.",
        arguments({"options": {"type": "array", "minItems": 1}}),
        _first_type,
        _first_of,
    ),
    Function(
        "count",
        "How many elements a list has.",
        arguments({"list": _LIST}),
        _always({"type": "integer", "minimum": 0}),
        _count,
    ),
    Function(
        "pick",
        "The named fields of each element.",
        arguments({"list": _LIST, "fields": {"type": "array", "items": _FIELD, "minItems": 1}}),
        _pick_type,
        _pick,
    ),
    Function(
        "zip",
        "Two lists of one length as a list of {left, right}.",
        arguments({"left": _LIST, "right": _LIST}),
        _zip_type,
        _zip,
    ),
    Function(
        "join",
        "Texts joined by a separator.",
        arguments({"list": {"type": "array", "items": _STRING}}, {"separator": _STRING}),
        _always(_STRING),
        _join,
    ),
)
