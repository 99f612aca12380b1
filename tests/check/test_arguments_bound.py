"""The rules over arguments one by one: what each says, where, and what it leaves to another."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check import arguments
from executor.check.analysis import Analysis
from executor.plan.model import Plan

TEXT = {"type": "string"}
PAIR = {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "additionalProperties": False}


def analysed(*steps: Any, schema: Any = PAIR, output: Any = None, answer: Any = ()) -> Analysis:
    given = {"name": "it.do", "effect": "read", "input_schema": schema, "output_schema": output}
    plan = Plan.model_validate_json(json.dumps({"steps": steps, "answer": answer}))
    return Analysis(plan, Catalog([ActionSpec.model_validate(given)]), {})


def step(*args: Any, **more: Any) -> dict[str, Any]:
    return {"id": "s", "action": "it.do", "args": args} | more


def value(to: str, given: Any = "x") -> dict[str, Any]:
    return {"value": given, "to": to}


def told(rule: Any, analysis: Analysis) -> list[tuple[str, str]]:
    return [(each.code, each.at) for each in rule(analysis)]


def test_a_place_that_is_bound_thrice_is_told_twice() -> None:
    assert told(arguments.bound_once, analysed(step(value("a"), value("a"), value("a")))) == [
        ("overlapping-argument", "/steps/0/args/1/to"),
        ("overlapping-argument", "/steps/0/args/2/to"),
    ]


def test_a_number_that_nobody_can_carry_is_told_wherever_it_stands() -> None:
    large = 2**53
    conds = [{"left": "input/today", "op": "==", "value": large},
             {"subject": "input/today", "op": "in", "list": [1, large]}]  # fmt: skip
    found = analysed(step(value("a", large), when=conds, expect=conds))

    assert told(arguments.readable_constants, found) == [
        ("number-out-of-range", f"/steps/0/{at}")
        for at in ("args/0/value", "when/0/value", "when/1/list/1", "expect/0/value",
                   "expect/1/list/1")
    ]  # fmt: skip


def test_a_step_without_an_action_is_no_concern_of_arguments() -> None:
    found = analysed(step(value("c"), value("c"), action="it.gone"))

    assert told(arguments.known_arguments, found) == []
    assert told(arguments.required_arguments, found) == []
    assert told(arguments.fits_as_a_whole, found) == []


@pytest.mark.parametrize(
    ("schema", "names"), [(PAIR, ("a", "b")), ({"additionalProperties": False}, ())]
)
def test_an_argument_that_nobody_takes_is_told_with_those_that_there_are(
    schema: Any, names: tuple[str, ...]
) -> None:
    (found,) = arguments.known_arguments(analysed(step(value("c")), schema=schema))

    assert (found.code, found.at, found.candidates) == (
        "unknown-argument", "/steps/0/args/0/to", names,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("needed", "missing"),
    [
        ({"type": "object", "required": ["x"]}, ["o/x"]),
        ({"required": ["x"]}, ["o/x"]),
        ({"type": ["object", "null"], "required": ["x"]}, ["o/x"]),
        ({"type": "string", "required": ["x"]}, []),  # no object, and so needs no members
        ({"type": "object", "required": "x"}, []),
        ({"type": "object", "required": ["y"]}, []),
    ],
)
def test_what_is_bound_in_part_needs_the_rest(needed: Any, missing: list[str]) -> None:
    schema = {"type": "object", "properties": {"o": needed}, "required": ["o"]}
    found = [*arguments.required_arguments(analysed(step(value("o/y")), schema=schema))]
    whole = step({"json": "{}", "to": ""})

    assert [each.candidates for each in found] == [(each,) for each in missing]
    assert told(arguments.required_arguments, analysed(whole, schema=schema)) == []


def test_a_piece_of_a_text_is_told_where_its_root_may_stand() -> None:
    def pieces(*refs: str) -> Any:
        return step({"text": [{"lit": "so "}, *({"ref": each} for each in refs)], "to": "a"})

    output = {"type": "object", "properties": {"o": {"type": "object"}}}
    got = {"id": "got", "action": "it.do"}

    assert told(arguments.right_types, analysed(got, pieces("got/o"), output=output)) == [
        ("type-mismatch", "/steps/1/args/0/text/1/ref"),
    ]
    assert told(arguments.right_types, analysed(pieces("result/o"), output=output)) == []


def test_two_types_that_read_alike_are_told_apart_by_their_members() -> None:
    inner = {"type": "object", "properties": {"x": TEXT}, "required": ["x"],
             "additionalProperties": False}  # fmt: skip
    other = inner | {"properties": {"y": TEXT}, "required": ["y"]}
    schema = {"type": "object", "properties": {"a": inner, "b": TEXT}}
    steps = [{"id": "got", "action": "it.do"}, step({"ref": "got/o", "to": "a"}),
             step({"ref": "got/o", "to": "b"}, id="t")]  # fmt: skip
    output = {"type": "object", "properties": {"o": other}}
    found = [each.message for each in arguments.right_types(
        analysed(*steps, schema=schema, output=output))]  # fmt: skip

    assert found == [
        "object can never be one with the members wanted for 'a'",
        "object can never be string for 'b'",
    ]


NEEDS_BOTH = PAIR | {"minProperties": 2}


def test_what_fits_one_by_one_and_not_together_says_why() -> None:
    (flaw,) = arguments.fits_as_a_whole(analysed(step(value("a")), schema=NEEDS_BOTH))
    got = {"id": "got", "action": "it.do", "args": [value("a"), value("b")]}
    open_one = step({"ref": "got/any", "to": "a"})
    (unsure,) = arguments.fits_as_a_whole(analysed(got, open_one, schema=NEEDS_BOTH))

    assert (flaw.code, flaw.at) == ("type-mismatch", "/steps/0/args")
    assert "less than 2 properties" in flaw.message or "fewer" in flaw.message, flaw.message
    assert unsure.message.endswith("never be valid: they exclude each other")


@pytest.mark.parametrize(
    "args",
    [
        [value("a"), value("a")],
        [value("c")],
        [value("a", 1)],
        [{"json": "{", "to": "a"}],
    ],
)
def test_where_something_smaller_is_wrong_the_whole_is_not_told(args: Any) -> None:
    schema = PAIR | {"minProperties": 3}

    assert told(arguments.fits_as_a_whole, analysed(step(*args), schema=schema)) == []


def test_places_of_an_answer_are_bound_once_and_leave_no_gap() -> None:
    entries = [value(to) for to in ("x/0", "x/2", "y", "y/z", "o/a")]

    assert told(arguments.sound_answer, analysed(answer=entries)) == [
        ("overlapping-argument", "/answer/3/to"),
        ("sparse-array", "/answer"),
    ]
    assert told(arguments.sound_answer, analysed(answer=[value("x/0"), value("x/1")])) == []
    assert told(arguments.sound_answer, analysed(answer=[value("")])) == []
