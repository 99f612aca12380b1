"""Roundup's side of `ticketing`: its words, its fields, and what it promises."""

from collections.abc import Mapping

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.unified.ticketing import TICKETING
from connectors.unified.vendor import At, Vendor, moment, text, worded

STATUSES = {
    "unread": "open",
    "chatting": "in_progress",
    "in-progress": "in_progress",
    "testing": "in_progress",
    "deferred": "on_hold",
    "need-eg": "on_hold",
    "resolved": "resolved",
    "done-cbb": "closed",
}
PRIORITIES = {
    "critical": "urgent",
    "urgent": "high",
    "bug": "normal",
    "feature": "low",
    "wish": "low",
}
STATUS_SAID = {
    "open": "unread",
    "in_progress": "in-progress",
    "on_hold": "deferred",
    "resolved": "resolved",
    "closed": "done-cbb",
}
PRIORITY_SAID = {"urgent": "critical", "high": "urgent", "normal": "bug", "low": "feature"}
KEY_WINDOW_S = 30 * 86400

_OWN = frozenset(
    "id link type @etag activity creation creator actor title status priority assignedto keyword"
    " messages files nosy superseder".split()
)


def _name_of(value: JsonValue) -> JsonValue:
    return value.get("username") if isinstance(value, dict) else None


def _one_name(value: JsonValue) -> JsonValue:
    return [value["username"]] if isinstance(value, dict) else []


def _names(value: JsonValue) -> JsonValue:
    found = value if isinstance(value, list) else []
    return [each["name"] for each in found if isinstance(each, dict)]


def roundup_moment(value: JsonValue) -> JsonValue:
    """`2026-11-25.22:31:43` is UTC."""
    return moment(str(value).replace(".", "T", 1)) if value else None


def _page(link: JsonValue) -> JsonValue:
    """Where people see it."""
    return str(link).replace("/rest/data/issue/", "/issue") if link else None


def _custom(raw: JsonObject) -> JsonObject:
    return {name: each for name, each in raw.items() if name not in _OWN}


_TICKET: Mapping[str, At] = {
    "id": At("id", text),
    "version": At("@etag"),
    "url": At("link", _page),
    "created_at": At("creation", roundup_moment),
    "updated_at": At("activity", roundup_moment),
    "title": At("title"),
    "status": At("status/name", worded(STATUSES)),
    "status_raw": At("status/name"),
    "priority": At("priority/name", worded(PRIORITIES)),
    "priority_raw": At("priority/name"),
    "requester_id": At("creator", _name_of, "`creator/username`"),
    "assignee_ids": At("assignedto", _one_name, "`assignedto/username`, one at most"),
    "tags": At("keyword", _names, "`keyword/*/name`"),
}
_COMMENT: Mapping[str, At] = {
    "id": At("id", text),
    "created_at": At("creation", roundup_moment),
    "ticket_id": At("@ticket", said="the issue that it was read of"),
    "author_id": At("author", _name_of, "`author/username`"),
    "body": At("content"),
    "is_private": At("id", lambda _: False, "never"),
}
_KEYED: JsonObject = {
    "effect": "keyed",
    "idempotency": {"in": "connector", "name": "messageid", "window_s": KEY_WINDOW_S},
}
ROUNDUP = Vendor(
    "roundup",
    TICKETING,
    {"ticket": _TICKET, "comment": _COMMENT},
    {
        "ticket_create": {
            **_KEYED,
            "undo": {"action": "ticket_withdraw", "args": [{"ref": "result/id", "to": "id"}]},
        },
        "ticket_get": {},
        "ticket_list": {},
        "ticket_update": {"effect": "idempotent"},
        "ticket_withdraw": {"effect": "idempotent"},
        "comment_create": _KEYED,
        "comment_list": {},
    },
    custom={"ticket": _custom},
    gaps={
        "ticket.description": "it is the first comment",
        "ticket.type": "its priorities say that",
        "ticket.collection_id": "a tracker is one collection",
        "ticket.parent_id": "an issue has none",
        "ticket.due_at": "an issue has none",
        "ticket.closed_at": "it is in the history alone",
        "comment.version": "a comment is never changed",
        "comment.updated_at": "a comment is never changed",
    },
)
