"""Seals secrets for the database: AES-256-GCM under a ring of master keys, each with an id.

`v1:KEY:NONCE:CIPHERTEXT`, the last two in base64. What a secret belongs to (its tenant, its name)
is authenticated with it: a row that is moved elsewhere cannot be opened there. The newest key
seals; every key of the ring opens, so that keys can be changed while everything goes on.
"""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.canonical import canonical
from connectors.errors import ConfigurationError

KEY_BYTES = 32
KEY_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_FORM = "v1"
_NONCE_BYTES = 12


class CannotOpenError(ConfigurationError):
    """A sealed secret cannot be opened: its key is not in the ring, or it was changed or moved."""


@dataclass(frozen=True)
class KeyRing:
    """Master keys by id; `newest` is the one that seals."""

    keys: Mapping[str, bytes] = field(repr=False)
    newest: str

    def __post_init__(self) -> None:
        for name, key in self.keys.items():
            if not KEY_ID.fullmatch(name) or len(key) != KEY_BYTES:
                raise ConfigurationError(
                    f"credentials.keys: {name}: an id of 1 to 40 of a-z, 0-9, - and _, "
                    f"with a key of {KEY_BYTES * 2} hexadecimal digits"
                )

    def seal(self, plain: str, *belongs_to: str) -> str:
        """Seal a text for one place alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.keys[self.newest]).encrypt(nonce, plain.encode(), _bound(belongs_to))
        return ":".join((_FORM, self.newest, _text(nonce), _text(sealed)))

    def open(self, sealed: str, *belongs_to: str) -> str:
        """Open what was sealed for this place; raises `CannotOpenError`."""
        form, name, nonce, content = (*sealed.split(":"), "", "", "")[:4]
        where = "/".join(belongs_to)
        if form != _FORM or name not in self.keys:
            raise CannotOpenError(
                f"the credential {where} was sealed with the master key {name[:40]!r}, which is "
                "not in credentials.keys: give it, or set the credential anew"
            )
        try:
            opened = AESGCM(self.keys[name]).decrypt(
                base64.b64decode(nonce), base64.b64decode(content), _bound(belongs_to)
            )
        except (InvalidTag, ValueError) as error:
            raise CannotOpenError(
                f"the stored credential {where} was changed or moved, or its master key "
                f"{name!r} is another one now: set the credential anew"
            ) from error
        return opened.decode()

    def is_current(self, sealed: str) -> bool:
        """Whether the newest key sealed it."""
        return sealed.startswith(f"{_FORM}:{self.newest}:")


def _bound(belongs_to: tuple[str, ...]) -> bytes:
    return canonical(["lamgate credential", *belongs_to])


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
