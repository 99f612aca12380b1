"""What people are told: a type in a few words, and a violation with its step and a few names."""

from typing import Any

import pytest

from executor.check.say import MOST_CANDIDATES, PRINTABLE, say, shown
from executor.check.types import Flow, flows
from executor.check.violation import Violation
from executor.plan.model import Step
from executor.plan.types import Type


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["string", "null", "integer"]}, "integer or null or string"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"format": "date"}, "any value (date)"),
        ({}, "any value"),
        ({"const": "é"}, '"é"'),
        ({"const": None}, "null"),
        ({"enum": [1, "a"]}, 'one of [1, "a"]'),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "boolean"}}}, "boolean"),
        ({"$ref": "#/gone"}, "any value"),
        ({"const": "x" * 58}, '"' + "x" * 58 + '"'),
        ({"const": "x" * 59}, '"' + "x" * 56 + "..."),
    ],
)
def test_a_type_is_told_in_a_few_words(schema: Any, words: str) -> None:
    assert shown(Type.of(schema)) == words


def test_a_violation_names_its_step_and_a_few_candidates() -> None:
    names = [f"name-{number}" for number in range(20)]
    told = say("unknown-path", "/steps/0", "nothing is there", Step(id="a", action="x.y"), names)

    assert told == Violation(
        "unknown-path", "/steps/0", "nothing is there", "a", tuple(names[:MOST_CANDIDATES]), ""
    )
    assert MOST_CANDIDATES == 8
    assert say("cycle", "", "it waits for itself", None).step is None
    assert told.as_json()["candidates"] == names[:8]


@pytest.mark.parametrize("name", ["string", "number", "integer", "boolean"])
def test_texts_numbers_and_booleans_may_be_pieces_of_a_text(name: str) -> None:
    assert flows(Type.of({"type": name}), PRINTABLE) is Flow.YES


@pytest.mark.parametrize("name", ["null", "array", "object"])
def test_nothing_else_may(name: str) -> None:
    assert flows(Type.of({"type": name}), PRINTABLE) is Flow.NO
