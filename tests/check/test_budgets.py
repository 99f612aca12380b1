"""What a call moves, what a plan certainly uses, and that the certificate keeps the budgets."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    Rejected,
    SealBrokenError,
    Verdict,
    admit,
    restore,
    to_row,
)
from executor.check.budgets import Budgets, amounts_of, by_currency, minor_units
from executor.plan.model import Plan

KEY = b"key"


def action(name: str, **more: Any) -> ActionSpec:
    manifest: dict[str, Any] = {"name": name, "input_schema": {"type": "object"}, "approval": None}
    return ActionSpec.model_validate(manifest | more)


PAY = action("bank.pay", sinks={"amount": "amount"})
READ = action("bank.read", effect="read", sinks={"amount": "amount"})


def verdict(steps: list[dict[str, Any]], budgets: Budgets, **inputs: Any) -> Verdict:
    schema = {"type": "object", "additionalProperties": True}
    context = AdmissionContext(
        "pay", Inputs(schema, inputs), Catalog([PAY, READ]), None, Principal("a", "main"),
        "2026-01-01", KEY, budgets=budgets,
    )  # fmt: skip
    return admit(Plan.model_validate_json(json.dumps({"steps": steps})), context)


def sums(arguments: Any, spec: ActionSpec = PAY) -> dict[str, str]:
    return {name: f"{each:f}" for name, each in by_currency(amounts_of(spec, arguments)).items()}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"amount": {"amount": "12.50", "currency": "EUR"}}, {"EUR": "12.50"}),
        ({"amount": {"amount": "-12.50", "currency": "eur"}}, {"EUR": "12.50"}),
        ({"amount": 12.5, "currency": "EUR"}, {"EUR": "12.5"}),
        ({"amount": 1e22}, {"": "10000000000000000000000"}),
        ({"amount": 0.1}, {"": "0.1"}),
        ({"amount": "7"}, {"": "7"}),
        ({"amount": [1, [2, {"amount": "3", "currency": "JPY"}]]}, {"": "3", "JPY": "3"}),
        ({"amount": None}, {}),
        ({"amount": "seven"}, {}),
        ({"amount": True}, {}),
        ({}, {}),
        ([], {}),
    ],
)
def test_amounts_are_read_as_exact_numbers_of_a_currency(arguments: Any, found: Any) -> None:
    assert sums(arguments) == found


def test_a_read_moves_no_money() -> None:
    assert amounts_of(READ, {"amount": 7}) == ()


def test_amounts_are_found_in_every_element_and_member() -> None:
    lines = action("bank.lines", sinks={"lines/*/price": "amount", "fee/0": "amount"})
    arguments = {
        "lines": [{"price": 1, "currency": "EUR"}, {"price": 2, "currency": "USD"}, {}],
        "fee": [4, 8],
    }

    assert sums(arguments, lines) == {"EUR": "1", "USD": "2", "": "4"}


@given(st.lists(st.decimals("0.01", "99999.99", places=2), max_size=30))
def test_sums_lose_nothing(amounts: list[Decimal]) -> None:
    arguments: Any = {"amount": [{"amount": f"{each:f}", "currency": "EUR"} for each in amounts]}
    cents = sum(int(each * 100) for each in amounts)
    found = by_currency(amounts_of(PAY, arguments)).get("EUR", Decimal(0))

    assert minor_units("EUR", found) == cents


def test_a_part_of_a_minor_unit_counts_as_a_whole_one() -> None:
    assert minor_units("EUR", Decimal("0.001")) == 1
    assert minor_units("JPY", Decimal("12")) == 12


def test_the_violation_says_how_much_it_is_and_how_much_it_may_be() -> None:
    steps = [
        {"id": f"s{n}", "action": "bank.pay", "args": [{"ref": "input/sum", "to": "amount"}]}
        for n in range(3)
    ]
    budgets = Budgets(calls=2, money={"EUR": "20"})
    found = verdict(steps, budgets, sum={"amount": "9.50", "currency": "EUR"})

    assert isinstance(found, Rejected)
    assert [(each.at, each.message) for each in found.violations] == [
        ("/steps/2/action", "3 calls of bank; at most 2 are allowed in a run"),
        ("/steps/2/args/0", "28.50 EUR; at most 20 are allowed in a run"),
    ]


def test_a_guard_says_what_is_counted_in_the_run() -> None:
    steps = [
        {"id": "r", "action": "bank.read"},
        {
            "id": "p",
            "action": "bank.pay",
            "each": "r/all",
            "args": [{"ref": "each", "to": "amount"}],
        },
    ]
    found = verdict(steps, Budgets(money={"EUR": "20"}))

    assert isinstance(found, Accepted)
    assert [each.why for each in found.certificate.of("p").guards if each.kind == "budget"] == [
        "counted at run time: at most 1000 items of p",
        "counted at run time: at most 5000 calls of bank",
        "counted at run time: at most 20 EUR",
    ]


def test_of_lists_that_are_known_the_items_are_counted_beforehand() -> None:
    def whys(budgets: Budgets, *lists: str) -> list[str]:
        steps = [
            {"id": f"s{at}", "action": "bank.read", "each": each} for at, each in enumerate(lists)
        ]
        found = verdict([{"id": "r", "action": "bank.read"}, *steps], budgets, two=[1, 2])
        assert isinstance(found, Accepted), found
        last = found.certificate.steps[-1]
        return [each.why.partition("at most ")[2] for each in last.guards if each.kind == "budget"]

    two = "input/two"
    assert whys(Budgets(items=2, all_items=4, calls=5), two, two) == []
    assert whys(Budgets(items=9, all_items=11, calls=50), two, "r/all") == [
        "9 items of s1", "50 calls of bank",
    ]  # fmt: skip
    assert whys(Budgets(items=9, all_items=10), "r/all", two) == ["10 items of all steps"]
    assert whys(Budgets(items=9, all_items=11), "r/all", two) == []


def test_the_budgets_are_under_the_seal() -> None:
    found = verdict([{"id": "r", "action": "bank.read"}], Budgets(money={"EUR": "20", "*": "0"}))
    assert isinstance(found, Accepted)
    row: Any = json.loads(json.dumps(to_row(found)))
    again = restore(row, KEY)
    row["certificate"]["budgets"]["money"]["EUR"] = "2000"

    assert again.certificate.budgets == Budgets(money={"EUR": "20", "*": "0"})
    with pytest.raises(SealBrokenError):
        restore(row, KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"money": {"EUR": 20}}, {"money": {"eur": "20"}}, {"money": {"EUR": "-1"}}, {"steps": 0},
        {"items": -1}, {"run_s": 0}, {"tokens": 1}, {"money": {"EUR": "NaN"}},
    ],
)  # fmt: skip
def test_a_budget_that_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Budgets.model_validate(wrong)


def test_a_budget_is_this_much_where_nobody_says_otherwise() -> None:
    least = {"steps": 1, "items": 0, "all_items": 0, "calls": 0, "run_s": 1, "planning_tokens": 1}

    assert Budgets().model_dump() == {
        "steps": 50, "items": 1_000, "all_items": 5_000, "calls": 5_000, "money": {},
        "run_s": 604_800, "planning_tokens": 200_000,
    }  # fmt: skip
    assert Budgets.model_validate(least).model_dump() == least | {"money": {}}
    for name, value in least.items():
        with pytest.raises(ValidationError):
            Budgets.model_validate({name: value - 1})
    with pytest.raises(ValidationError):
        Budgets().steps = 1  # type: ignore[misc]  # it is sealed
    for money in ({"*": "1"}, {"EUR": "999999999999999.999999"}):
        assert Budgets.model_validate({"money": money}).money == money


EACH = {"each": "input/list", "when": [{"left": "each", "op": "!=", "value": 3}]}


def called(name: str, action: str = "bank.pay", **more: Any) -> dict[str, Any]:
    return {"id": name, "action": action} | more


def pays(name: str, amount: Any, **more: Any) -> dict[str, Any]:
    return called(name, args=[{"json": json.dumps(amount), "to": "amount"}], **more)


def told(steps: list[dict[str, Any]], budgets: Budgets, **inputs: Any) -> Any:
    """The codes of what is wrong; else where each step is counted in the run."""
    found = verdict(steps, budgets, **inputs)
    if isinstance(found, Rejected):
        return [each.message for each in found.violations]
    assert isinstance(found, Accepted)
    return {
        each.step: [(guard.at, guard.why) for guard in each.guards if guard.kind == "budget"]
        for each in found.certificate.steps
    }


EUR, USD = {"amount": "9", "currency": "EUR"}, {"amount": "9", "currency": "USD"}
COUNTED = "counted at run time: at most"


def test_items_that_may_each_be_skipped_take_nothing_for_certain() -> None:
    many = called("many", **EACH)
    known = {"list": [1, 2, 3]}

    assert told([many], Budgets(calls=0), **known) == {"many": [("", f"{COUNTED} 0 calls of bank")]}
    assert told([many, called("a"), called("b")], Budgets(calls=1), **known) == [
        "2 calls of bank; at most 1 are allowed in a run",
    ]
    assert told([called("many", each="input/list")], Budgets(calls=2), **known) == [
        "3 calls of bank; at most 2 are allowed in a run",
    ]


def test_of_a_list_that_nobody_knows_the_calls_are_counted() -> None:
    listed = called("many", each="input/list/0")

    assert told([listed], Budgets(calls=0, items=7, all_items=7), list=[{"x": 1}])["many"] == [
        ("", f"{COUNTED} 7 items of many"),
        ("", f"{COUNTED} 0 calls of bank"),
    ]
    again = called("again", each="many")
    assert told([called("many", each="input/list"), again], Budgets(calls=6), list=[1, 2, 3]) == {
        "many": [], "again": [],
    }  # fmt: skip
    assert told([called("many", each="input/list"), again], Budgets(calls=5), list=[1, 2, 3]) == [
        "6 calls of bank; at most 5 are allowed in a run",
    ]


def test_a_circle_of_lists_is_told_as_a_circle_alone() -> None:
    found = verdict([called("a", each="b"), called("b", each="a")], Budgets(calls=0))

    assert isinstance(found, Rejected)
    assert {each.code for each in found.violations} == {"cycle"}


def test_what_is_too_much_is_told_by_currency() -> None:
    budgets = Budgets(money={"EUR": "8", "USD": "8", "CHF": "1"})

    assert told([pays("a", USD), pays("b", EUR), pays("c", 5)], budgets) == [
        "5 of no currency; at most 0 are allowed in a run",
        "9 EUR; at most 8 are allowed in a run",
        "9 USD; at most 8 are allowed in a run",
    ]
    assert told([pays("a", [EUR, USD])], Budgets(money={"*": "9"})) == {"a": []}
    assert told([pays("a", EUR)], Budgets(money={"EUR": "9"})) == {"a": []}


def test_an_amount_that_may_be_of_any_currency_is_counted_for_each() -> None:
    got = called("got", "bank.read", args=[])
    open_one = called("pay", args=[{"ref": "got/x", "to": "amount"}])
    shown = told([got, open_one], Budgets(money={"EUR": "9", "*": "1"}))

    assert shown["pay"] == [("amount", f"{COUNTED} 1 *"), ("amount", f"{COUNTED} 9 EUR")]
    steps = [got, pays("pay", EUR), open_one | {"id": "then"}]
    assert told(steps, Budgets(money={"EUR": "9"})) == {
        "got": [], "pay": [], "then": [("amount", f"{COUNTED} 9 EUR")],
    }  # fmt: skip
