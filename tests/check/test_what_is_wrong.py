"""What is wrong with a plan is told of all of it, also where other things are wrong already."""

from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import AdmissionContext, Inputs, Rejected, admit
from executor.check.parse import plan_of
from executor.plan.model import Plan

ROWS = {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
LOOK = {
    "name": "it.look", "effect": "read", "input_schema": {"type": "object"},
    "output_schema": {
        "type": "object", "properties": {"rows": ROWS, "id": {"type": "string"}},
        "required": ["rows", "id"], "additionalProperties": False,
    },
}  # fmt: skip
NEEDS = {"name": "it.needs", "effect": "read", "input_schema": {"required": ["x", "y"]}}


def told(*steps: dict[str, Any]) -> list[tuple[str, str]]:
    """The codes of what is wrong, each with its place."""
    plan = plan_of({"steps": [*steps]})
    assert isinstance(plan, Plan), plan
    catalog = Catalog([ActionSpec.model_validate(each) for each in (LOOK, NEEDS)])
    who = Principal("u", "t")
    found = admit(plan, AdmissionContext("", Inputs(), catalog, None, who, "2026-01-31", b"k"))
    return (
        [(each.code, each.at) for each in found.violations] if isinstance(found, Rejected) else []
    )


def look(name: str, *refs: str, **more: Any) -> dict[str, Any]:
    args = [{"ref": ref, "to": f"x{at}"} for at, ref in enumerate(refs)]
    return {"id": name, "action": "it.look", "args": args} | more


CIRCLE = (look("a", "b/id"), look("b", "a/id"))


def test_of_steps_that_wait_for_each_other_it_is_known_what_they_give() -> None:
    assert told(look("a", "b/gone"), look("b", "a/id")) == [
        ("unknown-path", "/steps/0/args/0/ref"), ("cycle", "/steps/0"),
    ]  # fmt: skip
    assert told(*CIRCLE, look("c", "a/gone")) == [
        ("unknown-path", "/steps/2/args/0/ref"), ("cycle", "/steps/0"),
    ]  # fmt: skip


def test_and_what_functions_and_steps_over_lists_make_of_it() -> None:
    first = {"id": "f", "action": "fn.max_by", "args": [{"ref": "a/rows", "to": "list"},
                                                        {"value": "n", "to": "by"}]}  # fmt: skip
    over = {"id": "o", "action": "it.look", "each": "a/rows"}

    assert told(*CIRCLE, first, look("c", "f/n")) == [("cycle", "/steps/0")]
    assert told(*CIRCLE, over, look("c", "o/0/gone")) == [
        ("unknown-path", "/steps/3/args/0/ref"), ("cycle", "/steps/0"),
    ]  # fmt: skip


def test_a_function_on_the_circle_is_known_once_its_list_is() -> None:
    best = {"id": "f", "action": "fn.max_by", "args": [{"ref": "a/rows", "to": "list"},
                                                       {"value": "n", "to": "by"}]}  # fmt: skip

    assert told(look("a", "f/n"), best, look("c", "f/gone")) == [
        ("unknown-path", "/steps/2/args/0/ref"), ("cycle", "/steps/0"),
    ]  # fmt: skip


def test_what_is_required_is_so_where_no_type_is_said() -> None:
    step = {"id": "a", "action": "it.needs"}

    assert told(step | {"args": [{"value": 1, "to": "x"}]}) == [
        ("missing-argument", "/steps/0/args")
    ]
    assert told(step | {"args": [{"value": 1, "to": "x"}, {"value": 2, "to": "y"}]}) == []


@pytest.mark.parametrize(("argument", "codes"), [("options", []), ("where", ["not-comparable"])])
def test_only_a_clause_compares(argument: str, codes: list[str]) -> None:
    """An object that looks like one elsewhere is a value like any other."""
    parts = [("field", "n"), ("op", "<"), ("value", "soon")]
    args: list[Any] = [{"value": value, "to": f"{argument}/0/{name}"} for name, value in parts]
    rows = [{"ref": "look/rows", "to": "list"}] if argument == "where" else []
    function = "fn.select" if argument == "where" else "fn.first_of"
    step = {"id": "f", "action": function, "args": [*rows, *args]}

    assert [code for code, _ in told(look("look"), step)] == codes


def test_a_step_is_no_part_of_another_however_far_down() -> None:
    assert told(look("a.b"), look("a.b.c.d")) == [("duplicate-id", "/steps/1/id")]
    assert told(look("a.b"), look("a.bc"), look("a.c.b")) == []


def test_what_an_action_calls_where_is_its_own() -> None:
    clause = '[{"field": "n", "op": "<", "value": "soon"}]'
    rows = {"ref": "look/rows", "to": "list"}
    args = [rows, {"json": clause, "to": "where"}]

    assert told(look("look"), {"id": "a", "action": "it.look", "args": args}) == []
    clauses = told(look("look"), {"id": "f", "action": "fn.select", "args": args})
    assert [code for code, _ in clauses] == ["not-comparable"]
