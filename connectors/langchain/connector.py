"""The tools of one installed package as a connector: those on offer that an operator accepted.

The code is the operator's choice and runs in this process; what it says of itself is read by
models, so it is pinned and reviewed as an MCP server's words are. A tool is looked at again before
each call, for it is an object that anybody may have changed meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.canonical import digest
from connectors.connector import Outcome
from connectors.errors import ConfigurationError, Kind, Refused, Unavailable, Unreachable
from connectors.langchain.outcome import read_ended
from connectors.langchain.threads import Threads
from connectors.langchain.tool import CALL_ID, Ended, FoundTool
from connectors.mcp.outcome import PLAIN_OUTPUT
from connectors.outcome import in_doubt
from connectors.overlay import SourceOverlay
from connectors.source import Pins, Review, Skipped
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.tools.offer import Offer, Terms
from connectors.tools.toolbox import Toolbox
from connectors.validate import check_arguments


@dataclass(frozen=True)
class Entry:
    """Where the tools are, and what their factory is given."""

    name: str  # module:attribute
    given: Mapping[str, JsonValue]
    secrets: Mapping[str, str]  # more of it, by reference
    reveal: Callable[[str], Awaitable[str]]


class LangChainConnector:
    """One connection."""

    name = "langchain"
    stale = None  # what runs here always answers

    def __init__(
        self,
        connection: str,
        entry: Entry,
        *,
        overlay: SourceOverlay | None = None,
        pins: Pins | None = None,
        threads: int = 8,
    ) -> None:
        self._connection = connection
        self._entry = entry
        said = overlay or SourceOverlay()
        terms = Terms(connection, said, PLAIN_OUTPUT, types=True, key_as=CALL_ID)
        self._tools = Toolbox(terms, pins)
        self._threads: Threads[Ended] = Threads(threads)
        self._abandoned: set[asyncio.Future[Ended]] = set()
        self._loaded: tuple[FoundTool, ...] | None = None
        self._whence = ""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What cannot be offered, and what waits for a review."""
        return self._tools.skipped

    @property
    def review(self) -> Review | None:
        """What the tools say of themselves beside what was accepted, and which code they are."""
        names = sorted({*self._entry.given, *self._entry.secrets})
        return self._tools.review(
            (
                f"tools: {self._entry.name}",
                f"of {self._whence}",
                f"given: {', '.join(names) or 'nothing'}",
                "runs in the gateway's own process, with everything that it may do",
            )
        )

    async def actions(self) -> Sequence[ActionSpec]:
        """Every accepted tool; the package is imported the first time."""
        if not self._tools.is_asked:
            await self.ask_again()
        return self._tools.specs()

    async def ask_again(self) -> None:
        """Look at the tools and at what was accepted; raises `ConfigurationError`."""
        await self._tools.read_pin()
        if self._loaded is None:
            self._loaded = await self._load()
        self._tools.listed([each.definition() for each in self._loaded])

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once; raises `Refused`, `Unavailable` or `Uncertain`."""
        offer, tool = self._offer_of(action)
        # Some tools drop an argument that they do not know without a word.
        check_arguments(action, arguments)
        begun = await self._begun(tool, dict(arguments), context)
        try:
            left = max(0.0, context.deadline - time.monotonic())
            done, _ = await asyncio.wait({begun}, timeout=left)
        finally:
            # A tool that does not let itself be cancelled is not waited for.
            self._abandoned.add(begun)
            begun.add_done_callback(self._abandoned.discard)
            begun.cancel()
        if not done:
            raise in_doubt(action, "the tool did not end before the deadline", Kind.TIMEOUT)
        return read_ended(offer, begun.result(), time.time())

    async def _load(self) -> tuple[FoundTool, ...]:
        from connectors.langchain import sdk  # heavy: only a gateway that uses it pays

        where, entry = f"connections.{self._connection}", self._entry
        secrets = {name: await entry.reveal(given) for name, given in entry.secrets.items()}
        try:
            tools = await sdk.load_tools(entry.name, {**entry.given, **secrets})
            self._whence = await asyncio.to_thread(sdk.whence, entry.name)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}.tools: {error}") from error
        # A factory is somebody else's code; perhaps it asks a service that is not there.
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise Unreachable(f"{where}.tools: {entry.name} gives no tools: {told}") from error
        return tools

    def _offer_of(self, action: ActionSpec) -> tuple[Offer, FoundTool]:
        offer = self._tools.offer_of(action)
        tool = next(each for each in self._loaded or () if each.name == offer.tool)
        if digest(tool.definition()) != digest(offer.definition):
            told = f"{action.name} is not what it was when the plan was accepted"
            raise Refused(told, kind=Kind.CONFLICT)
        return offer, tool

    async def _begun(
        self, tool: FoundTool, arguments: JsonObject, context: CallContext
    ) -> asyncio.Future[Ended]:
        """The call under way; raises `Unavailable` where it could not begin in time."""
        last = min(context.deadline, context.send_before)
        if tool.is_blocking:
            try:
                async with asyncio.timeout(max(0.0, last - time.monotonic())):
                    await self._threads.place()
            except TimeoutError as error:
                told = "every thread is taken by calls that have not ended"
                raise Unavailable(told, kind=Kind.CANCELLED, sent=False) from error
        if time.monotonic() >= last:  # also where a place was free at once
            if tool.is_blocking:
                self._threads.leave()
            raise Unavailable("the call could not begin in time", kind=Kind.CANCELLED, sent=False)
        if tool.is_blocking:
            return self._threads.run(lambda: tool.run(arguments, context.idempotency_key))
        return asyncio.create_task(tool.arun(arguments, context.idempotency_key))
