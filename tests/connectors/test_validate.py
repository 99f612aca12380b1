"""What is wrong with a value is found in bounded time, and told with its place where that is."""

from typing import Any

import pytest

from connectors.validate import first_flaw

INSIDE = {"$ref": "#/$defs/node"}


def node(*wants: str, at: str = "next") -> dict[str, Any]:
    return {"type": "object", "properties": {at: INSIDE}, "required": [*wants]}


def inside_itself(part: dict[str, Any]) -> dict[str, Any]:
    return {"$defs": {"node": part}, **INSIDE}


def deep(levels: int, leaf: Any) -> Any:
    for _ in range(levels):
        leaf = {"next": leaf}
    return leaf


@pytest.mark.parametrize("part", [
    {"anyOf": [node("id"), node("name")]},
    {"oneOf": [node("id"), node("name"), {"type": "null"}]},
    {"allOf": [node(), node()]},
    {"anyOf": [node("id"), node("name")], "unevaluatedProperties": False},
    {"dependentSchemas": {"next": node()}, "properties": {"next": INSIDE}, "type": "object"},
], ids=lambda part: ", ".join(part))  # fmt: skip
def test_what_is_wrong_in_a_deep_answer_does_not_double_with_every_level(part: Any) -> None:
    assert first_flaw(inside_itself(part), deep(60, 7)) is not None


def test_of_a_value_that_is_not_deep_it_is_told_where_it_is_wrong() -> None:
    flaw = first_flaw(inside_itself(node("id")), {"id": 1, "next": {"id": 2, "next": {}}})
    assert flaw == "\"id\" is a required property at 'next/next'"


@pytest.mark.parametrize("name", ["#/$defs/a~1b%20c", "#/$defs/end"])
def test_a_schema_that_does_not_name_itself_tells_it_at_any_depth(name: str) -> None:
    schema: dict[str, Any] = {"$ref": name}
    for _ in range(9):
        schema = {"properties": {"next": schema}}
    schema["$defs"] = {"a/b c": {"$ref": "#/$defs/end"}, "end": {"type": "string"}}
    assert (
        first_flaw(schema, deep(9, 7))
        == f"7 is not of type \"string\" at '{'/'.join(['next'] * 9)}'"
    )


@pytest.mark.parametrize("reference", [
    {"$ref": "#"}, {"$ref": "#/$defs/node"}, {"$ref": "#/$defs/whole"}, {"$ref": "#again"},
    {"$dynamicRef": "#again"},
], ids=lambda reference: ": ".join(*reference.items()))  # fmt: skip
def test_however_a_schema_names_itself_it_is_seen(reference: dict[str, str]) -> None:
    part: Any = {"type": "object", "properties": {"next": reference}, "$dynamicAnchor": "again"}
    schema: Any = {"$defs": {"node": part, "whole": {"$ref": "#"}}, "properties": {"next": INSIDE}}
    flaw = first_flaw(schema | {"type": "object"}, deep(10, 1))
    assert flaw is not None
    assert "somewhere in its depth" in flaw


@pytest.mark.timeout(10)
def test_of_an_answer_that_is_wrong_in_a_million_places_the_first_is_told_shortly() -> None:
    schema = {"items": {"type": "string"}}
    found = first_flaw(schema, [["x" * 10_000], *[None] * 2_000_000])

    assert found is not None
    assert found.endswith(" at '0'")
    assert len(found) < 1_000
