"""A schema that doubles with each of its references is seen before anything is compared with it."""

from typing import Any

import pytest

from connectors.unfold import parts_of
from connectors.validate import first_flaw, schema_flaw

WORD = {"type": "string"}


def doubling(levels: int, leaf: Any, *, key: str = "anyOf") -> dict[str, Any]:
    below = [{"$ref": f"#/$defs/a{level + 1}"} for level in range(levels)]
    parts: dict[str, Any] = {f"a{level}": {key: [each, each]} for level, each in enumerate(below)}
    return {"$defs": parts | {f"a{levels}": leaf}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize("key", ["anyOf", "oneOf", "allOf", "prefixItems"])
def test_what_doubles_with_every_reference_is_no_schema(key: str) -> None:
    assert schema_flaw(doubling(5, WORD, key=key)) is None

    assert "more than 10,000,000 parts" in (schema_flaw(doubling(40, WORD, key=key)) or "")
    assert first_flaw(doubling(40, WORD, key=key), "word") == "the schema cannot be read"


def test_of_a_schema_that_is_large_in_place_it_is_told_only_that_a_value_is_wrong() -> None:
    assert first_flaw(doubling(18, WORD), "word") is None
    told = first_flaw(doubling(18, WORD), 7)
    assert told == "it is not of the shape that its schema says"


@pytest.mark.parametrize(
    ("schema", "parts"),
    [
        ({}, 1),
        ({"type": ["string", "null"]}, 2),
        ({"$defs": {"word": WORD}, "$ref": "#/$defs/word"}, 2),
        ({"$defs": {"word": WORD}}, 1),
        ({"properties": {"$defs": {"$ref": "#/x"}}, "x": {"not": WORD}}, 7),
        ({"properties": {"$ref": WORD}}, 3),
        ({"items": {"$ref": "#"}}, 3),
        ({"items": {"$ref": "#anchor"}}, 5),
        ({"items": {"$ref": "#/nowhere"}}, 2),
        (doubling(3, WORD), 1 + 4 + 2 * 4 + 4 * 4 + 8),
    ],
)
def test_a_reference_counts_as_what_it_refers_to_and_one_to_itself_once(
    schema: dict[str, Any], parts: int
) -> None:
    assert parts_of(schema) == parts


def test_a_long_chain_of_references_is_counted_without_going_deep() -> None:
    chain = {f"a{at}": {"$ref": f"#/$defs/a{at + 1}"} for at in range(20_000)}
    assert parts_of({"$defs": chain | {"a20000": WORD}, "$ref": "#/$defs/a0"}) == 20_002
