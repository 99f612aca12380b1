"""Which connected account a call uses; where there is none, the link at which a person makes one.

Never is one of several chosen: the operator names it. A link is asked for once and shown until it
is over, so that a run which waits and looks again makes no new ones.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.composio.wire import Account, ConnectLink, Wire
from connectors.errors import ConnectorError, Kind, Refused

_KNOWN_S = 60.0  # for so long an account that was active is taken to be so
_MARGIN_S = 60.0  # a link that is over so soon is not shown any more

Place = tuple[str, str]
"""A toolkit and a user."""


@dataclass
class Accounts:
    """What is known of the accounts of one connection."""

    wire: Wire
    connection: str
    named: Mapping[str, str] = field(default_factory=dict)  # by toolkit, as the operator says
    auth_configs: Mapping[str, str] = field(default_factory=dict)  # by toolkit: where links are of
    callback: Callable[[], str | None] = lambda: None
    clock: Callable[[], float] = time.time
    _active: dict[Place, tuple[str, float]] = field(default_factory=dict)
    _links: dict[Place, ConnectLink] = field(default_factory=dict)

    async def of(self, toolkit: str, user: str, until: float) -> str:
        """The account to use; raises `Refused` with a link where there is none."""
        if toolkit in self.named:
            return self.named[toolkit]
        known = self._active.get((toolkit, user))
        if known is not None and known[1] > self.clock():
            return known[0]
        found = await self.wire.accounts(toolkit, user, until)
        active = [each for each in found if each.is_active]
        if not active:
            raise await self._not_connected(toolkit, user, until, found)
        if len(active) > 1:
            told = ", ".join(sorted(each.id for each in active))
            raise Refused(
                f"{user} has {len(active)} accounts for {toolkit}: {told}; say which with "
                f"connections.{self.connection}.accounts.{toolkit}",
                kind=Kind.INVALID,
            )
        self._links.pop((toolkit, user), None)
        self._active[toolkit, user] = (active[0].id, self.clock() + _KNOWN_S)
        return active[0].id

    async def over(self, toolkit: str, user: str, until: float, said: Refused) -> Refused:
        """What it means that an account was not taken: it may not be connected any more."""
        self._active.pop((toolkit, user), None)
        named = self.named.get(toolkit)
        try:
            found = await self.wire.accounts(toolkit, user, until)
        except ConnectorError:
            return said
        if any(each.is_active for each in found if named in (None, each.id)):
            return said
        if named is None:
            return await self._not_connected(toolkit, user, until, found, said)
        return _because(
            said,
            f"the account {named} is not connected: connect it anew, or name another in "
            f"connections.{self.connection}.accounts.{toolkit}",
        )

    async def _not_connected(
        self,
        toolkit: str,
        user: str,
        until: float,
        found: list[Account],
        said: Refused | None = None,
    ) -> Refused:
        told, link = f"{toolkit} is not connected for {user}", ""
        ours = (each.auth_config for each in found if each.auth_config is not None)
        config = self.auth_configs.get(toolkit) or next(ours, None)
        if config is None:
            told += (
                f"; with connections.{self.connection}.auth_configs.{toolkit} there would be a "
                "link here to connect it"
            )
        else:
            try:
                made = await self._link(toolkit, user, config, until)
                link = made.url
                told += f"; open {link} until {_written(made.expires_at)}"
            except ConnectorError as error:
                told += f", and there is no link to connect it: {error.message}"
        return _because(said, told, link)

    async def _link(self, toolkit: str, user: str, config: str, until: float) -> ConnectLink:
        kept = self._links.get((toolkit, user))
        if kept is None or kept.expires_at < self.clock() + _MARGIN_S:
            kept = await self.wire.link(config, user, self.callback(), until)
            self._links[toolkit, user] = kept
        return kept


def _because(said: Refused | None, told: str, link: str = "") -> Refused:
    """That nobody is connected; with what the service said of it, if it did."""
    return Refused(
        told,
        kind=Kind.AUTH,
        vendor_code=said.vendor_code if said else None,
        request_id=said.request_id if said else None,
        status=said.status if said else None,
        link=link or None,
    )


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes")
