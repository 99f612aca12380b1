"""A time zone as a calendar has it (RFC 5545, 3.6.5): each change of its clocks for some years."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.builtin.caldav.ical import Component, Line, event_of, told_moment, zone_of

_YEARS = 20  # from then on whoever reads it goes by the zone's name
_LATEST = 9990


def zones_of(event: Component) -> tuple[Component, ...]:
    """What says when it is where an event begins: nothing of one in UTC, or of whole days."""
    start = event.first("DTSTART")
    name = start.parameter("TZID") if start else None
    zone = None if name is None else zone_of(name)
    begins = told_moment(start) if start and zone else None
    if name is None or zone is None or begins is None:
        return ()
    return (_time_zone(name, zone, datetime.fromisoformat(begins)),)


def with_zones(calendar: Component) -> Component:
    """The calendar with what says when it is where its event begins, if it has not got it."""
    known = {each.first("TZID") for each in calendar.parts if each.name == "VTIMEZONE"}
    new = (each for each in zones_of(event_of(calendar)) if each.first("TZID") not in known)
    return replace(calendar, parts=(*new, *calendar.parts))


def _time_zone(name: str, zone: ZoneInfo, begins: datetime) -> Component:
    first = datetime(max(2, min(begins.year, _LATEST) - 1), 1, 1, tzinfo=UTC)
    last = datetime(min(first.year + _YEARS + 1, _LATEST), 1, 1, tzinfo=UTC)
    changes = [(each - timedelta(minutes=1), each) for each in _changes(zone, first, last)]
    parts = (_observance(zone, before, each) for before, each in [(first, first), *changes])
    return Component("VTIMEZONE", (Line("TZID", name),), tuple(parts))


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """The first moments with another offset, by the minute."""
    before = first
    while before < last:
        after = before + timedelta(days=1)
        if _offset(zone, before) != _offset(zone, after):
            early, late = before, after
            while late - early > timedelta(minutes=1):
                middle = early + timedelta(minutes=(late - early) // timedelta(minutes=2))
                is_early = _offset(zone, middle) == _offset(zone, before)
                early, late = (middle, late) if is_early else (early, middle)
            yield late
        before = after


def _observance(zone: ZoneInfo, before: datetime, moment: datetime) -> Component:
    """From a moment on; it is written as the clocks said that had not been changed yet."""
    old, local = _offset(zone, before), moment.astimezone(zone)
    begins = (moment + old).replace(tzinfo=None)
    lines = (
        Line("DTSTART", f"{begins.year:04}{begins:%m%dT%H%M%S}"),
        Line("TZOFFSETFROM", _told(old)),
        Line("TZOFFSETTO", _told(_offset(zone, moment))),
        Line("TZNAME", str(local.tzname())),
    )
    return Component("DAYLIGHT" if local.dst() else "STANDARD", lines)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _told(offset: timedelta) -> str:
    seconds = abs(offset) // timedelta(seconds=1)
    told = f"{seconds // 3600:02}{seconds // 60 % 60:02}"
    told += f"{seconds % 60:02}" if seconds % 60 else ""
    return ("-" if offset < timedelta() else "+") + told
