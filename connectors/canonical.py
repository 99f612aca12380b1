"""Canonical JSON (RFC 8785) and its SHA-256: the same data gives the same digest everywhere."""

import hashlib
from collections.abc import Mapping, Sequence

import rfc8785
from pydantic import JsonValue


def canonical(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> bytes:
    """Write JSON as RFC 8785 says; raises `rfc8785.CanonicalizationError` for what it cannot."""
    return rfc8785.dumps(value)


def digest(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> str:
    """Return `sha256:<64 hex digits>` over the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()
