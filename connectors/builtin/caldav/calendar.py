"""Calls a calendar over CalDAV: each event is a file, and our key is the name of a new one.

A file is only put where none of its name is (`If-None-Match: *`), so an attempt that comes after
one that came through is told so, and reads what is there. It is only changed as the version that
was read (`If-Match`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from xml.etree import ElementTree

from pydantic import JsonValue

from connectors.api import Api
from connectors.builtin.caldav.fields import CALDAV, changed_event, in_one_form, read_event
from connectors.builtin.caldav.ical import (
    Component,
    Line,
    event_of,
    in_utc,
    read_calendar,
    utc,
    with_event,
    write,
)
from connectors.builtin.caldav.recurrence import check_zone
from connectors.builtin.caldav.zones import with_zones, zones_of
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.http import HttpAnswer
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.steps import (
    after,
    before,
    is_as_asked,
    meanwhile,
    output_of,
    was_ours,
)

_ICAL = {"content-type": "text/calendar; charset=utf-8", "accept": "text/calendar"}
_XML = {"content-type": "application/xml; charset=utf-8", "accept": "application/xml", "depth": "1"}
_DAV, _CAL = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
_CUT_SHORT = "507"  # said of the calendar itself (RFC 4791, 7.8)
_GONE = "404"  # said of an event that was there a moment ago
_MOST_TAGS = 400_000
_QUERY = """<?xml version="1.0" encoding="utf-8"?>
<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">
<d:prop><d:getetag/><c:calendar-data/></d:prop>
<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT">
<c:time-range start="{start}" end="{end}"/>
</c:comp-filter></c:comp-filter></c:filter>
</c:calendar-query>"""


@dataclass(frozen=True)
class Calendar:
    """One calendar: a folder of events."""

    api: Api
    domain: str

    async def create(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Put an event there once."""
        key, now = context.idempotency_key.lower(), utc(datetime.now(UTC))
        name = f"{key}.ics"
        new = Component(
            "VEVENT",
            (Line("UID", f"{key}@{self.domain}"), Line("DTSTAMP", now), Line("CREATED", now)),
        )
        empty = Component(
            "VCALENDAR", (Line("VERSION", "2.0"), Line("PRODID", "-//lamgate//caldav//EN"))
        )
        event = changed_event(empty, new, given)
        check_zone(new, event, given)
        calendar = replace(empty, parts=(*zones_of(event), event))
        try:
            done = await self._put(spec, context, name, calendar, {"if-none-match": "*"})
        except Refused as error:
            if error.status != 412:
                raise
            # Nobody else makes names of our keys: it is there since an earlier attempt.
            return Applied(await self._told(spec, name, context), replayed=True)
        return await after(done, self._told(spec, name, context))

    async def get(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read an event."""
        return Applied(await self._told(spec, str(given["id"]), context))

    async def search(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """List the events of a time."""
        start, end = (_moment(str(given[name])) for name in ("start", "end"))
        if end <= start:
            raise Refused("the time ends before it begins", kind=Kind.INVALID)
        body = _QUERY.format(start=start, end=end).encode()
        return await self.api.ask(spec, context, "REPORT", body=body, headers=_XML, content=_events)

    async def update(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Change an event, if it is still the version that the change was decided on."""
        name, version = str(given["id"]), given.get("version")
        raw = await self._raw(spec, name, context)
        told = CALDAV.tell("event", raw)
        if context.attempt > 1 and is_as_asked(in_one_form(given), in_one_form(told)):
            return Applied(told, replayed=True)  # by an earlier attempt: what is put is as new
        etag = raw["etag"] if version is None else version
        if etag is None:
            raise Refused("the calendar tells no version of the event", kind=Kind.INTERNAL)
        calendar = read_calendar(str(raw["ical"]))
        event = changed_event(calendar, event_of(calendar), given)
        check_zone(event_of(calendar), event, given)
        stamp = Line("LAST-MODIFIED", utc(datetime.now(UTC)))
        changed = with_event(calendar, event.with_lines("LAST-MODIFIED", [stamp]))
        if "timezone" in given:
            changed = with_zones(changed)
        try:
            done = await self._put(spec, context, name, changed, {"if-match": str(etag)})
        except Refused as error:
            if error.status != 412 or version is None:
                raise meanwhile(error) from error
            if context.attempt == 1:
                raise
            now = await self._told(spec, name, context)
            found = was_ours(error, in_one_form(given), in_one_form(now))
            return replace(found, output=now)
        return await after(done, self._told(spec, name, context))

    async def delete(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Take an event away; one that an earlier attempt took away stays so."""
        name = str(given["id"])
        headers = {"if-match": str(given["version"])} if "version" in given else {}
        try:
            done = await self.api.ask(
                spec,
                context,
                "DELETE",
                name,
                headers=headers,
                content=lambda _: {"id": name},
            )
        except Refused as error:
            if error.status != 404 or context.attempt == 1:
                raise
            return Applied({"id": name}, replayed=True)
        return done

    async def _put(
        self,
        spec: ActionSpec,
        context: CallContext,
        name: str,
        calendar: Component,
        headers: Mapping[str, str],
    ) -> Outcome:
        return await self.api.ask(
            spec,
            context,
            "PUT",
            name,
            body=write(calendar).encode(),
            headers={**_ICAL, **headers},
            content=lambda _: None,
        )

    async def _told(self, spec: ActionSpec, name: str, context: CallContext) -> JsonObject:
        return CALDAV.tell("event", await self._raw(spec, name, context))

    async def _raw(self, spec: ActionSpec, name: str, context: CallContext) -> JsonObject:
        def event(answer: HttpAnswer) -> JsonValue:
            return read_event(name, answer.headers.get("etag"), answer.body.decode())

        asked = self.api.ask(before(spec), context, "GET", name, headers=_ICAL, content=event)
        found = await output_of(asked)
        return found if isinstance(found, dict) else {}


def _moment(text: str) -> str:
    try:
        return in_utc(text)
    except ValueError as error:
        raise Refused(str(error), kind=Kind.INVALID) from error


def _events(answer: HttpAnswer) -> JsonValue:
    """The events of a multistatus (RFC 4918, 13); raises `ValueError`, or `Refused` for a part."""
    if answer.body.count(b"<") > _MOST_TAGS:
        raise ValueError("the answer has too many elements")
    text = answer.body.decode("utf-8-sig")  # in other encodings the parser sees what we do not
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("an answer with a document type of its own is not read")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - it has no entities
    except ElementTree.ParseError as error:
        raise ValueError("the answer is no XML") from error
    found: list[JsonValue] = []
    for each in root.findall(f"{_DAV}response"):
        status = (each.findtext(f"{_DAV}status") or "").split()[1:2]
        if status == [_CUT_SHORT]:
            told = "there are more events than the calendar tells of at once: ask of a shorter time"
            raise Refused(told, kind=Kind.INVALID)
        href, data = each.findtext(f"{_DAV}href"), each.find(f".//{_CAL}calendar-data")
        if not href or status == [_GONE]:
            continue
        if data is None or not (data.text or "").strip():
            raise ValueError(f"the event {href[:200]} is not shown")
        etag = each.findtext(f".//{_DAV}getetag")
        found.append(CALDAV.tell("event", read_event(href, etag, data.text or "")))
    return {"events": found}
