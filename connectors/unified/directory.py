"""The unified model `directory`: users and groups, under the names of SCIM 2.0."""

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.unified.model import (
    FLAG,
    ID,
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
)

_USER: JsonObject = {
    "user_name": TEXT,
    "given_name": or_null(TEXT),
    "family_name": or_null(TEXT),
    "display_name": or_null(TEXT),
    "emails": or_null(TEXTS),
    "active": or_null(FLAG),
    "title": or_null(TEXT),
    "department": or_null(TEXT),
    "manager_id": or_null(TEXT),
    "groups": or_null(TEXTS),
}
_GROUP: JsonObject = {"display_name": or_null(TEXT), "members": or_null(TEXTS)}
_NAME: JsonObject = {"type": "string", "minLength": 1, "maxLength": 200}
_USER_ID: JsonObject = {**ID, "description": "the id of the user"}
_GROUP_ID: JsonObject = {**ID, "description": "the id of the group"}
_ABOUT: JsonObject = {
    "given_name": {**_NAME, "description": "first name"},
    "family_name": {**_NAME, "description": "last name"},
    "display_name": {**_NAME, "description": "the name that others see"},
    "emails": {
        "type": "array",
        "items": {"type": "string", "format": "email", "maxLength": 254},
        "minItems": 1,
        "maxItems": 10,
        "description": "addresses, the main one first",
    },
    "title": {**_NAME, "description": "what they are"},
    "department": {**_NAME, "description": "where they work"},
    "manager_id": {**ID, "description": "the id of whom they work for"},
}
_SINKS: JsonObject = {
    "emails/*": "recipient",
    "manager_id": "resource_id",
    "given_name": "content",
    "family_name": "content",
    "display_name": "content",
    "title": "content",
    "department": "content",
}
# A directory is filled by those who run it: what it says of people is what the house knows.
_TRUSTED: JsonObject = {"reads_as": "trusted", "fields_read_as": {"raw": "untrusted"}}
_READ: JsonObject = {"effect": "read", **_TRUSTED}
_WRITE: JsonObject = {"approval": None, "irreversible": False, **_TRUSTED}


def _listed(name: str) -> JsonObject:
    return {"fields_read_as": {f"{name}/*/raw": "untrusted"}}


def _optional(needed: str, **more: JsonValue) -> JsonObject:
    return needing({**more, **_ABOUT}, needed)


_MEMBER: JsonObject = {
    "input_schema": closed({"group_id": _GROUP_ID, "user_id": _USER_ID}),
    "output_schema": closed({"group_id": ID, "user_id": ID}),
    "sinks": {"group_id": "resource_id", "user_id": "resource_id"},
    "approval": None,
    "irreversible": False,
    "reads_as": "trusted",
}
DIRECTORY = Model(
    "directory",
    {"user": _USER, "group": _GROUP},
    {
        "user_create": {
            "description": "Open an account for somebody.",
            "input_schema": _optional(
                "user_name", user_name={**_NAME, "description": "the name to sign in with"}
            ),
            "output_schema": record_of(_USER),
            "sinks": {**_SINKS, "user_name": "resource_id"},
            **_WRITE,
        },
        "user_get": {
            "description": "Read an account.",
            "input_schema": closed({"id": _USER_ID}),
            "output_schema": record_of(_USER),
            "sinks": {"id": "resource_id"},
            "answer_ids": ["id"],
            **_READ,
        },
        "user_list": {
            "description": "List accounts.",
            "input_schema": closed(
                {
                    "user_name": {**_NAME, "description": "just who signs in with this name"},
                    "email": {**_NAME, "description": "just who has this address"},
                    "active": {**FLAG, "description": "just those that can sign in, or cannot"},
                    "limit": limit(100),
                },
                "user_name",
                "email",
                "active",
                "limit",
            ),
            "output_schema": closed({"users": list_of(record_of(_USER))}),
            **_READ,
            **_listed("users"),
        },
        "user_update": {
            "description": "Change an account: what is not said stays as it is.",
            "input_schema": _optional(
                "id",
                id=_USER_ID,
                version=VERSION,
                active={**FLAG, "description": "whether they can sign in"},
            ),
            "output_schema": record_of(_USER),
            "sinks": {**_SINKS, "id": "resource_id"},
            "answer_ids": ["id"],
            **_WRITE,
        },
        "user_deactivate": {
            "description": "Take from an account that its owner can sign in.",
            "input_schema": closed({"id": _USER_ID}),
            "output_schema": closed({"id": ID, "active": FLAG}),
            "sinks": {"id": "resource_id"},
            **_WRITE,
            "fields_read_as": {},
        },
        "group_create": {
            "description": "Make a group.",
            "input_schema": closed(
                {
                    "display_name": {**_NAME, "description": "what it is called"},
                    "members": {
                        "type": "array",
                        "items": ID,
                        "maxItems": 100,
                        "description": "the ids of the users in it",
                    },
                },
                "members",
            ),
            "output_schema": record_of(_GROUP),
            "sinks": {"display_name": "content", "members/*": "resource_id"},
            **_WRITE,
        },
        "group_find": {
            "description": "Find a group that was made under a reference; null if there is none.",
            "input_schema": closed({"reference": {**ID, "description": "the call's own key"}}),
            "output_schema": or_null(record_of(_GROUP)),
            **_READ,
        },
        "group_list": {
            "description": "List groups.",
            "input_schema": closed(
                {
                    "display_name": {**_NAME, "description": "just those that are called so"},
                    "limit": limit(100),
                },
                "display_name",
                "limit",
            ),
            "output_schema": closed({"groups": list_of(record_of(_GROUP))}),
            **_READ,
            **_listed("groups"),
        },
        "group_delete": {
            "description": "Take a group away.",
            "input_schema": closed({"id": _GROUP_ID}),
            "output_schema": closed({"id": ID}),
            "sinks": {"id": "resource_id"},
            "approval": None,
            "reads_as": "trusted",
        },
        "member_add": {"description": "Put somebody into a group.", **_MEMBER},
        "member_remove": {"description": "Take somebody out of a group.", **_MEMBER},
    },
)
