"""The unified model `ticketing`: tickets and the comments on them."""

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
    limit,
    list_of,
    needing,
    or_null,
    record_of,
    trusted_at,
    words,
)

STATUSES = ("open", "in_progress", "on_hold", "resolved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
_TICKET: JsonObject = {
    "title": or_null(TEXT),
    "description": or_null(TEXT),
    "status": or_null(words(*STATUSES)),
    "status_raw": or_null(TEXT),
    "priority": or_null(words(*PRIORITIES)),
    "priority_raw": or_null(TEXT),
    "type": or_null(TEXT),
    "requester_id": or_null(TEXT),
    "assignee_ids": or_null(TEXTS),
    "collection_id": or_null(TEXT),
    "tags": or_null(TEXTS),
    "parent_id": or_null(TEXT),
    "due_at": or_null(MOMENT),
    "closed_at": or_null(MOMENT),
}
_COMMENT: JsonObject = {
    "ticket_id": ID,
    "author_id": or_null(TEXT),
    "body": or_null(TEXT),
    "is_private": or_null(FLAG),
}
_TICKET_ID: JsonObject = {**ID, "description": "the id of the ticket"}
_GIVEN: JsonObject = {
    "title": {"type": "string", "minLength": 1, "maxLength": 200, "description": "one line"},
    "priority": {"enum": [*PRIORITIES], "description": "how urgent it is"},
    "assignee_ids": {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 100},
        "maxItems": 20,
        "description": "who works on it",
    },
    "tags": {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 100},
        "maxItems": 20,
        "description": "words that it is found by",
    },
}
_PEOPLE: JsonObject = {"assignee_ids/*": "resource_id", "title": "content"}
_STATES: tuple[str, ...] = ("status", "priority", "requester_id")
_READ: JsonObject = {"effect": "read", "reads_as": "untrusted"}
_WRITES: JsonObject = {"reads_as": "untrusted", "fields_read_as": trusted_at("", _STATES)}


def _optional(*needed: str, **more: JsonValue) -> JsonObject:
    return needing({**more, **_GIVEN}, *needed)


TICKETING = Model(
    "ticketing",
    {"ticket": _TICKET, "comment": _COMMENT},
    {
        "ticket_create": {
            "description": "Open a ticket.",
            "input_schema": _optional(
                "title",
                description={"type": "string", "minLength": 1, "description": "what it is about"},
            ),
            "output_schema": record_of(_TICKET),
            "sinks": {**_PEOPLE, "description": "content"},
            "approval": None,
            **_WRITES,
        },
        "ticket_get": {
            "description": "Read a ticket.",
            "input_schema": closed({"id": _TICKET_ID}),
            "output_schema": record_of(_TICKET),
            "sinks": {"id": "resource_id"},
            "answer_ids": ["id"],
            "fields_read_as": trusted_at("", _STATES),
            **_READ,
        },
        "ticket_list": {
            "description": "List tickets, the newest first.",
            "input_schema": closed(
                {
                    "status": {"enum": [*STATUSES], "description": "just those that stand so"},
                    "assignee_id": {**ID, "description": "just those that this person works on"},
                    "words": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 200,
                        "description": "just those whose title has them",
                    },
                    "limit": limit(100),
                },
                "status",
                "assignee_id",
                "words",
                "limit",
            ),
            "output_schema": closed({"tickets": list_of(record_of(_TICKET))}),
            "fields_read_as": trusted_at("tickets/*/", _STATES),
            **_READ,
        },
        "ticket_update": {
            "description": "Change a ticket: what is not said stays as it is.",
            "input_schema": _optional(
                "id",
                id=_TICKET_ID,
                version=VERSION,
                status={"enum": [*STATUSES], "description": "how it stands"},
            ),
            "output_schema": record_of(_TICKET),
            "sinks": {**_PEOPLE, "id": "resource_id"},
            "answer_ids": ["id"],
            "approval": None,
            "irreversible": False,
            **_WRITES,
        },
        "ticket_withdraw": {
            "description": "Take back a ticket that should not be there: nobody sees it any more.",
            "input_schema": closed({"id": _TICKET_ID, "version": VERSION}, "version"),
            "output_schema": closed({"id": ID}),
            "sinks": {"id": "resource_id"},
            "approval": None,
            "irreversible": False,
            "reads_as": "trusted",
        },
        "comment_create": {
            "description": "Say something on a ticket.",
            "input_schema": closed(
                {
                    "ticket_id": _TICKET_ID,
                    "body": {"type": "string", "minLength": 1, "description": "what to say"},
                    "is_private": {
                        **FLAG,
                        "description": "whether only those who work on it see it",
                    },
                },
                "is_private",
            ),
            "output_schema": record_of(_COMMENT),
            "sinks": {"ticket_id": "resource_id", "body": "content"},
            "approval": None,
            "reads_as": "untrusted",
            "fields_read_as": trusted_at("", ("ticket_id", "author_id")),
        },
        "comment_list": {
            "description": "Read what was said on a ticket, the first word first.",
            "input_schema": closed({"ticket_id": _TICKET_ID}),
            "output_schema": closed({"comments": list_of(record_of(_COMMENT))}),
            "sinks": {"ticket_id": "resource_id"},
            "fields_read_as": trusted_at("comments/*/", ("ticket_id", "author_id")),
            **_READ,
        },
    },
)
