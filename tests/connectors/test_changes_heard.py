"""A source that says again and again that it changed is asked ever more seldom."""

import asyncio
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.registry import Registry, next_pause_s

EVERY_S = 60.0


def test_a_change_that_comes_alone_is_heard_at_once() -> None:
    assert next_pause_s(0.0, 30.0, EVERY_S) == next_pause_s(12.8, 30.0, EVERY_S) == 0.0


@given(st.lists(st.floats(0.0, 5.0), min_size=12, max_size=12))
def test_changes_without_end_are_heard_no_more_often_than_all_are_asked(
    waited: list[float],
) -> None:
    pauses = [*accumulate(waited, lambda was, each: next_pause_s(was, each, EVERY_S), initial=0.0)]

    assert pauses == sorted(pauses)
    assert pauses[1] == pytest.approx(0.1)
    assert pauses[-1] == EVERY_S


async def test_whoever_waits_for_changes_waits_longer_after_each_that_follows_at_once() -> None:
    changed, times = asyncio.Event(), 0
    registry = Registry({}, changed=changed)
    until = asyncio.get_running_loop().time() + 0.25
    while asyncio.get_running_loop().time() < until:
        changed.set()
        await registry.changed(EVERY_S)
        times += 1

    assert times <= 4  # after 0, 0, 0.1 and 0.2 seconds
