"""What of RFC 5545's recurrence rules is written, and whether one fits its event: dateutil decides.

A rule is written as it is given. It repeats in the time that the event's first line is in: whole
days as days, a time of a zone at that time, a moment of UTC at that moment of UTC, also where
clocks change meanwhile.
"""

import re
from datetime import UTC, datetime

from dateutil.rrule import rrulestr

from connectors.builtin.caldav.ical import Component, Line, is_day, zone_of
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject
from connectors.unified.calendar import RULE

_NO_MORE = ""
_REPEATS = ("RRULE", "RDATE")
_ONE_BY_ONE = ("RDATE", "EXDATE", "EXRULE")
_RULE = re.compile(RULE)
_LONGEST_RULE = 200
_NEVER_AGAIN = 600_000  # days at the least: longer than dateutil's years go on


def with_recurrence(calendar: Component, event: Component, rule: str) -> Component:
    """The event repeating by a rule, or no more; raises `Refused` for a rule that does not fit."""
    if _has_exceptions(calendar):
        told = "some of its days were changed one by one, and they would be of another rule"
        raise Refused(told, kind=Kind.CONFLICT)
    if rule == _NO_MORE:
        for name in ("RRULE", *_ONE_BY_ONE):
            event = event.with_lines(name, [])
        return event
    _require_fitting(rule, event)
    return event.with_lines("RRULE", [Line("RRULE", rule)])


def check_moved(calendar: Component, before: Component, event: Component) -> None:
    """Raise `Refused` where an event that repeats would begin at a time that its days do not have.

    Days that were changed or taken out are written with the time that they had.
    """
    old, new = before.first("DTSTART"), event.first("DTSTART")
    if old is None or new is None or _said(old) == _said(new):
        return
    if not any(map(event.first, _REPEATS)):
        return
    if _has_exceptions(calendar) or any(map(event.first, _ONE_BY_ONE)):
        told = "some of its days were changed one by one, and they would be of the old time"
        raise Refused(told, kind=Kind.CONFLICT)
    if not is_day(old) and not old.value.endswith("Z") and new.value.endswith("Z"):
        told = "it repeats in the time of a place, in which that moment cannot be said here"
        raise Refused(told, kind=Kind.INVALID)
    rules = [each.value for each in event.lines if each.name == "RRULE"]
    if len(rules) != 1 or len(rules[0]) > _LONGEST_RULE or not _RULE.fullmatch(rules[0]):
        told = "its rule is not one that is known here: say recurrence, too"
        raise Refused(told, kind=Kind.INVALID)
    _require_fitting(rules[0], event)


def check_zone(before: Component, event: Component, given: JsonObject) -> None:
    """Raise `Refused` where an event begins to repeat in UTC without anybody having said so.

    It would be an hour off from the day on which the clocks of its place change.
    """
    start = event.first("DTSTART")
    is_utc = start is not None and start.value.endswith("Z")
    begins = any(map(event.first, _REPEATS)) and not any(map(before.first, _REPEATS))
    if begins and is_utc and "timezone" not in given:
        told = "what repeats needs its timezone: say Europe/Berlin, or UTC"
        raise Refused(told, kind=Kind.INVALID)


def _said(line: Line) -> tuple[str, str | None]:
    return line.value, line.parameter("TZID")


def _has_exceptions(calendar: Component) -> bool:
    return any(each.first("RECURRENCE-ID") for each in calendar.parts)


def _require_fitting(rule: str, event: Component) -> None:
    start = event.first("DTSTART")
    if start is None:
        raise Refused("what repeats has to begin", kind=Kind.INVALID)
    try:
        _check(rule, _first(start))
    except ValueError as error:
        raise Refused(f"recurrence: {error}", kind=Kind.INVALID) from error


def _check(rule: str, begins: datetime) -> None:
    parts = [each.partition("=")[0] for each in rule.split(";")]
    if len(parts) != len({*parts}) or {"COUNT", "UNTIL"} <= {*parts}:
        raise ValueError("each part is said once, and COUNT or UNTIL alone")
    # A rule whose first day is another than the event's means something else to each calendar. To
    # see it, the period of that day is enough: a rule of 30 February would be looked for till 9999.
    only_first = rrulestr(rule, dtstart=begins).replace(interval=_NEVER_AGAIN)
    if next(iter(only_first), None) != begins:
        raise ValueError("the event does not begin on a day of its rule")


def _first(start: Line) -> datetime:
    """When it begins, in the time that its line is in; raises `ValueError`."""
    if is_day(start):
        return datetime.strptime(start.value, "%Y%m%d")
    if start.value.endswith("Z"):
        return datetime.strptime(start.value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    found = datetime.strptime(start.value, "%Y%m%dT%H%M%S")
    zone = start.parameter("TZID")
    if zone is None:
        return found
    info = zone_of(zone)
    if info is None:
        raise ValueError(f"nobody here knows the time zone {zone}")
    return found.replace(tzinfo=info)
