"""Secrets by reference: `env:NAME` or `store:ID`. A connector is handed what stands for one.

    connector          stand-in          transport            service
    ─────────          ────────          ─────────            ───────
    writes a header ─▶ secret-3f…-1 ─▶ asks who keeps it ─▶ the secret itself

The stand-in is random and means nothing elsewhere. The one way out puts the secret in its place
right before the request leaves, in headers and in the address, for the tenant whose call it is.
What is resolved is learnt by the redactor, and never let out in a message or a result.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Protocol
from urllib.parse import quote

from pydantic import JsonValue

from connectors.errors import ConfigurationError, NotSet
from connectors.redact import HIDDEN, Redactor

__all__ = ["HIDDEN", "TENANT", "Stored", "Vault", "secret_of"]

OWN = "main"  # the gateway's own tenant
TENANT: ContextVar[str] = ContextVar("tenant", default=OWN)
"""Whose call is under way; what the gateway asks for itself is its own tenant's."""


def secret_of(reference: str) -> str:
    """The secret behind a reference to the environment; raises `ConfigurationError`."""
    kind, _, name = reference.partition(":")
    if kind != "env" or not name:
        raise ConfigurationError(
            "a credential is a reference such as env:NAME or store:ID, not "
            f"{kind + ':…' if name else 'this'}"
        )
    secret = os.environ.get(name, "").strip()
    if not secret:
        raise NotSet(f"the environment has no {name}; set it to the secret")
    return secret


class Stored(Protocol):
    """Keeps secrets that are not in the environment, each tenant's apart."""

    async def secret(self, tenant: str, name: str) -> str:
        """The secret that is good now; raises `ConfigurationError`, or `Unavailable`."""

    async def rejected(self, tenant: str, name: str, secret: str) -> bool:
        """Hear that a service did not take it; True if the next call gets another one."""


class Vault:
    """Stands for secrets, puts them in place, and knows afterwards what must not be seen."""

    def __init__(
        self,
        secret_of: Callable[[str], str] = secret_of,
        *,
        stored: Stored | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._secret_of = secret_of
        self._stored = stored
        self.redactor = redactor or Redactor()
        self._prefix = f"secret-{secrets.token_hex(16)}-"
        self._mark = re.compile(rf"{self._prefix}\d+\.")
        self._marks: dict[str, str] = {}

    def secret_of(self, reference: str) -> str:
        """The secret behind `env:NAME` itself; raises `ConfigurationError`."""
        secret = self._secret_of(reference)
        self.redactor.learn(secret)
        return secret

    def stand_in(self, reference: str) -> str:
        """What a connector writes where the secret goes; raises `ConfigurationError`."""
        kind, _, name = reference.partition(":")
        if kind not in ("env", "store") or not name:
            secret_of("file:" if name else "")  # says what a reference is
        for mark, known in self._marks.items():
            if known == reference:
                return mark
        mark = f"{self._prefix}{len(self._marks)}."
        self._marks[mark] = reference
        return mark

    async def opened(self, *texts: str) -> Mapping[str, str]:
        """The secret of each stand-in in these texts; raises `ConfigurationError`."""
        found = {mark: "" for text in texts for mark in self._mark.findall(text)}
        for mark in found:
            found[mark] = await self._resolved(self._marks[mark])
        return found

    async def reveal(self, reference: str) -> str:
        """The secret itself, for a program that is started and has no other way to be told.

        It is the gateway's own, whoever's call it is for. Raises `ConfigurationError`.
        """
        token = TENANT.set(OWN)
        try:
            return await self._resolved(reference)
        finally:
            TENANT.reset(token)

    async def rejected(self, opened: Mapping[str, str]) -> bool:
        """Hear that a service did not take a request with these; True if one will be renewed."""
        renewed = False
        for mark, secret in opened.items():
            kind, _, name = self._marks[mark].partition(":")
            if kind == "store" and self._stored is not None:
                renewed |= await self._stored.rejected(TENANT.get(), name, secret)
        return renewed

    def hide(self, text: str) -> str:
        """The text without any secret that was resolved, however it is encoded."""
        return self.redactor.hide(text)

    def hide_in(self, value: JsonValue) -> JsonValue:
        """The same for every text in a value."""
        return self.redactor.hide_in(value)

    async def _resolved(self, reference: str) -> str:
        kind, _, name = reference.partition(":")
        if kind != "store":
            return self.secret_of(reference)
        if self._stored is None:
            raise ConfigurationError(f"{reference}: there is no store of credentials here")
        secret = await self._stored.secret(TENANT.get(), name)
        self.redactor.learn(secret, f"{TENANT.get()}/{name}")
        return secret


def placed(text: str, opened: Mapping[str, str], *, in_address: bool = False) -> str:
    """The text with each secret in place of what stood for it."""
    for mark, secret in opened.items():
        text = text.replace(mark, quote(secret, safe="") if in_address else secret)
    return text
