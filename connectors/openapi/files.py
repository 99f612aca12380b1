"""Bytes as values of a plan: `{"text": …}` or `{"base64": …}`, with a name and a content type.

What an action downloads has the form of what another takes, so that a plan can hand it on.
"""

import base64
import binascii
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.openapi.media import kind_of, matches
from connectors.openapi.parameters import Place
from connectors.openapi.schema import resolved_schema
from connectors.openapi.styles import refused
from connectors.spec import JsonObject

MOST_FILE_BYTES = 6 * 1024 * 1024
_MOST_BASE64 = MOST_FILE_BYTES // 3 * 4
_BYTES = "application/octet-stream"
_CONTENT: JsonObject = {
    "content_type": {"type": "string", "maxLength": 200},
    "text": {"type": "string", "maxLength": MOST_FILE_BYTES},
    "base64": {"type": "string", "contentEncoding": "base64", "maxLength": _MOST_BASE64},
}
_ONE_OF: list[JsonValue] = [{"required": ["text"]}, {"required": ["base64"]}]
BYTES: JsonObject = {
    "type": "object",
    "properties": _CONTENT,
    "oneOf": _ONE_OF,
    "additionalProperties": False,
}
FILE: JsonObject = {
    **BYTES,
    "properties": {"filename": {"type": "string", "minLength": 1, "maxLength": 255}, **_CONTENT},
}
ANSWER: JsonObject = {
    "type": "object",
    "properties": {
        "content_type": {"type": "string"},
        "base64": {"type": "string", "contentEncoding": "base64"},
    },
    "required": ["content_type", "base64"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Content:
    """Some bytes with their type, and the name of their file."""

    data: bytes
    media: str
    filename: str


def is_bytes(document: JsonObject, schema: JsonValue) -> bool:
    """Whether a schema says that its value is bytes."""
    found = resolved_schema(document, schema)
    if not isinstance(found, dict):
        return False
    kind = found.get("type")
    if kind == "file":
        return True
    if found.get("format") == "binary":
        return kind in (None, "string") or (isinstance(kind, list) and "string" in kind)
    return (
        "contentMediaType" in found and "contentEncoding" not in found and kind in (None, "string")
    )


def file_schema(document: JsonObject, raw: JsonValue, schema: JsonValue) -> JsonValue | None:
    """The schema of a member that is a file, a list of them, or perhaps one; None for no file."""
    if is_bytes(document, raw):
        return FILE
    found = resolved_schema(document, raw)
    if not isinstance(found, dict):
        return None
    if found.get("type") == "array" and is_bytes(document, found.get("items")):
        return {"type": "array", "items": FILE, "minItems": 1}
    for keyword in ("anyOf", "oneOf"):
        parts = found.get(keyword)
        files = [
            file
            for each in (parts if isinstance(parts, list) else [])
            if (file := file_schema(document, each, None)) is not None
        ]
        if files:
            others = [] if schema is None else [schema]
            return {"anyOf": [*files, *others]}
    return None


def content_of(place: Place, value: JsonValue, accepted: tuple[str, ...]) -> Content:
    """The bytes of a value, as one of the accepted types; raises `Refused`."""
    if not isinstance(value, dict):
        raise refused(place, "a file is an object with its text or base64")
    said = value.get("content_type")
    name = value.get("filename")
    return Content(
        _data(place, value),
        _media(place, said if isinstance(said, str) else "", accepted),
        name if isinstance(name, str) else "",
    )


def _data(place: Place, value: JsonObject) -> bytes:
    text, encoded = value.get("text"), value.get("base64")
    try:
        if isinstance(encoded, str) and text is None:
            data = base64.b64decode(encoded, validate=True)
        elif isinstance(text, str) and encoded is None:
            data = text.encode()
        else:
            raise refused(place, "a file has either its text or its base64")
    except (binascii.Error, ValueError) as error:
        raise refused(place, "its content cannot be read as base64 or text") from error
    if len(data) > MOST_FILE_BYTES:
        raise refused(place, f"it is larger than {MOST_FILE_BYTES} bytes")
    return data


def _media(place: Place, said: str, accepted: tuple[str, ...]) -> str:
    if not accepted:
        accepted = ("*/*",)
    concrete = [each for each in accepted if "*" not in each]
    if not said:
        return concrete[0] if concrete else _BYTES
    if any(matches(kind_of(said), each) for each in accepted):
        return said
    if _BYTES in accepted:
        return _BYTES
    raise refused(place, f"{said[:60]!r} is none of {', '.join(accepted)[:200]}")
