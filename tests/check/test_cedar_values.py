"""JSON values as Cedar values: what stands beside them, what is exact, and what is not known."""

from typing import Any

import pytest

from connectors.spec import ActionSpec
from executor.check.cedar_values import Mapper, UnmappableError
from executor.check.unknown import Unknown

ACTION = ActionSpec.model_validate(
    {
        "name": "pay.refund",
        "effect": "blind",
        "input_schema": {
            "type": "object",
            "properties": {"price": {"type": "number"}, "cents": {"type": "integer"},
                           "share": {"type": "number"}, "own_each": {},
                           "rows": {"items": {"properties": {"own_keys": {}}}}},
        },
        "sinks": dict.fromkeys(("price", "cents", "text", "amount", "lines/*/price"), "amount"),
    }
)  # fmt: skip
LIST, OBJECT = Unknown(frozenset({"array"})), Unknown(frozenset({"object"}))
SURE = Unknown(frozenset({"string", "boolean", "integer", "object"}))
YEN = {"amount": "7", "currency": "JPY"}
LINES: Any = [{"sku": "b", "n": 1}, {"sku": None, "n": 2}, {"sku": "a"}, 3]


def unknown(name: str) -> Any:
    return {"__extn": {"fn": "unknown", "arg": name}}


def decimal(text: str) -> Any:
    return {"__extn": {"fn": "decimal", "arg": text}}


def mapped(given: Any, *used: str) -> Any:
    paths = frozenset(tuple(each.split("/")) for each in used)
    return Mapper(ACTION, paths).record(given, ())


@pytest.mark.parametrize(
    ("given", "used", "beside"),
    [
        ({"lines": LINES}, ["args/lines_each/sku"], {"lines_each": {"sku": ["b", "a"]}}),
        ({"lines": LINES}, ["args/lines_each/sku", "args/lines_each/n"],
         {"lines_each": {"n": [1, 2], "sku": ["b", "a"]}}),
        ({"lines": LINES}, ["args/lines_each"], {"lines_each": {}}),
        ({"lines": LINES}, ["args/other_each/sku", "args/lines/sku"], {}),
        ({"lines": LINES}, ["args/lines_keys"], {}),
        ({"lines": LINES}, ["run/lines_each/sku"], {}),
        ({"lines": LINES}, ["args/o/lines_each/sku"], {}),
        ({"lines": "text"}, ["args/lines_each/sku"], {}),
        ({"m": {"k": 1, "j": 2}}, ["args/m_keys"], {"m_keys": ["j", "k"]}),
        ({"m": {"k": 1}}, ["args/m_each/k"], {}),
        ({"lines": LIST}, ["args/lines_each/sku"], {"lines_each": unknown("args/lines_each")}),
        ({"lines": LIST}, ["args/lines_keys"], {}),
        ({"m": OBJECT}, ["args/m_keys"], {"m_keys": unknown("args/m_keys")}),
        ({"m": OBJECT}, ["args/m_each/k"], {}),
        ({"m": Unknown(None)}, ["args/m_keys", "args/m_each/k"], {}),
        ({"lines": LINES}, ["args/lines_each/sku/x"], {"lines_each": {"sku": ["b", "a"]}}),
        ({"own_each": {"a": 1}}, ["args/own_each"], {"own_each": {"a": 1}}),
        ({"own": [], "own_each": 1}, ["args/own_each/sku"], {"own_each": 1}),  # as the schema says
        ({"lines_each": 1}, ["args/other_each"], {"lines_each": 1}),
        ({"rows": [{"own": [], "own_keys": 1}]}, ["args/rows/own_keys"], {}),
        ({"lines": [{"price": {"amount": "1", "currency": "EUR"}}]}, ["args/lines_each/price"],
         {"lines_each": {"price": [{"minor": 100, "currency": "EUR"}]}}),
    ],
)  # fmt: skip
def test_beside_a_list_stand_the_values_of_its_members_where_policy_asks(
    given: Any, used: Any, beside: Any
) -> None:
    found = mapped(given, *used)
    plain = {name: each for name, each in found.items() if name.endswith(("_each", "_keys"))}

    assert plain == beside


def test_deeper_places_have_their_own_beside_them() -> None:
    found = mapped({"o": {"lines": LINES}}, "args/o/lines_each/sku")
    read: Any = Mapper(None, frozenset({("read", "shop.get", "lines_each", "sku")})).record(
        {"shop.get": {"lines": LINES}}, ("context.read",)
    )

    open_one = mapped({"o": {"lines": LIST}}, "args/o/lines_each/sku")

    assert open_one["o"]["lines_each"] == unknown("args/o/lines_each")
    assert found["o"]["lines_each"] == {"sku": ["b", "a"]}
    assert read["shop.get"]["lines_each"] == {"sku": ["b", "a"]}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"price": 1.5}, {"price": decimal("1.5")}),
        ({"price": 12}, {"price": decimal("12.0")}),  # one type for every value
        ({"price": 12.0}, {"price": decimal("12.0")}),
        ({"price": 1.23456}, {"price": "1.23456", "price_inexact": True}),
        ({"price": 922337203685476}, {"price": decimal("922337203685476.0")}),
        ({"price": 922337203685477}, {"price": 922337203685477}),
        ({"cents": 12}, {"cents": 12}),
        ({"share": 12}, {"share": 12}),
        ({"share": 0.25}, {"share": decimal("0.25")}),
        ({"share": 0.12345}, {"share": "0.12345", "share_inexact": True}),
        ({"text": "1.50"}, {"text": decimal("1.5")}),
        ({"text": "1.00000"}, {"text": decimal("1.0")}),
        ({"text": "1.00001"}, {"text": "1.00001"}),
        ({"text": "-3"}, {"text": decimal("-3.0")}),
        ({"text": "922337203685477"}, {"text": "922337203685477"}),
        ({"other": "1.50"}, {"other": "1.50"}),
        ({"amount": {"amount": "12.500", "currency": "EUR"}},
         {"amount": {"minor": 1250, "currency": "EUR"}}),
        ({"amount": YEN}, {"amount": {"minor": 7, "currency": "JPY"}}),
        ({"amount": YEN | {"times": 100, "not": None}},
         {"amount": {"minor": 7, "currency": "JPY", "times": 100}}),
        ({"other": YEN}, {"other": YEN}),
        ({"lines": [1]}, {"lines": [1], "lines_count": 1}),
        ({"gone": None}, {}),
    ],
)  # fmt: skip
def test_numbers_and_amounts_are_exact_or_said_not_to_be(given: Any, found: Any) -> None:
    assert mapped(given) == found


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"o": {"lines": [None]}}, "o/lines/*: a null inside a list"),
        ({"o": {"n": 2**63}}, "o/n: 9223372036854775808 is beyond 2^63-1"),
        ({"o": {"__extn": 1}}, "o/__extn: Cedar keeps this name for itself"),
        ({"o": {"l": [], "l_count": 2}}, "o/l_count: policy keeps this name for itself"),
        ({"amount": YEN | {"minor": 1}}, "amount/minor: policy keeps this name for itself"),
        ({"amount": {"amount": "1.001", "currency": "EUR"}},
         "amount: 1.001 EUR has a part of a minor unit"),
        ({"amount": {"amount": "x", "currency": "EUR"}}, "amount: 'x' is no amount"),
        ({"amount": {"amount": "1", "currency": "EUR "}}, "amount: 'EUR ' is no currency"),
        ({"amount": {"amount": "1", "currency": "\uff25UR"}}, "amount: '\uff25UR' is no currency"),
        ({"amount": {"amount": "1", "currency": ""}}, "amount: '' is no currency"),
        ({"amount": {"amount": 1, "currency": "EUR"}},
         "amount: an amount is {amount, currency} as texts"),
        ({"amount": {"amount": "92233720368547758.08", "currency": "EUR"}},
         "amount: 92233720368547758.08 is beyond 2^63-1 minor units"),
    ],
)  # fmt: skip
def test_what_policy_could_not_see_exactly_is_told_with_its_place(given: Any, told: str) -> None:
    with pytest.raises(UnmappableError) as error:
        mapped(given)

    assert str(error.value) == told


@pytest.mark.parametrize(
    ("given", "is_partial", "is_unsure"),
    [
        ({"a": 1}, False, False),
        ({"a": SURE}, True, False),
        ({"a": Unknown(frozenset({"string"}))}, True, False),
        ({"a": LIST}, True, False),
        ({"a": Unknown(frozenset({"array", "string"}))}, True, True),
        ({"a": Unknown(frozenset({"number"}))}, True, True),
        ({"a": Unknown(None)}, True, True),
        ({"a": [SURE]}, True, True),  # a set of what may be the same
        (Unknown(None), True, True),
        ({"amount": {"amount": SURE, "currency": "EUR"}}, True, False),
        ({"amount": {"amount": "1", "currency": SURE}}, True, False),
    ],
)
def test_it_is_told_whether_a_member_may_come_or_go(
    given: Any, is_partial: bool, is_unsure: bool
) -> None:
    mapper = Mapper(ACTION)
    mapper.record(given, ())

    assert (mapper.is_partial, mapper.is_unsure) == (is_partial, is_unsure)


@pytest.mark.parametrize(
    "given",
    [
        {"lines": [{"sku": "bad"}], "lines_each": {"sku": ["good"]}},
        {"lines": "bad", "lines_each": {"sku": ["good"]}},
        {"lines_each": {"sku": ["good"]}},
        {"lines": [], "lines_each": None},
    ],
)
def test_what_policy_reads_beside_a_list_is_written_by_no_plan(given: Any) -> None:
    with pytest.raises(UnmappableError, match="lines_each: policy keeps this name for itself"):
        mapped(given, "args/lines_each/sku")


def test_a_map_of_very_many_members_is_mapped_in_one_pass() -> None:
    given = {"m": {f"k{number}": number for number in range(150_000)}}

    found = mapped(given, "args/m/n_keys")  # took minutes where policies look at what stands beside

    assert found == given
