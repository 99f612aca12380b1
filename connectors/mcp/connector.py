"""One MCP server as a connector: what was reviewed of its tools is on offer, and nothing else.

Whoever writes plans sees accepted definitions only, so a word that a server changes reaches no
model. Before a call the tools are looked at again where that was more than a moment ago or the
server told of a change, and a tool that is not what was accepted is not called.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from connectors.connector import Outcome
from connectors.credentials import TENANT
from connectors.errors import Kind, Refused, Unavailable, Unreachable
from connectors.mcp.carried import CARRIED, Carried
from connectors.mcp.link import Link
from connectors.mcp.offer import (
    Offer,
    Offers,
    collisions,
    longest_operation,
    offers,
    operation_names,
    proposal,
    unknown_operations,
)
from connectors.mcp.outcome import read_asked, read_result, read_wire_error
from connectors.mcp.overlay import McpOverlay
from connectors.mcp.reach import Reach
from connectors.mcp.review import Compared, compare, shown
from connectors.mcp.wire import InputAsked, Session, WireError
from connectors.source import Pin, Pins, Review, Skipped, Stale
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.validate import check_arguments

_FRESH_S = 5.0  # for so long the tools are taken for what they were
_HELD = "it waits for a review: `lamgate connections review {}`"


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
        self._connection = connection
        self._reach = reach
        self._overlay = overlay or McpOverlay()
        self._trusts = trusts
        self._pins = pins
        self._changed = changed
        self._links: dict[str, Link] = {}  # by tenant, where a session is of one
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")  # by the monotonic clock
        self._pin: Pin | None = None
        self._compared: Compared | None = None
        self._offers: Offers | None = None
        self.stale: Stale | None = None

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What cannot be offered, and what waits for a review."""
        unfit = self._offers.skipped if self._offers else ()
        held = tuple(
            Skipped(each.tool, f"{each.kind}: {_HELD.format(self._connection)}")
            for each in (self._compared.changes if self._compared else ())
            if each.kind != "gone"
        )
        return (*unfit, *held)

    @property
    def review(self) -> Review | None:
        """What the server offers beside what was accepted."""
        if self._compared is None:
            return None
        found = self._compared
        return Review(
            digest=found.digest,
            changes=found.changes,
            definitions=found.found,
            reached_by=self._reach.told,
            notes=tuple(_notes(found.found, self._connection, self._overlay)),
        )

    async def actions(self) -> Sequence[ActionSpec]:
        """Every accepted tool; the server is asked the first time. Raises `Unreachable`."""
        if self._offers is None:
            await self.ask_again()
        return self._specs()

    async def ask_again(self) -> None:
        """Look at the tools; where the server is not there, what was accepted stays on offer."""
        self._pin = await self._pins(self._connection) if self._pins else None
        try:
            session = await self._link().session()
            await self._look(session)
        except WireError as error:
            reason = f"the server does not answer: {error}"
            if self._pin is None:
                raise Unreachable(reason) from error
            self.stale = Stale(self._pin.at, reason)
            self._offers = self._made(self._pin.definitions)
        else:
            self.stale = None

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once; raises `Refused`, `Unavailable` or `Uncertain`."""
        self._offer_of(action)
        check_arguments(action, arguments)
        try:
            async with asyncio.timeout(max(0.0, context.deadline - time.monotonic())):
                session = await self._link().session()
                if time.monotonic() - self._looked_at > _FRESH_S:
                    await self._look(session)
        except (WireError, TimeoutError) as error:
            told = str(error) or "not in time"
            raise Unavailable(f"the server does not answer: {told}", sent=False) from error
        offer = self._offer_of(action)
        now = time.monotonic()
        if now >= context.send_before:
            raise Unavailable("the call could not begin in time", kind=Kind.CANCELLED, sent=False)
        carried = Carried()
        carried.sending.send_before = context.send_before
        token = CARRIED.set(carried)
        try:
            found = await session.call(offer.tool, dict(arguments), context.deadline - now)
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

    def _offer_of(self, action: ActionSpec) -> Offer:
        offer = self._offers.by_name.get(action.name) if self._offers else None
        if offer is None:
            told = f"{action.name} is not on offer: its tool is gone, or {_HELD}"
            raise Refused(told.format(self._connection), kind=Kind.CONFLICT)
        if offer.spec.digest != action.digest:
            told = f"{action.name} is not what it was when the plan was accepted"
            raise Refused(told, kind=Kind.CONFLICT)
        return offer

    async def _look(self, session: Session) -> None:
        """Ask for the tools and offer those that were accepted; raises `WireError`."""
        async with self._looking:
            began = time.monotonic()
            listed = await session.tools()
            compared = compare(self._pin.definitions if self._pin else {}, listed)
            if self._compared is None or compared != self._compared:
                self._compared = compared
                self._offers = self._made(compared.offered)
                self._changed()
            elif self._offers is None or self.stale is not None:
                self._offers = self._made(compared.offered)
            self._looked_at = began

    def _made(self, definitions: Mapping[str, JsonObject]) -> Offers:
        return offers(self._connection, definitions, self._overlay, trusts=self._trusts)

    def _specs(self) -> tuple[ActionSpec, ...]:
        return tuple(each.spec for each in self._offers.by_name.values()) if self._offers else ()

    def _heard_of_a_change(self) -> None:
        self._looked_at = float("-inf")
        self._changed()


def _notes(
    definitions: Mapping[str, JsonObject], connection: str, overlay: McpOverlay
) -> list[str]:
    """What concerns several tools, and what each proposes of itself."""
    found = []
    names = set(operation_names(definitions, longest_operation(connection)).values())
    for unknown in unknown_operations(names, overlay):
        known = ", ".join(sorted(names))
        found.append(f"the overlay speaks of {unknown}, which is none of: {known}")
    for same in collisions(definitions):
        found.append(f"these differ only in what a name cannot say: {', '.join(map(shown, same))}")
    for name, each in definitions.items():
        if said := proposal(each):
            told = ", ".join(f"{key}: {value}" for key, value in said.items())
            found.append(f"{shown(name)} says of itself: {told}")
    return found
