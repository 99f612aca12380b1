"""OAuth tokens, renewed once for everybody.

    good until later        ──▶ opened and used
    over, or not taken      ──▶ one process leases the refresh, one task of it makes it, and what
                                came is in the database before anybody uses it
    the server refuses      ──▶ `refused`: calls wait for an operator, who connects it again

A refresh belongs to nobody's call: a caller whose time is over stops waiting, and the refresh goes
on, because a refresh token that was sent may be used up.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from connectors import oauth
from connectors.errors import ConfigurationError, Unavailable
from connectors.http import Transport
from connectors.oauth import GrantRefusedError, OAuthClient, Tokens
from executor.store import credentials
from executor.store.credentials import CredentialRow
from executor.store.errors import StorePausedError
from executor.store.store import Store
from gateway.material import Material, Seals

GATEWAY = "gateway"  # who did it where no person did
_MARGIN_S = 30.0  # a token that is over so soon is renewed before it is used
_LEASE_S = 3 * oauth.WITHIN_S + 10.0  # metadata twice, then the exchange, then the write
_LOOK_S = 0.1
_WRITE_AGAIN_S = 0.5


class Renewals:
    """Renews what is over; everybody in this process waits for the same renewal."""

    def __init__(
        self, store: Store, seals: Seals, way: Transport, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._seals = seals
        self._way = way
        self._clock = clock
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def aclose(self) -> None:
        """Wait for refreshes under way: what they used up is not to be lost."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def renew(self, row: CredentialRow) -> None:
        """Have it renewed; everybody here waits for the same renewal."""
        place = (row.tenant, row.id)
        task = self._under_way.get(place)
        if task is None:
            task = asyncio.create_task(self._renew(*place))
            self._under_way[place] = task
            task.add_done_callback(partial(self._ended, place))
        await asyncio.shield(task)

    def _ended(self, place: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._under_way.pop(place, None)
        if not task.cancelled():
            task.exception()  # whoever still waits has it

    async def _renew(self, tenant: str, name: str) -> None:
        """Renew it here, or wait until another process has."""
        while True:
            row = await row_of(self._store, tenant, name)
            if is_good(row, self._clock()):
                return
            require_ready(row)
            now = self._clock()
            lease = partial(credentials.lease, row=row, until=now + _LEASE_S, now=now)
            if await self._store.write(lease):
                await self._exchange(row, now + _LEASE_S)
                return
            await asyncio.sleep(_LOOK_S)

    async def _exchange(self, row: CredentialRow, until: float) -> None:
        """Exchange what we have for a token, and write down what came of it, whatever it is."""
        try:
            tokens = await self._tokens(row, self._seals.open(row), until)
        except GrantRefusedError as error:
            await self._write(partial(self._refused, row=row, code=error.code))
        except (ConfigurationError, Unavailable):
            await self._write(partial(credentials.release, row=row))
            raise
        else:
            await self._write(self.kept(row, tokens, self._clock()))

    async def _tokens(self, row: CredentialRow, material: Material, until: float) -> Tokens:
        client = client_of(row)
        server = await oauth.find_server(self._way, client)
        if self._clock() + oauth.WITHIN_S > until:
            # Whoever has the lease by then would send the same refresh token.
            raise Unavailable("the authorisation server was not found in time")
        if row.kind == "oauth-client":
            return await oauth.by_client(self._way, server, client, material.secret)
        if material.refresh is None:
            raise GrantRefusedError("no refresh token")
        found = await oauth.by_refresh(self._way, server, client, material.secret, material.refresh)
        # A server that does not rotate refresh tokens gives none: the old one goes on.
        return replace(found, refresh=found.refresh or material.refresh)

    def kept(self, row: CredentialRow, tokens: Tokens, now: float) -> Callable[[Connection], bool]:
        """Write down what a server gave, unless the credential was set meanwhile."""
        material = Material(self._seals.open(row).secret, tokens.access, tokens.refresh)
        lasts = tokens.expires_in_s
        return partial(
            credentials.renew,
            row=row,
            now=now,
            sealed=self._seals.seal(row.tenant, row.id, material),
            expires_at=None if lasts is None else now + lasts,
        )

    def _refused(self, c: Connection, row: CredentialRow, code: str) -> None:
        now = self._clock()
        kept = partial(credentials.renew, c, row, now, expires_at=0.0)
        if kept(standing="refused", reason=code):
            act = "credential.refused"
            credentials.audit(c, row.tenant, GATEWAY, act, row.id, now, code=code)

    async def _write(self, work: Callable[[Connection], object]) -> None:
        """Write, however long the store takes nothing: a used refresh token must not be lost."""
        while True:
            try:
                await self._store.write(work)
                return
            except StorePausedError:
                await asyncio.sleep(_WRITE_AGAIN_S)


async def row_of(store: Store, tenant: str, name: str) -> CredentialRow:
    """The stored credential of this name; raises `ConfigurationError`."""
    row = await store.read(partial(credentials.get, tenant=tenant, name=name))
    if row is None:
        raise ConfigurationError(
            f"there is no stored credential {name}; an operator sets it: "
            f"lamgate credentials set {name}"
        )
    return row


def is_good(row: CredentialRow, now: float) -> bool:
    """Whether it lasts until a call with it has been made."""
    ends = row.expires_at
    return row.standing == "ready" and (ends is None or ends > now + _MARGIN_S)


def require_ready(row: CredentialRow) -> None:
    """Raise `ConfigurationError` for one that only an operator can make usable."""
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


def client_of(row: CredentialRow) -> OAuthClient:
    """What we are at its authorisation server."""
    return OAuthClient.model_validate(row.settings)
