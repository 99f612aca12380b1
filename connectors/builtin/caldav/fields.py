"""CalDAV's side of `calendar`: where fields stand in an event, and what a server promises."""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

from pydantic import JsonValue

from connectors.builtin.caldav.ical import (
    Component,
    Line,
    date_line,
    escaped,
    event_of,
    in_utc,
    is_day,
    moment_line,
    plain,
    read_calendar,
    told_date,
    told_moment,
    zone_of,
)
from connectors.builtin.caldav.recurrence import check_moved, with_recurrence
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject
from connectors.unified.calendar import CALENDAR
from connectors.unified.vendor import At, Vendor, worded

STATUSES = {"CONFIRMED": "confirmed", "TENTATIVE": "tentative", "CANCELLED": "cancelled"}
KEY_WINDOW_S = 365 * 86400
_TEXTS = {"title": "SUMMARY", "description": "DESCRIPTION", "location": "LOCATION"}
_TIMES = {"start": "DTSTART", "end": "DTEND"}
_MAILTO = re.compile(r"(?i)mailto:")


def read_event(href: str, etag: str | None, text: str) -> JsonObject:
    """An event as this connector's own object, of which the fields are told."""
    event = event_of(read_calendar(text))
    start, end = event.first("DTSTART"), event.first("DTEND")
    return {
        "name": unquote(href.rpartition("/")[2]),
        "etag": etag,
        "ical": text.replace("\r\n", "\n"),  # as it comes in XML, too
        **{line: _text(event, line) for line in _TEXTS.values()},
        "DTSTART": _time(start),
        "DTEND": _time(end),
        "RRULE": _value(event, "RRULE"),
        "STATUS": _value(event, "STATUS"),
        "CREATED": _time(event.first("CREATED")),
        "LAST-MODIFIED": _time(event.first("LAST-MODIFIED")),
        "ORGANIZER": _address(event.first("ORGANIZER")),
        "ATTENDEE": [_address(each) for each in event.lines if each.name == "ATTENDEE"],
    }


def in_one_form(record: JsonObject) -> JsonObject:
    """What a call gives or an event is, to be compared: its moments in UTC, whatever zone said."""
    moments = {name: _in_utc(str(record[name])) for name in _TIMES if record.get(name)}
    rule = {"recurrence": record["recurrence"] or None} if "recurrence" in record else {}
    zone = {"timezone": None} if record.get("timezone") == "UTC" else {}
    return {**record, **moments, **rule, **zone}


def _in_utc(moment: str) -> str:
    try:
        return in_utc(moment)
    except ValueError:
        return moment  # of no calendar of UTC


def changed_event(calendar: Component, event: Component, given: JsonObject) -> Component:
    """The event of a calendar with what a call gives it; raises `Refused` for what cannot be."""
    for field, name in _TEXTS.items():
        if field in given:
            event = event.with_lines(name, [Line(name, escaped(str(given[field])))])
    before, event = event, _at_times(event, given)
    if {"end", "end_date"} & given.keys():
        event = event.with_lines("DURATION", [])  # it says the same in another way
    people = given.get("attendees")
    if isinstance(people, list):
        # What somebody has answered stands in the line of who stays.
        known = {_address(each): each for each in event.lines if each.name == "ATTENDEE"}
        asked = [(each, Line("ATTENDEE", f"mailto:{each}")) for each in map(str, people)]
        event = event.with_lines("ATTENDEE", [known.get(who, new) for who, new in asked])
    _check_times(event, given)
    if "recurrence" in given:
        event = with_recurrence(calendar, event, str(given["recurrence"]))
    check_moved(calendar, before, event)
    return event


def _at_times(event: Component, given: JsonObject) -> Component:
    """The event from its new start to its new end, and in its new time zone; raises `Refused`."""
    begins, place = event.first("DTSTART"), _place(given)
    if "timezone" in given and begins is not None and is_day(begins) and "start" not in given:
        raise Refused("timezone: whole days are in none", kind=Kind.INVALID)
    for field, name in _TIMES.items():
        line = event.first(name)
        # In the time zone of whoever made it: a series keeps its hour where clocks change.
        like = place if "timezone" in given else line or event.first("DTSTART")
        try:
            said = given.get(field)
            if said is None and "timezone" in given and line is not None and not is_day(line):
                said = told_moment(line)
                if said is None:
                    raise ValueError("nobody here knows the time zone that it is in")
            if said is not None:
                new = moment_line(name, str(said), like)
                if place is not None and new.value.endswith("Z"):
                    raise ValueError(f"{said} cannot be said in that time zone")
                event = event.with_lines(name, [new])
            if f"{field}_date" in given:
                event = event.with_lines(name, [date_line(name, str(given[f"{field}_date"]))])
        except ValueError as error:
            raise Refused(f"{field}: {error}", kind=Kind.INVALID) from error
    return event


def _place(given: JsonObject) -> Line | None:
    """A line of the time zone that an event is to be in; None is UTC. Raises `Refused`."""
    zone = str(given.get("timezone", "UTC"))
    if zone == "UTC":
        return None
    if zone_of(zone) is None:
        raise Refused(f"timezone: nobody here knows {zone}: say Europe/Berlin", kind=Kind.INVALID)
    return Line("DTSTART", "", (("TZID", zone),))


def _check_times(event: Component, given: JsonObject) -> None:
    start, end = event.first("DTSTART"), event.first("DTEND")
    both = any(name in given and f"{name}_date" in given for name in _TIMES)
    if start is None or both or (end is not None and is_day(start) != is_day(end)):
        told = "say when it begins and ends: start and end, or start_date and end_date"
        raise Refused(told, kind=Kind.INVALID)
    if end is not None and _is_not_before(start, end):
        raise Refused("it ends before it begins", kind=Kind.INVALID)


def _is_not_before(start: Line, end: Line) -> bool:
    """Whether an event ends when it begins or earlier, as far as anybody here can tell."""
    if start.parameters == end.parameters:
        return end.value <= start.value
    first, last = told_moment(start), told_moment(end)
    if first is None or last is None:
        return False
    return datetime.fromisoformat(last) <= datetime.fromisoformat(first)


def _time(line: Line | None) -> JsonValue:
    if line is None:
        return None
    if is_day(line):
        return {"date": told_date(line)}
    return {"moment": told_moment(line), "zone": line.parameter("TZID")}


def _text(event: Component, name: str) -> JsonValue:
    line = event.first(name)
    return None if line is None else plain(line.value)


def _value(event: Component, name: str) -> JsonValue:
    line = event.first(name)
    return None if line is None else line.value


def _address(line: Line | None) -> JsonValue:
    return None if line is None else _MAILTO.sub("", line.value, count=1)


_EVENT: Mapping[str, At] = {
    "id": At("name"),
    "version": At("etag"),
    "created_at": At("CREATED/moment"),
    "updated_at": At("LAST-MODIFIED/moment"),
    "title": At("SUMMARY"),
    "description": At("DESCRIPTION"),
    "location": At("LOCATION"),
    "start": At("DTSTART/moment", said="`DTSTART`"),
    "end": At("DTEND/moment", said="`DTEND`"),
    "start_date": At("DTSTART/date", said="`DTSTART;VALUE=DATE`"),
    "end_date": At("DTEND/date", said="`DTEND;VALUE=DATE`"),
    "all_day": At(
        "DTSTART", lambda found: isinstance(found, dict) and "date" in found, "of `DTSTART`"
    ),
    "timezone": At("DTSTART/zone", said="`DTSTART;TZID`"),
    "organizer": At("ORGANIZER"),
    "attendees": At("ATTENDEE"),
    "recurrence": At("RRULE"),
    "status": At("STATUS", worded(STATUSES)),
    "status_raw": At("STATUS"),
}
CALDAV = Vendor(
    "caldav",
    CALENDAR,
    {"event": _EVENT},
    {
        "event_create": {
            "effect": "keyed",
            "idempotency": {"in": "connector", "name": "the file's name", "window_s": KEY_WINDOW_S},
            "undo": {"action": "event_delete", "args": [{"ref": "result/id", "to": "id"}]},
        },
        "event_get": {},
        "event_list": {},
        "event_update": {"effect": "idempotent"},
        "event_delete": {"effect": "idempotent"},
    },
    gaps={"event.url": "an event has a place for it, which is anybody's to fill"},
)
