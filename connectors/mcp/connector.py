"""One MCP server as a connector: what was reviewed of its tools is on offer, and nothing else.

Whoever writes plans sees accepted definitions only, so a word that a server changes reaches no
model. Before a call the tools are looked at again where that was more than a moment ago or the
server told of a change, and a tool that is not what was accepted is not called.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from pydantic import JsonValue

from connectors.connector import Outcome
from connectors.credentials import TENANT
from connectors.errors import Kind, Unavailable
from connectors.mcp.carried import CARRIED, Carried
from connectors.mcp.link import Link
from connectors.mcp.outcome import PLAIN_OUTPUT, not_begun, read_asked, read_result, read_wire_error
from connectors.mcp.overlay import McpOverlay
from connectors.mcp.reach import Reach
from connectors.mcp.wire import InputAsked, LostError, Session, WireError
from connectors.source import Pins, Review, Skipped, Stale
from connectors.spec import ActionSpec, CallContext
from connectors.tools.offer import Terms
from connectors.tools.toolbox import Toolbox
from connectors.validate import check_arguments

_FRESH_S = 5.0  # for so long the tools are taken for what they were


class McpConnector:
    """One connection."""

    name = "mcp"

    def __init__(
        self,
        connection: str,
        reach: Reach,
        *,
        overlay: McpOverlay | None = None,
        trusts: bool = False,
        pins: Pins | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._reach = reach
        self._trusts = trusts
        self._changed = changed
        terms = Terms(connection, overlay or McpOverlay(), PLAIN_OUTPUT, trusts)
        self._tools = Toolbox(terms, pins, changed)
        self._links: dict[str, Link] = {}  # by tenant, where a session is of one
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")  # by the monotonic clock
        self._heard = 0  # changes that the server told of

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What cannot be offered, and what waits for a review."""
        return self._tools.skipped

    @property
    def stale(self) -> Stale | None:
        """Since when the server has not been heard of."""
        return self._tools.stale

    @property
    def review(self) -> Review | None:
        """What the server offers beside what was accepted."""
        return self._tools.review(self._reach.told)

    async def actions(self) -> Sequence[ActionSpec]:
        """Every accepted tool; the server is asked the first time. Raises `Unreachable`."""
        if not self._tools.is_asked:
            await self.ask_again()
        return self._tools.specs()

    async def ask_again(self) -> None:
        """Look at the tools; where the server is not there, what was accepted stays on offer."""
        accepts_more, link = await self._tools.read_pin(), self._link()
        if link.is_resting and not accepts_more and self._tools.stale is None:
            return  # nobody has called for long: it is looked at before its next call
        try:
            async with link.use(is_call=False) as session:
                await self._look(session, time.monotonic())
        except WireError as error:
            self._tools.unheard(f"the server does not answer: {error}")
        else:
            self._tools.heard()

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once; raises `Refused`, `Unavailable` or `Uncertain`."""
        self._tools.offer_of(action)
        check_arguments(action, arguments)
        async with AsyncExitStack() as using:
            return await self._call(action, arguments, context, using)

    async def _call(
        self,
        action: ActionSpec,
        arguments: Mapping[str, JsonValue],
        context: CallContext,
        using: AsyncExitStack,
    ) -> Outcome:
        looked = Carried(is_of_last=True)
        token = CARRIED.set(looked)
        try:
            async with asyncio.timeout(max(0.0, context.deadline - time.monotonic())):
                session = await using.enter_async_context(self._link().use(is_call=True))
                now = time.monotonic()
                if now - self._looked_at > _FRESH_S:
                    await self._look(session, now)
        except (WireError, TimeoutError) as error:
            because = error.because if isinstance(error, LostError) else None
            if (known := because or not_begun(looked)) is not None:
                raise known from error
            told = str(error) or "not in time"
            raise Unavailable(f"the server does not answer: {told}", sent=False) from error
        finally:
            CARRIED.reset(token)
        offer = self._tools.offer_of(action)
        now = time.monotonic()
        if now >= context.send_before:
            raise Unavailable("the call could not begin in time", kind=Kind.CANCELLED, sent=False)
        carried = Carried()
        carried.sending.send_before = context.send_before
        token = CARRIED.set(carried)
        try:
            left_s = context.deadline - now
            found = await session.call(offer.tool, dict(arguments), left_s, context.continues)
        except WireError as error:
            return read_wire_error(offer.spec, error, carried)
        finally:
            CARRIED.reset(token)
        if isinstance(found, InputAsked):
            return read_asked(offer, found, trusts=self._trusts)
        return read_result(offer, found)

    async def aclose(self) -> None:
        """End the session; a server that was started here is stopped."""
        for link in self._links.values():
            await link.aclose()

    def _link(self) -> Link:
        """The session of whoever's call it is."""
        whose = "" if self._reach.is_everybodys else TENANT.get()
        if whose not in self._links:
            self._links[whose] = Link(lambda: self._reach.opening(self._heard_of_a_change))
        return self._links[whose]

    async def _look(self, session: Session, since: float) -> None:
        """Ask for the tools and offer those that were accepted; raises `WireError`.

        Of many who want to know at once one asks: it is enough to know what was so `since` then.
        """
        async with self._looking:
            if self._looked_at >= since:
                return
            began, heard = time.monotonic(), self._heard
            listed = await session.tools()
            self._tools.listed(listed)
            # What changed while they were listed may not be among them.
            self._looked_at = began if heard == self._heard else float("-inf")

    def _heard_of_a_change(self) -> None:
        self._heard += 1
        self._looked_at = float("-inf")
        self._changed()
