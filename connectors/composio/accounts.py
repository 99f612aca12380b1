"""Which connected account a call uses; where there is none, the link at which a person makes one.

Never is one of several chosen: the operator names it. Nor is a link made that the operator did not
ask for: whoever sees it can connect an account of theirs. One is made once and shown until it is
over, so that a run which waits and looks again makes no new ones; and calls at once look together.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from connectors.composio.wire import ASKED_WITHIN_S, ConnectLink, Wire
from connectors.errors import ConnectorError, Kind, Refused, Unavailable

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
    _looks: dict[Holder, asyncio.Task[str]] = field(default_factory=dict)

    async def of(self, holder: Holder, until: float) -> str:
        """The account to use; raises `Refused` with a link where there is none."""
        if holder.toolkit in self.named:
            return self.named[holder.toolkit]
        known = self._active.get(holder)
        if known is not None and known[1] > self.clock():
            return known[0]
        return await self._looked(holder, until)

    async def over(self, holder: Holder, until: float, said: Refused) -> Refused:
        """What it means that an account was not taken: it may not be connected any more."""
        named = self.named.get(holder.toolkit)
        self._active.pop(holder, None)
        try:
            if named is None:
                await self._looked(holder, until)
                return said
            found = await self.wire.accounts(holder.toolkit, holder.user, until)
        except Refused as error:
            return _because(said, error) if error.kind is Kind.AUTH and named is None else said
        except ConnectorError:
            return said
        if any(each.is_active and each.id == named for each in found):
            return said
        told = f"the account {named} is not connected: connect it anew, or name another in "
        return _because(said, Refused(told + self._setting("accounts", holder), kind=Kind.AUTH))

    async def aclose(self) -> None:
        """Look no more."""
        for look in tuple(self._looks.values()):
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)

    async def _looked(self, holder: Holder, until: float) -> str:
        """Look, or wait for who is looking; it belongs to nobody's call."""
        look = self._looks.get(holder)
        if look is None:
            look = asyncio.create_task(self._look(holder))
            self._looks[holder] = look
            look.add_done_callback(partial(self._ended, holder))
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                return await asyncio.shield(look)
        except TimeoutError as error:
            told = f"nobody said in time which account of {holder.user} to use"
            raise Unavailable(told, kind=Kind.TIMEOUT, sent=False) from error

    def _ended(self, holder: Holder, look: asyncio.Task[str]) -> None:
        self._looks.pop(holder, None)
        if not look.cancelled():
            look.exception()  # whoever still waits has it

    async def _look(self, holder: Holder) -> str:
        until = time.monotonic() + ASKED_WITHIN_S
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

    async def _not_connected(self, holder: Holder, until: float) -> Refused:
        told = f"{holder.toolkit} is not connected for {holder.user}"
        config = self.auth_configs.get(holder.toolkit)
        if config is None:
            told += f"; with {self._setting('auth_configs', holder)} there would be a link here"
            return Refused(told, kind=Kind.AUTH)
        try:
            link = await self._link(holder, config, until)
        except ConnectorError as error:
            told += f", and there is no link to connect it: {error.message}"
            return Refused(told, kind=Kind.AUTH)
        told += f"; open {link.url} until {_written(link.expires_at)}"
        return Refused(told, kind=Kind.AUTH, link=link.url)

    async def _link(self, holder: Holder, config: str, until: float) -> ConnectLink:
        kept = self._links.get(holder)
        if kept is None or kept.expires_at < self.clock() + _MARGIN_S:
            callback = self.callback(holder.tenant)
            kept = await self.wire.link(config, holder.user, callback, until)
            self._links[holder] = kept
        return kept

    def _setting(self, member: str, holder: Holder) -> str:
        return f"connections.{self.connection}.{member}.{holder.toolkit}"


def _because(said: Refused, why: Refused) -> Refused:
    """That nobody is connected, with what the service said of the call."""
    return Refused(
        why.message,
        kind=why.kind,
        vendor_code=said.vendor_code,
        request_id=said.request_id,
        status=said.status,
        link=why.link,
    )


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes")
