"""Tries a connector out: one call, what came of it, and what it did to the service."""

import asyncio
import base64
import logging
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from textwrap import shorten

from pydantic import JsonValue

from connectors.connector import Applied, Connector, Outcome, Unreadable
from connectors.errors import ConnectorError
from connectors.plugin import Plugin
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.testing.fake import call_context
from connectors.testing.service import Asked, Fault, Service

NamedCall = tuple[str, JsonObject]
"""An action's name and its arguments."""

_MOST_TOLD = 200  # characters of what a call ended with

AnyCall = NamedCall | Callable[[], Awaitable[NamedCall]]
"""A call, or what says a fresh one each time: where the same cannot succeed twice."""


@dataclass(frozen=True)
class Example:
    """What the suite needs to try a connector out against its real service or a stand-in.

    Every call is one that succeeds, however often it is made, but `refused`, to which the service
    says no, and `silent`, to which no answer comes while `silence` is entered. `undone` is a write
    whose undo takes it back, `more` are others that are worth it. `effects` counts what the service
    has really done, `state` is what stands there now; `secrets` must appear nowhere. With `service`
    the suite brings about every failure itself.
    """

    connection: str = "own"
    read: AnyCall | None = None
    keyed: AnyCall | None = None
    found: AnyCall | None = None  # a write whose look-up finds it
    undone: AnyCall | None = None
    more: tuple[AnyCall, ...] = ()
    refused: NamedCall | None = None
    silent: NamedCall | None = None
    silence: Callable[[], AbstractAsyncContextManager[object]] = nullcontext
    effects: Callable[[], Awaitable[int]] | None = None
    state: Callable[[], Awaitable[JsonValue]] | None = None
    secrets: tuple[str, ...] = ()
    service: Service | None = None

    @property
    def write(self) -> AnyCall | None:
        """Any write."""
        return self.keyed or self.found or self.undone

    @property
    def good(self) -> tuple[AnyCall, ...]:
        """Every call that succeeds, once: of two calls of one action the later."""
        said = (self.read, self.keyed, self.found, self.undone, *self.more)
        known = [each for each in said if each is not None]
        return tuple({each if callable(each) else each[0]: each for each in known}.values())


@dataclass(frozen=True)
class Tried:
    """How one call ended, what it did to the service, and how long it took."""

    action: ActionSpec
    ended: Outcome | ConnectorError
    effects: int
    asked: tuple[Asked, ...]
    seconds: float

    @property
    def output(self) -> JsonValue:
        """What it gave, or null."""
        return self.ended.output if isinstance(self.ended, Applied) else None

    @property
    def was(self) -> str:
        """How it ended, in a few words."""
        if isinstance(self.ended, ConnectorError):
            said = shorten(self.ended.message, _MOST_TOLD)
            told = f"{type(self.ended).__name__} ({self.ended.kind}: {said})"
        elif isinstance(self.ended, Unreadable):
            told = f"Unreadable ({shorten(self.ended.reason, _MOST_TOLD)})"
        else:
            told = type(self.ended).__name__
        return f"{self.action.name} ended in {told}"

    def words(self) -> str:
        """Everything that it tells."""
        if isinstance(self.ended, ConnectorError):
            said = "".join(traceback.format_exception(self.ended))
            return f"{said} {vars(self.ended)!r}"
        return repr(self.ended)


@dataclass(frozen=True)
class Way:
    """The requests of a call: how many, which one acts, and how long it takes."""

    requests: int
    acting: int
    took_s: float


@dataclass(frozen=True)
class Trial:
    """One connector and its example; each call has a fresh connector and a loop of its own.

    `known` is how each good call goes, by its number. Where it is not `whole`, each failure is
    tried at some request and each request goes wrong somehow, but not each at each.
    """

    connector: Callable[[], Connector]
    close: Callable[[], Awaitable[None]]
    example: Example
    plugin: Plugin | None = None
    known: dict[int, Way] = field(default_factory=dict)
    whole: bool = True

    def actions(self) -> Sequence[ActionSpec]:
        """What is on offer."""
        return self.actions_twice()[0]

    def actions_twice(self) -> tuple[Sequence[ActionSpec], Sequence[ActionSpec]]:
        """What one connector says is on offer, asked twice."""

        async def asked() -> tuple[Sequence[ActionSpec], Sequence[ActionSpec]]:
            connector = self.connector()
            try:
                return tuple(await connector.actions()), tuple(await connector.actions())
            finally:
                await self.close()

        return asyncio.run(asked())

    def call(
        self,
        call: AnyCall,
        *,
        key: str = "",
        attempt: int = 1,
        seconds: float = 10.0,
        fault: Fault | None = None,
        at: int = 0,
        is_away: bool = False,
        is_silent: bool = False,
    ) -> Tried:
        """Make one call, while the service fails like this, at one of its requests or at each."""
        service = self.example.service
        spoiled: AbstractContextManager[None] = nullcontext()
        if service is not None and fault is not None:
            spoiled = service.spoiled(fault, at)
        if service is not None and is_away:
            spoiled = service.away(at or 1)
        silence = self.example.silence() if is_silent else nullcontext()

        def context() -> CallContext:
            return call_context(key=key or new_key(), attempt=attempt, seconds=seconds)

        return asyncio.run(self._called(call, context, spoiled, silence))

    def fresh(self, call: AnyCall) -> NamedCall:
        """One call that can be made."""
        return asyncio.run(_said(call))

    def state(self) -> JsonValue:
        """What stands at the service now."""

        async def asked() -> JsonValue:
            return await self.example.state() if self.example.state is not None else None

        return asyncio.run(asked())

    async def _called(
        self,
        call: AnyCall,
        context: Callable[[], CallContext],
        spoiled: AbstractContextManager[None],
        silence: AbstractAsyncContextManager[object],
    ) -> Tried:
        name, arguments = await _said(call)
        connector, service = self.connector(), self.example.service
        try:
            actions = {action.name: action for action in await connector.actions()}
            before, asked = await self._effects(), len(service.asked) if service else 0
            # Only the call goes wrong: what is on offer was asked before.
            with spoiled:
                async with silence:
                    began = time.monotonic()
                    ended: Outcome | ConnectorError
                    try:
                        ended = await connector.call(actions[name], arguments, context())
                    except ConnectorError as error:
                        ended = error
                    took = time.monotonic() - began
            came = tuple(service.asked[asked:]) if service else ()
            return Tried(actions[name], ended, await self._effects() - before, came, took)
        finally:
            await self.close()

    async def _effects(self) -> int:
        return await self.example.effects() if self.example.effects is not None else 0


async def _said(call: AnyCall) -> NamedCall:
    return await call() if callable(call) else call


class Overheard(logging.Handler):
    """Keeps what is logged while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.said.append(self.format(record))

    def __enter__(self) -> "Overheard":
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


def new_key() -> str:
    """A key as the executor makes them, that no service has seen."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def members_of(schema: JsonObject) -> Iterator[tuple[str, JsonValue]]:
    """The arguments that a schema names."""
    found = schema.get("properties")
    yield from found.items() if isinstance(found, dict) else ()
