"""Formats of texts: which no value has two of, which nobody checks, and which are kinds."""

from pydantic import JsonValue

from executor.check.flow import Flow

# No value has two of these formats.
_APART = frozenset({"date", "date-time", "time", "duration", "email", "uuid", "ipv4", "ipv6"})
# And none of these is a `uri`, which begins with a letter and has a colon.
_NO_URI = _APART - {"email", "ipv6"}
# Formats of encodings and number sizes that nobody checks on a text.
_UNCHECKED = frozenset({"byte", "binary", "password"})
# What JSON Schema and OpenAPI's registry name. Any other format names a kind: its author's own.
_STANDARD = _APART | _UNCHECKED | frozenset(
    "hostname idn-email idn-hostname iri iri-reference json-pointer regex relative-json-pointer "
    "uri uri-reference uri-template char commonmark html http-date media-range decimal decimal128 "
    "double double-int float base64url int8 int16 int32 int64 uint8 uint16 uint32 uint64 unixtime "
    "sf-binary sf-boolean sf-decimal sf-integer sf-string sf-token".split()
)  # fmt: skip


def format_flow(have: JsonValue, want: JsonValue) -> Flow:
    """Whether texts of one format are of another; what is no text is no format."""
    if have == want:
        return Flow.YES
    match have, want:
        case _, str() if want in _UNCHECKED:
            return Flow.YES
        case str(), str() if _are_apart(have, want):
            return Flow.NO
        case _:
            return Flow.UNKNOWN


def _are_apart(have: str, want: str) -> bool:
    if _is_kind(have) and _is_kind(want):
        return True
    names = {have, want}
    return names <= _APART or names - {"uri"} <= _NO_URI


def _is_kind(name: str) -> bool:
    """Whether a format is a tag of its author's: what bears another tag is something else."""
    return name not in _STANDARD
