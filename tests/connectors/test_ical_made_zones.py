"""A time zone that is written is the one that was named, change by change."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from dateutil.tz import tzical

from connectors.builtin.caldav.ical import Component, Line, write
from connectors.builtin.caldav.zones import zones_of

PLACES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
          "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo", "Etc/GMT+5")  # fmt: skip


def event(place: str, start: str = "20261020T090000") -> Component:
    return Component("VEVENT", (Line("DTSTART", start, (("TZID", place),)),))


@pytest.mark.parametrize("place", PLACES)
def test_whoever_reads_it_has_the_same_time(place: str) -> None:
    text = write(Component("VCALENDAR", (), zones_of(event(place))))
    read, zone = tzical(StringIO(text)).get(place), ZoneInfo(place)
    assert read is not None
    begin = datetime(2026, 1, 2, tzinfo=UTC)

    for days in range(0, 19 * 365, 3):
        moment = begin + timedelta(days=days, hours=days % 24)
        assert moment.astimezone(read).utcoffset() == moment.astimezone(zone).utcoffset(), moment


@pytest.mark.parametrize(
    ("place", "start"),
    [("Europe/Berlin", "00010101T090000"), ("Europe/Berlin", "99981231T090000"),
     ("Africa/Monrovia", "19600101T090000")],
)  # fmt: skip
def test_no_year_is_too_far(place: str, start: str) -> None:
    (zone,) = zones_of(event(place, start))

    assert zone.parts


def test_what_is_in_no_zone_needs_none() -> None:
    assert zones_of(Component("VEVENT", (Line("DTSTART", "20261020T090000Z"),))) == ()
    assert zones_of(Component("VEVENT")) == ()
