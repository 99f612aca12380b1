"""An event keeps the time zone that it was made in, whatever of it is changed."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from connectors.builtin.caldav.fields import CALDAV, changed_event, in_one_form, read_event
from connectors.builtin.caldav.ical import Component, Line, event_of, read_calendar
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject
from connectors.unified.steps import is_as_asked

BERLIN = (("TZID", "Europe/Berlin"),)
WEEKLY = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20261020T100000
DTEND;TZID=Europe/Berlin:20261020T110000
RRULE:FREQ=WEEKLY
END:VEVENT
END:VCALENDAR
"""
MOVED: JsonObject = {"start": "2026-10-20T09:00:00Z", "end": "2026-10-20T10:00:00Z"}


def changed(text: str, given: JsonObject) -> Component:
    calendar = read_calendar(text)
    return changed_event(calendar, event_of(calendar), given)


def with_line(line: str) -> str:
    return WEEKLY.replace("END:VEVENT", f"{line}\nEND:VEVENT")


def test_a_series_that_is_moved_keeps_its_hour_where_clocks_change() -> None:
    event = changed(WEEKLY, MOVED)
    start, rule = event.first("DTSTART"), event.first("RRULE")

    assert start == Line("DTSTART", "20261020T110000", BERLIN)
    assert event.first("DTEND") == Line("DTEND", "20261020T120000", BERLIN)
    assert rule is not None
    begins = datetime(2026, 10, 20, 11, tzinfo=ZoneInfo("Europe/Berlin"))
    first, second = rrulestr(rule.value, dtstart=begins)[:2]
    assert [each.isoformat() for each in (first, second)] == [
        "2026-10-20T11:00:00+02:00",
        "2026-10-27T11:00:00+01:00",  # clocks went back on the 25th
    ]


def test_each_end_of_an_event_keeps_its_own_zone() -> None:
    flight = WEEKLY.replace("DTEND;TZID=Europe/Berlin", "DTEND;TZID=America/New_York")
    event = changed(flight, {"end": "2026-10-20T21:00:00Z"})

    assert event.first("DTEND") == Line("DTEND", "20261020T170000", (("TZID", "America/New_York"),))


def test_an_end_that_was_a_length_is_in_the_zone_of_the_start() -> None:
    lasting = WEEKLY.replace("DTEND;TZID=Europe/Berlin:20261020T110000", "DURATION:PT1H")
    event = changed(lasting, {"end": "2026-10-20T10:00:00Z"})

    assert event.first("DTEND") == Line("DTEND", "20261020T120000", BERLIN)
    assert event.first("DURATION") is None


SECOND_HALF_PAST_TWO: JsonObject = {"start": "2026-10-25T01:30:00Z", "end": "2026-10-25T03:00:00Z"}
"""Its first is at 00:30 UTC: a line with a zone can say that one alone."""


def test_a_moment_that_its_zone_has_twice_is_said_in_utc() -> None:
    once = WEEKLY.replace("RRULE:FREQ=WEEKLY\n", "")

    assert changed(once, SECOND_HALF_PAST_TWO).first("DTSTART") == Line(
        "DTSTART", "20261025T013000Z"
    )
    first: JsonObject = {**SECOND_HALF_PAST_TWO, "start": "2026-10-25T00:30:00Z"}
    assert changed(once, first).first("DTSTART") == Line("DTSTART", "20261025T023000", BERLIN)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        (WEEKLY, SECOND_HALF_PAST_TWO),
        (WEEKLY.replace("Europe/Berlin", "Mars/Olympus"), MOVED),
        (WEEKLY.replace(";TZID=Europe/Berlin", ""), MOVED),
    ],
    ids=["an hour that is there twice", "a zone that nobody knows", "wherever one is"],
)
def test_a_series_is_not_moved_out_of_the_time_of_its_place(text: str, given: JsonObject) -> None:
    with pytest.raises(Refused, match="time of a place") as refused:
        changed(text, given)

    assert refused.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "line",
    [
        "EXDATE;TZID=Europe/Berlin:20261103T100000",
        "RDATE;TZID=Europe/Berlin:20261104T100000",
        "END:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20261103T100000\n"
        "DTSTART;TZID=Europe/Berlin:20261103T150000",
    ],
)
def test_a_series_is_not_moved_away_from_days_that_were_changed_one_by_one(line: str) -> None:
    """A day that was called off would be there again, at the new time."""
    with pytest.raises(Refused, match="one by one") as refused:
        changed(with_line(line), MOVED)

    assert refused.value.kind is Kind.CONFLICT
    same: JsonObject = {"start": "2026-10-20T08:00:00Z", "end": "2026-10-20T11:00:00Z"}
    assert changed(with_line(line), same).first("DTEND") == Line("DTEND", "20261020T130000", BERLIN)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("FREQ=WEEKLY;BYDAY=TU", "day of its rule"),
        ("FREQ=WEEKLY;UNTIL=20261020T230000Z", "day of its rule"),
        ("FREQ=WEEKLY;BYHOUR=10", "not one that is known"),
        ("FREQ=WEEKLY;BYDAY=WE\nRRULE:FREQ=WEEKLY;BYDAY=WE", "not one that is known"),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "not one that is known"),
    ],
)
def test_a_series_is_not_moved_to_a_day_that_is_not_of_its_rule(rule: str, told: str) -> None:
    wednesday: JsonObject = {"start": "2026-10-21T08:00:00Z", "end": "2026-10-21T09:00:00Z"}
    text = WEEKLY.replace("FREQ=WEEKLY", rule)

    with pytest.raises(Refused, match=told):
        changed(text, wednesday)
    both: JsonObject = {**wednesday, "recurrence": "FREQ=WEEKLY;BYDAY=WE"}
    assert changed(text, both).first("RRULE") == Line("RRULE", "FREQ=WEEKLY;BYDAY=WE")


def test_what_repeats_no_more_has_no_day_that_was_added() -> None:
    event = changed(
        with_line("RDATE:20261104T100000Z\nEXDATE:20261103T100000Z"), {"recurrence": ""}
    )

    assert [each.name for each in event.lines] == ["UID", "DTSTART", "DTEND"]


def test_a_change_is_known_again_in_the_zone_that_it_was_written_in() -> None:
    lines = WEEKLY.replace("T100000", "T110000").replace("T110000\nRRULE", "T120000\nRRULE")
    there = CALDAV.tell("event", read_event("/1.ics", None, lines))

    assert there["start"] == "2026-10-20T11:00:00+02:00"
    assert is_as_asked(in_one_form(MOVED), in_one_form(there))
    other: JsonObject = {"start": "2026-10-20T09:00:01Z"}
    assert not is_as_asked(in_one_form(other), in_one_form(there))


def test_a_whole_day_has_no_zone() -> None:
    event = changed(WEEKLY, {"start_date": "2026-10-20", "end_date": "2026-10-21"})
    back = changed(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE;TZID=Europe/Berlin:20261020\n"
        "END:VEVENT\nEND:VCALENDAR\n",
        MOVED,
    )

    assert event.first("DTSTART") == Line("DTSTART", "20261020", (("VALUE", "DATE"),))
    assert back.first("DTSTART") == Line("DTSTART", "20261020T090000Z")
