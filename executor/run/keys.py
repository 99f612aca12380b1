"""Idempotency keys: computed before the first attempt, the same for every attempt ever after."""

import base64
import hashlib
import hmac

from connectors.canonical import digest
from connectors.spec import JsonObject


def args_hash(arguments: JsonObject) -> str:
    """Identify resolved arguments."""
    return digest(arguments)


def idempotency_key(
    secret: bytes, tenant: str, run: str, step: str, iteration: str, action: str, hashed: str
) -> str:
    """Return 32 characters of base32(HMAC-SHA256(secret, run, step, iteration, action, hash))."""
    text = "\x1f".join((tenant, run, step, iteration, action, hashed))
    begins = hmac.digest(secret, text.encode(), "sha256")[:20]  # five bits a character
    return base64.b32encode(begins).decode()


def jitter_of(key: str, n: int) -> float:
    """A number in [0, 1) that differs between calls and attempts, and is the same on replay."""
    return hashlib.sha256(f"{key}{n}".encode()).digest()[0] / 256
