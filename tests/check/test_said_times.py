"""Weekdays and times of day that a text says: every reading, and no other."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.check.said_times import days, times

DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()


@given(st.dates(date(1970, 1, 1), date(2200, 1, 1)), st.sampled_from(DAYS))
def test_a_weekday_is_the_last_and_the_next_one_of_its_name(today: date, name: str) -> None:
    found = sorted(map(date.fromisoformat, days(f"on {name}", today.isoformat())))

    assert [DAYS[each.weekday()] for each in found] == [name, name]
    assert found[1] - found[0] == timedelta(days=7)
    assert found[0] <= today < found[1]


def test_a_day_that_is_none_has_no_weekdays() -> None:
    assert list(days("on monday", "")) == []
    assert list(days("on the moon", "2026-03-02")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("next friday", {-6, 1, 8}),
        ("lower than the previous monday", {-3, 4, -10}),
        ("next wednesday", {-1, 6, 13}),
        ("in eleven days", {11}),
        ("in twelve days", {12}),
        ("over the previous 2 days", {-2, 0}),
        ("last thursday", {0, 7, -7}),
        ("next thursday", {0, 7}),
        ("two weeks ago", {-14}),
        ("a day ago", {-1}),
        ("in 3 days", {3}),
        ("a fortnight from today", {14}),
        ("ten days from now", {10}),
        ("over the last 5 weeks", {-35, 0}),
        ("in the past 2 days", {-2, 0}),
        ("the next 10 days", {0, 10}),
        ("within a week", {0, 7}),
        ("since sunday", {-4, 3, 0}),
        ("in in 2 days", {2}),
        ("0 days ago", {0}),
        ("2 days", set()),
        ("a 3 day event", set()),
        ("2 days after the fair", set()),
        ("sincerely", set()),
        ("in 3 months", set()),
    ],
)
def test_a_day_is_said_by_how_far_it_is_from_the_request(text: str, said: set[int]) -> None:
    thursday = date(2023, 11, 30)
    found = map(date.fromisoformat, days(text, thursday.isoformat()))

    assert {(each - thursday).days for each in found} == said


def test_a_day_beyond_the_calendar_is_not_said() -> None:
    assert set(days("in 2 days, in 900 weeks", "9999-12-29")) == {"9999-12-31"}
    assert set(days("900 weeks ago", "0001-01-02")) == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3 pm", {"15:00"}),
        ("3:20 a.m.", {"03:20"}),
        ("12 am", {"00:00"}),
        ("12 pm", {"12:00"}),
        ("1 am", {"01:00"}),
        ("9:59", {"09:59", "21:59"}),
        ("9:60", set()),
        ("quarter to twelve", {"11:45", "23:45"}),
        ("half past 12", {"12:30", "00:30"}),
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
