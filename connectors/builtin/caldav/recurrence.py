"""What of RFC 5545's recurrence rules is written, and whether one fits its event: dateutil decides.

A rule is written as it is given. It repeats in the time that the event's first line is in: whole
days as days, a moment of UTC at that moment of UTC, also where clocks change meanwhile.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr

from connectors.builtin.caldav.ical import Component, Line, is_day
from connectors.errors import Kind, Refused

_NO_MORE = ""
_NEVER_AGAIN = 600_000  # days at the least: longer than dateutil's years go on


def with_recurrence(calendar: Component, event: Component, rule: str) -> Component:
    """The event repeating by a rule, or no more; raises `Refused` for a rule that does not fit."""
    if any(each.first("RECURRENCE-ID") for each in calendar.parts):
        told = "some of its days were changed one by one, and they would be of another rule"
        raise Refused(told, kind=Kind.CONFLICT)
    if rule == _NO_MORE:
        return event.with_lines("RRULE", [])
    start = event.first("DTSTART")
    if start is None:
        raise Refused("what repeats has to begin", kind=Kind.INVALID)
    try:
        _check(rule, _first(start))
    except ValueError as error:
        raise Refused(f"recurrence: {error}", kind=Kind.INVALID) from error
    return event.with_lines("RRULE", [Line("RRULE", rule)])


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
    try:
        return found if zone is None else found.replace(tzinfo=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"nobody here knows the time zone {zone}") from error
