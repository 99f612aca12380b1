"""Types that contain themselves, types that say nothing of their kind, and how far one looks."""

from typing import Any

import pytest
from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check import types
from executor.check.types import Flow, flows, validity
from executor.plan.types import Type, child, items_of, kinds

YES, NO, UNKNOWN = Flow.YES, Flow.NO, Flow.UNKNOWN
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
MAIL = {"type": "string", "format": "email"}


def answer(source: Any, target: Any) -> Flow:
    return flows(Type.of(source), Type.of(target))


def of_text(*lengths: int) -> list[Any]:
    return [{"type": "string", "minLength": length} for length in lengths]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # One of several: all of them have to agree.
        ({"anyOf": of_text(3, 5)}, {"minLength": 3}, YES),
        ({"oneOf": of_text(3, 5)}, {"minLength": 3}, YES),
        ({"anyOf": of_text(3, 5)}, {"minLength": 4}, UNKNOWN),
        ({"oneOf": of_text(3, 5)}, {"minLength": 4}, UNKNOWN),
        ({"anyOf": of_text(3, 5)}, {"maxLength": 2}, NO),
        ({"oneOf": of_text(3, 5)}, {"maxLength": 2}, NO),
        ({"anyOf": of_text(3, 5), "title": "a", "description": "b"}, {"minLength": 3}, YES),
        ({"anyOf": of_text(3, 5), "maxLength": 9}, {"maxLength": 9}, YES),
        ({"anyOf": of_text(3, 5), "maxLength": 9}, {"maxLength": 8}, UNKNOWN),
        ({"type": ["integer", "number"]}, {"type": "number"}, YES),
        ({"type": ["integer", "number"]}, TEXT, NO),
        ({"type": ["integer", "number"]}, WHOLE, UNKNOWN),
        ({"type": ["integer", "number"], "minimum": 2}, {"minimum": 1}, YES),
        ({"type": ["integer", "number", "string"]}, {"type": ["string", "number"]}, YES),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}, YES),
        ({"type": "string", "nullable": True}, TEXT, UNKNOWN),
        ({"type": "string", "nullable": True}, WHOLE, NO),
        # What is listed and what stands beside the list.
        ({"type": "string", "enum": ["a", 1]}, {"const": "a"}, YES),
        ({"type": "boolean"}, {"const": True}, UNKNOWN),
        ({"type": "boolean"}, {"const": False}, UNKNOWN),
        ({"type": "boolean"}, {"enum": [1, "true"]}, NO),
        # What says nothing of its kind: the same words say the same.
        ({"minLength": 1}, {"minLength": 1}, YES),
        ({"minLength": 1}, {"minLength": 2}, UNKNOWN),
        ({"properties": {"a": TEXT}}, {"properties": {"a": TEXT}}, YES),
        ({"minLength": 1}, {"anyOf": [{}, TEXT]}, YES),
        ({"minLength": 1}, {"anyOf": [{}, TEXT], "title": "any"}, YES),
        ({"minLength": 1}, {"minLength": 1, "title": "a"}, UNKNOWN),
        ({"$ref": "#/$defs/gone"}, {"title": "anything"}, YES),
        ({"$ref": "#/$defs/gone"}, TEXT, UNKNOWN),
        # What cannot be said in one: each part has to hold.
        ({"type": "string", "pattern": "^a"}, {"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]},
         UNKNOWN),
        (MAIL, {"allOf": [{"format": "shoe-size"}, {"format": "email"}, {"format": "date"}]}, NO),
        (MAIL, {"allOf": [{"format": "email"}, {"format": "byte"}, {"format": "binary"}]}, YES),
        # Of several only one may hold, or any.
        (TEXT, {"anyOf": [TEXT, {}]}, YES),
        (TEXT, {"oneOf": [TEXT, WHOLE, {"type": "null"}]}, YES),
        (TEXT, {"oneOf": [{"minLength": 2}, WHOLE]}, UNKNOWN),
        (TEXT, {"anyOf": [{"minLength": 2}, {"minLength": 3}]}, UNKNOWN),
        # A number that is whole may come from a type that does not promise it.
        ({"type": "number"}, WHOLE, UNKNOWN),
        (WHOLE, {"type": "number"}, YES),
        ({"type": "number"}, TEXT, NO),
        # A type that JSON has not: nothing is known of it.
        ({"type": "file"}, {"minLength": 1}, UNKNOWN),
        ({"type": "file"}, {"type": "string", "minLength": 1}, NO),
        ({"type": ["file", "string"]}, {"minLength": 0}, UNKNOWN),
    ],
)  # fmt: skip
def test_every_way_to_say_a_type_has_its_answer(source: Any, target: Any, expected: Flow) -> None:
    assert answer(source, target) is expected


def test_the_same_words_about_other_definitions_are_not_the_same() -> None:
    def document(of: Any) -> Any:
        inside = {"properties": {"a": {"$ref": "#/$defs/x"}}}
        return {"type": "array", "items": inside, "$defs": {"x": of}}

    assert answer(document(TEXT), document(WHOLE)) is UNKNOWN
    assert answer(document(TEXT), document({"minLength": 3})) is UNKNOWN


def test_a_type_fits_itself_whatever_it_says() -> None:
    odd = Type.of({"type": "array", "contains": TEXT, "$defs": {"other": {"contains": WHOLE}}})

    assert flows(odd, odd) is YES
    assert flows(odd, odd.below({"type": "array", "contains": WHOLE})) is UNKNOWN


def linked(value: Any, **first: Any) -> Any:
    """A list of linked nodes, each with one value."""
    members = first | {"value": value, "next": {"$ref": "#"}}
    return {"type": "object", "properties": members, "required": ["value", "next"]}


def test_types_that_contain_themselves_are_compared_to_the_end() -> None:
    assert answer(linked(TEXT), linked({"type": "string", "minLength": 0})) is YES
    assert answer(linked(TEXT), linked(WHOLE)) is NO
    assert answer(linked(TEXT), linked({"minLength": 1})) is UNKNOWN
    assert answer(linked(TEXT, a=TEXT, b=WHOLE), linked({"minLength": 0}, a=TEXT, b=WHOLE)) is YES


def test_a_type_is_not_proved_by_itself() -> None:
    endless: Any = {"type": "object", "properties": {"a": TEXT}, "allOf": [{"$ref": "#"}]}
    source = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}

    assert answer(source, endless) is UNKNOWN
    assert answer(source, {"anyOf": [{"$ref": "#"}]}) is UNKNOWN
    assert answer(source, {"properties": {"a": TEXT}, "anyOf": [{"$ref": "#"}]}) is UNKNOWN


def test_what_held_only_as_long_as_another_pair_might_is_forgotten_with_it() -> None:
    def document(word: Any, *beside: Any) -> Any:
        inner, outer = {"$ref": "#/$defs/inner"}, {"$ref": "#/$defs/outer"}
        needs = {"type": "object", "additionalProperties": False}
        return needs | {
            "properties": {"a": {"anyOf": [outer, *beside]} if beside else outer, "b": inner},
            "required": ["a", "b"],
            "$defs": {
                "inner": needs | {"properties": {"outer": outer}, "required": ["outer"]},
                "outer": needs
                | {"properties": {"inner": inner, "word": word}, "required": ["inner", "word"]},
            },
        }

    assert answer(document(TEXT), document(TEXT, {})) is YES
    assert answer(document(TEXT), document(WHOLE, {})) is NO


def nested(levels: int, of: Any) -> Any:
    for _ in range(levels):
        of = {"type": "array", "minItems": 1, "items": of}
    return of


def test_forty_levels_are_looked_at_and_what_lies_deeper_is_left_to_the_run() -> None:
    assert answer(nested(40, TEXT), nested(40, {"type": "string", "minLength": 0})) is YES
    assert answer(nested(40, TEXT), nested(40, WHOLE)) is NO
    assert answer(nested(41, TEXT), nested(41, {"type": "string", "minLength": 0})) is UNKNOWN
    assert answer(nested(41, TEXT), nested(41, WHOLE)) is UNKNOWN


def test_a_wide_type_is_no_deep_one() -> None:
    wide = {f"m{number}": nested(2, TEXT) for number in range(45)}
    source = {"type": "object", "properties": wide, "required": [*wide]}

    assert answer(source, source | {"title": "another"}) is YES
    assert answer(source, source | {"properties": wide | {"m44": nested(2, WHOLE)}}) is NO


def made_of_itself(arms: int) -> JsonObject:
    """A schema that is one of many alternatives, each of which is the schema."""
    below: JsonObject = {"$ref": "#/$defs/v"}
    alternatives: list[JsonValue] = [
        {"type": "object", "properties": {"x": below, f"p{number}": {"type": "string"}}}
        for number in range(arms)
    ]
    return {"$defs": {"v": {"anyOf": [*alternatives, *[below] * arms]}}, **below}


def made_of_the_next_twice(levels: int) -> JsonObject:
    """A schema of parts, each of which is the next one twice."""
    parts: JsonObject = {
        f"p{number}": {"allOf": [{"$ref": f"#/$defs/p{number + 1}"}] * 2}
        for number in range(levels)
    }
    last: JsonObject = {"allOf": [{"pattern": "a"}, {"pattern": "b"}], "properties": {"x": {}}}
    return {"$defs": {**parts, f"p{levels}": last}, "$ref": "#/$defs/p0"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("schema", [made_of_itself(20), made_of_the_next_twice(60)])
def test_a_schema_that_is_made_of_itself_many_times_is_looked_at_as_far_as_one_can(
    schema: JsonObject,
) -> None:
    found = Type.of(schema)

    assert kinds(found) in (None, {"object"})
    assert isinstance(child(found, "x"), Type)
    assert kinds(items_of(found)) in (None, {"object"})
    assert flows(found, Type.of({"type": "string", "minLength": 5})) is not Flow.YES
    assert found.keywords.get("allOf") in (None, [{"pattern": "b"}])


def test_of_the_schemas_that_were_read_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "_VALIDATORS", kept := {})
    monkeypatch.setattr(types, "MOST_VALIDATORS", 2)
    asked = [Type.of({"minimum": least}) for least in range(4)]
    told = [validity(2, each) for each in asked]
    last = [*kept.values()]

    assert told == [YES, YES, YES, NO]
    assert [validity(2, each) for each in asked[2:]] == [YES, NO]
    assert len(last) == 2
    assert all(one is other for one, other in zip(last, kept.values(), strict=True))
