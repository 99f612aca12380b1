"""Canonical JSON (RFC 8785) and its SHA-256: the same data gives the same digest everywhere.

Most of our data is written alike by the standard encoder, which is many times faster: texts and
their escapes are the same, and whole doubles become integers first. It differs in fractions and
exponents, in integers that a double does not hold, and in the order of names beyond U+D7FF, which
RFC 8785 sorts by UTF-16 units. What has any of these is left to the `rfc8785` package, and so is
what cannot be written at all.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

import rfc8785
from pydantic import JsonValue

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_LONG = re.compile(r"[0-9]{16}")


def canonical(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> bytes:
    """Write JSON as RFC 8785 says; raises `rfc8785.CanonicalizationError` for what it cannot."""
    try:
        text = _written(value)
        if ".0" in text and not _is_written_alike(text):
            text = _written(_with_integers(value))
    except (ValueError, TypeError, RecursionError):
        return rfc8785.dumps(value)
    return text.encode() if _is_written_alike(text) else rfc8785.dumps(value)


def _written(value: object) -> str:
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    )


def _with_integers(value: object) -> object:
    """The same with whole doubles as integers, which is how RFC 8785 writes them."""
    match value:
        case dict():
            return {name: _with_integers(each) for name, each in value.items()}
        case list() | tuple():
            return [_with_integers(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _is_written_alike(text: str) -> bool:
    if not text.isascii() and max(text) > "\ud7ff":
        return False
    rest = _STRING.sub("", text)
    is_whole = not any(mark in rest for mark in (".", "e+", "e-"))
    return is_whole and _LONG.search(rest) is None


def digest(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> str:
    """Return `sha256:<64 hex digits>` over the canonical form."""
    return digest_of(canonical(value))


def digest_of(text: bytes) -> str:
    """The digest of what is in canonical form already."""
    return "sha256:" + hashlib.sha256(text).hexdigest()
