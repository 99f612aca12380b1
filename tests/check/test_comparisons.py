"""What can be compared with what: in conditions of steps, and in those that functions are given."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import AdmissionContext, Inputs, Rejected, admit
from executor.check.conditions import order_flaw
from executor.check.parse import plan_of
from executor.plan.model import Plan
from executor.plan.types import MISSING, Type

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
DATE, TIME = {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}
MONEY: dict[str, Any] = {
    "type": "object",
    "properties": {"amount": TEXT, "currency": TEXT},
    "required": ["amount", "currency"],
}
ROW: dict[str, Any] = {
    "type": "object",
    "properties": {"day": DATE, "n": WHOLE, "name": TEXT, "is": {"type": "boolean"}, "sum": MONEY},
    "required": ["day", "n", "name", "is", "sum"],
}
OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": ROW},
        "map": {"type": "object", "properties": {"a": ROW}},
        "any": {},
        "either": {"anyOf": [TEXT, WHOLE]},
        **ROW["properties"],
    },
}
CATALOG = Catalog(
    [
        ActionSpec.model_validate(
            {"name": "a.read", "effect": "read", "input_schema": {}, "output_schema": OUTPUT}
        ),
        ActionSpec.model_validate(
            {
                "name": "a.find",
                "effect": "read",
                "input_schema": {
                    "type": "object",
                    "properties": {"where": {}, "by": TEXT, "key": TEXT, "fields": {}, "list": {}},
                },
            }
        ),
    ]
)
READ: dict[str, Any] = {"id": "r", "action": "a.read"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (WHOLE, {"type": "number"}),
        (WHOLE, {"const": 1.5}),
        (TEXT, TEXT),
        (TEXT, {"const": "a"}),
        (DATE, DATE),
        (DATE, {"const": "2026-01-01"}),
        (TIME, {"const": "2026-01-01T10:00:00Z"}),
        (DATE, TEXT),
        (TEXT, DATE),
        (MONEY, MONEY),
        ({"type": ["string", "null"]}, TEXT),
        ({"type": ["boolean", "string"]}, {"type": ["null", "string"]}),
        ({"type": "string", "format": "email"}, DATE),
        ({"format": "date"}, {"const": "x"}),
        ({"type": ["string", "null"], "format": "date"}, {"const": "x"}),
        ({}, {"const": True}),
        (True, {"type": "array"}),
    ],
)
def test_what_may_have_an_order_is_left_to_the_run(left: Any, right: Any) -> None:
    assert order_flaw(Type.of(left), Type.of(right)) is None
    assert order_flaw(Type.of(right), Type.of(left)) is None


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        (TEXT, WHOLE, "string has no order with integer"),
        (DATE, TIME, "string (date) has no order with string (date-time)"),
        (DATE, {"const": "soon"}, 'string (date) has no order with "soon"'),
        (TIME, {"const": "2026-01-01"}, 'string (date-time) has no order with "2026-01-01"'),
        (TEXT, {"type": "boolean"}, "boolean has no order"),
        ({"type": "boolean"}, TEXT, "boolean has no order"),
        ({"type": "boolean"}, {"type": "null"}, "boolean has no order"),
        ({"const": None}, WHOLE, "null has no order"),
        ({"type": "array"}, {"type": "array"}, "array has no order"),
        (MONEY, TEXT, "object has no order with string"),
        ({"type": ["boolean", "string"]}, {"type": ["boolean", "integer"]}, None),
    ],
)
def test_what_can_have_no_order_is_told(left: Any, right: Any, told: str | None) -> None:
    assert order_flaw(Type.of(left), Type.of(right)) == told


def test_what_is_not_there_has_no_flaw_of_its_own() -> None:
    assert order_flaw(None, Type.of(TEXT)) is None
    assert order_flaw(MISSING, Type.of(TEXT)) is None
    assert order_flaw(Type.of(TEXT), MISSING) is None


def flaws(*steps: Any) -> list[tuple[str, str]]:
    plan = plan_of({"steps": [READ, *steps]})
    assert isinstance(plan, Plan), plan
    context = AdmissionContext(
        "", Inputs(), CATALOG, None, Principal("me", "main"), "2026-03-02", b"key"
    )
    found = admit(plan, context)
    return [(e.code, e.at) for e in found.violations] if isinstance(found, Rejected) else []


def given(action: str, **args: Any) -> Any:
    """A step: values, and texts that begin with `@` as references."""
    bound: list[dict[str, Any]] = []
    for name, value in args.items():
        to = name.replace("__", "/")
        if isinstance(value, list | dict):
            bound.append({"json": json.dumps(value), "to": to})
        elif isinstance(value, str) and value.startswith("@"):
            bound.append({"ref": value[1:], "to": to})
        else:
            bound.append({"value": value, "to": to})
    return {"id": "f", "action": action, "args": bound}


def clause(field: Any, op: Any, value: Any) -> Any:
    return {"field": field, "op": op, "value": value}


def chosen(*clauses: Any) -> Any:
    return given("fn.filter", list="@r/rows", where=list(clauses))


COMPARED = [("not-comparable", "/steps/1/args/1")]


@pytest.mark.parametrize("op", ["<", "<=", ">", ">="])
def test_a_clause_compares_like_with_like(op: str) -> None:
    assert flaws(chosen(clause("n", op, 5))) == []
    assert flaws(chosen(clause("n", op, "5"))) == COMPARED
    assert flaws(chosen(clause("is", op, True))) == COMPARED
    assert flaws(chosen(clause("day", op, "soon"))) == COMPARED
    assert flaws(chosen(clause("day", op, "2026-01-01"))) == []


def test_every_clause_is_looked_at() -> None:
    assert flaws(chosen(clause("n", "==", 5), clause("n", "<", "5"))) == COMPARED
    assert flaws(chosen(clause("n", "<", "5"), clause("n", "<", "6"))) == COMPARED * 2
    assert flaws(chosen()) == []


@pytest.mark.parametrize(
    ("each", "is_sound"),
    [
        (clause("n", "==", "5"), True),
        (clause("n", "!=", True), True),
        (clause("name", "matches", "^a"), True),
        (clause("name", "matches", "("), False),
        (clause("name", "exists", True), True),
        (clause("name", "exists", False), True),
        (clause("name", "exists", "yes"), False),
    ],
)
def test_patterns_and_existence_take_their_own_constants(each: Any, is_sound: bool) -> None:
    assert flaws(chosen(each)) == ([] if is_sound else COMPARED)


def bound(field: Any, op: Any, value: Any) -> Any:
    parts = {"where__0__field": field, "where__0__op": op, "where__0__value": value}
    return given("fn.filter", list="@r/rows", **parts)


def test_a_clause_may_be_bound_part_by_part() -> None:
    place = [("not-comparable", "/steps/1/args/3")]

    assert flaws(bound("n", "<", "@r/n")) == []
    assert flaws(bound("n", "<", "@r/name")) == place
    assert flaws(bound("n", "<", "@r/any")) == []
    assert flaws(bound("n", "<", "@r/either")) == []
    assert flaws(bound("name", "matches", "@r/name")) == []
    assert flaws(bound("name", "exists", "@r/is")) == []
    assert flaws(bound("@r/name", "<", True)) == []
    assert flaws(bound("day", "<", "@r/name")) == []


PATH = "unknown-path"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (chosen(clause("gone", "==", 1)), [(PATH, "/steps/1/args/1/json")]),
        (bound("gone", "==", 1), [(PATH, "/steps/1/args/1/value")]),
        (given("fn.sort", list="@r/rows", by="gone"), [(PATH, "/steps/1/args/1/value")]),
        (given("fn.sort", list="@r/rows", by="n"), []),
        (given("fn.sum", list="@r/rows", field="gone"), [(PATH, "/steps/1/args/1/value")]),
        (given("fn.sum", list="@r/rows", field="n"), []),
        (given("fn.pick", list="@r/rows", fields=["n", "gone"]), [(PATH, "/steps/1/args/1/json")]),
        (given("fn.pick", list="@r/rows", fields__0="n", fields__1="gone"),
         [(PATH, "/steps/1/args/2/value")]),
        (given("fn.pick", list="@r/rows", fields=["n"]), []),
        (given("fn.lookup", map="@r/map", key="gone"), [(PATH, "/steps/1/args/1/value")]),
        (given("fn.lookup", map="@r/map", key="a"), []),
        (given("fn.sort", list="@r/any", by="gone"), []),
        (given("fn.sort", by="gone"), [("missing-argument", "/steps/1/args")]),
    ],
)  # fmt: skip
def test_every_field_that_a_function_is_told_is_looked_for(step: Any, expected: Any) -> None:
    assert flaws(step) == expected


def test_an_action_may_call_its_arguments_as_it_likes() -> None:
    rows = [{"name": "x"}]

    assert flaws(given("a.find", list=rows, by="gone", key="gone", fields=["gone"])) == []
    assert flaws(given("a.find", list=rows, where=[clause("gone", "<", True)])) == []


def test_names_that_could_be_meant_are_told() -> None:
    plan = plan_of({"steps": [READ, chosen(clause("nme", "==", 1))]})
    assert isinstance(plan, Plan)
    context = AdmissionContext(
        "", Inputs(), CATALOG, None, Principal("me", "main"), "2026-03-02", b"key"
    )
    found = admit(plan, context)
    assert isinstance(found, Rejected)

    assert found.violations[0].candidates == ("day", "n", "name", "is", "sum")


def conditioned(name: str, **cond: Any) -> Any:
    return {"id": "c", "action": "a.read", name: [cond]}


@pytest.mark.parametrize(
    ("cond", "is_sound"),
    [
        ({"left": "r/n", "op": "<", "value": 5}, True),
        ({"left": "r/n", "op": "<=", "value": "5"}, False),
        ({"left": "r/n", "op": ">=", "value": "5"}, False),
        ({"left": "r/n", "op": "==", "value": "5"}, True),
        ({"lhs": "r/n", "op": "<", "rhs": "r/name"}, False),
        ({"lhs": "r/sum", "op": "<", "rhs": "r/sum"}, True),
        ({"lhs": "r/sum", "op": "<", "rhs": "r/name"}, False),
        ({"lhs": "r/n", "op": "exists", "rhs": "r/is"}, False),
        ({"lhs": "r/name", "op": "matches", "rhs": "r/name"}, False),
        ({"left": "r/name", "op": "matches", "value": "^a"}, True),
        ({"left": "r/name", "op": "matches", "value": "("}, False),
        ({"left": "r/n", "op": "matches", "value": "^a"}, False),
        ({"left": "r/any", "op": "matches", "value": "^a"}, True),
        ({"left": "r/either", "op": "matches", "value": "^a"}, True),
        ({"left": "r/any", "op": "<", "value": True}, True),
        ({"left": "r/name", "op": "exists", "value": False}, True),
        ({"left": "r/name", "op": "exists", "value": 1}, False),
        ({"subject": "r/n", "op": "in", "list": ["a", True, None]}, True),
    ],
)
@pytest.mark.parametrize("name", ["when", "expect"])
def test_a_condition_compares_like_with_like(name: str, cond: Any, is_sound: bool) -> None:
    expected = [] if is_sound else [("not-comparable", f"/steps/1/{name}/0")]

    assert flaws(conditioned(name, **cond)) == expected


def test_a_condition_on_what_is_not_there_is_told_once() -> None:
    for op, value in (("<", 5), ("matches", "^a")):
        assert flaws(conditioned("when", left="r/gone", op=op, value=value)) == [
            (PATH, "/steps/1/when/0/left")
        ]
