"""A calendar server's answers that are meant to cost much, and moments that no calendar has."""

import pytest
from connector_cases import Outside, Raw, answer, end_of, raw_server, registry_of

from connectors.builtin.caldav.ical import date_line, moment_line
from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError, Kind, Refused
from connectors.factories import ConnectionSettings
from connectors.spec import JsonObject

XML = {"content-type": "application/xml"}
TIME: JsonObject = {"start": "2026-07-01T00:00:00Z", "end": "2026-08-01T00:00:00Z"}
EVENT = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n"
RESPONSE = (
    "<response><href>/{0}.ics</href><propstat><prop><c:calendar-data>{1}</c:calendar-data>"
    "</prop></propstat>{2}</response>"
)


def multistatus(inner: str) -> bytes:
    names = 'xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
    body = f"<multistatus {names}>{inner}</multistatus>".encode()
    return answer(207, body, XML)


async def asked(
    said: bytes, outside: Outside, name: str, arguments: JsonObject
) -> tuple[Outcome | ConnectorError, Raw]:
    """How a call of an operation ends at a server that says this."""
    async with raw_server(said) as raw:
        settings = ConnectionSettings("cal", "caldav", raw.url)
        registry = registry_of(outside.to(raw.host), settings)
        action = (await registry.load()).get(f"cal.{name}")
        assert action is not None
        return await end_of(registry, action, arguments), raw


async def test_an_answer_inside_of_an_answer_is_none(outside: Outside) -> None:
    inside = RESPONSE.format("inner", EVENT.format(""), "")
    said = multistatus(RESPONSE.format("outer", EVENT.format(""), inside))
    end, _ = await asked(said, outside, "event_list", TIME)

    assert isinstance(end, Applied)
    assert isinstance(end.output, dict)
    events = end.output["events"]
    assert isinstance(events, list)
    assert [each["id"] for each in events if isinstance(each, dict)] == ["outer.ics"]


async def test_a_list_that_the_server_has_cut_short_is_none(outside: Outside) -> None:
    status = "<status>HTTP/1.1 {}</status>"
    one = RESPONSE.format("one", EVENT.format(""), "")
    gone = f"<response><href>/gone.ics</href>{status.format('404 Not Found')}</response>"
    rest = f"<response><href>/</href>{status.format('507 Insufficient Storage')}</response>"
    whole, _ = await asked(multistatus(one + gone), outside, "event_list", TIME)
    short, _ = await asked(multistatus(one + rest), outside, "event_list", TIME)

    assert isinstance(whole, Applied)
    assert isinstance(short, Refused)
    assert "shorter" in short.message


@pytest.mark.parametrize(
    "inside",
    [
        "<status>HTTP/1.1 500 Internal Server Error</status>",
        "<propstat><prop><c:calendar-data/></prop><status>HTTP/1.1 403 No</status></propstat>",
        "<propstat><prop><c:calendar-data> </c:calendar-data></prop></propstat>",
        "",
    ],
)
async def test_an_event_that_the_server_does_not_show_is_not_passed_over(
    inside: str, outside: Outside
) -> None:
    hidden = f"<response><href>/two.ics</href>{inside}</response>"
    one = RESPONSE.format("one", EVENT.format(""), "")
    end, _ = await asked(multistatus(one + hidden), outside, "event_list", TIME)

    assert isinstance(end, Refused)
    assert "two.ics" in end.message


async def test_an_event_without_a_version_is_not_changed_unseen(outside: Outside) -> None:
    said = answer(200, EVENT.format("DTSTART:20260701T100000Z\r\n").encode())
    end, raw = await asked(said, outside, "event_update", {"id": "1.ics", "title": "Coffee"})

    assert isinstance(end, Refused)
    assert "no version" in end.message
    assert [each[:4] for each in raw.received] == [b"GET "]


async def test_answers_nested_by_the_ten_thousand_are_gone_through_once(outside: Outside) -> None:
    depth = 100_000  # of which each was looked at with all that is in it: minutes
    said = multistatus("<response>" * depth + "</response>" * depth)
    end, _ = await asked(said, outside, "event_list", TIME)

    assert isinstance(end, Applied)
    assert end.output == {"events": []}


async def test_more_elements_than_any_calendar_has_are_not_read(outside: Outside) -> None:
    end, _ = await asked(multistatus("<a/>" * 500_000), outside, "event_list", TIME)

    assert isinstance(end, Refused)
    assert "too many elements" in end.message


async def test_more_lines_than_any_event_has_are_not_read(outside: Outside) -> None:
    said = EVENT.format("A:\r\n" * 100_000).encode()
    end, _ = await asked(answer(200, said), outside, "event_get", {"id": "1.ics"})

    assert isinstance(end, Refused)
    assert "too many lines" in end.message


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2016-12-31T23:59:60Z"],
)
async def test_a_moment_of_no_calendar_is_refused_before_anything_is_sent(
    moment: str, outside: Outside
) -> None:
    for name, given in (("event_create", {"title": "Tea", "end": moment}), ("event_list", {})):
        times: JsonObject = {**TIME, **given, "start": moment}
        end, raw = await asked(answer(200, b""), outside, name, times)

        assert isinstance(end, Refused), end
        assert (end.kind, raw.received) == (Kind.INVALID, [])


def test_a_year_has_four_digits() -> None:
    assert moment_line("DTSTART", "0999-12-31T23:30:00-01:00").value == "10000101T003000Z"
    assert moment_line("DTSTART", "0001-01-01T00:00:00Z").value == "00010101T000000Z"
    assert date_line("DTEND", "0033-04-03").value == "00330403"
