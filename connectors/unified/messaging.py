"""The unified model `messaging`: channels, and what is said in them."""

from connectors.spec import JsonObject
from connectors.unified.model import (
    FLAG,
    ID,
    MOMENT,
    TEXT,
    Model,
    closed,
    limit,
    list_of,
    or_null,
    record_of,
    trusted_at,
    words,
)

_CHANNEL: JsonObject = {
    "name": or_null(TEXT),
    "type": or_null(words("public", "private", "direct")),
    "topic": or_null(TEXT),
    "archived": or_null(FLAG),
    "member_count": or_null({"type": "integer"}),
}
_MESSAGE: JsonObject = {
    "channel_id": ID,
    "author_id": or_null(TEXT),
    "text": or_null(TEXT),
    "thread_id": or_null(TEXT),  # the id of the message that began it
    "sent_at": or_null(MOMENT),
}
_CHANNEL_ID: JsonObject = {**ID, "description": "the id of the channel"}
_SAID_BY_THE_SERVICE = ("channel_id", "author_id", "thread_id", "sent_at")
_READ: JsonObject = {"effect": "read", "reads_as": "untrusted"}
MESSAGING = Model(
    "messaging",
    {"channel": _CHANNEL, "message": _MESSAGE},
    {
        "channel_list": {
            "description": "List the channels.",
            "input_schema": closed({"limit": limit(100)}, "limit"),
            "output_schema": closed({"channels": list_of(record_of(_CHANNEL))}),
            "fields_read_as": trusted_at("channels/*/", ("type", "archived", "member_count")),
            **_READ,
        },
        "message_send": {
            "description": "Say something in a channel.",
            "input_schema": closed(
                {
                    "channel_id": _CHANNEL_ID,
                    "text": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 4000,
                        "description": "what to say, as plain text",
                    },
                    "thread_id": {**ID, "description": "the id of the message that it answers"},
                },
                "thread_id",
            ),
            "output_schema": record_of(_MESSAGE),
            "sinks": {
                "channel_id": "recipient",
                "text": "content",
                "thread_id": "resource_id",
            },
            "approval": None,
            "reads_as": "untrusted",
            "fields_read_as": trusted_at("", _SAID_BY_THE_SERVICE),
        },
        "message_list": {
            "description": "Read what was said in a channel, the newest first.",
            "input_schema": closed({"channel_id": _CHANNEL_ID, "limit": limit(100)}, "limit"),
            "output_schema": closed({"messages": list_of(record_of(_MESSAGE))}),
            "sinks": {"channel_id": "resource_id"},
            "fields_read_as": trusted_at("messages/*/", _SAID_BY_THE_SERVICE),
            **_READ,
        },
        "message_delete": {
            "description": "Take back what was said.",
            "input_schema": closed(
                {
                    "channel_id": _CHANNEL_ID,
                    "id": {**ID, "description": "the id of the message"},
                }
            ),
            "output_schema": closed({"channel_id": ID, "id": ID}),
            "sinks": {"channel_id": "resource_id", "id": "resource_id"},
            "approval": None,
            "reads_as": "trusted",
        },
    },
)
