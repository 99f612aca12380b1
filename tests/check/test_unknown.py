"""The mark of a value that is not known before the run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from executor.check.unknown import Unknown, is_open

PLAIN: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(st.text(max_size=3), it, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_what_json_says_is_never_open(value: JsonValue) -> None:
    assert is_open(value) is False


@pytest.mark.parametrize("at", range(3))
@given(PLAIN, PLAIN)
def test_one_open_value_anywhere_makes_the_whole_open(
    at: int, one: JsonValue, other: JsonValue
) -> None:
    members = [one, other]
    members.insert(at, Unknown(None))

    assert is_open(members[at])
    assert is_open(members)
    assert is_open({"a": [members], "b": one})
    assert is_open(dict(zip("abc", members, strict=True)))


def test_an_open_value_has_no_members_and_tells_its_kinds() -> None:
    assert Unknown(frozenset({"string"})) == {}
    assert Unknown(frozenset({"string"})).kinds == {"string"}
