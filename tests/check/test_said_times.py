"""Weekdays and times of day that a text says: every reading, and no other."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.check.said_times import times, weekdays

DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()


@given(st.dates(date(1970, 1, 1), date(2200, 1, 1)), st.sampled_from(DAYS))
def test_a_weekday_is_the_last_and_the_next_one_of_its_name(today: date, name: str) -> None:
    found = sorted(map(date.fromisoformat, weekdays(f"on {name}", today.isoformat())))

    assert [DAYS[each.weekday()] for each in found] == [name, name]
    assert found[1] - found[0] == timedelta(days=7)
    assert found[0] <= today < found[1]


def test_a_day_that_is_none_has_no_weekdays() -> None:
    assert list(weekdays("on monday", "")) == []
    assert list(weekdays("on the moon", "2026-03-02")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3 pm", {"15:00"}),
        ("3:20 a.m.", {"03:20"}),
        ("12 am", {"00:00"}),
        ("12 pm", {"12:00"}),
        ("13 pm", set()),
        ("0 am", set()),
        ("9:05", {"09:05", "21:05"}),
        ("12:30", {"12:30", "00:30"}),
        ("13:30", {"13:30"}),
        ("24:00", set()),
        ("at 7", {"07:00", "19:00"}),
        ("before 23", {"23:00"}),
        ("seven", set()),
        ("quarter past seven", {"07:15", "19:15"}),
        ("half past 11", {"11:30", "23:30"}),
        ("quarter to one", {"00:45", "12:45"}),
        ("half past many", set()),
        ("at noon", {"12:00"}),
        ("midday or midnight", {"12:00", "00:00"}),
    ],
)
def test_a_time_is_said_in_every_way_it_can_be_read(text: str, said: set[str]) -> None:
    assert set(times(text)) == said
