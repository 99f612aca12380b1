"""Secrets by reference: `env:NAME`. Read when used, and never let out in a message or a result."""

import base64
import json
import os
from collections.abc import Callable
from urllib.parse import quote

from pydantic import JsonValue

from connectors.errors import ConfigurationError

HIDDEN = "[secret]"
_SHORTEST = 8  # a shorter one occurs by chance in what is not secret


def secret_of(reference: str) -> str:
    """The secret behind a reference; raises `ConfigurationError`."""
    kind, _, name = reference.partition(":")
    if kind != "env" or not name:
        raise ConfigurationError(
            f"a credential is a reference such as env:NAME, not {kind + ':…' if name else 'this'}"
        )
    secret = os.environ.get(name, "").strip()
    if not secret:
        raise ConfigurationError(f"the environment has no {name}; set it to the service's secret")
    return secret


class Vault:
    """Hands out secrets and knows afterwards what must not be seen."""

    def __init__(self, secret_of: Callable[[str], str]) -> None:
        self._secret_of = secret_of
        self._forms: dict[str, None] = {}

    def secret_of(self, reference: str) -> str:
        """The secret behind a reference; raises `ConfigurationError`."""
        secret = self._secret_of(reference)
        if len(secret) >= _SHORTEST:
            encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
            url_safe = encoded.replace("+", "-").replace("/", "_")
            forms = (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], encoded, url_safe)
            # The longest first: one secret may be a part of another.
            known = sorted({*self._forms, *forms}, key=len, reverse=True)
            self._forms = dict.fromkeys(known)
        return secret

    def hide(self, text: str) -> str:
        """The text without any secret that was handed out, however it is encoded."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text

    def hide_in(self, value: JsonValue) -> JsonValue:
        """The same for every text in a value."""
        if not self._forms:
            return value
        match value:
            case str():
                return self.hide(value)
            case list():
                return [self.hide_in(each) for each in value]
            case dict():
                return {self.hide(name): self.hide_in(each) for name, each in value.items()}
            case _:
                return value
