"""Where a browser comes back to once a person has connected an account at somebody else's page.

A service that connects accounts itself sends the browser to an address of ours, and what waits for
credentials looks again. The address says which connection and tenant are meant, and is sealed: it
proves nothing about the account, which is asked for as ever, and wakes nobody else's runs.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field

LASTS_S = 24 * 3600.0
_PLACE = "/v1/connected/"


@dataclass(frozen=True)
class Meant:
    """Whose account of which connection."""

    connection: str
    tenant: str


@dataclass(frozen=True)
class Returns:
    """Makes such addresses, and reads them."""

    public_url: str | None
    secret: bytes = field(repr=False)
    clock: Callable[[], float]

    def address(self, connection: str, tenant: str) -> str | None:
        """One for a connection and a tenant; None where nobody said how browsers reach us."""
        if self.public_url is None:
            return None
        told = json.dumps([connection, tenant, int(self.clock() + LASTS_S)])
        text = base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")
        return f"{self.public_url.rstrip('/')}{_PLACE}{text}.{self._mac(text)}"

    def meant(self, ticket: str) -> Meant | None:
        """What an address stood for; None for one that is over or not ours."""
        text, _, mac = ticket.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(text).encode()):
            return None
        told = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        connection, tenant, ends = json.loads(told)
        return Meant(connection, tenant) if ends > self.clock() else None

    def _mac(self, text: str) -> str:
        sealed = b"lamgate connected " + text.encode("utf-8", "replace")
        return hmac.new(self.secret, sealed, hashlib.sha256).hexdigest()
