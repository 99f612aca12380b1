"""Every function of fn.*: what it gives fits what it says it gives, exactly."""

import random
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.validate import validator_of
from executor.fn import FUNCTIONS, FnError
from executor.fn.compare import NotComparableError, among, compare, equal, pattern_flaw, rank
from executor.plan.compose import standalone, tuple_of
from executor.plan.types import Type

SEEDS = st.integers(0, 2**48).map(random.Random)
MONEY = {"amount": "12.50", "currency": "EUR"}
MUG = {"sku": "m1", "name": "mug", "n": 2, "price": MONEY, "tags": {"a": "red", "b": "blue"}}
BOWL = {"sku": "b1", "name": "bowl", "n": 10, "price": {"amount": "9.00", "currency": "EUR"}}
LINES = [MUG, BOWL]


def call(name: str, **given: Any) -> Any:
    return FUNCTIONS[f"fn.{name}"].call(given)


def where(*clauses: tuple[str, str, Any]) -> list[dict[str, Any]]:
    return [{"field": field, "op": op, "value": value} for field, op, value in clauses]


@pytest.mark.parametrize(
    ("name", "given", "result"),
    [
        ("select", {"list": LINES, "where": where(("name", "==", "mug"))}, MUG),
        ("select", {"list": LINES, "where": where(("price/amount", "<", "10"))}, BOWL),
        ("select", {"list": LINES, "where": where(("tags/*", "==", "blue"))}, MUG),
        ("select", {"list": LINES, "where": where(("tags", "exists", False))}, BOWL),
        ("select", {"list": ["a", "bc"], "where": where(("", "matches", "^b"))}, "bc"),
        ("filter", {"list": LINES, "where": where(("n", "in", [2, 3]), ("n", ">", 1))}, [MUG]),
        ("filter", {"list": [1, None, {"n": 2}], "where": where(("n", "!=", 3))}, [{"n": 2}]),
        ("filter", {"list": LINES, "where": []}, LINES),
        ("min_by", {"list": LINES, "by": "n"}, MUG),
        ("max_by", {"list": LINES, "by": "price"}, MUG),
        ("max_by", {"list": [{"n": 1, "i": 0}, {"n": 1, "i": 1}], "by": "n"}, {"n": 1, "i": 0}),
        ("sort", {"list": ["9", "10", "1.5"], "by": ""}, ["1.5", "9", "10"]),
        ("sort", {"list": LINES, "by": "n", "descending": True}, [BOWL, MUG]),
        ("sort", {"list": [], "by": "x"}, []),
        ("lookup", {"map": {"b": 1, "a": 2}, "key": "a"}, 2),
        ("values", {"map": {"b": 1, "a": 2}}, [2, 1]),
        ("keys", {"map": {"b": 1, "a": 2}}, ["a", "b"]),
        ("first_of", {"options": [None, 2]}, None),
        ("count", {"list": LINES}, 2),
        ("sum", {"list": LINES, "field": "n"}, 12),
        ("sum", {"list": LINES, "field": "price"}, {"amount": "21.50", "currency": "EUR"}),
        ("sum", {"list": ["0.1", "0.2"]}, "0.3"),
        ("sum", {"list": [0.1, 0.2]}, 0.3),
        ("sum", {"list": []}, 0),
        ("pick", {"list": LINES, "fields": ["sku", "price/amount"]},
         [{"sku": "m1", "amount": "12.50"}, {"sku": "b1", "amount": "9.00"}]),
        ("pick", {"list": [1, 2], "fields": [""]}, [{"value": 1}, {"value": 2}]),
        ("zip", {"left": [1, 2], "right": ["a", "b"]},
         [{"left": 1, "right": "a"}, {"left": 2, "right": "b"}]),
        ("join", {"list": ["a", "b"], "separator": ", "}, "a, b"),
        ("join", {"list": []}, ""),
        ("date_add", {"date": "2024-02-28", "days": 2}, "2024-03-01"),
        ("date_add", {"date": "2024-02-28T10:00:00Z", "days": -1}, "2024-02-27T10:00:00+00:00"),
        ("date_add", {"date": "2024-02-28t10:00:00z", "days": -1}, "2024-02-27T10:00:00+00:00"),
        ("max_by", {"list": [{"m": {"a": 3}}, {"m": {"b": 9}}], "by": "m/*"}, {"m": {"b": 9}}),
        ("days_between", {"start": "2024-02-28", "end": "2024-03-01"}, 2),
        ("days_between", {"start": "2024-03-01T01:00:00Z", "end": "2024-02-28"}, -2),
        ("format_money", {"money": {"amount": "1234.5", "currency": "EUR"}}, "1,234.50 EUR"),
        ("format_money", {"money": {"amount": "1234", "currency": "JPY"}}, "1,234 JPY"),
        ("add", {"left": 0.1, "right": 0.2}, 0.3),
        ("add", {"left": 1, "right": "0.5"}, "1.5"),
        ("subtract", {"left": MONEY, "right": MONEY}, {"amount": "0.00", "currency": "EUR"}),
        ("multiply", {"left": MONEY, "right": "0.5"}, {"amount": "6.250", "currency": "EUR"}),
        ("multiply", {"left": 3, "right": MONEY}, {"amount": "37.50", "currency": "EUR"}),
        ("multiply", {"left": 1.1, "right": 1.1}, 1.21),
    ],
)  # fmt: skip
def test_functions_give(name: str, given: Any, result: Any) -> None:
    assert equal(call(name, **given), result)


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("select", {"list": LINES, "where": []}, "several-matches"),
        ("select", {"list": LINES, "where": where(("sku", "==", "x"))}, "no-match"),
        ("select", {"list": LINES, "where": where(("sku", "<", 1))}, "not-comparable"),
        ("filter", {"list": LINES, "where": where(("n", "matches", "1"))}, "not-comparable"),
        ("filter", {"list": LINES, "where": where(("sku", "matches", "("))}, "not-comparable"),
        ("filter", {"list": LINES, "where": ["x"]}, "type-mismatch"),
        ("filter", {"list": "x", "where": []}, "type-mismatch"),
        ("min_by", {"list": [], "by": "n"}, "no-match"),
        ("max_by", {"list": [{"n": 1}, {}], "by": "n"}, "missing-value"),
        ("max_by", {"list": [{"m": {"a": 3, "b": 9}}], "by": "m/*"}, "several-matches"),
        ("sort", {"list": [1, "a"], "by": ""}, "not-comparable"),
        ("sort", {"list": [True], "by": ""}, "not-comparable"),
        ("lookup", {"map": {"a": 1}, "key": "b"}, "no-match"),
        ("lookup", {"map": [], "key": "b"}, "type-mismatch"),
        ("lookup", {"map": {}, "key": 1}, "type-mismatch"),
        ("first_of", {"options": []}, "missing-value"),
        ("pick", {"list": LINES, "fields": ["a/x", "b/x"]}, "overlapping-argument"),
        ("pick", {"list": LINES, "fields": ["tags/*"]}, "type-mismatch"),
        ("zip", {"left": [1], "right": []}, "unequal-length"),
        ("join", {"list": [1]}, "type-mismatch"),
        ("sum", {"list": [BOWL], "field": "tags"}, "missing-value"),
        ("sum", {"list": [True]}, "type-mismatch"),
        ("sum", {"list": [MONEY, 1]}, "not-comparable"),
        ("sum", {"list": [MONEY, {"amount": "1", "currency": "USD"}]}, "not-comparable"),
        ("sum", {"list": [2**53 - 1, 1]}, "number-out-of-range"),
        ("add", {"left": "1,5", "right": 1}, "type-mismatch"),
        ("add", {"left": {"amount": "1", "currency": "euro"}, "right": 1}, "type-mismatch"),
        ("add", {"left": None, "right": 1}, "type-mismatch"),
        ("add", {"left": 0.1, "right": 1e-17}, "number-out-of-range"),
        ("multiply", {"left": MONEY, "right": MONEY}, "not-comparable"),
        ("multiply", {"left": "1" * 40, "right": "1" * 40}, "number-out-of-range"),
        ("multiply", {"left": 1e-200, "right": 1e-200}, "number-out-of-range"),
        ("date_add", {"date": "9999-12-31", "days": 1}, "number-out-of-range"),
        ("date_add", {"date": "9999-12-31", "days": 2**53 - 1}, "number-out-of-range"),
        ("date_add", {"date": "2024-01-01", "days": 0.5}, "type-mismatch"),
        ("date_add", {"date": "soon", "days": 1}, "type-mismatch"),
        ("date_add", {"date": 7, "days": 1}, "type-mismatch"),
        ("days_between", {"start": "2024-02-30", "end": "2024-03-01"}, "type-mismatch"),
        ("format_money", {"money": "1"}, "type-mismatch"),
        ("typed", {"value": "aa", "schema": {"pattern": "^(a)\\1$"}}, "type-mismatch"),
        ("typed", {"value": "a", "schema": {"enum": ["a" * 30_000]}}, "type-mismatch"),
        ("typed", {"value": {}, "schema": {"patternProperties": {"(?=a)": {}}}}, "type-mismatch"),
    ],
)
def test_functions_say_why_there_is_no_answer(name: str, given: Any, code: str) -> None:
    with pytest.raises(FnError) as caught:
        call(name, **given)

    assert caught.value.code == code
    assert len(caught.value.message) > 5


TEXTS = ["", "a", "10", "9.5", "2026-01-31", "2026-01-31T10:00:00Z", "mug"]
AMOUNTS = ["0", "1.10", "-3", "12.50"]


def element(rng: random.Random, kind: str) -> tuple[Any, Any]:
    """A schema, and a way to make values of it."""
    number = {"type": "number"}, lambda: rng.choice([0, 1, -2, 0.1, 2.5, 1e20])
    text = {"type": "string"}, lambda: rng.choice(TEXTS)
    date = {"type": "string", "format": "date"}, lambda: rng.choice(["2026-01-31", "0001-01-01"])
    plain = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, lambda: rng.choice(AMOUNTS)
    money = (
        {
            "type": "object",
            "properties": {"amount": plain[0], "currency": {"enum": ["EUR", "USD"]}},
            "required": ["amount", "currency"],
        },
        lambda: {"amount": rng.choice(AMOUNTS), "currency": rng.choice(["EUR", "USD"])},
    )
    maybe = {"anyOf": [number[0], {"type": "null"}]}, lambda: rng.choice([None, 1])
    made = {"number": number, "text": text, "date": date, "plain": plain, "money": money}
    return {**made, "maybe": maybe}[kind]


KINDS = ("number", "text", "date", "plain", "money", "maybe")


def argument(rng: random.Random, name: str) -> tuple[Any, Any]:
    """The schema of an argument, and a value of it; often a constant."""
    schema, make = element(rng, rng.choice(KINDS))
    other, _ = element(rng, rng.choice(KINDS))
    record = {"type": "object", "properties": {"a": schema, "b": other}, "required": ["a"]}
    match name:
        case "list" | "left" | "right" | "options" if rng.random() < (
            0.9 if name == "list" else 0.4
        ):
            items, make_item = rng.choice([(schema, make), (record, lambda: {"a": make()})])
            listed = {"type": "array", "items": items}
            return listed, [make_item() for _ in range(rng.randint(0, 3))]
        case "map":
            closed = {"type": "object", "additionalProperties": schema}
            return rng.choice([(closed, {"x": make(), "y": make()}), (record, {"a": make()})])
        case "by" | "field" | "key":
            value = rng.choice(["a", "", "b", "x"])
        case "fields":
            value = rng.choice([["a"], ["a", "b"], [""]])
        case "where":
            value = where((rng.choice(["a", "", "*"]), rng.choice(["==", "<", "exists"]), make()))
        case "descending":
            value = rng.random() < 0.5
        case "separator":
            value = ", "
        case "days":
            value = rng.choice([1, -400, 3.0])
        case _:
            return schema, make()
    return {"const": value}, value


@given(SEEDS)
def test_what_a_function_gives_fits_the_type_that_it_says(rng: random.Random) -> None:
    for name, function in FUNCTIONS.items():
        properties: Any = function.input_schema["properties"]
        made = {each: argument(rng, each) for each in properties}
        arguments = {each: value for each, (_, value) in made.items()}
        into = validator_of(function.input_schema)
        assert into is not None
        if not into.is_valid(arguments):
            continue
        types = {each: Type.of(schema) for each, (schema, _) in made.items()}
        if name == "fn.first_of" and rng.random() < 0.5:
            arguments["options"] = arguments["options"][:1] or [1]
            types["options"] = tuple_of([Type.of({"const": arguments["options"][0]}), Type.of({})])
        said = function.type_of(types)
        validator = validator_of(standalone(said))
        assert validator is not None
        try:
            result = function.call(arguments)
        except FnError:
            continue
        assert validator.is_valid(result), (name, made, said.node, result)


def test_every_function_is_an_action_that_changes_nothing() -> None:
    for name, function in FUNCTIONS.items():
        assert function.action.name == name
        assert not function.action.is_write
        assert not function.action.egress
        properties: Any = function.input_schema["properties"]
        assert function.control <= set(properties)
        assert validator_of(function.input_schema) is not None


SORTS: list[st.SearchStrategy[Any]] = [
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, -0.0, 1e300]),
    st.sampled_from([*TEXTS, "2026-01-31T10:00:00", "2026-13-01", "0001-01-01T00:00:00+10:00"]),
    st.sampled_from(["9", "10", "x"]).map(lambda amount: {"amount": amount, "currency": "EUR"}),
    st.lists(st.integers(0, 1), max_size=2),
]  # fmt: skip
VALUES = st.one_of(SORTS)
# Of any kinds, or all of one: else hardly ever three have an order.
THREE = st.tuples(VALUES, VALUES, VALUES) | st.one_of([st.tuples(*[each] * 3) for each in SORTS])


def ordered(left: Any, right: Any) -> bool | None:
    try:
        return compare("<", left, right)
    except NotComparableError:
        return None


@given(THREE)
def test_comparison_is_an_order_where_there_is_one(values: tuple[Any, Any, Any]) -> None:
    for one, two, three in permutations(values):
        below, above = ordered(one, two), ordered(two, one)

        assert (below is None) is (above is None)
        assert not (below and above)
        if below is not None:
            assert compare("<=", one, two) is not above
            assert compare(">", one, two) is above
            assert compare(">=", one, two) is not below
        if below and ordered(two, three):
            assert ordered(one, three) is True
        assert not ordered(one, one)


@given(THREE)
def test_equality_is_an_equivalence(values: tuple[Any, Any, Any]) -> None:
    one, two, three = values
    assert equal(one, one)
    assert equal(one, two) is equal(two, one)
    assert compare("!=", one, two) is not compare("==", one, two)
    assert compare("in", one, [two, three]) is (equal(one, two) or equal(one, three))
    if equal(one, two) and equal(two, three):
        assert equal(one, three)


def test_json_values_are_equal_as_json_says() -> None:
    assert equal(1, 1.0)
    assert equal(0, -0.0)
    assert not equal(1, True)
    assert not equal(0, False)
    assert not equal("1", 1)
    assert not equal(None, False)
    assert not equal([1], [1, 1])
    assert equal({"a": [1, {"b": 2.0}]}, {"a": [1.0, {"b": 2}]})
    assert not equal({"a": None}, {})
    assert not compare("in", 1, 1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, "1"), ("1", "a"), ("2026-01-01", "2026-01-01T00:00:00Z"), (None, 1), (True, False),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00Z"), ([], []), ("2026-02-30", "2026-03-01"),
        (MONEY, {"amount": "1", "currency": "USD"}), (MONEY, {**MONEY, "x": 1}), (MONEY, 1),
        ("0001-01-01T00:00:00+10:00", "2026-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_different_scales_have_no_order(left: Any, right: Any) -> None:
    with pytest.raises(NotComparableError):
        compare("<", left, right)


def test_decimals_dates_and_texts_have_each_their_own_order() -> None:
    assert compare("<", "9", "10")
    assert compare("<", "a10", "a9")
    assert compare("<", "2026-01-31", "2026-02-01")
    assert compare("<", "2026-01-31T12:00:00+02:00", "2026-01-31T11:00:00Z")
    assert compare("<", {"amount": "9", "currency": "EUR"}, {"amount": "10", "currency": "EUR"})
    assert rank(0.1)[2] == Decimal("0.1")


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(", "a" * 201, 5, None, "(?<n>a)(?P=n)"])
def test_a_pattern_is_re2_and_short(pattern: Any) -> None:
    assert pattern_flaw(pattern)


@given(st.text(max_size=30))
def test_a_pattern_never_takes_long(text: str) -> None:
    assert compare("matches", "a" * 5_000 + "!", "^(a+)+$") is False
    assert compare("matches", text, "") is True


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, -0.0, 1.0, 0.5])
VALUES = st.recursive(
    SCALARS | st.sampled_from(["", "0", "1", "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner, max_size=1),
    max_leaves=3,
)


@given(st.lists(VALUES, max_size=6), VALUES)
def test_being_in_a_list_is_being_equal_to_one_of_it(values: list[Any], value: Any) -> None:
    assert among(values)(value) is compare("in", value, values)


class Counted(str):
    """A text that counts how often it is compared with another."""

    count = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        type(self).count += 1
        return str(self) == other


def test_looking_for_each_of_a_list_in_another_is_not_done_one_by_one() -> None:
    mine = [Counted(f"a{number}") for number in range(3_000)]
    theirs = [Counted(f"b{number}") for number in range(3_000)] + mine[:10]
    found = call("filter", list=mine, where=where(("", "in", theirs)))

    assert found == mine[:10]
    assert Counted.count < 10 * len(mine)


PLACES = st.decimals(
    allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9
)


@given(PLACES, PLACES)
def test_decimals_are_exact(left: Decimal, right: Decimal) -> None:
    one, two = f"{left:f}", f"{right:f}"
    money = [{"amount": amount, "currency": "EUR"} for amount in (one, two)]

    assert Decimal(call("add", left=one, right=two)) == left + right
    assert Decimal(call("subtract", left=one, right=two)) == left - right
    assert Decimal(call("multiply", left=one, right=two)) == left * right
    assert Decimal(call("sum", list=[one, two, one])) == left + right + left
    assert Decimal(call("add", left=money[0], right=money[1])["amount"]) == left + right
