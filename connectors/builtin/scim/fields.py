"""SCIM's side of `directory`: where fields stand, and what a service provider promises."""

from collections.abc import Mapping
from itertools import filterfalse

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.unified.directory import DIRECTORY
from connectors.unified.vendor import At, Vendor, moment, text

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
KEY_WINDOW_S = 365 * 86400

PATHS = {
    "given_name": "name.givenName",
    "family_name": "name.familyName",
    "display_name": "displayName",
    "title": "title",
    "department": f"{ENTERPRISE}:department",
    "manager_id": f"{ENTERPRISE}:manager.value",
    "active": "active",
}


def _values(found: JsonValue) -> JsonValue:
    rows = found if isinstance(found, list) else []
    return [str(each["value"]) for each in rows if isinstance(each, dict)]


def _main_first(found: JsonValue) -> JsonValue:
    rows = found if isinstance(found, list) else []
    return _values([*filter(_is_primary, rows), *filterfalse(_is_primary, rows)])


def _is_primary(row: JsonValue) -> bool:
    return isinstance(row, dict) and row.get("primary") is True


def _custom(raw: JsonObject) -> JsonObject:
    """What is in extensions of somebody's own."""
    return {name: each for name, each in raw.items() if ":" in name and name != ENTERPRISE}


_META: Mapping[str, At] = {
    "id": At("id", text),
    "version": At("meta/version"),
    "url": At("meta/location"),
    "created_at": At("meta/created", moment),
    "updated_at": At("meta/lastModified", moment),
}
SCIM = Vendor(
    "scim",
    DIRECTORY,
    {
        "user": {
            **_META,
            "user_name": At("userName"),
            "given_name": At("name/givenName"),
            "family_name": At("name/familyName"),
            "display_name": At("displayName"),
            "emails": At("emails", _main_first, "`emails/*/value`, the primary one first"),
            "active": At("active"),
            "title": At("title"),
            "department": At(f"{ENTERPRISE}/department", said="`department` of the enterprise's"),
            "manager_id": At(
                f"{ENTERPRISE}/manager/value", said="`manager.value` of the enterprise's"
            ),
            "groups": At("groups", _values, "`groups/*/value`, where the provider keeps them"),
        },
        "group": {
            **_META,
            "display_name": At("displayName"),
            "members": At("members", _values, "`members/*/value`"),
        },
    },
    {
        "user_create": {
            "effect": "keyed",
            "idempotency": {"in": "connector", "name": "externalId", "window_s": KEY_WINDOW_S},
            "undo": {
                "action": "user_deactivate",
                "args": [{"ref": "result/id", "to": "id"}],
            },
        },
        "user_get": {},
        "user_list": {},
        "user_update": {"effect": "idempotent"},
        "user_deactivate": {"effect": "idempotent"},
        "group_create": {
            "effect": "lookup",
            "lookup": {"action": "group_find", "by": "reference"},
            "settle_s": 10.0,
            "undo": {"action": "group_delete", "args": [{"ref": "result/id", "to": "id"}]},
        },
        "group_find": {},
        "group_list": {},
        "group_delete": {"effect": "idempotent"},
        # To undo it would take out who had been in the group before, too.
        "member_add": {"effect": "idempotent"},
        "member_remove": {"effect": "idempotent"},
    },
    custom={"user": _custom, "group": _custom},
)
