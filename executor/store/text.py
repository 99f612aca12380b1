"""JSON columns: text in, values out; canonical, but for events and what else nobody signs."""

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from connectors.canonical import canonical, json_of
from connectors.spec import JsonObject


def to_text(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> str:
    """Write a JSON column."""
    return canonical(value).decode()


def to_plain_text(
    value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue],
) -> str:
    """Write a JSON column of which there is no digest."""
    return json_of(value).decode()


def to_object(text: str) -> JsonObject:
    """Read a JSON column that holds an object."""
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def to_texts(text: str) -> tuple[str, ...]:
    """Read a JSON column that holds a list of texts."""
    return tuple(str(each) for each in json.loads(text))
