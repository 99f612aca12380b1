"""Functions over lists and maps: choose, filter, count, order, take apart, put together."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.fn import shades
from executor.fn.clauses import FIELD, WHERE, fitting, reach
from executor.fn.compare import NotComparableError, rank
from executor.fn.element_types import (
    always,
    element_type,
    first_type,
    member,
    pick_type,
    same_elements,
    value_list,
    zip_type,
)
from executor.fn.function import FnError, Function, arguments
from executor.fn.given import list_of, map_of, text_of
from executor.plan import size
from executor.plan.refs import split_pointer

_LIST: JsonObject = {"type": "array"}
_MAP: JsonObject = {"type": "object"}


def _select(given: JsonObject) -> JsonValue:
    found = [*fitting(list_of(given["list"]), given["where"])]
    if len(found) != 1:
        code = "several-matches" if found else "no-match"
        raise FnError(code, f"{len(found)} elements match; exactly one was expected")
    return found[0]


def _filter(given: JsonObject) -> JsonValue:
    return [*fitting(list_of(given["list"]), given["where"])]


def _extreme(*, largest: bool) -> Callable[[JsonObject], JsonValue]:
    def call(given: JsonObject) -> JsonValue:
        ordered = _ordered(list_of(given["list"]), text_of(given["by"]), descending=largest)
        if not ordered:
            raise FnError("no-match", "the list is empty")
        return ordered[0]

    return call


def _sort(given: JsonObject) -> JsonValue:
    descending = given.get("descending") is True
    return _ordered(list_of(given["list"]), text_of(given["by"]), descending=descending)


def _lookup(given: JsonObject) -> JsonValue:
    entries, key = map_of(given["map"]), text_of(given["key"])
    if key not in entries:
        raise FnError("no-match", f"the map has no key {key!r}")
    return entries[key]


def _values(given: JsonObject) -> JsonValue:
    entries = map_of(given["map"])
    return [entries[key] for key in sorted(entries)]


def _keys(given: JsonObject) -> JsonValue:
    names: list[JsonValue] = [*sorted(map_of(given["map"]))]
    return names


def _first_of(given: JsonObject) -> JsonValue:
    options = list_of(given["options"])
    if not options:
        raise FnError("missing-value", "none of the references exists")
    return options[0]


def _count(given: JsonObject) -> JsonValue:
    return len(list_of(given["list"]))


def _pick(given: JsonObject) -> JsonValue:
    fields = [text_of(each) for each in list_of(given["fields"])]
    names = [_name_of(field) for field in fields]
    if len(set(names)) < len(names):
        raise FnError("overlapping-argument", f"two fields are called alike: {', '.join(names)}")
    picked: list[JsonValue] = []
    for element in list_of(given["list"]):
        taken: dict[str, JsonValue] = {}
        for name, field in zip(names, fields, strict=True):
            for value in reach(element, split_pointer(field)):
                taken[name] = value
        picked.append(taken)
    return picked


def _name_of(field: str) -> str:
    """What a picked field is called: the last token of its path."""
    tokens = split_pointer(field)
    if "*" in tokens:
        raise FnError("type-mismatch", f"{field!r} is not one field")
    return tokens[-1] if tokens else "value"


def _zip(given: JsonObject) -> JsonValue:
    left, right = list_of(given["left"]), list_of(given["right"])
    if len(left) != len(right):
        raise FnError("unequal-length", f"the lists have {len(left)} and {len(right)} elements")
    return [{"left": one, "right": other} for one, other in zip(left, right, strict=True)]


def _join(given: JsonObject) -> JsonValue:
    separator = text_of(given.get("separator", ""))
    texts = [text_of(each) for each in list_of(given["list"])]
    if sum(map(len, texts)) + len(separator) * len(texts) > size.MOST:
        raise FnError(size.TOO_LARGE, size.told("the text"))
    return separator.join(texts)


def _ordered(elements: list[JsonValue], by: str, *, descending: bool) -> list[JsonValue]:
    """In order of the values at `by`; of equal ones the first stays first."""
    ranked = []
    for element in elements:
        found = list(reach(element, split_pointer(by)))
        if not found:
            raise FnError("missing-value", f"an element has no {by!r}")
        if len(found) > 1:  # an object's members have no order, so none of them is the first
            raise FnError("several-matches", f"an element has several values at {by!r}")
        try:
            ranked.append((rank(found[0]), element))
        except NotComparableError as error:
            raise FnError("not-comparable", str(error)) from error
    scales = sorted({" ".join(found[:2]).strip() for found, _ in ranked})
    if len(scales) > 1:
        raise FnError("not-comparable", f"{' and '.join(scales)} have no common order")
    # One scale, so one type of position; the sum type cannot say so.
    ranked.sort(key=lambda pair: pair[0][2], reverse=descending)
    return [element for _, element in ranked]


_STRING: JsonObject = {"type": "string"}
_BY = arguments({"list": _LIST, "by": FIELD})

ELEMENTS: tuple[Function, ...] = (
    Function(
        "select",
        "The one element of a list for which every clause of `where` holds; none or several fail.",
        arguments({"list": _LIST, "where": WHERE}),
        element_type,
        _select,
        frozenset({"where"}),
        shading=shades.selected,
    ),
    Function(
        "filter",
        "Every element for which every clause of `where` holds.",
        arguments({"list": _LIST, "where": WHERE}),
        same_elements,
        _filter,
        frozenset({"where"}),
        shading=shades.filtered,
    ),
    Function(
        "min_by",
        "The element with the smallest value at `by`.",
        _BY,
        element_type,
        _extreme(largest=False),
        frozenset({"by"}),
        shading=shades.extreme,
    ),
    Function(
        "max_by",
        "The element with the largest value at `by`.",
        _BY,
        element_type,
        _extreme(largest=True),
        frozenset({"by"}),
        shading=shades.extreme,
    ),
    Function(
        "sort",
        "The list in the order of the values at `by`.",
        arguments({"list": _LIST, "by": FIELD}, {"descending": {"type": "boolean"}}),
        same_elements,
        _sort,
        frozenset({"by", "descending"}),
        shading=shades.ordered,
    ),
    Function(
        "lookup",
        "The value of a map at a key.",
        arguments({"map": _MAP, "key": _STRING}),
        member,
        _lookup,
        frozenset({"key"}),
        shading=shades.looked_up,
    ),
    Function(
        "values",
        "The values of a map, in the order of its keys.",
        arguments({"map": _MAP}),
        value_list,
        _values,
        shading=shades.members,
    ),
    Function(
        "keys",
        "The keys of a map, in order.",
        arguments({"map": _MAP}),
        always({"type": "array", "items": _STRING}),
        _keys,
        shading=shades.names,
    ),
    Function(
        "first_of",
        "The first of `options` whose step was not skipped.",
        arguments({"options": {"type": "array", "minItems": 1}}),
        first_type,
        _first_of,
        shading=shades.either,
    ),
    Function(
        "count",
        "How many elements a list has.",
        arguments({"list": _LIST}),
        always({"type": "integer", "minimum": 0}),
        _count,
        shading=shades.counted,
    ),
    Function(
        "pick",
        "The named fields of each element.",
        arguments({"list": _LIST, "fields": {"type": "array", "items": FIELD, "minItems": 1}}),
        pick_type,
        _pick,
        frozenset({"fields"}),
        shading=shades.picked,
    ),
    Function(
        "zip",
        "Two lists of one length as a list of {left, right}.",
        arguments({"left": _LIST, "right": _LIST}),
        zip_type,
        _zip,
        shading=shades.zipped,
    ),
    Function(
        "join",
        "Texts joined by a separator.",
        arguments({"list": {"type": "array", "items": _STRING}}, {"separator": _STRING}),
        always(_STRING),
        _join,
        shading=shades.joined,
    ),
)
