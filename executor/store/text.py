"""JSON columns: canonical text in, values out."""

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.spec import JsonObject


def to_text(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> str:
    """Write a JSON column."""
    return canonical(value).decode()


def to_object(text: str) -> JsonObject:
    """Read a JSON column that holds an object."""
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def to_texts(text: str) -> tuple[str, ...]:
    """Read a JSON column that holds a list of texts."""
    return tuple(str(each) for each in json.loads(text))
