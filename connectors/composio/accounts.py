"""Which connected account a call uses; where there is none, the link at which a person makes one.

Never is one of several chosen: the operator names it. Nor is a link made that the operator did not
ask for: whoever sees it can connect an account of theirs. One is made once and shown until it is
over, so that a run which waits and looks again makes no new ones.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.composio.wire import ConnectLink, Wire
from connectors.errors import ConnectorError, Kind, Refused

_KNOWN_S = 60.0  # for so long an account that was active is taken to be so
_MARGIN_S = 60.0  # a link that is over so soon is not shown any more


@dataclass(frozen=True)
class Holder:
    """Whose account for what."""

    toolkit: str
    user: str
    tenant: str


@dataclass
class Accounts:
    """What is known of the accounts of one connection."""

    wire: Wire
    connection: str
    named: Mapping[str, str] = field(default_factory=dict)  # by toolkit, as the operator says
    auth_configs: Mapping[str, str] = field(default_factory=dict)  # by toolkit: how links sign in
    callback: Callable[[str], str | None] = lambda _: None  # by tenant: where browsers come back
    clock: Callable[[], float] = time.time
    _active: dict[Holder, tuple[str, float]] = field(default_factory=dict)
    _links: dict[Holder, ConnectLink] = field(default_factory=dict)

    async def of(self, holder: Holder, until: float) -> str:
        """The account to use; raises `Refused` with a link where there is none."""
        if holder.toolkit in self.named:
            return self.named[holder.toolkit]
        known = self._active.get(holder)
        if known is not None and known[1] > self.clock():
            return known[0]
        found = await self.wire.accounts(holder.toolkit, holder.user, until)
        active = sorted(each.id for each in found if each.is_active)
        if not active:
            raise await self._not_connected(holder, until)
        if len(active) > 1:
            raise Refused(
                f"{holder.user} has {len(active)} accounts for {holder.toolkit}: "
                f"{', '.join(active)}; say which with {self._setting('accounts', holder)}",
                kind=Kind.INVALID,
            )
        self._links.pop(holder, None)
        self._active[holder] = (active[0], self.clock() + _KNOWN_S)
        return active[0]

    async def over(self, holder: Holder, until: float, said: Refused) -> Refused:
        """What it means that an account was not taken: it may not be connected any more."""
        self._active.pop(holder, None)
        named = self.named.get(holder.toolkit)
        try:
            found = await self.wire.accounts(holder.toolkit, holder.user, until)
        except ConnectorError:
            return said
        if any(each.is_active for each in found if named in (None, each.id)):
            return said
        if named is None:
            return await self._not_connected(holder, until, said)
        return _because(
            said,
            f"the account {named} is not connected: connect it anew, or name another in "
            f"{self._setting('accounts', holder)}",
        )

    async def _not_connected(
        self, holder: Holder, until: float, said: Refused | None = None
    ) -> Refused:
        told, link = f"{holder.toolkit} is not connected for {holder.user}", ""
        config = self.auth_configs.get(holder.toolkit)
        if config is None:
            setting = self._setting("auth_configs", holder)
            return _because(said, f"{told}; with {setting} there would be a link here")
        try:
            made = await self._link(holder, config, until)
        except ConnectorError as error:
            told += f", and there is no link to connect it: {error.message}"
        else:
            link = made.url
            told += f"; open {link} until {_written(made.expires_at)}"
        return _because(said, told, link)

    async def _link(self, holder: Holder, config: str, until: float) -> ConnectLink:
        kept = self._links.get(holder)
        if kept is None or kept.expires_at < self.clock() + _MARGIN_S:
            callback = self.callback(holder.tenant)
            kept = await self.wire.link(config, holder.user, callback, until)
            self._links[holder] = kept
        return kept

    def _setting(self, member: str, holder: Holder) -> str:
        return f"connections.{self.connection}.{member}.{holder.toolkit}"


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
