"""Ids of things: a prefix and 128 random bits."""

import base64
import secrets
from typing import Literal


def new(prefix: Literal["req", "pln", "run", "apr", "con", "key", "stop", "aud", "mov"]) -> str:
    """A new id, such as `run_` and 26 characters of base32."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"
