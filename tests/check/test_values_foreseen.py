"""What is known of a call before it is made: its values, its objects, its amounts."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, Sink
from executor.check.analysis import Analysis
from executor.check.budgets import (
    Amount,
    Budgets,
    amounts_of,
    at_sinks,
    by_currency,
    minor_units,
    total,
)
from executor.check.known import known_arguments, known_input
from executor.check.objects import objects_of
from executor.check.parse import plan_of
from executor.check.unknown import Unknown, is_open
from executor.plan.model import Plan
from executor.plan.types import Type

OPEN = Unknown(None)
PAY: dict[str, Any] = {
    "name": "pay.refund",
    "effect": "blind",
    "input_schema": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "n": {"type": "integer"},
            "any": {},
            "amount": {"type": "object"},
            "price": {"type": "number"},
            "lines": {"type": "array", "items": {"type": "object"}},
        },
    },
    "sinks": {
        "id": "resource_id",
        "any": "resource_id",
        "amount": "amount",
        "price": "amount",
        "lines/*/price": "amount",
        "rows/0/price": "amount",
    },
}
ACTION = ActionSpec.model_validate(PAY)
FIND = ActionSpec.model_validate(
    {
        "name": "pay.find",
        "effect": "read",
        "input_schema": {},
        "output_schema": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "open": {}, "either": {}},
            "required": ["id"],
        },
        "sinks": {"amount": "amount"},
    }
)


def known(*args: dict[str, Any], inputs: Any = None) -> Any:
    """The arguments of a refund after a look, as far as they are known."""
    steps = [
        {"id": "f", "action": "pay.find"},
        {"id": "a", "action": "pay.refund", "args": list(args)},
    ]
    plan = plan_of({"steps": steps})
    assert isinstance(plan, Plan)
    analysis = Analysis(plan, Catalog([ACTION, FIND]), {})
    bindings = analysis.bindings(plan.steps[1])
    return known_arguments(bindings, inputs or {}, Type.of(ACTION.input_schema))


INPUTS: Any = {"a": {"b": ["x", {"c": 1}]}, "text": "word", "n": 7}


@pytest.mark.parametrize(
    ("ref", "value"),
    [
        ("input", INPUTS),
        ("input/a/b", ["x", {"c": 1}]),
        ("input/a/b/0", "x"),
        ("input/a/b/1/c", 1),
        ("input/n", 7),
    ],
)
def test_what_lies_in_the_inputs_is_known(ref: str, value: Any) -> None:
    assert known_input(ref, INPUTS) == value


@pytest.mark.parametrize(
    "ref",
    [
        "step", "step/a", "each", "input/gone", "input/a/b/2", "input/a/b/x", "input/a/b/-1",
        "input/a/b/01", "input/text/0", "input/text/w", "input/n/0",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_known(ref: str) -> None:
    found = known_input(ref, INPUTS)

    assert isinstance(found, Unknown)
    assert found.kinds is None


def test_constants_and_inputs_are_known_and_results_are_not() -> None:
    found = known(
        {"value": "x", "to": "id"},
        {"ref": "input/n", "to": "n"},
        {"json": '{"a": [1]}', "to": "any"},
        {"ref": "f/id", "to": "amount/currency"},
        {"text": [{"lit": "so "}, {"ref": "input/text"}], "to": "amount/amount"},
        inputs=INPUTS,
    )

    assert found["id"] == "x"
    assert found["n"] == 7
    assert found["any"] == {"a": [1]}
    assert found["amount"]["amount"] == "so word"
    assert isinstance(found["amount"]["currency"], Unknown)
    assert is_open(found)
    assert not is_open({"a": [1, {"b": None}]})


@pytest.mark.parametrize(
    ("arg", "kinds"),
    [
        ({"ref": "f/id", "to": "any"}, {"string"}),
        ({"ref": "f/id", "to": "id"}, {"string"}),
        ({"ref": "f/open", "to": "id"}, {"string"}),
        ({"ref": "f/open", "to": "n"}, {"integer"}),
        ({"ref": "f/id", "to": "n"}, set()),
        ({"ref": "f/open", "to": "any"}, None),
        ({"ref": "f/gone", "to": "id"}, {"string"}),
        ({"ref": "f/id", "to": "gone"}, {"string"}),
        ({"text": [{"lit": "a"}, {"ref": "f/id"}], "to": "id"}, {"string"}),
        ({"text": [{"lit": "a"}, {"ref": "input/n"}], "to": "id"}, {"string"}),
        ({"json": '{"a": 1, "a": 2}', "to": "any"}, None),
    ],
)
def test_either_end_tells_the_type_of_what_is_not_known(arg: Any, kinds: set[str] | None) -> None:
    found = known(arg, inputs=INPUTS)[arg["to"]]

    assert isinstance(found, Unknown)
    assert found.kinds == kinds


def test_a_whole_that_is_no_object_is_not_known() -> None:
    assert isinstance(known({"value": "x", "to": ""}), Unknown)
    assert isinstance(known({"ref": "f", "to": ""}), Unknown)
    assert known({"json": '{"id": "x"}', "to": ""}) == {"id": "x"}


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({"id": "x"}, {"x"}),
        ({"id": "x", "any": "y", "n": 5}, {"x", "y"}),
        ({"any": ["x", "y", ["z"]]}, {"x", "y", "z"}),
        ({"any": {"a": "x", "b": {"c": 7}}}, {"x", "7"}),
        ({"any": 7}, {"7"}),
        ({"any": 7.0}, {"7"}),
        ({"any": 7.5}, {"7.5"}),
        ({"any": [None, True, False]}, set()),
        ({"n": 5}, set()),
        ({}, set()),
        ({"id": OPEN}, None),
        ({"id": "x", "any": ["y", OPEN]}, None),
        (OPEN, None),
    ],
)
def test_the_objects_of_a_call_are_its_ids_as_texts(arguments: Any, ids: set[str] | None) -> None:
    assert objects_of(ACTION, arguments) == ids


def amounts(arguments: Any, action: ActionSpec = ACTION) -> list[tuple[str, str | None, Any]]:
    return [
        ("/".join(each.at), each.currency, each.value) for each in amounts_of(action, arguments)
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"amount": {"amount": "1.50", "currency": "eur"}}, [("amount", "EUR", Decimal("1.50"))]),
        ({"amount": {"amount": "-1.50", "currency": "EUR"}}, [("amount", "EUR", Decimal("1.50"))]),
        ({"amount": {"amount": OPEN, "currency": "EUR"}}, [("amount", "EUR", None)]),
        ({"amount": {"amount": "1", "currency": OPEN}}, [("amount", None, Decimal(1))]),
        ({"amount": {"amount": "1", "currency": 5}}, [("amount", "", Decimal(1))]),
        ({"amount": {"amount": "much", "currency": "EUR"}}, [("amount", "EUR", None)]),
        ({"amount": {"amount": True, "currency": "EUR"}}, [("amount", "EUR", None)]),
        ({"price": 0.1}, [("price", "", Decimal("0.1"))]),
        ({"price": -5}, [("price", "", Decimal(5))]),
        ({"price": 5, "currency": "usd"}, [("price", "USD", Decimal(5))]),
        ({"price": 5, "currency": OPEN}, [("price", None, Decimal(5))]),
        ({"price": None}, []),
        ({"price": OPEN}, [("price", None, None)]),
        ({"price": [1, "2"]}, [("price/0", "", Decimal(1)), ("price/1", "", Decimal(2))]),
        (
            {"lines": [{"price": "1", "currency": "EUR"}, {"price": "2"}, {"other": 1}]},
            [("lines/0/price", "EUR", Decimal(1)), ("lines/1/price", "", Decimal(2))],
        ),
        ({"lines": {"a": {"price": 1}}}, [("lines/a/price", "", Decimal(1))]),
        ({"lines": [OPEN]}, [("lines/0/price", None, None)]),
        ({"lines": OPEN}, [("lines/*/price", None, None)]),
        ({"rows": [{"price": 1}, {"price": 2}]}, [("rows/0/price", "", Decimal(1))]),
        ({"rows": {"0": {"price": 1}, "1": {"price": 2}}}, [("rows/0/price", "", Decimal(1))]),
        ({"lines": "none", "id": "x"}, []),
    ],
)
def test_the_amounts_of_a_call_are_read_wherever_they_stand(arguments: Any, expected: Any) -> None:
    assert amounts(arguments) == expected


def test_a_read_moves_no_money() -> None:
    assert ACTION.effect is Effect.BLIND
    assert amounts({"amount": 5}, FIND) == []


def test_values_are_found_by_the_class_of_their_place() -> None:
    found = [(value, at) for value, _, at in at_sinks(ACTION, Sink.RESOURCE_ID, {"id": 1, "n": 2})]

    assert found == [(1, ("id",))]


def test_sums_are_exact_and_by_currency() -> None:
    assert total([]) == 0
    assert total([Decimal("0.1")] * 3) == Decimal("0.3")
    assert total([Decimal("1e40"), Decimal("1e-40")]) == Decimal(
        "1" + "0" * 40 + "." + "0" * 39 + "1"
    )
    assert by_currency(
        [
            Amount((), "EUR", Decimal("1.1")),
            Amount((), "EUR", Decimal("2.2")),
            Amount((), "", Decimal(5)),
            Amount((), None, Decimal(7)),
            Amount((), "USD", None),
        ]
    ) == {"EUR": Decimal("3.3"), "": Decimal(5)}


@pytest.mark.parametrize(
    ("currency", "value", "minor"),
    [
        ("EUR", "1.23", 123), ("EUR", "1.230", 123), ("EUR", "1.231", 124), ("JPY", "5", 5),
        ("JPY", "5.01", 6), ("KWD", "1.2341", 1235), ("EUR", "0", 0),
    ],
)  # fmt: skip
def test_a_part_of_a_minor_unit_counts_as_a_whole(currency: str, value: str, minor: int) -> None:
    assert minor_units(currency, Decimal(value)) == minor


def test_a_budget_of_money_names_its_currencies_or_all_the_others() -> None:
    assert Budgets().most("EUR") is None
    assert Budgets(money={"EUR": "5"}).most("EUR") == 5
    assert Budgets(money={"EUR": "5"}).most("USD") == 0
    assert Budgets(money={"EUR": "5"}).most("") == 0
    assert Budgets(money={"EUR": "5", "*": "2"}).most("USD") == 2
    assert Budgets(money={"EUR": "5", "*": "2"}).most("EUR") == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0}, {"items": -1}, {"all_items": -1}, {"calls": -1}, {"run_s": 0},
        {"planning_tokens": 0}, {"money": {"eur": "1"}}, {"money": {"EURO": "1"}},
        {"money": {"EUR": "-1"}}, {"money": {"EUR": "1e3"}}, {"money": {"EUR": "1.1234567"}},
        {"money": {"EUR": "1" * 16}}, {"other": 1},
    ],
)  # fmt: skip
def test_a_budget_that_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Budgets.model_validate(wrong)


def test_the_smallest_budgets_are_budgets() -> None:
    least = Budgets.model_validate(
        {"steps": 1, "items": 0, "all_items": 0, "calls": 0, "run_s": 1, "planning_tokens": 1}
    )

    assert (least.steps, least.items, least.calls) == (1, 0, 0)
    assert Budgets.model_validate({"money": {"*": "1" * 15 + ".123456"}})
    assert Budgets().model_dump() == {
        "steps": 50, "items": 1_000, "all_items": 5_000, "calls": 5_000, "money": {},
        "run_s": 604_800, "planning_tokens": 200_000,
    }  # fmt: skip
