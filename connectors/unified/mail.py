"""The unified model `mail`: send a message, find out whether it was sent, read what is there."""

from connectors.spec import JsonObject
from connectors.unified.model import (
    ID,
    MOMENT,
    TEXT,
    TEXTS,
    Model,
    closed,
    limit,
    list_of,
    or_null,
    record_of,
    trusted_at,
    words,
)

_ADDRESS: JsonObject = {"type": "string", "format": "email", "maxLength": 254}
_ADDRESSES: JsonObject = {"type": "array", "items": _ADDRESS, "maxItems": 50}
_FILE = closed(
    {
        "filename": {"type": "string", "pattern": r'^[^\x00-\x1f/\\"]{1,200}$'},
        "content_type": {"type": "string", "pattern": r"^[a-z0-9.+-]+/[a-z0-9.+-]+$"},
        "base64": {"type": "string", "contentEncoding": "base64", "maxLength": 8 * 1024 * 1024},
    }
)
_MESSAGE: JsonObject = {
    "from": or_null(TEXT),
    "to": TEXTS,
    "cc": or_null(TEXTS),
    "bcc": or_null(TEXTS),
    "subject": or_null(TEXT),
    "text": or_null(TEXT),
    "html": or_null(TEXT),
    "attachments": or_null(
        list_of(
            closed(
                {
                    "filename": or_null(TEXT),
                    "content_type": or_null(TEXT),
                    "size": or_null({"type": "integer"}),
                }
            )
        )
    ),
    "thread_id": or_null(TEXT),  # the id of the message that it answers
    "sent_at": or_null(MOMENT),
    "status": or_null(words("sent", "delivered", "failed")),
    "status_raw": or_null(TEXT),
}
SENT = closed({"id": ID, "recipients": TEXTS})
"""What sending gives, and what is found of it later: everybody that it goes to, in order."""

_SEND = closed(
    {
        "to": {**_ADDRESSES, "minItems": 1, "description": "who it is for"},
        "cc": {**_ADDRESSES, "description": "who gets a copy"},
        "bcc": {**_ADDRESSES, "description": "who gets a copy that the others do not see"},
        "subject": {"type": "string", "maxLength": 200, "description": "one line"},
        "text": {"type": "string", "minLength": 1, "description": "what it says, as plain text"},
        "html": {"type": "string", "minLength": 1, "description": "the same as HTML"},
        "attachments": {
            **list_of(_FILE),
            "maxItems": 20,
            "description": "files: {filename, content_type, base64}",
        },
        "thread_id": {
            "type": "string",
            "pattern": r"^[!-;=?-~]{1,250}$",
            "description": "the id of the message that this one answers",
        },
    },
    "cc",
    "bcc",
    "html",
    "attachments",
    "thread_id",
)
_READ: JsonObject = {"effect": "read", "reads_as": "untrusted"}
MAIL = Model(
    "mail",
    {"message": _MESSAGE},
    {
        "message_send": {
            "description": "Send a mail.",
            "input_schema": _SEND,
            "output_schema": SENT,
            "approval": None,
            "sinks": {
                "to/*": "recipient",
                "cc/*": "recipient",
                "bcc/*": "recipient",
                "subject": "content",
                "text": "content",
                "html": "content",
                "attachments/*": "content",
                "thread_id": "resource_id",
            },
            "reads_as": "trusted",
        },
        "message_find": {
            "description": "Find a mail that was sent under a reference; null if there is none.",
            "input_schema": closed({"reference": {**ID, "description": "the call's own key"}}),
            "output_schema": or_null(SENT),
            "effect": "read",
            "reads_as": "trusted",
        },
        "message_get": {
            "description": "Read a mail by its id.",
            "input_schema": closed({"id": {**ID, "description": "the id of the mail"}}),
            "output_schema": record_of(_MESSAGE),
            "sinks": {"id": "resource_id"},
            "fields_read_as": trusted_at(""),
            **_READ,
        },
        "message_list": {
            "description": "List mails, the newest first, of one recipient or of one subject.",
            "input_schema": closed(
                {
                    "recipient": {**_ADDRESS, "description": "to whom they went"},
                    "subject": {"type": "string", "maxLength": 200, "description": "just this one"},
                    "limit": limit(50),
                },
                "recipient",
                "subject",
                "limit",
            ),
            "output_schema": closed({"messages": list_of(record_of(_MESSAGE))}),
            "sinks": {"recipient": "resource_id"},
            "fields_read_as": trusted_at("messages/*/"),
            **_READ,
        },
    },
)
