"""Made-up answers: valid for their schema or reported, always the same, and what a plan reads."""

import re
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from connectors.validate import first_flaw, schema_flaw
from executor.fn.compare import compare
from executor.plan.types import Type
from executor.rehearse.fake import Mark, Reads, Unfakeable, Variation, make_up
from executor.rehearse.nearby import fitting
from executor.rehearse.pattern import text_for
from executor.rehearse.scalars import FORMATS

NAMES = st.sampled_from(["a", "b", "c", "id", "currency", "items"])
READS = Reads(names=frozenset({"a", "id", "items"}))
SMALL = st.integers(0, 4)


def ordinary() -> st.SearchStrategy[dict[str, Any]]:
    """Schemas that have a value for sure."""
    scalars = st.one_of(
        st.builds(
            lambda low, more, kind: {"type": kind, "minimum": low, "maximum": low + more},
            st.integers(-5, 5), SMALL, st.sampled_from(["integer", "number"]),
        ),
        st.builds(
            lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
            st.integers(0, 20), SMALL,
        ),
        st.sampled_from([*FORMATS]).map(lambda kind: {"type": "string", "format": kind}),
        st.sampled_from([
            {"type": "boolean"}, {"type": "null"}, {"const": {"x": [1]}}, {"enum": [None, "x"]},
            {"type": ["string", "null"]}, {"type": "string", "pattern": "^ord_[0-9a-f]{8}$"},
            {"type": "integer", "multipleOf": 7}, {"type": "number", "exclusiveMinimum": 2.5},
            {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{2})?$"}, {"$ref": "#/$defs/leaf"},
        ]),
    )  # fmt: skip
    return st.recursive(scalars, _containers, max_leaves=8)


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        st.builds(
            lambda items, low, more: {
                "type": "array", "items": items, "minItems": low, "maxItems": low + more,
            },
            inner, st.integers(0, 2), SMALL,
        ),
        st.builds(
            lambda has, share: {
                "type": "object", "properties": has, "additionalProperties": False,
                "required": sorted(has)[:share],
            },
            members, st.integers(0, 3),
        ),
        inner.map(lambda each: {"type": "object", "additionalProperties": each}),
        st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner),
        st.builds(lambda one: {"oneOf": [one, {"type": "null"}]}, inner.filter(_is_no_null)),
    )  # fmt: skip


def _is_no_null(schema: dict[str, Any]) -> bool:
    return first_flaw(_whole(schema), None) is not None


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    leaf = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    return {**schema, "$defs": {"leaf": leaf}}


KEYWORDS: dict[str, Any] = {
    "type": st.sampled_from(["object", "array", "string", "integer", "number", ["null", "array"]]),
    "properties": st.dictionaries(NAMES, st.sampled_from([{}, True, False, {"type": "string"}])),
    "required": st.lists(NAMES, unique=True, max_size=2),
    "additionalProperties": st.sampled_from([True, False, {"type": "integer"}]),
    "items": st.sampled_from([True, False, {"type": "string"}, {"$ref": "#"}]),
    "prefixItems": st.lists(st.sampled_from([{"type": "null"}, {"const": 1}, {"$ref": "#"}])),
    "minItems": SMALL, "maxItems": SMALL, "uniqueItems": st.booleans(),
    "minProperties": SMALL, "maxProperties": SMALL,
    "minLength": SMALL, "maxLength": SMALL,
    "pattern": st.sampled_from(["^a", "b$", "(?=x)y", "^[A-Z]{3}$", "[^\\s]+@\\w+", "^(a|b){2,}$"]),
    "minimum": st.integers(-3, 3), "exclusiveMaximum": st.integers(-3, 3),
    "multipleOf": st.sampled_from([0.5, 2, 3]),
    "enum": st.lists(st.sampled_from([1, "a", None, [], {}]), min_size=1),
    "not": st.sampled_from([{"type": "string"}, {"required": ["a"]}, {"minimum": 0}]),
    "contains": st.sampled_from([{"const": "x"}, {"type": "integer"}]),
    "anyOf": st.lists(st.sampled_from([{"type": "string"}, {"minLength": 2}]), min_size=1),
    "allOf": st.lists(st.sampled_from([{"minItems": 1}, {"type": "array"}]), min_size=1),
}  # fmt: skip
WILD = st.fixed_dictionaries({}, optional=KEYWORDS)


@given(ordinary(), st.integers(0, 3), st.integers(0, 3))
def test_of_an_ordinary_schema_a_valid_answer_is_always_made_up_and_always_the_same(
    schema: dict[str, Any], size: int, index: int
) -> None:
    whole = _whole(schema)
    value = make_up(whole, READS, Variation(size), index)

    assert first_flaw(whole, value) is None
    assert make_up(whole, READS, Variation(size), index) == value


@given(WILD, st.integers(0, 3))
def test_of_any_schema_an_answer_is_valid_or_it_is_said_that_there_is_none(
    schema: dict[str, Any], size: int
) -> None:
    try:
        value = make_up(schema, READS, Variation(size))
    except Unfakeable as why:
        note(str(why))
        return

    assert first_flaw(schema, value) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "string", "pattern": "^(?!x)y\\1$"},
        {"$ref": "https://example.com/elsewhere"},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        {"type": 7},
        {"type": "string", "minLength": 2**40},
    ],
)
def test_what_has_no_value_or_none_that_can_be_found_is_reported(schema: dict[str, Any]) -> None:
    with pytest.raises(Unfakeable):
        make_up(schema, Reads(), Variation(2))


def test_only_what_must_be_there_and_what_the_plan_reads_is_made_up() -> None:
    schema = {
        "type": "object",
        "properties": {each: {"type": "string"} for each in ("must", "read", "other")},
        "required": ["must"],
    }

    assert make_up(schema, Reads(frozenset({"read"})), Variation(1)) == {
        "must": "must-1", "read": "read-1",
    }  # fmt: skip


def test_a_type_that_may_hold_itself_is_made_up_to_a_finite_depth() -> None:
    tree = {"type": "object", "properties": {"a": {"$ref": "#"}, "id": {"type": "string"}}}
    value = make_up(tree, READS, Variation(2))

    assert first_flaw(tree, value) is None
    assert isinstance(value, dict)
    assert value["id"] == "id-1"


def test_elements_of_a_list_are_as_many_as_asked_for_and_unlike_each_other() -> None:
    element = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    found = {size: make_up({"type": "array", "items": element}, Reads(), Variation(size))
             for size in (0, 1, 3)}  # fmt: skip

    assert found[0] == []
    assert found[3] == [{"id": "id-1"}, {"id": "id-2"}, {"id": "id-3"}]


def test_wishes_are_kept_where_the_schema_allows_them_and_refused_where_not() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "l": {"type": "array", "items": {"enum": [1, 2]}}},
        "required": ["n"],
    }
    wished = make_up(schema, Reads(), Variation(0, {("n",): 7, ("l", "1"): 2}))

    assert wished == {"n": 7, "l": [1, 2]}
    assert make_up(schema, Reads(), Variation(2, {("l",): []})) == {"n": 1, "l": []}
    for wishes in ({("n",): "seven"}, {("n",): Mark.ABSENT}, {("l", "0"): 3}):
        with pytest.raises(Unfakeable):
            make_up(schema, Reads(), Variation(1, wishes))


def test_where_no_schema_says_anything_the_plan_says_what_it_reads_and_as_what() -> None:
    reads = Reads(
        types={
            ("lines",): Type.of({"type": "array"}),
            ("lines", "*", "price"): Type.of({"type": "number"}),
            ("email",): Type.of({"type": "string", "format": "email"}),
        }
    )

    assert make_up({}, reads, Variation(2)) == {
        "lines": [{"price": 1}, {"price": 2}],
        "email": "made-up-1@example.com",
    }


def test_amounts_that_are_made_up_are_of_one_currency_which_the_plan_names() -> None:
    money = {
        "type": "object",
        "properties": {
            "amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        },
        "required": ["amount", "currency"],
    }
    found: Any = make_up({"type": "array", "items": money}, Reads(texts=("CHF",)), Variation(2))

    assert [each["currency"] for each in found] == ["CHF", "CHF"]
    assert found[0]["amount"] == "1.00"


@pytest.mark.parametrize("kind", [*FORMATS])
def test_every_format_has_examples_that_a_validator_takes(kind: str) -> None:
    schema = {"type": "string", "format": kind}

    assert [first_flaw(schema, FORMATS[kind](index)) for index in (0, 1, 400)] == [None] * 3
    assert FORMATS[kind](0) != FORMATS[kind](1)


PIECES = st.sampled_from(
    ["a", "[a-c]", "[^a]", "\\d", "\\w", "\\.", ".", "(x|y)", "(?:ab)", "[\\d-]"]
)
REPEATS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{2,}", "+?"])
PATTERNS = st.lists(st.tuples(PIECES, REPEATS), max_size=6).map(
    lambda parts: "^" + "".join(piece + repeat for piece, repeat in parts) + "$"
)


@given(PATTERNS, st.integers(0, 40), st.integers(0, 9))
def test_a_text_for_a_pattern_matches_it(pattern: str, index: int, stretch: int) -> None:
    text = text_for(pattern, index, stretch)

    assert text is not None
    assert re.search(pattern, text)


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "(", "a)", "[b", "\\1", "a{999}", "*", "a{x}", "\\q"]
)
def test_of_a_pattern_that_is_not_read_nothing_is_claimed(pattern: str) -> None:
    assert text_for(pattern) is None


SAID = st.one_of(
    st.integers(-9, 9), st.booleans(), st.dates().map(str), st.text(max_size=5),
    st.decimals(-99, 99, places=2).map(str), st.datetimes().map(lambda at: at.isoformat() + "Z"),
)  # fmt: skip


@given(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), SAID, st.booleans())
def test_what_is_near_a_value_compares_as_it_is_wanted(op: str, value: Any, wanted: bool) -> None:
    found = [*fitting(op, value, wanted, [])]

    assert all(compare(op, each, value) is wanted for each in found)
    if op in ("==", "!="):
        assert found


def test_a_schema_that_is_none_is_no_reason_to_break() -> None:
    assert schema_flaw({"type": 7}) is not None
    with pytest.raises(Unfakeable, match="cannot be read"):
        make_up({"type": 7}, Reads(), Variation(1))
