"""Canonical JSON (RFC 8785) and its SHA-256: the same data gives the same digest everywhere.

Most of our data is written alike by the standard encoder, which is many times faster: texts and
their escapes are the same, so are fractions, which both write in the fewest digits that are read
back as the same double, and whole doubles become integers first. It differs in exponents, in
integers that a double does not hold, and in the order of names beyond U+D7FF, which RFC 8785 sorts
by UTF-16 units. What may have any of these is left to the `rfc8785` package, and so is what cannot
be written at all.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

import rfc8785
from pydantic import JsonValue
from pydantic_core import to_json

_WHOLE = re.compile(r"\.0(?=[,\]}]|\Z)")
_EXPONENTS_AND_ZERO = ("e+", "e-", "-0")
_UP_TO_D7FF = bytes(range(0xEE))  # what characters up to that have in UTF-8, and no others
_LONG = re.compile(r"[0-9]{16}")  # what may be no double
_written = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


def canonical(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> bytes:
    """Write JSON as RFC 8785 says; raises `rfc8785.CanonicalizationError` for what it cannot."""
    try:
        text = _written(value)
        rest = _besides_texts(text)
        if ".0" in rest:
            rest, wholes = _WHOLE.subn("", rest)
            shorter, found = _WHOLE.subn("", text)
            # Where a text says the same, the text is not what is to be changed.
            text = shorter if found == wholes else _written(_with_integers(value))
        written = text.encode()
    except (ValueError, TypeError, RecursionError):
        return rfc8785.dumps(value)
    return written if _is_written_alike(written, rest) else rfc8785.dumps(value)


def json_of(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> bytes:
    """Write JSON in whatever form takes the least time: what nobody takes a digest of.

    Raises what `canonical` does for what it cannot write.
    """
    try:
        text = to_json(value)
    except ValueError:  # as deep as it does not go
        return canonical(value)
    return canonical(value) if b"NaN" in text or b"Infinity" in text else text


def canonical_object(members: Mapping[str, bytes]) -> bytes:
    """The canonical form of an object from those of its members; their names are ASCII."""
    written = (f"{_written(name)}:".encode() + text for name, text in sorted(members.items()))
    return b"{" + b",".join(written) + b"}"


def _besides_texts(text: str) -> str:
    """JSON without its texts and names: signs, numbers and what is neither."""
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    return "".join(text.split('"')[::2])


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


def _is_written_alike(written: bytes, rest: str) -> bool:
    if not written.isascii() and written.translate(None, _UP_TO_D7FF):
        return False
    return not any(odd in rest for odd in _EXPONENTS_AND_ZERO) and _LONG.search(rest) is None


def digest(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> str:
    """Return `sha256:<64 hex digits>` over the canonical form."""
    return digest_of(canonical(value))


def digest_of(text: bytes) -> str:
    """The digest of what is in canonical form already."""
    return "sha256:" + hashlib.sha256(text).hexdigest()
