"""`calendar` over a real Radicale: promises hold, and a lost answer makes no second event."""

import base64
import os
from collections.abc import Iterator

import pytest
from between import Between, Changes, between
from connector_cases import Outside, answer, raw_server
from desk import Desk, output
from pydantic import JsonValue
from real_servers import Real, radicale

from connectors.builtin.caldav import factory
from connectors.connector import Applied
from connectors.errors import Kind, Refused, Uncertain
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import Example, HttpConformance, NamedCall, Service
from connectors.testing.trial import new_key

SECRET = base64.b64encode(b"it:it-password").decode()
TEA: JsonObject = {
    "title": "Tea, and cake",
    "description": "Bring\ncups; and ☃",
    "start": "2026-11-24T11:00:00+01:00",
    "end": "2026-11-24T12:00:00+01:00",
    "attendees": ["ann@example.com", "bob@example.com"],
}
ICAL = {"content-type": "text/calendar; charset=utf-8"}
DAY: JsonObject = {"start": "2026-11-24T00:00:00Z", "end": "2026-11-25T00:00:00Z"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with radicale(tmp_path_factory.mktemp("radicale")) as real:
        yield real


@pytest.fixture
def middle(server: Real) -> Iterator[Between]:
    with between(server) as found:
        yield found


def files(real: Real) -> list[str]:
    """What the server itself has."""
    return sorted(each.name for each in (real.folder / "store").rglob("cal/*.ics"))


def desk_at(url: str, outside: Outside) -> Desk:
    return Desk(outside, "caldav", f"{url}/it/cal", SECRET)


@pytest.fixture
def desk(middle: Between, outside: Outside) -> Desk:
    return desk_at(middle.service.url, outside)


@pytest.fixture
def direct(server: Real, outside: Outside) -> Desk:
    return desk_at(server.url, outside)


async def test_a_new_series_keeps_its_hour_where_the_clocks_of_its_place_change(
    direct: Desk, server: Real
) -> None:
    weekly: JsonObject = {
        "title": "Standup",
        "start": "2026-10-20T09:00:00+02:00",
        "end": "2026-10-20T10:00:00+02:00",
        "recurrence": "FREQ=WEEKLY",
        "timezone": "Europe/Berlin",
    }
    event = output(await direct("event_create", weekly))
    winter: JsonObject = {"start": "2026-10-27T08:30:00Z", "end": "2026-10-27T08:45:00Z"}
    summer: JsonObject = {"start": "2026-10-27T07:30:00Z", "end": "2026-10-27T07:45:00Z"}
    kept = next(each for each in server.folder.rglob("cal/*.ics") if each.name == event["id"])
    nowhere = await direct("event_create", {**weekly, "timezone": "Mars/Olympus"})
    unsaid = await direct(
        "event_create", {name: each for name, each in weekly.items() if name != "timezone"}
    )

    assert (event["start"], event["timezone"]) == ("2026-10-20T09:00:00+02:00", "Europe/Berlin")
    assert event["id"] in await _ids(direct, winter), "nine o'clock is an hour later by then"
    assert event["id"] not in await _ids(direct, summer)
    assert "BEGIN:VTIMEZONE" in kept.read_text("utf-8")
    for end, told in ((nowhere, "nobody here knows Mars/Olympus"), (unsaid, "needs its timezone")):
        assert isinstance(end, Refused)
        assert told in end.message
    await direct("event_delete", {"id": event["id"], "version": event["version"]})


async def test_an_event_that_is_made_to_repeat_is_kept_in_the_time_zone_that_is_said(
    direct: Desk, server: Real
) -> None:
    once = {"title": "Tea", "start": "2026-10-20T07:00:00Z", "end": "2026-10-20T08:00:00Z"}
    event = output(await direct("event_create", {**once}))
    weekly: JsonObject = {"id": event["id"], "recurrence": "FREQ=WEEKLY"}
    unsaid = await direct("event_update", weekly)
    berlin: JsonObject = {**weekly, "timezone": "Europe/Berlin"}
    changed = output(await direct("event_update", {**berlin, "version": event["version"]}))
    again = await direct("event_update", {**berlin, "version": event["version"]}, attempt=2)
    winter: JsonObject = {"start": "2026-10-27T08:30:00Z", "end": "2026-10-27T08:45:00Z"}
    there = await _ids(direct, winter)
    kept = next(each for each in server.folder.rglob("cal/*.ics") if each.name == event["id"])
    text = kept.read_text("utf-8")
    other = output(await direct("event_update", {"id": event["id"], "recurrence": "FREQ=DAILY"}))
    await direct("event_delete", {"id": event["id"]})

    assert isinstance(unsaid, Refused)
    assert "needs its timezone" in unsaid.message
    assert (changed["start"], changed["end"], changed["timezone"]) == (
        "2026-10-20T09:00:00+02:00", "2026-10-20T10:00:00+02:00", "Europe/Berlin",
    )  # fmt: skip
    assert event["id"] in there, "nine o'clock is an hour later by then"
    assert text.count("BEGIN:VTIMEZONE") == 1
    assert isinstance(again, Applied)
    assert again.replayed
    assert (other["recurrence"], other["timezone"]) == ("FREQ=DAILY", "Europe/Berlin")


async def test_an_event_may_repeat_in_utc_where_that_is_said(direct: Desk) -> None:
    once = {"title": "Tea", "start": "2026-10-20T07:00:00Z", "end": "2026-10-20T08:00:00Z"}
    event = output(await direct("event_create", {**once}))
    weekly: JsonObject = {"id": event["id"], "recurrence": "FREQ=WEEKLY", "timezone": "UTC"}
    changed = output(await direct("event_update", {**weekly, "version": event["version"]}))
    again = await direct("event_update", {**weekly, "version": event["version"]}, attempt=2)
    # Whoever made it repeat in UTC has said so already.
    daily = output(await direct("event_update", {"id": event["id"], "recurrence": "FREQ=DAILY"}))
    await direct("event_delete", {"id": event["id"]})

    assert (changed["start"], changed["timezone"]) == ("2026-10-20T07:00:00+00:00", None)
    assert isinstance(again, Applied)
    assert again.replayed
    assert daily["recurrence"] == "FREQ=DAILY"


async def test_days_are_in_no_time_zone(direct: Desk) -> None:
    days: JsonObject = {"title": "Away", "start_date": "2026-12-24", "end_date": "2026-12-27"}
    event = output(await direct("event_create", {**days}))
    moved = await direct("event_update", {"id": event["id"], "timezone": "Europe/Berlin"})
    yearly = await direct("event_update", {"id": event["id"], "recurrence": "FREQ=YEARLY"})
    await direct("event_delete", {"id": event["id"]})

    assert isinstance(moved, Refused)
    assert "whole days" in moved.message
    assert isinstance(yearly, Applied)


async def _ids(desk: Desk, during: JsonObject) -> list[JsonValue]:
    rows = output(await desk("event_list", during))["events"]
    assert isinstance(rows, list)
    return [each["id"] for each in rows if isinstance(each, dict)]


async def test_an_event_is_put_read_changed_and_taken_away(direct: Desk, server: Real) -> None:
    event = output(await direct("event_create", TEA))
    read = output(await direct("event_get", {"id": event["id"]}))
    listed = output(await direct("event_list", DAY))
    other = output(await direct("event_list", {**DAY, "start": "2026-11-24T12:00:00Z"}))
    changed = output(
        await direct(
            "event_update",
            {"id": event["id"], "version": event["version"], "location": "Room 1"},
        )
    )
    gone = await direct("event_delete", {"id": event["id"], "version": changed["version"]})

    told = {name: event[name] for name in ("title", "description", "start", "end", "attendees")}
    assert told == {
        **TEA,
        "start": "2026-11-24T10:00:00+00:00",
        "end": "2026-11-24T11:00:00+00:00",
    }
    assert read == event
    assert listed == {"events": [event]}
    assert other == {"events": []}
    assert (changed["location"], changed["title"]) == ("Room 1", "Tea, and cake")
    assert changed["version"] != event["version"]
    assert gone == Applied({"id": event["id"]})
    assert str(event["id"]) not in files(server)


async def test_whole_days_are_put_and_told_as_days(direct: Desk) -> None:
    days: JsonObject = {"title": "Away", "start_date": "2026-12-24", "end_date": "2026-12-27"}
    event = output(await direct("event_create", days))

    assert {name: event[name] for name in days} == days
    assert (event["all_day"], event["start"]) == (True, None)


async def test_what_repeats_is_there_on_later_days_until_it_repeats_no_more(direct: Desk) -> None:
    weekly: JsonObject = {**TEA, "recurrence": "FREQ=WEEKLY;BYDAY=TU;COUNT=4", "timezone": "UTC"}
    event = output(await direct("event_create", weekly))
    later: JsonObject = {"start": "2026-12-15T00:00:00Z", "end": "2026-12-16T00:00:00Z"}
    third = output(await direct("event_list", later))
    week_after: JsonObject = {"start": "2026-12-22T00:00:00Z", "end": "2026-12-23T00:00:00Z"}
    fifth = output(await direct("event_list", week_after))
    gone: JsonObject = {"id": event["id"], "recurrence": ""}
    once = output(await direct("event_update", gone))
    replayed = await direct("event_update", gone, attempt=2)
    after = output(await direct("event_list", later))
    wrong = await direct(
        "event_create", {**TEA, "recurrence": "FREQ=WEEKLY;BYDAY=FR", "timezone": "UTC"}
    )

    assert event["recurrence"] == "FREQ=WEEKLY;BYDAY=TU;COUNT=4"
    assert [each["id"] for each in third["events"]] == [event["id"]]
    assert fifth == {"events": []}
    assert once["recurrence"] is None
    assert isinstance(replayed, Applied)
    assert replayed.replayed
    assert after == {"events": []}
    assert isinstance(wrong, Refused)
    assert wrong.kind is Kind.INVALID


IN_BERLIN = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//EN
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:berlin
DTSTAMP:20261001T000000Z
DTSTART;TZID=Europe/Berlin:20261020T100000
DTEND;TZID=Europe/Berlin:20261020T110000
RRULE:FREQ=WEEKLY
END:VEVENT
END:VCALENDAR
"""


async def test_a_series_that_is_moved_in_summer_is_at_the_same_hour_in_winter(
    direct: Desk, server: Real
) -> None:
    """The server itself says when it is: at 11 in Berlin, which is 9 in UTC and then 10."""
    content = IN_BERLIN.replace("\n", "\r\n").encode()
    login = ("it", "it-password")
    server.ask("PUT", "/it/cal/berlin.ics", content=content, auth=login, headers=ICAL)
    moved: JsonObject = {
        "id": "berlin.ics",
        "start": "2026-10-20T11:00:00+02:00",
        "end": "2026-10-20T12:00:00+02:00",
    }
    event = output(await direct("event_update", moved))
    replayed = await direct("event_update", moved, attempt=2)

    async def is_at(day: str, hour: int) -> bool:
        time: JsonObject = {"start": f"{day}T{hour:02}:10:00Z", "end": f"{day}T{hour:02}:50:00Z"}
        events = output(await direct("event_list", time))["events"]
        assert isinstance(events, list)
        return event["id"] in [each["id"] for each in events if isinstance(each, dict)]

    assert (event["start"], event["timezone"]) == ("2026-10-20T11:00:00+02:00", "Europe/Berlin")
    assert isinstance(replayed, Applied)
    assert replayed.replayed
    assert [await is_at("2026-10-20", hour) for hour in (8, 9, 10)] == [False, True, False]
    assert [await is_at("2026-11-03", hour) for hour in (9, 10, 11)] == [False, True, False]
    await direct("event_delete", {"id": "berlin.ics"})


@pytest.mark.parametrize("lost", [1, 2])
async def test_whichever_answer_is_lost_there_is_one_event(
    lost: int, desk: Desk, middle: Between, server: Real
) -> None:
    before, key = len(files(server)), new_key()
    middle.lose(lost)
    first = await desk("event_create", TEA, key)
    middle.lose()
    second = await desk("event_create", TEA, key, attempt=2)

    assert isinstance(first, Uncertain) == (lost == 1)
    assert isinstance(second, Applied)
    assert second.replayed
    assert len(files(server)) == before + 1


async def test_a_change_that_was_decided_on_another_version_changes_nothing(
    desk: Desk, middle: Between
) -> None:
    event, key = output(await desk("event_create", TEA)), new_key()
    change: JsonObject = {
        "id": event["id"],
        "version": event["version"],
        "start": "2026-11-24T10:30:00+01:00",
    }
    middle.lose(2)
    lost = await desk("event_update", change, key)
    middle.lose()
    mended = await desk("event_update", change, key, attempt=2)
    stale = await desk("event_update", {**change, "title": "Coffee"})
    read = output(await desk("event_get", {"id": event["id"]}))

    assert isinstance(lost, Uncertain)
    assert isinstance(mended, Applied)
    assert mended.replayed
    assert isinstance(stale, Refused)
    assert (stale.kind, stale.vendor_code) == (Kind.CONFLICT, "version-conflict")
    assert (read["title"], read["start"]) == ("Tea, and cake", "2026-11-24T09:30:00+00:00")


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("event_get", {"id": "nothing.ics"}, Kind.NOT_FOUND),
        ("event_get", {"id": "../other/1.ics"}, Kind.INVALID),
        ("event_delete", {"id": "nothing.ics"}, Kind.NOT_FOUND),
        ("event_create", {"title": "Never"}, Kind.INVALID),
        ("event_create", {**TEA, "end": "2026-11-24T10:00:00Z"}, Kind.INVALID),
        ("event_list", {**DAY, "end": "2026-11-23T00:00:00Z"}, Kind.INVALID),
    ],
)
async def test_a_no_is_called_by_its_name(
    name: str, arguments: JsonObject, kind: Kind, direct: Desk, server: Real
) -> None:
    before = files(server)
    end = await direct(name, arguments)

    assert isinstance(end, Refused)
    assert end.kind is kind
    assert files(server) == before


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>'


@pytest.mark.parametrize(
    "body",
    [BOMB, BOMB.decode().replace("?>", ' encoding="utf-16"?>').encode("utf-16"), b"<a", b"no"],
)
async def test_an_answer_that_is_no_list_of_events_is_not_read(
    body: bytes, outside: Outside
) -> None:
    async with raw_server(answer(207, body, {"content-type": "text/xml"})) as raw:
        end = await desk_at(raw.url, outside)("event_list", DAY)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INTERNAL


class TestCalDav(HttpConformance):
    plugin = Plugin(factory.connect, protocol=1)
    path = "/it/cal"
    real: Real
    whole = os.environ.get("LAMGATE_KIT_WHOLE") == "1"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, server: Real) -> None:
        cls.real = server

    def secret(self) -> str:
        return SECRET

    def service(self) -> Service:
        self.changes = Changes()
        self.put("read.ics")
        return Between(self.real).service

    def put(self, name: str) -> None:
        """Put an event there without the connector."""
        lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VEVENT", f"UID:{name}",
                 "DTSTAMP:20261124T100000Z", "DTSTART:20261124T100000Z", "END:VEVENT",
                 "END:VCALENDAR", "")  # fmt: skip
        content, login = "\r\n".join(lines), ("it", "it-password")
        path = f"/it/cal/{name}"
        done = self.real.ask("PUT", path, content=content.encode(), auth=login, headers=ICAL)
        assert done.status_code in (201, 204), done.text

    async def change(self) -> NamedCall:
        name = f"{new_key().lower()}.ics"
        self.put(name)
        return ("own.event_update", {"id": name, "title": "Coffee"})

    def example(self) -> Example:
        async def effects() -> int:
            found = (self.real.folder / "store").rglob("cal/*.ics")
            return self.changes.count((each.name, str(each.stat().st_mtime_ns)) for each in found)

        async def state() -> JsonValue:
            return [*files(self.real)]

        return Example(
            read=("own.event_get", {"id": "read.ics"}),
            keyed=("own.event_create", TEA),
            undone=("own.event_create", TEA),
            more=(self.change,),
            refused=("own.event_get", {"id": "nothing.ics"}),
            effects=effects,
            state=state,
            secrets=("it-password",),
        )
