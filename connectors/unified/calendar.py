"""The unified model `calendar`: the events of one calendar."""

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.unified.model import (
    FLAG,
    ID,
    MOMENT,
    TEXT,
    TEXTS,
    VERSION,
    Model,
    closed,
    list_of,
    needing,
    or_null,
    record_of,
    trusted_at,
    words,
)

_WEEKDAY = "(MO|TU|WE|TH|FR|SA|SU)"
_PART = "|".join(
    (
        "(INTERVAL|COUNT)=[1-9][0-9]{0,3}",
        "UNTIL=[0-9]{8}(T[0-9]{6}Z)?",
        f"BYDAY=([+-]?[1-9][0-9]?)?{_WEEKDAY}(,([+-]?[1-9][0-9]?)?{_WEEKDAY})*",
        "(BYMONTHDAY|BYSETPOS)=-?[1-9][0-9]{0,2}(,-?[1-9][0-9]{0,2})*",
        "BYMONTH=(1[0-2]|[1-9])(,(1[0-2]|[1-9]))*",
        f"WKST={_WEEKDAY}",
    )
)
RULE = f"^(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;({_PART}))*)?$"
"""The rules of RFC 5545 that repeat by days."""

_DATE: JsonObject = {"type": "string", "format": "date"}
_EVENT: JsonObject = {
    "title": or_null(TEXT),
    "description": or_null(TEXT),
    "location": or_null(TEXT),
    "start": or_null(MOMENT),
    "end": or_null(MOMENT),
    "start_date": or_null(_DATE),  # of an event that lasts whole days
    "end_date": or_null(_DATE),  # the day after its last one
    "all_day": or_null(FLAG),
    "timezone": or_null(TEXT),
    "organizer": or_null(TEXT),
    "attendees": or_null(TEXTS),
    "recurrence": or_null(TEXT),
    "status": or_null(words("confirmed", "tentative", "cancelled")),
    "status_raw": or_null(TEXT),
}
_EVENT_ID: JsonObject = {**ID, "description": "the id of the event"}
_ABOUT: JsonObject = {
    "title": {"type": "string", "minLength": 1, "maxLength": 200, "description": "one line"},
    "description": {"type": "string", "maxLength": 10000, "description": "what it is about"},
    "location": {"type": "string", "maxLength": 200, "description": "where it is"},
    "start": {**MOMENT, "description": "when it begins"},
    "end": {**MOMENT, "description": "when it ends"},
    "start_date": {**_DATE, "description": "its first day, if it lasts whole days"},
    "end_date": {**_DATE, "description": "the day after its last one, if it lasts whole days"},
    "recurrence": {
        "type": "string",
        "pattern": RULE,
        "maxLength": 200,
        "description": "how it repeats: an RRULE of RFC 5545, FREQ first; empty for no more. What "
        "begins at a moment and is made to repeat needs its timezone, in which it keeps its hour",
    },
    "attendees": {
        "type": "array",
        "items": {"type": "string", "format": "email", "maxLength": 254},
        "maxItems": 100,
        "description": "who comes",
    },
}
_ZONE: JsonObject = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$",
    "maxLength": 60,
    "description": "the time zone that it is in, such as Europe/Berlin; without it it is in UTC",
}
_NEW_ZONE: JsonObject = {
    **_ZONE,
    "description": "the time zone that it is in from now on; what is made to repeat needs one",
}
_SINKS: JsonObject = {
    "attendees/*": "recipient",
    "title": "content",
    "description": "content",
    "location": "content",
}
_TIMES = ("start", "end", "start_date", "end_date", "all_day")
_READ: JsonObject = {"effect": "read", "reads_as": "untrusted"}
_WRITE: JsonObject = {
    "approval": None,
    "reads_as": "untrusted",
    "fields_read_as": trusted_at("", _TIMES),
}


def _optional(*needed: str, **more: JsonValue) -> JsonObject:
    return needing({**more, **_ABOUT}, *needed)


CALENDAR = Model(
    "calendar",
    {"event": _EVENT},
    {
        "event_create": {
            "description": "Put an event into the calendar: from start to end, or whole days.",
            "input_schema": _optional("title", timezone=_ZONE),
            "output_schema": record_of(_EVENT),
            "sinks": _SINKS,
            **_WRITE,
        },
        "event_get": {
            "description": "Read an event.",
            "input_schema": closed({"id": _EVENT_ID}),
            "output_schema": record_of(_EVENT),
            "sinks": {"id": "resource_id"},
            "answer_ids": ["id"],
            "fields_read_as": trusted_at("", _TIMES),
            **_READ,
        },
        "event_list": {
            "description": "List the events of a time, also those that repeat into it.",
            "input_schema": closed(
                {
                    "start": {**MOMENT, "description": "from when"},
                    "end": {**MOMENT, "description": "until when"},
                }
            ),
            "output_schema": closed({"events": list_of(record_of(_EVENT))}),
            "fields_read_as": trusted_at("events/*/", _TIMES),
            **_READ,
        },
        "event_update": {
            "description": "Change an event: what is not said stays as it is.",
            "input_schema": _optional("id", id=_EVENT_ID, version=VERSION, timezone=_NEW_ZONE),
            "output_schema": record_of(_EVENT),
            "sinks": {**_SINKS, "id": "resource_id"},
            "answer_ids": ["id"],
            "irreversible": False,
            **_WRITE,
        },
        "event_delete": {
            "description": "Take an event out of the calendar.",
            "input_schema": closed({"id": _EVENT_ID, "version": VERSION}, "version"),
            "output_schema": closed({"id": ID}),
            "sinks": {"id": "resource_id"},
            "approval": None,
            "reads_as": "trusted",
        },
    },
)
