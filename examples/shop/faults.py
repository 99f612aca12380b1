"""Faults on demand: requests that are refused, hang, lose their answer, or get garbage.

What happens *after* an effect spoils only requests that the business accepted, and counts as
fired once the effect is committed: whoever reads `fired` knows that the effect is there.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

FaultKind = Literal[
    "refuse",
    "error_500",
    "error_503",
    "rate_limit",
    "hang_before",
    "hang_after",
    "drop_before",
    "drop_after",
    "garbage",
]
NEVER_SPOILED = ("/faults", "/ledger", "/health")


class Match(BaseModel):
    """Which requests a fault is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = "POST"
    path_prefix: str = "/"


class FaultOrder(BaseModel):
    """What shall go wrong with the next `times` matching requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    match: Match = Match()
    times: int = Field(default=1, ge=1)
    seconds: float = Field(default=3600, ge=0)
    retry_after: int | float | str = 1


class FaultReport(FaultOrder):
    """A fault, and how often it took effect."""

    id: int
    fired: int


class Fault:
    """One ordered fault at work. All of it happens on the event loop's thread."""

    def __init__(self, number: int, order: FaultOrder) -> None:
        self.number = number
        self.order = order
        self.taken = 0  # by requests that are under way, or that it spoiled
        self.fired = 0
        self.let_go = asyncio.Event()

    async def hang(self) -> None:
        """Wait for the ordered time, or until the faults are cleared."""
        try:
            async with asyncio.timeout(self.order.seconds):
                await self.let_go.wait()
        except TimeoutError:
            pass

    def report(self) -> FaultReport:
        """Tell what was ordered and how often it took effect."""
        return FaultReport(**dict(self.order), id=self.number, fired=self.fired)


class Faults:
    """The faults of one service, first ordered, first used."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ordered = 0

    def add(self, order: FaultOrder) -> FaultReport:
        """Order a fault."""
        self._ordered += 1
        self._faults.append(Fault(self._ordered, order))
        return self._faults[-1].report()

    def reports(self) -> list[FaultReport]:
        """Tell of every fault."""
        return [fault.report() for fault in self._faults]

    def clear(self) -> None:
        """Forget every fault, and let go of what hangs."""
        for fault in self._faults:
            fault.let_go.set()
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Reserve the fault that is for this request."""
        for fault in self._faults:
            match = fault.order.match
            if method == match.method and path.startswith(match.path_prefix):
                if fault.taken < fault.order.times:
                    fault.taken += 1
                    return fault
        return None


class CuttableConnection(H11Protocol):
    """HTTP on a connection that a fault can cut: each request carries its transport."""

    def connection_made(  # type: ignore[override]  # as in uvicorn: asyncio.Protocol says BaseTransport
        self, transport: asyncio.Transport
    ) -> None:
        """Put the transport where the application finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class FaultyApp:
    """An application around another that spoils requests, or their answers."""

    def __init__(self, app: ASGIApp, faults: Faults, error: Callable[[str, str], Response]) -> None:
        self._app = app
        self._faults = faults
        self._error = error  # the fault's kind and Retry-After, in the service's own words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = None
        if scope["type"] == "http" and scope["path"] not in NEVER_SPOILED:
            fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        body = await _received(receive)
        if body is None:
            fault.taken -= 1
        elif fault.order.kind in ("hang_after", "drop_after", "garbage"):
            await self._spoil_answer(fault, body, scope, receive, send)
        else:
            await self._spoil_request(fault, scope, receive, send)

    async def _spoil_request(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let nothing happen."""
        fault.fired += 1
        match fault.order.kind:
            case "hang_before":
                await _hang(fault, receive)
                await _cut(scope, receive)
            case "drop_before":
                await _cut(scope, receive)
            case kind:
                after = fault.order.retry_after
                whole = int(after) if isinstance(after, float) and after.is_integer() else after
                await self._error(kind, str(whole))(scope, receive, send)

    async def _spoil_answer(
        self, fault: Fault, body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let it happen, and keep the answer back."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, _again(body), keep)
        if answer[0]["status"] >= 400:
            fault.taken -= 1
        else:
            fault.fired += 1
            match fault.order.kind:
                case "drop_after":
                    await _cut(scope, receive)
                    return
                case "garbage":
                    garbage = Response(b"<html>not what you asked for", 200)
                    garbage.headers["content-type"] = "application/json"
                    await garbage(scope, receive, send)
                    return
                case _:
                    await _hang(fault, receive)
        for message in answer:
            await send(message)


async def _received(receive: Receive) -> bytes | None:
    """The whole body, or None if the caller left before it was sent."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes) -> Receive:
    """The body once more; after it a caller that never leaves, so that nothing is given up."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    return receive


async def _hang(fault: Fault, receive: Receive) -> None:
    """Say nothing until the time is over, the faults are cleared, or the caller has left."""
    waiting = {asyncio.ensure_future(fault.hang()), asyncio.ensure_future(_gone(receive))}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(scope: Scope, receive: Receive) -> None:
    """Close the connection without a word, and wait until the server has seen it."""
    scope["state"]["transport"].abort()
    await _gone(receive)
