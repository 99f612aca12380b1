"""A plan as large as one may be is judged about as fast as it is read.

Each of these took from some seconds to hours, and four times as long for twice as many parts.
"""

import json
from typing import Any

import pytest
from suite_cases import context

from executor.check.admit import Accepted, Rejected, Verdict, admit
from executor.check.extent import MOST_PATTERNS, MOST_VALUES
from executor.check.parse import parse_plan
from executor.plan.model import Plan

pytestmark = pytest.mark.timeout(30)
ORDERS = {"id": "all", "action": "orders.list_orders"}
DEAR = "x{0,1000}" * 20  # most of a second to read, if it is read to the end
FORBID = """permit (principal, action, resource);
forbid (principal, action, resource) when { context.run.succeeded.contains("orders.stock") };"""


def judged(*steps: dict[str, Any], **given: Any) -> Verdict:
    plan = parse_plan(json.dumps({"steps": steps}))
    assert not isinstance(plan, tuple), plan[0]
    return admit(plan, context(given))


def typed(value: Any, schema: Any) -> dict[str, Any]:
    return {
        "id": "typed",
        "action": "fn.typed",
        "args": [
            {"json": json.dumps(value), "to": "value"},
            {"json": json.dumps(schema), "to": "schema"},
        ],
    }


def typed_of(ref: str, schema: Any) -> dict[str, Any]:
    return typed(None, schema) | {
        "args": [{"ref": ref, "to": "value"}, {"json": json.dumps(schema), "to": "schema"}]
    }


def test_clauses_in_one_constant() -> None:
    clauses = [{"field": "id", "op": "!=", "value": f"x{number}"} for number in range(2_400)]
    where = {"json": json.dumps(clauses), "to": "where"}
    step = {"id": "some", "action": "fn.filter", "args": [{"ref": "all", "to": "list"}, where]}

    assert isinstance(judged(ORDERS, step), Accepted)


def test_clauses_place_by_place() -> None:
    places = [
        {"value": value, "to": f"where/{number}/{name}"}
        for number in range(900)
        for name, value in (("field", "id"), ("op", "!="), ("value", "x1"))
    ]
    step = {"id": "some", "action": "fn.filter", "args": [{"ref": "all", "to": "list"}, *places]}

    assert isinstance(judged(ORDERS, step), Accepted)


def test_arguments_that_nobody_knows() -> None:
    args = [{"value": "x", "to": f"a{number}"} for number in range(3_000)]

    assert isinstance(judged({"id": "some", "action": "fn.join", "args": args}), Rejected)


def test_a_list_of_objects_of_which_no_two_have_a_member_in_common() -> None:
    listed = json.dumps([{f"k{number}": 1} for number in range(4_900)])
    where = json.dumps([{"field": "k1", "op": "==", "value": 1}])
    args = [{"json": listed, "to": "list"}, {"json": where, "to": "where"}]

    assert isinstance(judged({"id": "one", "action": "fn.select", "args": args}), Accepted)


def test_thousands_of_arguments_of_many_alternatives() -> None:
    arms = [
        {"properties": {f"m{at}": {"type": "string"}}, "required": [f"m{at}"]} for at in range(60)
    ]
    options = [{"ref": "typed", "to": f"value/{number}/of"} for number in range(1_500)]
    many = {
        "json": json.dumps({"items": {"properties": {"of": {"anyOf": arms[::-1]}}}}),
        "to": "schema",
    }

    assert isinstance(
        judged(
            {"id": "any", "action": "tools.any"},
            typed_of("any", {"anyOf": arms}),
            {"id": "again", "action": "fn.typed", "args": [*options, many]},
        ),
        Accepted,
    )


def test_steps_that_all_wait_for_all_before_them() -> None:
    steps = [
        {"id": f"s{number}", "action": "orders.stock", "after": [f"s{at}" for at in range(number)]}
        for number in range(95)
    ]

    assert isinstance(judged(*steps, policy=FORBID, budgets={"steps": 95}), Rejected)


def test_thousands_of_clauses_over_thousands_of_constants() -> None:
    rows = [{f"f{number % 500}": number} for number in range(2_900)]
    clauses = [{"field": f"f{number % 500}", "op": "<", "value": 5} for number in range(1_000)]
    args = [{"json": json.dumps(rows), "to": "list"}, {"json": json.dumps(clauses), "to": "where"}]

    assert isinstance(judged({"id": "s", "action": "fn.select", "args": args}), Accepted)


def test_thousands_of_names_in_alternatives_of_alternatives() -> None:
    arms = [
        {"anyOf": [{"properties": {f"m{at}": {}}, "additionalProperties": {}} for at in range(14)]}
        for _ in range(20)
    ]
    names = [{"ref": f"typed/x{number}", "to": f"value/x{number}"} for number in range(2_000)]
    again = {"id": "again", "action": "fn.typed", "args": [*names, {"json": "{}", "to": "schema"}]}
    verdict = judged({"id": "any", "action": "tools.any"}, typed_of("any", {"anyOf": arms}), again)

    assert isinstance(verdict, Accepted)


def test_of_very_many_reasons_it_is_told_how_many_more_there_are() -> None:
    fields = json.dumps([f"no{number}" for number in range(3_000)])
    args = [{"ref": "all", "to": "list"}, {"json": fields, "to": "fields"}]
    verdict = judged(ORDERS, {"id": "p", "action": "fn.pick", "args": args})

    assert isinstance(verdict, Rejected)
    assert len(verdict.violations) == 1_001
    assert verdict.violations[-1].code == "too-large"
    assert verdict.violations[-1].message == "there are 2000 more reasons"


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [f"x{number}" for number in range(9_900)]},
        {"allOf": [{"pattern": f"^(?:(a*)*\\1|{number})$"} for number in range(90)]},
        {"$ref": "#/$defs/a0"}
        | {
            "$defs": {f"a{at}": {"anyOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(30)}
            | {"a30": {"type": "null"}}
        },
    ],
    ids=["many values", "patterns that look back", "references that double"],
)
def test_a_schema_that_takes_long_is_none(schema: Any) -> None:
    verdict = judged(typed("a" * 40, schema))

    assert isinstance(verdict, Rejected)
    assert {each.at for each in verdict.violations} == {"/steps/0/args/1/json"}


def test_a_schema_as_plans_have_is_one() -> None:
    address = {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}}}
    schema = {"$defs": {"address": address}, "items": {"$ref": "#/$defs/address"}, "type": "array"}

    assert isinstance(judged(typed([{"zip": "10115"}], schema)), Accepted)
    assert isinstance(judged(typed([{"zip": "1011"}], schema)), Rejected)


def refused(*steps: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with a plan that is not even looked at."""
    found = parse_plan(json.dumps({"steps": steps}))
    assert isinstance(found, tuple)
    (violation,) = found
    return violation.code, violation.message


def test_patterns_that_are_short_and_say_very_much() -> None:
    looks = [
        {"left": "all/0/id", "op": "matches", "value": f"{DEAR}{number}"}
        for number in range(MOST_PATTERNS)
    ]
    verdict = judged(ORDERS, {"id": "some", "action": "orders.stock", "when": looks})

    assert isinstance(verdict, Rejected)
    assert {each.code for each in verdict.violations} == {"not-comparable"}
    assert len(verdict.violations) == MOST_PATTERNS


@pytest.mark.parametrize(
    "steps",
    [
        [
            {"id": f"s{at}", "action": "orders.stock", name: [
                {"left": "all/0/id", "op": "matches", "value": f"^{at}"}
            ]}
            for at in range(MOST_PATTERNS + 1)
            for name in (("when", "expect")[at % 2],)
        ],
        [
            {"id": "some", "action": "fn.filter", "args": [
                {"ref": "all", "to": "list"},
                {"json": json.dumps([
                    {"field": "id", "op": "matches", "value": f"^{at}"}
                    for at in range(MOST_PATTERNS)
                ]), "to": "where"},
                {"value": "matches", "to": "where/100/op"},
            ]},
        ],
        [typed("a", {"allOf": [{"pattern": f"^{at}"} for at in range(MOST_PATTERNS + 1)]})],
        [typed({}, {"patternProperties": {f"^{at}": {} for at in range(MOST_PATTERNS + 1)}})],
        [
            {"id": "whole", "action": "fn.typed", "args": [{"json": json.dumps({
                "value": 1, "schema": {"allOf": [{"pattern": "^a"}] * (MOST_PATTERNS + 1)},
            }), "to": ""}]},
        ],
    ],
    ids=["conditions", "clauses", "a schema", "names in a schema", "in one argument"],
)  # fmt: skip
def test_more_patterns_than_a_plan_has(steps: list[dict[str, Any]]) -> None:
    assert refused(ORDERS, *steps) == ("too-large", "101 patterns; a plan has at most 100")


def test_more_values_inside_constants_than_a_plan_has() -> None:
    half = json.dumps([*range(MOST_VALUES // 2)])
    counts = [
        {"id": name, "action": "fn.count", "args": [{"json": half, "to": "list"}]} for name in "ab"
    ]

    told = "10002 values inside its constants; a plan has at most 10000"
    assert refused(*counts) == ("too-large", told)


def test_what_only_looks_like_a_pattern_is_data() -> None:
    rows = json.dumps([{"pattern": "striped", "op": "matches"}] * 200)
    step = {"id": "some", "action": "fn.count", "args": [{"json": rows, "to": "list"}]}

    assert isinstance(judged(step), Accepted)


def test_amounts_of_thousands_of_currencies() -> None:
    # Larger than what is read of a plan: four times as many took sixteen times as long.
    amounts = json.dumps([{"amount": "1", "currency": f"C{number}"} for number in range(30_000)])
    args = [{"json": amounts, "to": "amount"}, {"value": "p1", "to": "payment_id"}]
    step = {"id": "refund", "action": "payments.refund_create", "args": args}
    plan = Plan.model_validate_json(json.dumps({"steps": [step]}))

    assert isinstance(admit(plan, context({"budgets": {"money": {"EUR": "5"}}})), Rejected)
