"""Canonical JSON is that of RFC 8785, however it is written."""

from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.canonical import canonical, digest

ODD = st.sampled_from(
    [0, -0.0, 1.0, 1e22, 1e-7, 2**53, 2**53 - 1, -(2**53), 123456789012345, "\x1f", "\x7f", "/",
     "\u2028", "\ud800", "\ue000", "\U0001f600", "1.5", "1e+22", '\\"', '\\', True]
)  # fmt: skip
LEAF = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text() | ODD
NAMES = st.text(max_size=3) | st.sampled_from(["\U0001f600", "\ue000", "\uffff", "-1", "a.b"])
VALUES = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def _written(write: Any, value: Any) -> Any:
    try:
        return write(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        return type(error)


@given(VALUES)
@example({"\U0001f600": 1, "\ue000": 2})
@example({"a": [1.0, "1.0"]})
@example([float("nan")])
def test_it_is_written_as_the_rfc_says_or_not_at_all(value: Any) -> None:
    assert _written(canonical, value) == _written(rfc8785.dumps, value)


def test_the_order_of_members_makes_no_difference() -> None:
    assert canonical({"b": 1, "a": [True, None]}) == b'{"a":[true,null],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})


@pytest.mark.parametrize("value", [2**53, float("inf"), {"a": float("nan")}])
def test_what_json_cannot_carry_exactly_is_refused(value: Any) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical(value)
