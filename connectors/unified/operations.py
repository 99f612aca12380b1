"""What the operations of models have in common: how records are read, listed, made and moved on."""

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.unified.model import ID, closed, list_of, or_null, trusted_at

_UNTRUSTED: JsonObject = {"reads_as": "untrusted"}
_TRUSTED: JsonObject = {"reads_as": "trusted"}
MOST_LISTED = 100


def by_id(what: str) -> JsonObject:
    """The arguments of an action on one record."""
    return closed({"id": {**ID, "description": f"the id of the {what}"}})


def reads(
    description: str,
    takes: JsonObject,
    record: JsonObject,
    trusted: Sequence[str],
    sinks: Mapping[str, JsonValue] | None = None,
) -> JsonObject:
    """Read one record."""
    return {
        "description": description,
        "input_schema": takes,
        "output_schema": record,
        "sinks": dict(sinks or {"id": "resource_id"}),
        "fields_read_as": trusted_at("", trusted),
        "answer_ids": ["id"],
        "effect": "read",
        **_UNTRUSTED,
    }


def lists(
    description: str,
    takes: Mapping[str, JsonValue],
    name: str,
    record: JsonObject,
    trusted: Sequence[str],
    *,
    is_ours: bool = False,
) -> JsonObject:
    """List records that have these values, as far as values are said.

    Which of them there are is up to whoever makes some, unless nobody outside can.
    """
    limit: JsonObject = {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_LISTED,
        "description": "at most so many: 20",
    }
    sinks: JsonObject = {each: "resource_id" for each in takes if each.endswith("_id")}
    return {
        "description": description,
        "input_schema": closed({**takes, "limit": limit}, *takes, "limit"),
        "output_schema": closed({name: list_of(record)}),
        "sinks": sinks,
        "fields_read_as": {f"{name}/*/raw": "untrusted"}
        if is_ours
        else trusted_at(f"{name}/*/", trusted),
        "effect": "read",
        **(_TRUSTED if is_ours else _UNTRUSTED),
    }


def creates(
    description: str,
    takes: JsonObject,
    record: JsonObject,
    trusted: Sequence[str],
    sinks: Mapping[str, JsonValue],
) -> JsonObject:
    """Make a record."""
    return {
        "description": description,
        "input_schema": takes,
        "output_schema": record,
        "sinks": dict(sinks),
        "fields_read_as": trusted_at("", trusted),
        "answer_ids": ["id"],
        "approval": None,
        **_UNTRUSTED,
    }


def finds(what: str, record: JsonObject, trusted: Sequence[str]) -> JsonObject:
    """Find the record that a call has made; null if there is none."""
    return {
        "description": f"Find the {what} that was made under a reference; null if there is none.",
        "input_schema": closed({"reference": {**ID, "description": "the call's own key"}}),
        "output_schema": or_null(record),
        "fields_read_as": trusted_at("", trusted),
        "effect": "read",
        **_UNTRUSTED,
    }


def moves(record: JsonObject, trusted: Sequence[str]) -> Callable[[str, str], JsonObject]:
    """Move a record on to another status."""
    return lambda description, what: {
        "description": description,
        "input_schema": by_id(what),
        "output_schema": record,
        "sinks": {"id": "resource_id"},
        "fields_read_as": trusted_at("", trusted),
        "answer_ids": ["id"],
        "approval": None,
        **_UNTRUSTED,
    }
