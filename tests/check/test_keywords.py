"""What each keyword of JSON Schema says of values that another type promises, row by row."""

from typing import Any

import pytest

from executor.check.types import Flow, flows
from executor.plan.types import Type

YES, NO, UNKNOWN = Flow.YES, Flow.NO, Flow.UNKNOWN
TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
LIST, MAP = {"type": "array"}, {"type": "object"}
CLOSED = MAP | {"properties": {"a": TEXT}, "additionalProperties": False}
KINDS = {"string": TEXT, "integer": WHOLE, "number": NUMBER, "array": LIST, "object": MAP}
SAID: dict[str, dict[str, Any]] = {
    "string": {"minLength": 1, "maxLength": 1, "pattern": "^a", "format": "email"},
    "number": {"minimum": 1, "maximum": 1, "exclusiveMinimum": 1, "exclusiveMaximum": 1,
               "multipleOf": 2},
    "array": {"items": TEXT, "prefixItems": [TEXT], "minItems": 1, "maxItems": 1,
              "uniqueItems": True, "contains": TEXT, "minContains": 1, "maxContains": 1,
              "unevaluatedItems": False},
    "object": {"properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False,
               "patternProperties": {"^a": TEXT}, "propertyNames": {"maxLength": 1},
               "minProperties": 1, "maxProperties": 1, "dependentRequired": {"a": ["b"]},
               "dependentSchemas": {"a": {"required": ["b"]}}, "unevaluatedProperties": False},
}  # fmt: skip
WHATEVER: dict[str, Any] = {
    "enum": ["a", 1, 1.5, [], {}], "not": {"enum": ["a", 1, 1.5, [], {}]}, "if": {"const": "a"},
    "anyOf": [{"enum": ["a", 1, 1.5, [], {}]}], "oneOf": [{"enum": ["a", 1, 1.5, [], {}]}],
    "$dynamicRef": "#a",
}  # fmt: skip


def answer(source: Any, target: Any) -> Flow:
    return flows(Type.of(source), Type.of(target))


@pytest.mark.parametrize("kind", KINDS)
def test_a_keyword_asks_for_more_of_its_own_kind_of_value_and_nothing_of_others(kind: str) -> None:
    about = "number" if kind == "integer" else kind
    told = {
        (other, keyword): answer(KINDS[kind], {keyword: said})
        for other, keywords in SAID.items()
        for keyword, said in keywords.items()
    }
    asked = {keyword for (_, keyword), flow in told.items() if flow is UNKNOWN}

    assert asked == SAID[about].keys()
    assert {flow for (other, _), flow in told.items() if other != about} == {YES}
    for keyword, said in WHATEVER.items():
        assert answer(KINDS[kind], {keyword: said}) is UNKNOWN, keyword


def test_what_lists_other_values_than_there_can_be_is_never_met() -> None:
    for kind, source in KINDS.items():
        assert answer(source, {"enum": [None, True]}) is NO, kind
        assert answer(source, {"const": False}) is NO, kind


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # The same words say the same, unless they refer to other definitions.
        (TEXT | {"pattern": "^a"}, {"pattern": "^a"}, YES),
        (TEXT | {"pattern": "^a"}, {"pattern": "^b"}, UNKNOWN),
        (MAP | {"propertyNames": TEXT}, {"propertyNames": TEXT}, YES),
        (MAP | {"propertyNames": {"$ref": "#/$defs/n"}, "$defs": {"n": TEXT}},
         {"propertyNames": {"$ref": "#/$defs/n"}, "$defs": {"n": {"maxLength": 1}}}, UNKNOWN),
        # A bound that is no number says nothing that can be compared.
        (NUMBER | {"minimum": 2.5}, {"minimum": 1.5}, YES),
        (NUMBER | {"minimum": 2}, {"minimum": "1"}, UNKNOWN),
        (NUMBER | {"maximum": 2}, {"maximum": "3"}, UNKNOWN),
        (TEXT | {"minLength": 3}, {"minLength": True}, UNKNOWN),
        (TEXT | {"minLength": 3}, {"minLength": "1"}, UNKNOWN),
        (TEXT | {"maxLength": 3}, {"maxLength": "4"}, UNKNOWN),
        # Multiples of whole numbers, above zero.
        (WHOLE, {"multipleOf": 1}, YES),
        (NUMBER, {"multipleOf": 1}, UNKNOWN),
        (NUMBER | {"multipleOf": 4}, {"multipleOf": 1}, YES),
        (WHOLE, {"multipleOf": True}, UNKNOWN),
        (WHOLE | {"multipleOf": 4}, {"multipleOf": 2}, YES),
        (WHOLE | {"multipleOf": 4}, {"multipleOf": 3}, UNKNOWN),
        (WHOLE | {"multipleOf": 4}, {"multipleOf": 0}, UNKNOWN),
        (WHOLE | {"multipleOf": 4}, {"multipleOf": -2}, UNKNOWN),
        (WHOLE | {"multipleOf": 4}, {"multipleOf": 0.5}, UNKNOWN),
        (NUMBER | {"multipleOf": 0.5}, {"multipleOf": 0.5}, YES),
        # How many: characters, elements, members.
        (TEXT | {"minLength": 2}, {"minLength": 2}, YES),
        (TEXT | {"minLength": 2}, {"minLength": 3}, UNKNOWN),
        (TEXT | {"maxLength": 2}, {"maxLength": 2}, YES),
        (TEXT | {"maxLength": 2}, {"minLength": 3}, NO),
        (TEXT | {"minLength": 3}, {"maxLength": 2}, NO),
        (LIST | {"minItems": 1}, {"minItems": 1}, YES),
        (LIST | {"maxItems": 1}, {"minItems": 2}, NO),
        (LIST | {"prefixItems": [TEXT], "items": False}, {"maxItems": 1}, YES),
        (LIST | {"prefixItems": [TEXT], "items": False, "maxItems": 0}, {"maxItems": 0}, YES),
        (LIST | {"prefixItems": [TEXT], "items": False}, {"minItems": 2}, NO),
        (LIST | {"maxItems": 1}, {"uniqueItems": True}, YES),
        (LIST | {"maxItems": 2}, {"uniqueItems": True}, UNKNOWN),
        (LIST, {"uniqueItems": False}, YES),
        (MAP | {"required": ["a"]}, {"minProperties": 1}, YES),
        (MAP | {"required": ["a"]}, {"minProperties": 2}, UNKNOWN),
        (MAP | {"minProperties": 2, "required": ["a"]}, {"minProperties": 2}, YES),
        (MAP | {"maxProperties": 2}, {"maxProperties": 2}, YES),
        (CLOSED, {"maxProperties": 1}, YES),
        (CLOSED, {"minProperties": 2}, NO),
        # Place by place, then the rest.
        (LIST | {"prefixItems": [TEXT], "minItems": 1}, {"prefixItems": [TEXT]}, YES),
        (LIST | {"prefixItems": [TEXT], "minItems": 1}, {"prefixItems": [WHOLE]}, NO),
        (LIST | {"prefixItems": [TEXT]}, {"prefixItems": [WHOLE]}, UNKNOWN),
        (LIST | {"prefixItems": [TEXT], "items": WHOLE},
         {"prefixItems": [TEXT], "items": NUMBER}, YES),
        (LIST | {"prefixItems": [TEXT], "items": WHOLE, "minItems": 2},
         {"prefixItems": [TEXT], "items": TEXT}, NO),
        (LIST | {"items": TEXT}, {"items": TEXT}, YES),
        (LIST | {"items": TEXT, "minItems": 1}, {"items": WHOLE}, NO),
        (LIST | {"items": TEXT, "maxItems": 0}, {"items": WHOLE}, YES),
        # Members by name; what patterns let in is not known.
        (MAP | {"patternProperties": {"^a": WHOLE}, "additionalProperties": TEXT},
         {"additionalProperties": TEXT}, UNKNOWN),
        (MAP | {"patternProperties": {"^a": WHOLE}}, {"properties": {"a": WHOLE}}, UNKNOWN),
        (MAP | {"additionalProperties": TEXT}, {"additionalProperties": TEXT}, YES),
        (MAP | {"additionalProperties": TEXT}, {"properties": {"a": TEXT}}, YES),
        (MAP | {"additionalProperties": False}, {"patternProperties": {"^a": TEXT}}, YES),
        (CLOSED, {"patternProperties": {"^a": TEXT}}, UNKNOWN),
        (CLOSED, {"required": ["a"]}, UNKNOWN),
        (CLOSED, {"required": ["b"]}, NO),
        (CLOSED | {"required": ["a"]}, {"required": ["a"]}, YES),
        (CLOSED, {"additionalProperties": False, "properties": {"a": {}, "b": {}}}, YES),
        (CLOSED | {"required": ["a"]}, {"additionalProperties": False}, NO),
        (CLOSED, {"additionalProperties": False}, UNKNOWN),
        (CLOSED, {"additionalProperties": False, "patternProperties": {"^b": {}}}, UNKNOWN),
        (CLOSED | {"required": ["a"]},
         {"additionalProperties": False, "patternProperties": {"^a": {}}}, UNKNOWN),
        # What contradicts itself is no value.
        ({"const": 1, "type": "string"}, WHOLE, UNKNOWN),
    ],
)  # fmt: skip
def test_a_type_promises_what_another_asks_for_or_does_not(
    source: Any, target: Any, expected: Flow
) -> None:
    assert answer(source, target) is expected
