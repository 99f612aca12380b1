"""Stored credentials: set by an operator, sealed in the database, opened for one call."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from sqlalchemy import Connection

from connectors import oauth
from connectors.errors import ConfigurationError
from connectors.http import Transport
from connectors.oauth import OAuthClient, Tokens
from connectors.redact import SHORTEST
from connectors.spec import JsonObject
from executor.store import credentials, waking
from executor.store.credentials import FIRST, CredentialRow, Place
from executor.store.drives import Due
from executor.store.store import Store
from gateway.cipher import CannotOpenError
from gateway.material import Material, Seals
from gateway.renewals import Renewals, is_good, require_ready, row_of

CredentialKind = Literal["api-key", "basic", "bearer", "oauth-code", "oauth-client"]
OAUTH: tuple[CredentialKind, ...] = ("oauth-code", "oauth-client")
_TOO_YOUNG_S = 60.0  # one that was just made and is not taken would not be better a second time


@dataclass(frozen=True)
class NewCredential:
    """What an operator sets."""

    tenant: str
    name: str
    kind: CredentialKind
    settings: JsonObject
    secret: str | None = field(default=None, repr=False)


class Credentials:
    """All stored credentials of a gateway."""

    def __init__(
        self,
        store: Store,
        seals: Seals,
        way: Transport,
        clock: Callable[[], float],
    ) -> None:
        self.store = store
        self.seals = seals
        self.way = way
        self.clock = clock
        self._renewals = Renewals(store, seals, way, clock)

    async def learn_all(self) -> None:
        """Know every secret that there is before anything is said or written."""
        for row in await self.store.read(credentials.listed):
            try:
                self.seals.open(row)
            except CannotOpenError:
                continue  # whoever needs it is told

    async def aclose(self) -> None:
        """Wait for refreshes under way."""
        await self._renewals.aclose()

    async def secret(self, tenant: str, name: str) -> str:
        """What goes with a request now; raises `ConfigurationError`, or `Unavailable`."""
        row = await row_of(self.store, tenant, name)
        while row.kind in OAUTH and not is_good(row, self.clock()):
            await self._renewals.renew(row)
            row = await row_of(self.store, tenant, name)
            if self.seals.open(row).access is not None:
                break  # however short it lasts; else what was renewed was not this one
        require_ready(row)
        material = self.seals.open(row)
        match row.kind:
            case "basic":
                pair = f"{row.settings.get('user', '')}:{material.secret}"
                return base64.b64encode(pair.encode()).decode()
            case "oauth-code" | "oauth-client":
                return material.access or ""
            case _:
                return material.secret or ""

    async def rejected(self, tenant: str, name: str, secret: str) -> bool:
        """A service did not take it; True if the next call gets another one."""
        row = await row_of(self.store, tenant, name)
        if row.kind not in OAUTH or row.standing != "ready":
            return False
        material, now = self.seals.open(row), self.clock()
        if material.access != secret or row.expires_at == 0.0:
            return True  # somebody has renewed it meanwhile, or is to
        if now - row.updated_at < _TOO_YOUNG_S:
            return False
        await self.store.write(partial(credentials.expire, row=row))
        return True

    async def set(self, new: NewCredential, by: str) -> list[Due]:
        """Keep a credential, new or instead of another; returns what waits for one."""
        require_usable(new)
        if new.kind in OAUTH:
            client, by_consent = OAuthClient.model_validate(new.settings), new.kind == "oauth-code"
            oauth.require_reachable(self.way, client, by_consent=by_consent)
        tenant, name, kind, now = new.tenant, new.name, new.kind, self.clock()
        row = CredentialRow(
            tenant, name, kind, new.settings, self.seals.seal(tenant, name, Material(new.secret)),
            "unconnected" if kind == "oauth-code" else "ready", None,
            0.0 if kind in OAUTH else None, 1, 0.0, now, now,
        )  # fmt: skip

        def work(c: Connection) -> bool:
            is_new = credentials.put(c, row)
            act = "credential.set" if is_new else "credential.replaced"
            credentials.audit(c, tenant, by, act, name, now, kind=kind)
            return True

        return await self._kept(tenant, work) or []

    async def remove(self, tenant: str, name: str, by: str) -> bool:
        """Delete one; False if there is none."""
        now = self.clock()

        def work(c: Connection) -> bool:
            gone = credentials.remove(c, tenant, name)
            if gone:
                credentials.audit(c, tenant, by, "credential.removed", name, now)
            return gone

        return await self.store.write(work)

    async def rotate(self, tenant: str, by: str) -> int:
        """Seal everything anew under the newest key, whoever's it is; raises `CannotOpenError`.

        It is done, and noted, bit by bit, for everybody else's writes: said again it goes on.
        """
        now, ring = self.clock(), self.seals.ring

        def anew(sealed: str, owner: str, name: str) -> str | None:
            if ring.is_current(sealed):
                return None
            return ring.seal(ring.open(sealed, owner, name), owner, name)

        def work(c: Connection, after: tuple[str, str]) -> tuple[int, Place]:
            changed, following = credentials.reseal_some(c, anew, after)
            if changed or after == FIRST:
                told = {"changed": changed}
                credentials.audit(c, tenant, by, "credentials.rotated", ring.newest, now, **told)
            return changed, following

        changed, place = 0, FIRST
        while place is not None:
            some, place = await self.store.write(partial(work, after=place))
            changed += some
        return changed

    async def connected(self, row: CredentialRow, tokens: Tokens, by: str) -> list[Due] | None:
        """Keep what a consent gave; returns what waits for it, or None if it was set meanwhile."""
        now = self.clock()
        write = self._renewals.kept(row, tokens, now)

        def work(c: Connection) -> bool:
            if not write(c):
                return False
            credentials.audit(c, row.tenant, by, "credential.connected", row.id, now)
            return True

        return await self._kept(row.tenant, work)

    async def _kept(self, tenant: str, work: Callable[[Connection], bool]) -> list[Due] | None:
        """Keep one, and wake what waits; None if there is nothing to keep.

        What waits by the commit is woken with it, that a wake outlives this process. Once more
        afterwards: until then others have used what was there before, and came to wait for this.
        """

        def keep(c: Connection) -> list[Due] | None:
            return wake(c) if work(c) else None

        def wake(c: Connection) -> list[Due]:
            return waking.wake_waiting(c, "credentials", self.clock(), tenant)

        woken = await self.store.write(keep)
        if woken is None:
            return None
        return [*dict.fromkeys((*woken, *await self.store.write(wake)))]


def require_usable(new: NewCredential) -> None:
    """Raise `ConfigurationError` for what could not be used, or could not be kept hidden."""
    secret = new.secret
    if new.kind == "basic" and not new.settings.get("user"):
        raise ConfigurationError("a basic credential needs a user")
    if new.kind == "oauth-code" and not secret:
        return  # a public client: PKCE is what protects it
    if not secret or len(secret.encode()) < SHORTEST:
        raise ConfigurationError(
            f"a secret has at least {SHORTEST} bytes: a shorter one could not be told from "
            "other words, and would not be hidden"
        )
    if not (secret.isprintable() and secret.isascii()) or secret != secret.strip():
        raise ConfigurationError("a secret is printable ASCII: it travels in a header")
