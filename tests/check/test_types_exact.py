"""Where a single keyword decides, the type checker is as sure as can be: against all small values.

What holds of every value of the source is *yes*, what holds of none is *no*, and only what holds
of some is a guard. A guard too many is asked of people and of runs that need none.
"""

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any

import pytest

from connectors.validate import validator_of
from executor.check.flow import Flow, every, unanimous
from executor.check.types import flows, validity
from executor.plan.types import Type

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
PLAIN = (TEXT, WHOLE)
Schemas = list[dict[str, Any]]


def some(base: dict[str, Any], **values: Iterable[Any]) -> Schemas:
    """The schema with every choice of these keywords, each of which may be missing."""
    choices = product(*([None, *each] for each in values.values()))
    return [
        base | {name: one for name, one in zip(values, chosen, strict=True) if one is not None}
        for chosen in choices
    ]


def one_of(**values: Iterable[Any]) -> Schemas:
    return [{name: value} for name, found in values.items() for value in found]


NUMBERS: list[Any] = [each / 2 for each in range(-4, 11)]
WHOLE_NUMBERS: list[Any] = list(range(-12, 13))
BOUNDED = {"minimum": [0, 2], "exclusiveMinimum": [0, 2]}
BOUNDS = one_of(
    **dict.fromkeys(("minimum", "exclusiveMinimum"), (-1, 0, 1, 2, 3)),
    **dict.fromkeys(("maximum", "exclusiveMaximum"), (-1, 0, 1, 2, 3, 4)),
)
UP_TO = range(5)
OBJECTS: list[Any] = [
    {name: one for name, one in zip("abc", chosen, strict=True) if one is not None}
    for chosen in product([None, "x", 1], repeat=3)
] + [dict.fromkeys("abcdef", "x"), dict.fromkeys("abcdef", 1)]
MEMBERS: Schemas = [
    {"type": "object", "properties": {k: v for k, v in (("a", a), ("b", b)) if v is not None}}
    | ({"required": list(required)} if required else {})
    | ({} if rest is None else {"additionalProperties": rest})
    for a in (None, TEXT, WHOLE, False)
    for b in (None, TEXT)
    for required in ((), ("a",), ("a", "b"))
    for rest in (None, False, TEXT, WHOLE)
]
DECLARED = [each for each in MEMBERS if {*each.get("required", ())} <= {*each["properties"]}]
LISTS: list[Any] = [list(found) for size in range(6) for found in product(["x", 1], repeat=size)]
TUPLES: Schemas = [
    each | ({"prefixItems": list(first)} if first else {})
    for first in ((), (TEXT,), (TEXT, WHOLE))
    for each in some({"type": "array"}, items=(False, *PLAIN), minItems=(1, 2), maxItems=(1, 2))
]  # fmt: skip
SHORT = [each for each in TUPLES if "maxItems" in each]
SCALARS: list[Any] = ["x", "y", 1, 2, 1.5, True, False, None, [], {}]
NAMES = ("string", "number", "integer", "boolean", "null", "array", "object")
TYPES: Schemas = [{"type": name} for name in NAMES] + [
    {"type": list(pair)} for pair in combinations(NAMES, 2)
]
CONSTANTS: Schemas = [{"const": each} for each in SCALARS[:8]] + [
    {"enum": list(pair)} for pair in combinations(SCALARS[:8], 2)
]
PROPERTIES = [{}, {"a": TEXT}, {"a": WHOLE}, {"a": False}, {"a": TEXT, "b": TEXT}, {"c": TEXT}]

FAMILIES: dict[str, tuple[Schemas, Schemas, list[Any]]] = {
    "lower bounds": (some({"type": "number"}, **BOUNDED), BOUNDS, NUMBERS),
    "upper bounds": (
        some({"type": "number"}, maximum=[1, 3], exclusiveMaximum=[1, 3]),
        BOUNDS,
        NUMBERS,
    ),
    "both bounds": (
        some({"type": "number"}, maximum=[1, 3], exclusiveMaximum=[1, 3], **BOUNDED),
        BOUNDS,
        NUMBERS,
    ),
    "lengths": (
        some(TEXT, minLength=[0, 1, 2], maxLength=[2, 3]),
        one_of(minLength=UP_TO, maxLength=UP_TO),
        ["a" * size for size in range(6)],
    ),
    "sizes of lists": (
        some({"type": "array"}, minItems=[0, 1, 2], maxItems=[1, 2, 3], uniqueItems=[True, False]),
        one_of(minItems=UP_TO, maxItems=UP_TO, uniqueItems=[True, False]),
        [[1] * size for size in range(6)] + [list(range(size)) for size in range(6)],
    ),
    "sizes of tuples": (
        SHORT,
        one_of(minItems=range(3), maxItems=range(3)),
        LISTS,
    ),
    "sizes of objects": (
        some({"type": "object"}, minProperties=[0, 1, 2], maxProperties=[1, 2, 3]),
        one_of(minProperties=range(4), maxProperties=range(4), required=[["a"], []]),
        OBJECTS,
    ),
    "members that must be there": (
        MEMBERS,
        one_of(required=[[], ["a"], ["b"], ["c"], ["a", "b"]]),
        OBJECTS,
    ),
    "members that may be there": (
        MEMBERS,
        one_of(properties=PROPERTIES) + [{"properties": p, "required": ["a"]} for p in PROPERTIES],
        OBJECTS,
    ),
    "other members": (
        DECLARED,
        [
            {"properties": dict.fromkeys(names, True), "additionalProperties": rest}
            for names in ("", "a", "ab")
            for rest in (False, True, TEXT, WHOLE)
        ],
        OBJECTS,
    ),
    "elements": (
        TUPLES,
        one_of(
            items=[TEXT, WHOLE, True, False],
            prefixItems=[[TEXT], [WHOLE], [TEXT, WHOLE], [WHOLE, TEXT], [False], [TEXT, False]],
        )
        + [{"prefixItems": [TEXT], "items": rest} for rest in (TEXT, WHOLE, False)],
        LISTS,
    ),
    "types": (TYPES, TYPES, SCALARS),
    "constants": (CONSTANTS, CONSTANTS + TYPES, SCALARS),
    "whole multiples": (
        some(WHOLE, multipleOf=[1, 2, 3, 4, 6]),
        one_of(multipleOf=[1, 2, 3, 4, 6]),
        WHOLE_NUMBERS,
    ),
}


def truth(source: dict[str, Any], target: dict[str, Any], values: list[Any]) -> Flow | None:
    """What the values say; None where the source has none."""
    before, after = validator_of(source), validator_of(target)
    assert before is not None
    assert after is not None
    valid = {after.is_valid(each) for each in values if before.is_valid(each)}
    if not valid:
        return None
    return Flow.UNKNOWN if len(valid) == 2 else Flow.YES if True in valid else Flow.NO


@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_is_that_of_every_value_there_is(family: str) -> None:
    sources, targets, values = FAMILIES[family]
    told = set()
    for source, target in product(sources, targets):
        expected = truth(source, target, values)
        if expected is not None:
            told.add(expected)

            assert flows(Type.of(source), Type.of(target)) is expected, (source, target)
    assert {Flow.YES, Flow.UNKNOWN} <= told


YES, NO, UNKNOWN = Flow.YES, Flow.NO, Flow.UNKNOWN
DATE, MAIL = {"type": "string", "format": "date"}, {"type": "string", "format": "email"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # Formats are names: the same one, one that excludes it, or nobody knows. One that no
        # standard names is a kind, and what is of another kind is none of it.
        ({"type": "string", "format": "audio"}, {"type": "string", "format": "image"}, NO),
        ({"type": "string", "format": "audio"}, {"type": "string", "format": "audio"}, YES),
        ({"type": "string", "format": "audio"}, TEXT, YES),
        (TEXT, {"type": "string", "format": "audio"}, UNKNOWN),
        ({"const": "song"}, {"type": "string", "format": "audio"}, YES),
        ({"type": "string", "format": "audio"}, {"type": "string", "format": "hostname"}, UNKNOWN),
        ({"type": "string", "format": "audio"},
         {"anyOf": [{"type": "string", "format": "image"}, {"type": "null"}]}, NO),
        ({"type": "string", "format": "decimal"}, {"type": "string", "format": "int64"}, UNKNOWN),
        (DATE, {"type": "string", "format": "uri"}, NO),
        ({"type": "string", "format": "uri"}, {"type": "string", "format": "uuid"}, NO),
        (MAIL, {"type": "string", "format": "uri"}, UNKNOWN),
        ({"type": "string", "format": "ipv6"}, {"type": "string", "format": "uri"}, UNKNOWN),
        (DATE, DATE, YES),
        (DATE, MAIL, NO),
        (DATE, {"format": "shoe-size"}, UNKNOWN),
        ({"type": "string", "format": "shoe-size"}, DATE, UNKNOWN),
        (TEXT, DATE, UNKNOWN),
        (DATE, TEXT, YES),
        (DATE, {"type": "string", "format": "password"}, YES),
        (TEXT, {"type": "string", "format": "byte"}, YES),
        (TEXT, {"type": "string", "format": "binary"}, YES),
        *(
            ({"type": "string", "format": one}, {"type": "string", "format": other}, NO)
            for one, other in combinations(
                ("date", "date-time", "time", "duration", "email", "uuid", "ipv4", "ipv6"), 2
            )
        ),
        # Patterns and names of members: the same one, or nobody knows.
        ({"type": "string", "pattern": "^a"}, {"pattern": "^a"}, YES),
        ({"type": "string", "pattern": "^a"}, {"pattern": "^b"}, UNKNOWN),
        (TEXT, {"pattern": "^a"}, UNKNOWN),
        ({"type": "object", "propertyNames": {"maxLength": 1}}, {"propertyNames": {"maxLength": 1}},
         YES),
        ({"type": "object", "propertyNames": {"maxLength": 1}}, {"propertyNames": {"maxLength": 2}},
         UNKNOWN),
        ({"type": "object"}, {"propertyNames": {"maxLength": 1}}, UNKNOWN),
        # Keywords of another type say nothing; those that nobody knows are not known.
        (TEXT, {"minimum": 3, "maxItems": 0, "required": ["a"]}, YES),
        (WHOLE, {"maxLength": 0, "pattern": "^a", "format": "date"}, YES),
        ({"type": "boolean"}, {"minimum": 3, "maxLength": 0}, YES),
        ({"type": "array"}, {"contains": TEXT}, UNKNOWN),
        ({"type": "array"}, {"unevaluatedItems": False}, UNKNOWN),
        ({"type": "object"}, {"dependentRequired": {"a": ["b"]}}, UNKNOWN),
        ({"type": "object"}, {"unevaluatedProperties": False}, UNKNOWN),
        (TEXT, {"not": {"type": "null"}}, UNKNOWN),
        (TEXT, {"if": TEXT, "then": {"minLength": 1}}, UNKNOWN),
        (TEXT, {"title": "a", "description": "b", "default": "c"}, YES),
        # Members by their pattern.
        ({"type": "object", "properties": {}, "additionalProperties": False},
         {"patternProperties": {"^a": WHOLE}}, YES),
        ({"type": "object", "properties": {"a": False}, "additionalProperties": False},
         {"patternProperties": {"^a": WHOLE}}, YES),
        ({"type": "object", "properties": {"a": TEXT}, "additionalProperties": False},
         {"patternProperties": {"^a": WHOLE}}, UNKNOWN),
        ({"type": "object"}, {"patternProperties": {"^a": WHOLE}}, UNKNOWN),
        ({"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
         {"patternProperties": {"^a": TEXT}, "additionalProperties": False}, UNKNOWN),
        ({"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
         {"additionalProperties": False}, NO),
        ({"type": "object", "patternProperties": {"^a": TEXT}, "additionalProperties": False},
         {"additionalProperties": False}, UNKNOWN),
        ({"type": "object", "patternProperties": {"^a": TEXT}, "additionalProperties": False},
         {"required": ["a"]}, UNKNOWN),
        ({"type": "object", "patternProperties": {"^a": TEXT}, "additionalProperties": False},
         {"properties": {"a": WHOLE}, "required": ["a"]}, UNKNOWN),
        # Alternatives.
        (TEXT, {"anyOf": [WHOLE, TEXT]}, YES),
        (TEXT, {"anyOf": [WHOLE, {"type": "null"}]}, NO),
        (TEXT, {"anyOf": [WHOLE, {"type": "string", "minLength": 1}]}, UNKNOWN),
        (TEXT, {"oneOf": [WHOLE, TEXT]}, YES),
        (TEXT, {"oneOf": [TEXT, {}]}, NO),
        (TEXT, {"oneOf": [TEXT, {"minLength": 1}]}, UNKNOWN),
        (TEXT, {"allOf": [{}, TEXT]}, YES),
        (TEXT, {"allOf": [{"minLength": 1}, WHOLE]}, NO),
        (TEXT, {"allOf": [TEXT, {"minLength": 1}]}, UNKNOWN),
        ({"anyOf": [TEXT, WHOLE]}, TEXT, UNKNOWN),
        ({"anyOf": [TEXT, WHOLE]}, {"type": ["string", "integer"]}, YES),
        ({"anyOf": [TEXT, WHOLE]}, {"type": "null"}, NO),
        ({"oneOf": [TEXT, WHOLE]}, {"type": ["string", "number"]}, YES),
        ({"anyOf": [{"minLength": 2}, {"maxLength": 1}], "type": "string"}, TEXT, YES),
        ({"type": ["string", "null"], "minLength": 2}, {"minLength": 1}, YES),
        ({"type": ["string", "integer"], "minimum": 2}, {"maximum": 1}, UNKNOWN),
        # Values that are listed.
        ({"type": "string", "enum": ["a", 1]}, TEXT, YES),
        (TEXT, {"const": 1}, NO),
        (TEXT, {"enum": [1, None]}, NO),
        (TEXT, {"enum": [1, "a"]}, UNKNOWN),
        ({"type": "string", "maxLength": 1}, {"const": "ab"}, NO),
        ({"type": "boolean"}, {"enum": [True, False, None]}, YES),
        ({"type": "null"}, {"const": None}, YES),
        ({"type": "array", "items": TEXT, "minItems": 1}, {"prefixItems": [TEXT], "items": WHOLE},
         UNKNOWN),
        # Keywords whose values are of no use decide nothing.
        (WHOLE, {"minimum": "1"}, UNKNOWN),
        ({"type": "integer", "minimum": 3}, {"maximum": "1"}, UNKNOWN),
        ({"type": "string", "maxLength": 3}, {"maxLength": "5"}, UNKNOWN),
        ({"type": "string", "minLength": 3}, {"minLength": None}, UNKNOWN),
        ({"type": "object"}, {"properties": [1]}, UNKNOWN),
        # What says nothing, and what nothing satisfies.
        ({}, {}, YES),
        ({}, TEXT, UNKNOWN),
        (TEXT, {"type": "string", "x-note": 1}, YES),
        ({"x-note": 1}, TEXT, UNKNOWN),
        # Types that contain themselves.
        (NODE, NODE, YES),
        (NODE, {**NODE, "required": []}, YES),
        ({**NODE, "properties": {"next": {"$ref": "#"}, "n": TEXT}, "required": ["next", "n"]},
         {**NODE, "properties": {"next": {"$ref": "#"}, "n": WHOLE}, "required": ["next", "n"]},
         NO),
        ({"$ref": "#"}, TEXT, UNKNOWN),
        ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, TEXT, YES),
        ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, WHOLE, NO),
        (TEXT, {"$ref": "#/$defs/gone"}, UNKNOWN),
    ],
)  # fmt: skip
def test_every_kind_of_keyword_has_its_answer(source: Any, target: Any, expected: Flow) -> None:
    assert flows(Type.of(source), Type.of(target)) is expected


@pytest.mark.parametrize("target", [True, {}])
def test_everything_fits_where_anything_may_be(target: Any) -> None:
    assert flows(Type.of(TEXT), Type.of(target)) is Flow.YES
    assert flows(Type.of({}), Type.of(target)) is Flow.YES


def test_nothing_fits_where_nothing_may_be() -> None:
    assert flows(Type.of(TEXT), Type.of(False)) is Flow.NO
    assert validity("x", Type.of(False)) is Flow.NO
    assert validity("x", Type.of(True)) is Flow.YES
    assert validity("x", Type.of({"$ref": "#/gone"})) is Flow.UNKNOWN


def test_deep_types_are_answered_or_left_to_the_run_and_never_hang() -> None:
    deep: Any = TEXT
    for _ in range(30):
        deep = {"type": "array", "items": deep}
    deeper: Any = deep
    for _ in range(60):
        deeper = {"type": "array", "items": deeper}

    assert flows(Type.of(deep), Type.of({**deep, "x": 1})) is Flow.YES
    assert flows(Type.of(deeper), Type.of({**deeper, "x": 1})) is Flow.UNKNOWN


def test_three_answers_combine() -> None:
    assert every([]) is Flow.YES
    assert every([Flow.YES, Flow.UNKNOWN]) is Flow.UNKNOWN
    assert every([Flow.YES, Flow.UNKNOWN, Flow.NO]) is Flow.NO
    assert unanimous([Flow.NO, Flow.NO]) is Flow.NO
    assert unanimous([Flow.YES, Flow.NO]) is Flow.UNKNOWN
    assert unanimous([]) is Flow.UNKNOWN
