"""Stored credentials: sealed in the database, opened for one call, renewed once for everybody.

    good until later        ──▶ opened and used
    over, or not taken      ──▶ one process leases the refresh, one task of it makes it, and what
                                came is in the database before anybody uses it
    the server refuses      ──▶ `refused`: calls wait for an operator, who connects it again

A refresh belongs to nobody's call: a caller whose time is over stops waiting, and the refresh goes
on, because a refresh token that was sent may be used up.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from sqlalchemy import Connection

from connectors import oauth
from connectors.errors import ConfigurationError, Unavailable
from connectors.http import Transport
from connectors.oauth import GrantRefusedError, OAuthClient, Tokens
from connectors.redact import SHORTEST, Redactor
from connectors.spec import JsonObject
from executor.store import credentials, drives
from executor.store.credentials import CredentialRow
from executor.store.drives import Due
from executor.store.errors import StorePausedError
from executor.store.store import Store
from gateway.cipher import CannotOpenError, KeyRing

CredentialKind = Literal["api-key", "basic", "bearer", "oauth-code", "oauth-client"]
OAUTH: tuple[CredentialKind, ...] = ("oauth-code", "oauth-client")
GATEWAY = "gateway"  # who did it where no person did
_MARGIN_S = 30.0  # a token that is over so soon is renewed before it is used
_LEASE_S = 2 * oauth.WITHIN_S + 10.0  # metadata twice, then the exchange, then the write
_LOOK_S = 0.1
_WRITE_AGAIN_S = 0.5
_TOO_YOUNG_S = 60.0  # one that was just made and is not taken would not be better a second time


@dataclass(frozen=True)
class Material:
    """What is secret of a credential."""

    secret: str | None = None  # the key, the password, or our secret at an authorisation server
    access: str | None = None
    refresh: str | None = None

    def text(self) -> str:
        """As it is sealed."""
        return json.dumps({name: value for name, value in vars(self).items() if value is not None})


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
        ring: KeyRing,
        way: Transport,
        redactor: Redactor,
        clock: Callable[[], float],
    ) -> None:
        self.store = store
        self.ring = ring
        self.way = way
        self.clock = clock
        self._redactor = redactor
        self._renewals: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def learn_all(self) -> None:
        """Know every secret that there is before anything is said or written."""
        for row in await self.store.read(credentials.listed):
            try:
                self.material(row)
            except CannotOpenError:
                continue  # whoever needs it is told

    async def aclose(self) -> None:
        """Wait for refreshes under way: what they used up is not to be lost."""
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)

    def material(self, row: CredentialRow) -> Material:
        """Open a row, and hide what was in it from now on; raises `CannotOpenError`."""
        found = Material(**json.loads(self.ring.open(row.sealed, row.tenant, row.id)))
        self.learn(found)
        return found

    def learn(self, material: Material) -> None:
        """Hide these wherever they come up."""
        for each in (material.secret, material.access, material.refresh):
            if each is not None:
                self._redactor.learn(each)

    def sealed(self, tenant: str, name: str, material: Material) -> str:
        """Seal for one row."""
        self.learn(material)
        return self.ring.seal(material.text(), tenant, name)

    async def secret(self, tenant: str, name: str) -> str:
        """What goes with a request now; raises `ConfigurationError`, or `Unavailable`."""
        row = await self._row(tenant, name)
        if row.kind in OAUTH and not self._is_good(row):
            await self._renewed(row)
            row = await self._row(tenant, name)
        _require_ready(row)
        material = self.material(row)
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
        row = await self._row(tenant, name)
        if row.kind not in OAUTH or row.standing != "ready":
            return False
        material, now = self.material(row), self.clock()
        if material.access != secret:
            return True  # somebody has renewed it meanwhile
        if now - row.updated_at < _TOO_YOUNG_S:
            return False
        over = partial(credentials.renew, row=row, now=now, sealed=row.sealed, expires_at=0.0)
        await self.store.write(over)
        return True

    async def set(self, new: NewCredential, by: str) -> list[Due]:
        """Keep a credential, new or instead of another; returns what waits for one."""
        require_usable(new)
        tenant, name, kind, now = new.tenant, new.name, new.kind, self.clock()
        row = CredentialRow(
            tenant, name, kind, new.settings, self.sealed(tenant, name, Material(new.secret)),
            "unconnected" if kind == "oauth-code" else "ready", None,
            0.0 if kind in OAUTH else None, 1, 0.0, now, now,
        )  # fmt: skip

        def work(c: Connection) -> list[Due]:
            is_new = credentials.put(c, row)
            act = "credential.set" if is_new else "credential.replaced"
            credentials.audit(c, tenant, by, act, name, now, kind=kind)
            return drives.wake_waiting(c, "credentials", now, tenant)

        return await self.store.write(work)

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
        """Seal everything anew under the newest key, whoever's it is; raises `CannotOpenError`."""
        now, ring = self.clock(), self.ring

        def anew(sealed: str, owner: str, name: str) -> str | None:
            if ring.is_current(sealed):
                return None
            return ring.seal(ring.open(sealed, owner, name), owner, name)

        def work(c: Connection) -> int:
            changed = credentials.reseal(c, anew)
            credentials.audit(
                c, tenant, by, "credentials.rotated", ring.newest, now, changed=changed
            )
            return changed

        return await self.store.write(work)

    async def connected(self, row: CredentialRow, tokens: Tokens, by: str) -> list[Due] | None:
        """Keep what a consent gave; returns what waits for it, or None if it was set meanwhile."""
        now = self.clock()
        write = self._kept(row, tokens, now)

        def work(c: Connection) -> list[Due] | None:
            if not write(c):
                return None
            credentials.audit(c, row.tenant, by, "credential.connected", row.id, now)
            return drives.wake_waiting(c, "credentials", now, row.tenant)

        return await self.store.write(work)

    async def _renewed(self, row: CredentialRow) -> None:
        """Have it renewed; everybody here waits for the same renewal."""
        place = (row.tenant, row.id)
        task = self._renewals.get(place)
        if task is None:
            task = asyncio.create_task(self._renew(*place))
            self._renewals[place] = task
            task.add_done_callback(partial(self._ended, place))
        await asyncio.shield(task)

    def _ended(self, place: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._renewals.pop(place, None)
        if not task.cancelled():
            task.exception()  # whoever still waits has it

    async def _renew(self, tenant: str, name: str) -> None:
        """Renew it here, or wait until another process has."""
        while True:
            row = await self._row(tenant, name)
            if self._is_good(row):
                return
            _require_ready(row)
            now = self.clock()
            lease = partial(credentials.lease, row=row, until=now + _LEASE_S, now=now)
            if await self.store.write(lease):
                await self._exchange(row)
                return
            await asyncio.sleep(_LOOK_S)

    async def _exchange(self, row: CredentialRow) -> None:
        """Exchange what we have for a token, and write down what came of it, whatever it is."""
        try:
            tokens = await self._tokens(row, self.material(row))
        except GrantRefusedError as error:
            await self._write(partial(self._refused, row=row, code=error.code))
        except (ConfigurationError, Unavailable):
            await self._write(partial(credentials.release, row=row))
            raise
        else:
            await self._write(self._kept(row, tokens, self.clock()))

    async def _tokens(self, row: CredentialRow, material: Material) -> Tokens:
        client = client_of(row)
        server = await oauth.find_server(self.way, client)
        if row.kind == "oauth-client":
            return await oauth.by_client(self.way, server, client, material.secret)
        if material.refresh is None:
            raise GrantRefusedError("no refresh token")
        found = await oauth.by_refresh(self.way, server, client, material.secret, material.refresh)
        # A server that does not rotate refresh tokens gives none: the old one goes on.
        return replace(found, refresh=found.refresh or material.refresh)

    def _kept(self, row: CredentialRow, tokens: Tokens, now: float) -> Callable[[Connection], bool]:
        material = Material(self.material(row).secret, tokens.access, tokens.refresh)
        lasts = tokens.expires_in_s
        return partial(
            credentials.renew,
            row=row,
            now=now,
            sealed=self.sealed(row.tenant, row.id, material),
            expires_at=None if lasts is None else now + lasts,
        )

    def _refused(self, c: Connection, row: CredentialRow, code: str) -> None:
        now = self.clock()
        kept = partial(credentials.renew, c, row, now, sealed=row.sealed, expires_at=0.0)
        if kept(standing="refused", reason=code):
            act = "credential.refused"
            credentials.audit(c, row.tenant, GATEWAY, act, row.id, now, code=code)

    async def _write(self, work: Callable[[Connection], object]) -> None:
        """Write, however long the store takes nothing: a used refresh token must not be lost."""
        while True:
            try:
                await self.store.write(work)
                return
            except StorePausedError:
                await asyncio.sleep(_WRITE_AGAIN_S)

    async def _row(self, tenant: str, name: str) -> CredentialRow:
        row = await self.store.read(partial(credentials.get, tenant=tenant, name=name))
        if row is None:
            raise ConfigurationError(
                f"there is no stored credential {name}; an operator sets it: "
                f"lamgate credentials set {name}"
            )
        return row

    def _is_good(self, row: CredentialRow) -> bool:
        ends = row.expires_at
        return row.standing == "ready" and (ends is None or ends > self.clock() + _MARGIN_S)


def client_of(row: CredentialRow) -> OAuthClient:
    """What we are at its authorisation server."""
    return OAuthClient.model_validate(row.settings)


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


def _require_ready(row: CredentialRow) -> None:
    if row.standing == "ready":
        return
    why = "was never connected" if row.standing == "unconnected" else f"is over ({row.reason})"
    how = (
        f"an operator connects it: lamgate credentials connect {row.id}, "
        f"or POST /v1/credentials/{row.id}/connect"
        if row.kind == "oauth-code"
        else f"an operator sets it anew: lamgate credentials set {row.id}"
    )
    raise ConfigurationError(f"the credential {row.id} {why}; {how}")
