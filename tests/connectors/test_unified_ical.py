"""iCalendar is read and written strictly, and what is not understood stays as it came."""

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from dateutil import rrule
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from connectors.builtin.caldav.fields import CALDAV, changed_event, read_event
from connectors.builtin.caldav.ical import (
    Component,
    Line,
    escaped,
    event_of,
    plain,
    read_calendar,
    with_event,
    write,
)
from connectors.errors import Refused
from connectors.spec import JsonObject
from connectors.unified.calendar import RULE
from connectors.validate import first_flaw

EMPTY = Component("VCALENDAR")
RULE_SCHEMA: JsonObject = {"type": "string", "pattern": RULE}
MEETING = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//somebody//EN
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20260701T100000
DTEND;TZID=Europe/Berlin:20260701T110000
SUMMARY:Tea\\, cake\\; and\\nmore
DESCRIPTION:A long line that somebody folded in the middle of a wo
 rd
ATTENDEE;CN="Lee: Ann, and";ROLE=REQ-PARTICIPANT:mailto:ann@example.com
ATTENDEE:MAILTO:bob@example.com
ORGANIZER:mailto:carl@example.com
RRULE:FREQ=WEEKLY
STATUS:TENTATIVE
X-COLOUR:red
BEGIN:VALARM
ACTION:DISPLAY
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:1
RECURRENCE-ID;TZID=Europe/Berlin:20260708T100000
DTSTART;TZID=Europe/Berlin:20260708T120000
SUMMARY:Later
END:VEVENT
END:VCALENDAR
"""


def told(text: str) -> JsonObject:
    return CALDAV.tell("event", read_event("/it/cal/a%20b.ics", '"1"', text))


def test_an_event_of_somebody_elses_is_told() -> None:
    event = told(MEETING)

    names = ("id", "title", "start", "end", "all_day", "timezone", "attendees", "recurrence")
    assert {name: event[name] for name in names} == {
        "id": "a b.ics",
        "title": "Tea, cake; and\nmore",
        "start": "2026-07-01T10:00:00+02:00",
        "end": "2026-07-01T11:00:00+02:00",
        "all_day": False,
        "timezone": "Europe/Berlin",
        "attendees": ["ann@example.com", "bob@example.com"],
        "recurrence": "FREQ=WEEKLY",
    }
    assert event["description"] == "A long line that somebody folded in the middle of a word"
    assert (event["organizer"], event["status"]) == ("carl@example.com", "tentative")


def test_a_whole_day_has_dates_and_no_moments() -> None:
    text = MEETING.replace(
        "DTSTART;TZID=Europe/Berlin:20260701T100000", "DTSTART;VALUE=DATE:20260701"
    )
    event = told(text.replace("DTEND;TZID=Europe/Berlin:20260701T110000\n", ""))

    assert (event["all_day"], event["start_date"], event["end_date"]) == (True, "2026-07-01", None)
    assert (event["start"], event["end"]) == (None, None)


def test_a_time_zone_that_nobody_knows_is_no_moment() -> None:
    assert told(MEETING.replace("Europe/Berlin", "Mars/Olympus"))["start"] is None


def test_a_change_changes_nothing_but_its_own_lines() -> None:
    calendar = read_calendar(MEETING)
    changed = with_event(calendar, changed_event(calendar, event_of(calendar), {"title": "Coffee"}))
    before, after = write(calendar).split("\r\n"), write(changed).split("\r\n")

    assert sorted({*before} ^ {*after}) == [
        "SUMMARY:Coffee",
        "SUMMARY:Tea\\, cake\\; and\\nmore",
    ]
    assert len(before) == len(after)
    assert [each.name for each in event_of(changed).parts] == ["VALARM"]


def test_a_new_event_has_these_bytes() -> None:
    new = changed_event(
        EMPTY,
        Component("VEVENT", (Line("UID", "k@x"),)),
        {
            "title": "Onboarding, Ann",
            "start": "2026-11-24T11:00:00+01:00",
            "end": "2026-11-24T12:00:00+01:00",
            "attendees": ["ann@example.com"],
            "description": "ü" * 40,
        },
    )

    assert write(new).encode() == (
        b"BEGIN:VEVENT\r\nUID:k@x\r\nSUMMARY:Onboarding\\, Ann\r\n"
        b"DESCRIPTION:" + "ü".encode() * 31 + b"\r\n " + "ü".encode() * 9 + b"\r\n"
        b"DTSTART:20261124T100000Z\r\nDTEND:20261124T110000Z\r\n"
        b"ATTENDEE:mailto:ann@example.com\r\nEND:VEVENT\r\n"
    )


@pytest.mark.parametrize(
    "given_times",
    [
        {},
        {"start": "2026-11-24T10:00:00"},
        {"start": "2026-11-24T10:00:00Z", "end": "2026-11-24T10:00:00Z"},
        {"start": "2026-11-24T10:00:00Z", "end": "2026-11-24T09:00:00Z"},
        {"start": "2026-11-24T10:00:00Z", "end_date": "2026-11-25"},
        {"start": "2026-11-24T10:00:00Z", "start_date": "2026-11-24"},
        {"start_date": "2026-11-24", "end_date": "2026-11-24"},
    ],
)
def test_times_that_cannot_be_are_refused(given_times: JsonObject) -> None:
    with pytest.raises(Refused):
        changed_event(EMPTY, Component("VEVENT"), given_times)


MONDAY: JsonObject = {"start": "2026-11-30T09:00:00Z", "end": "2026-11-30T10:00:00Z"}
DAY_OFF: JsonObject = {"start_date": "2026-12-24", "end_date": "2026-12-27"}


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        (MONDAY, "FREQ=WEEKLY"),
        (MONDAY, "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10"),
        (MONDAY, "FREQ=MONTHLY;BYDAY=-1MO"),
        (MONDAY, "FREQ=DAILY;INTERVAL=2;UNTIL=20261231T090000Z"),
        (DAY_OFF, "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24;UNTIL=20301224"),
    ],
)
def test_what_repeats_is_written_as_it_is_given_and_told_so(times: JsonObject, rule: str) -> None:
    new = Component("VEVENT", (Line("UID", "k@x"),))
    event = changed_event(EMPTY, new, {**times, "recurrence": rule})
    again = changed_event(EMPTY, event, {"recurrence": ""})

    assert first_flaw(RULE_SCHEMA, rule) is None
    assert told(write(Component("VCALENDAR", (), (event,))))["recurrence"] == rule
    assert again.first("RRULE") is None


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        (MONDAY, "FREQ=WEEKLY;BYDAY=TU"),  # it begins on a Monday
        (MONDAY, "FREQ=WEEKLY;UNTIL=20261231"),  # a day, and it begins at a moment
        (MONDAY, "FREQ=WEEKLY;COUNT=2;UNTIL=20261231T090000Z"),
        (MONDAY, "FREQ=WEEKLY;COUNT=2;COUNT=3"),
        (MONDAY, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        ({}, "FREQ=WEEKLY"),
    ],
)
def test_a_rule_that_does_not_fit_its_event_is_refused(times: JsonObject, rule: str) -> None:
    with pytest.raises(Refused):
        changed_event(EMPTY, Component("VEVENT"), {**times, "recurrence": rule})


@given(
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.lists(
        st.sampled_from(
            ["INTERVAL=3", "BYMONTH=3,9", "BYMONTHDAY=9,-1", "BYDAY=MO,TH", "COUNT=2", "WKST=SU"]
        ),
        unique=True,
    ),
)
def test_a_rule_fits_exactly_if_its_first_day_is_the_events(freq: str, parts: list[str]) -> None:
    rule = ";".join([f"FREQ={freq}", *parts])
    begins = datetime(2026, 3, 9, 9, tzinfo=UTC)
    times: JsonObject = {"start": "2026-03-09T09:00:00Z", "end": "2026-03-09T10:00:00Z"}
    fits = next(iter(rrulestr(rule, dtstart=begins)), None) == begins

    with nullcontext() if fits else pytest.raises(Refused):
        changed_event(EMPTY, Component("VEVENT"), {**times, "recurrence": rule})


def test_a_day_that_never_comes_is_not_looked_for_till_the_end_of_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = 0
    of_months = rrule._iterinfo.rebuild

    def counted(info: object, year: int, month: int) -> None:
        nonlocal looked
        looked += 1
        of_months(info, year, month)

    monkeypatch.setattr(rrule._iterinfo, "rebuild", counted)
    with pytest.raises(Refused):
        changed_event(
            EMPTY,
            Component("VEVENT"),
            {**MONDAY, "recurrence": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"},
        )

    assert 0 < looked < 1000


@pytest.mark.parametrize(
    "rule",
    [
        "WEEKLY",
        "FREQ=SECONDLY",
        "FREQ=WEEKLY;X=1",
        "FREQ=WEEKLY\r\nDTSTART:1",
        "FREQ=DAILY;COUNT=0",
    ],
)
def test_a_rule_that_is_none_does_not_come_so_far(rule: str) -> None:
    assert first_flaw(RULE_SCHEMA, rule) is not None


def test_a_rule_is_not_changed_under_days_that_were_changed_one_by_one() -> None:
    calendar = read_calendar(MEETING)

    with pytest.raises(Refused, match="one by one"):
        changed_event(calendar, event_of(calendar), {"recurrence": "FREQ=DAILY"})


def test_a_rule_is_held_to_the_time_zone_that_its_event_is_in() -> None:
    plain_meeting = MEETING[: MEETING.rindex("BEGIN:VEVENT")] + "END:VCALENDAR\n"
    calendar = read_calendar(plain_meeting)
    event = changed_event(calendar, event_of(calendar), {"recurrence": "FREQ=WEEKLY;BYDAY=WE"})

    assert event.first("RRULE") == Line("RRULE", "FREQ=WEEKLY;BYDAY=WE")
    unknown = read_calendar(plain_meeting.replace("Europe/Berlin", "Mars/Olympus"))
    with pytest.raises(Refused, match="time zone"):
        changed_event(unknown, event_of(unknown), {"recurrence": "FREQ=DAILY"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "BEGIN:VEVENT\nEND:VEVENT\n",
        "BEGIN:VCALENDAR\n",
        "BEGIN:VCALENDAR\nEND:VEVENT\n",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nX:Y\n",
        "BEGIN:VCALENDAR\nno line\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\n" + "BEGIN:A\n" * 9 + "END:A\n" * 9 + "END:VCALENDAR\n",
    ],
)
def test_what_is_no_calendar_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"calendar|no end|nested|content line"):
        read_calendar(text)


def test_a_calendar_without_an_event_is_no_event() -> None:
    with pytest.raises(ValueError, match="no event"):
        told("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n")


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n"))


@given(TEXTS)
def test_a_text_becomes_no_line_of_its_own_and_reads_back_as_it_was(text: str) -> None:
    event = Component("VEVENT", (Line("SUMMARY", escaped(text)),))
    written = write(Component("VCALENDAR", (), (event,)))
    (read,) = read_calendar(written).parts

    assert [each.name for each in read.lines] == ["SUMMARY"]
    assert plain(read.lines[0].value) == text
    assert all(len(each) <= 75 for each in written.encode().split(b"\r\n"))


@given(st.text(st.sampled_from("\\\\\\,;nNx")))
def test_what_is_escaped_is_read_from_left_to_right(value: str) -> None:
    """As the grammar has it: a backslash and the character after it, and then what follows."""
    told, rest = "", value
    while rest:
        known = rest[0] == "\\" and rest[1:2] in ("\\", ";", ",", "n", "N") and rest[1:2] != ""
        told += {"n": "\n", "N": "\n"}.get(rest[1], rest[1]) if known else rest[0]
        rest = rest[2 if known else 1 :]

    assert plain(value) == told


@pytest.mark.parametrize("line", ["X" + ";A=b" * 101 + ":1", "X;A=" + "b," * 1001 + "b:1"])
def test_a_line_of_more_parameters_than_any_has_is_none(line: str) -> None:
    calendar = "BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n"
    with pytest.raises(ValueError, match="content line"):
        read_calendar(calendar.format(line))
    one_less = line.replace(";A=b", "", 1) if ";A=b;" in line else line.replace("b,", "", 1)
    assert read_calendar(calendar.format(one_less)).lines[0].value == "1"


LASTING = MEETING.replace("DTEND;TZID=Europe/Berlin:20260701T110000", "DURATION:PT1H")


def test_an_event_that_is_given_an_end_has_no_length_beside_it() -> None:
    calendar = read_calendar(LASTING)
    changed = changed_event(calendar, event_of(calendar), {"end": "2026-07-01T12:00:00+02:00"})

    assert changed.first("DURATION") is None
    assert changed.first("DTEND") == Line("DTEND", "20260701T120000", (("TZID", "Europe/Berlin"),))
    kept = changed_event(calendar, event_of(calendar), {"title": "Coffee"})
    assert kept.first("DURATION") == Line("DURATION", "PT1H")


@pytest.mark.parametrize(
    "change",
    [{"start": "2026-07-01T11:00:00+02:00"}, {"end": "2026-07-01T08:00:00Z"}],
)
def test_an_end_in_one_zone_is_compared_with_a_start_in_another(change: JsonObject) -> None:
    calendar = read_calendar(MEETING)

    with pytest.raises(Refused, match="ends before it begins"):
        changed_event(calendar, event_of(calendar), change)


def test_who_came_already_is_asked_to_nothing_anew() -> None:
    calendar = read_calendar(MEETING)
    people: JsonObject = {"attendees": ["ann@example.com", "dan@example.com"]}
    changed = changed_event(calendar, event_of(calendar), people)

    (ann, _) = (each for each in event_of(calendar).lines if each.name == "ATTENDEE")
    asked = [each for each in changed.lines if each.name == "ATTENDEE"]
    assert asked == [ann, Line("ATTENDEE", "mailto:dan@example.com")]


def test_one_day_of_somebody_elses_series_is_an_event() -> None:
    begin = MEETING.index("BEGIN:VEVENT")
    one = MEETING[:begin] + MEETING[MEETING.rindex("BEGIN:VEVENT") :]
    told = CALDAV.tell("event", read_event("/a/1.ics", None, one))

    assert told["start"] == "2026-07-08T12:00:00+02:00"
