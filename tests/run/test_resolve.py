"""From references to values: what a step's arguments and conditions come to."""

import json
from typing import Any

import pytest
from run_cases import action

from executor.check.certificate import Guard, Standing, StepDecision, ValueLabel
from executor.plan.model import Plan, Step
from executor.run.resolve import (
    ABSENT,
    ResolveError,
    Scope,
    bind,
    build_answer,
    check_guards,
    first_false,
    value_at,
)

SCOPE = Scope(
    {"n": 1, "list": [{"id": "a"}, {"id": "b"}], "a/b": {"~": 5}, "none": None},
    {"find": {"id": 7, "price": 2.50, "whole": 3.0, "ok": True, "text": "two"}},
    {"each": {"id": "item"}},
)
OPEN = {"type": "object"}
OPEN_CALL = action("shop.open")
ARRAY = {"type": "object", "properties": {"to": {"type": "array", "items": {"type": "string"}}}}
ARRAY_CALL = action("shop.array", input_schema=ARRAY)


def made(**members: Any) -> Step:
    """A step, as a plan's JSON says it."""
    given = {"id": "it", "action": "shop.read"} | members
    return Plan.model_validate_json(json.dumps({"steps": [given]})).steps[0]


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("input/n", 1),
        ("input/list/1/id", "b"),
        ("input/a~1b/~0", 5),
        ("input/none", None),
        ("find/id", 7),
        ("each/id", "item"),
        ("input/list/2", ABSENT),
        ("input/list/01", ABSENT),
        ("input/n/deeper", ABSENT),
        ("input/none/deeper", ABSENT),
        ("other", ABSENT),
        ("each_item", ABSENT),
    ],
)
def test_a_reference_leads_to_a_value_or_to_nothing(at: str, found: Any) -> None:
    assert value_at(SCOPE, at) == found


def test_arguments_are_built_where_their_pointers_say() -> None:
    step = made(
        args=[
            {"ref": "find/id", "to": "order/id"},
            {"value": None, "to": "order/note"},
            {"json": '{"a": [1]}', "to": "more"},
            {"ref": "input/list/0/id", "to": "to/0"},
            {"value": "second", "to": "to/1"},
        ]
    )

    assert bind(step, SCOPE, ARRAY) == {
        "order": {"id": 7, "note": None},
        "more": {"a": [1]},
        "to": ["a", "second"],
    }


def test_one_argument_may_be_all_of_them_but_only_as_an_object() -> None:
    assert bind(made(args=[{"ref": "find", "to": ""}]), SCOPE, OPEN)["id"] == 7
    with pytest.raises(ResolveError, match="are an object") as told:
        bind(made(args=[{"ref": "input/list", "to": ""}]), SCOPE, OPEN)
    assert told.value.code == "type-mismatch"


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        ("find/id", "is 7"), ("find/price", "is 2.5"), ("find/whole", "is 3"),
        ("find/ok", "is true"), ("find/text", "is two"),
    ],
)  # fmt: skip
def test_pieces_are_joined_to_a_text(ref: str, text: str) -> None:
    step = made(args=[{"text": [{"lit": "is "}, {"ref": ref}], "to": "text"}])

    assert bind(step, SCOPE, OPEN) == {"text": text}


@pytest.mark.parametrize("ref", ["input/none", "input/list", "find"])
def test_null_lists_and_objects_are_no_text(ref: str) -> None:
    with pytest.raises(ResolveError) as told:
        bind(made(args=[{"text": [{"ref": ref}], "to": "text"}]), SCOPE, OPEN)

    assert (told.value.code, told.value.at) == ("type-mismatch", "text")


@pytest.mark.parametrize(
    ("arg", "named"),
    [
        ({"ref": "find/absent", "to": "x"}, "find/absent"),
        ({"text": [{"lit": "a"}, {"ref": "b/c"}, {"ref": "find/id"}], "to": "x"}, "b/c, find/id"),
    ],
)
def test_what_is_missing_is_named(arg: dict[str, Any], named: str) -> None:
    with pytest.raises(ResolveError, match=f"nothing is at {named}") as told:
        bind(made(args=[arg]), SCOPE, OPEN)

    assert (told.value.code, told.value.at) == ("missing-value", "x")


def test_the_first_of_several_leaves_out_what_is_missing() -> None:
    first = {"action": "fn.first_of"}
    some = made(args=[{"ref": "no", "to": "options/0"}, {"ref": "find/id", "to": "options/1"}])
    none = made(args=[{"ref": "no", "to": "options/0"}])
    schema = {"type": "object", "properties": {"options": {"type": "array"}}}

    assert bind(some.model_copy(update=first), SCOPE, schema) == {"options": [7]}
    assert bind(none.model_copy(update=first), SCOPE, schema) == {"options": []}


@pytest.mark.parametrize(
    ("condition", "is_true"),
    [
        ({"left": "find/id", "op": "==", "value": 7.0}, True),
        ({"left": "find/id", "op": ">=", "value": 8}, False),
        ({"left": "find/text", "op": "matches", "value": "^tw"}, True),
        ({"left": "input/none", "op": "exists", "value": True}, True),
        ({"left": "input/absent", "op": "exists", "value": True}, False),
        ({"left": "input/absent", "op": "exists", "value": False}, True),
        ({"lhs": "find/id", "op": "!=", "rhs": "input/n"}, True),
        ({"lhs": "find/id", "op": "<", "rhs": "input/n"}, False),
        ({"subject": "find/id", "op": "in", "list": [6, 7]}, True),
        ({"subject": "find/text", "op": "in", "list": ["one"]}, False),
    ],
)
def test_a_condition_is_true_or_false(condition: dict[str, Any], is_true: bool) -> None:
    step = made(when=[condition])

    assert (first_false(step.when, SCOPE) is None) is is_true


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ({"left": "input/absent", "op": "==", "value": None}, "missing-value"),
        ({"lhs": "input/n", "op": "==", "rhs": "input/absent"}, "missing-value"),
        ({"subject": "absent", "op": "in", "list": [1]}, "missing-value"),
        ({"left": "find/text", "op": ">", "value": 1}, "not-comparable"),
        ({"lhs": "find/ok", "op": "<", "rhs": "find/id"}, "not-comparable"),
    ],
)
def test_a_condition_on_what_is_not_there_or_not_comparable_is_neither(
    condition: dict[str, Any], code: str
) -> None:
    with pytest.raises(ResolveError) as told:
        first_false(made(when=[condition]).when, SCOPE)

    assert told.value.code == code


def test_the_result_is_a_scope_of_its_own() -> None:
    step = made(expect=[{"left": "result/ok", "op": "==", "value": True}])

    assert first_false(step.expect, SCOPE.with_own(result={"ok": True})) is None
    assert value_at(SCOPE.with_own(result=1), "each/id") == "item"


def decision(*guards: Guard) -> StepDecision:
    return StepDecision(
        step="it", action="shop.read", effect="read", standing=Standing.CONDITIONAL, guards=guards,
        result_label=ValueLabel(integrity="trusted"),
    )  # type: ignore[arg-type]  # the text of an enumeration  # fmt: skip


def test_guards_are_checked_where_they_stand_and_the_schema_as_a_whole() -> None:
    guard = Guard(kind="type", at="to", why="open", expected={"type": "string"})
    late = Guard(kind="policy", at="", why="decided on the real values")
    check_guards(decision(guard, late), {"to": "x"}, OPEN_CALL)
    check_guards(decision(guard), {}, OPEN_CALL)  # an argument that is not there has no type

    with pytest.raises(ResolveError) as told:
        check_guards(decision(guard), {"to": 1}, OPEN_CALL)
    assert (told.value.code, told.value.at) == ("type-mismatch", "to")
    with pytest.raises(ResolveError) as told:
        check_guards(decision(), {"to": [1]}, ARRAY_CALL)
    assert told.value.at == "to/0"
    with pytest.raises(ResolveError, match="cannot be read"):
        check_guards(decision(), {}, action("shop.odd", input_schema={"type": "no such type"}))


def test_an_answer_leaves_out_what_is_not_there() -> None:
    plan = Plan.model_validate_json(
        json.dumps(
            {
                "answer": [
                    {"ref": "find/id", "to": "id"},
                    {"ref": "skipped/id", "to": "other"},
                    {"text": [{"lit": "x"}, {"ref": "skipped"}], "to": "text"},
                ]
            }
        )
    )

    assert build_answer(plan.answer, SCOPE) == {"id": 7}
