"""Permits follow one another faster and faster after a service was left alone."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import Limits
from executor.store.pace import SLOW_S, Pace, pace_of

PACES = st.builds(
    Pace,
    st.floats(0.001, 10),
    since=st.none() | st.floats(0, 100),
)


@given(PACES, st.floats(0, 200), st.integers(0, 1000), st.integers(0, 1000))
def test_so_many_permits_and_then_so_many_are_all_of_them(
    pace: Pace, at: float, first: int, then: int
) -> None:
    at = at if pace.since is None else max(at, pace.since)

    assert pace.after(pace.after(at, first), then) == pytest.approx(pace.after(at, first + then))


@given(PACES, st.floats(0, 200), st.floats(0.001, 50), st.integers(1, 1000))
def test_who_comes_later_is_followed_later_and_sooner_if_the_pace_grows(
    pace: Pace, at: float, later: float, permits: int
) -> None:
    assert pace.after(at + later, permits) > pace.after(at, permits)
    waits = pace.after(at + later, permits) - at - later
    assert waits <= pace.after(at, permits) - at + 1e-6


def test_in_each_second_there_are_twice_as_many_as_in_the_one_before() -> None:
    pace, at, seconds = Pace(0.05, since=100.0), 100.0, Counter[int]()
    while at < 104.0:
        seconds[int(at)] += 1
        at = pace.after(at)

    for second in (101, 102, 103):
        assert seconds[second] / seconds[second - 1] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("allowed", [None, Limits(concurrency=3)])
def test_without_a_rate_there_is_a_pace_only_for_a_while(allowed: Limits | None) -> None:
    assert pace_of(allowed, 0.0, 1e9) is None
    assert pace_of(allowed, 50.0, 49.0) is not None
    assert pace_of(allowed, 50.0, 50.0 + SLOW_S / 2) is not None
    assert pace_of(allowed, 50.0, 50.0 + SLOW_S) is None


def test_a_rate_is_its_own_pace_whatever_was_asked_for() -> None:
    allowed = Limits(rate=4, per_s=2, burst=3)

    assert pace_of(allowed, 50.0, 49.0) == pace_of(allowed, 0.0, 1e9) == Pace(0.5, 3)
