"""Composio's toolkits as one connector, whichever interface is asked.

A toolkit is offered in the version that the operator pinned, and a tool of it if its definition is
what the operator accepted. It is executed in that version, once.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.composio.accounts import Accounts, Holder
from connectors.composio.listing import text_of
from connectors.composio.outcome import DIALECT, read_execution
from connectors.composio.wire import Execution, Listed, Wire
from connectors.connector import Outcome
from connectors.errors import ConfigurationError, ConnectorError, Kind, Refused, Unreachable
from connectors.http import TransportError
from connectors.outcome import read_failure
from connectors.source import Review, Skipped, Stale
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.tools.review import shown
from connectors.tools.toolbox import Toolbox
from connectors.validate import check_arguments

_LISTED_AGAIN_S = 300.0  # a pinned version is not supposed to change at all


@dataclass
class _Found:
    """What of the toolkits can be accepted, and why the rest cannot."""

    definitions: list[JsonObject] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class ComposioConnector:
    """One connection."""

    def __init__(
        self,
        wire: Wire,
        tools: Toolbox,
        accounts: Accounts,
        toolkits: Mapping[str, str],
        user: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire = wire
        self._tools = tools
        self._accounts = accounts
        self._toolkits = toolkits
        self._user = user
        self._monotonic = monotonic
        self._found = _Found()
        self._listed_at = float("-inf")

    @property
    def name(self) -> str:
        """The connector's name."""
        return self._wire.name

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What has no pinned version, cannot be an action, or waits for a review."""
        return (*self._found.skipped, *self._tools.skipped)

    @property
    def stale(self) -> Stale | None:
        """Since when Composio has not been heard of."""
        return self._tools.stale

    @property
    def review(self) -> Review | None:
        """What is listed beside what was accepted."""
        pinned = (f"toolkit: {name} {version}" for name, version in self._toolkits.items())
        return self._tools.review((*self._wire.told, *pinned))

    async def actions(self) -> Sequence[ActionSpec]:
        """Every accepted tool; Composio is asked the first time. Raises `Unreachable`."""
        if not self._tools.is_asked:
            await self.ask_again()
        return self._tools.specs()

    async def ask_again(self) -> None:
        """List the toolkits where that is long ago; what was accepted holds at once."""
        is_new = await self._tools.read_pin()
        now = self._monotonic()
        if self.stale is not None or now - self._listed_at >= _LISTED_AGAIN_S:
            try:
                self._found = await self._list()
            except Unreachable as error:
                self._tools.unheard(f"Composio does not list its tools: {error}", self._fits)
                return
            self._listed_at, is_new = now, True
        if is_new:
            # Comparing a thousand definitions takes a while, and others are being served.
            await asyncio.to_thread(self._tools.listed, self._found.definitions)
        self._tools.heard()

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once; raises `Refused`, `Unavailable` or `Uncertain`."""
        definition = self._tools.offer_of(action).definition
        check_arguments(action, arguments)
        user = self._user.replace("{tenant}", context.tenant)
        holder = Holder(text_of(definition["toolkit"]), user, context.tenant)
        account, until = None, min(context.deadline, context.send_before)
        if not definition["noAuth"]:
            account = await self._accounts.of(holder, until)
        wanted = Execution(
            text_of(definition["name"]),
            holder.toolkit,
            text_of(definition["version"]),
            arguments,
            user,
            account,
        )
        try:
            answer = await self._wire.execute(wanted, context)
            return read_execution(action, answer, wanted)
        except TransportError as error:
            return read_failure(action, error, DIALECT, attempt=context.attempt)
        except Refused as error:
            if error.kind is not Kind.AUTH or account is None:
                raise
            raise await self._accounts.over(holder, context.deadline, error) from None

    async def aclose(self) -> None:
        """Let go of what is held open."""
        await self._accounts.aclose()
        await self._wire.aclose()

    def _fits(self, definition: JsonObject) -> bool:
        """Whether the operator's file still says this toolkit in this version."""
        return self._toolkits.get(text_of(definition["toolkit"])) == definition["version"]

    async def _list(self) -> _Found:
        found = _Found()
        for toolkit, version in self._toolkits.items():
            try:
                listed = await self._wire.tools(toolkit, version)
            except (ConnectorError, ConfigurationError) as error:
                raise Unreachable(f"{toolkit}: {error}") from error
            _sort(toolkit, version, listed, found)
        return found


def _sort(toolkit: str, version: str, listed: Sequence[Listed], found: _Found) -> None:
    """Tell apart what is there in the pinned version and what is not."""
    if not version:
        known = sorted({each for one in listed for each in one.versions}, reverse=True)
        reason = f"{len(listed)} tools, but no version is pinned: say one in toolkits.{toolkit}"
        found.skipped.append(Skipped(toolkit, f"{reason}, such as {shown(', '.join(known[:5]))}"))
        return
    for each in listed:
        name, has = text_of(each.definition["name"]), text_of(each.definition["version"])
        if each.definition["toolkit"] != toolkit:
            reason = f"it was listed for {toolkit} and is none of it"
            found.skipped.append(Skipped(shown(name), reason))
        elif has != version:
            reason = f"it is there in version {shown(has) or 'none'}, not in {version}"
            found.skipped.append(Skipped(shown(name), f"{reason}, which toolkits.{toolkit} pins"))
        else:
            found.definitions.append(each.definition)
