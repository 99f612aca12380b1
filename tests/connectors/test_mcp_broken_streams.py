"""A stream that breaks amid a call leaves a doubt; a session that is gone is begun anew."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate

import pytest
from connector_cases import Raw, answer, listening
from mcp_world import Server, tool
from reviewed import Pins

from connectors.connector import Outcome
from connectors.credentials import Vault
from connectors.errors import ConfigurationError, ConnectorError, Unavailable, Uncertain
from connectors.factories import ConnectionSettings
from connectors.mcp import connector
from connectors.opening import open_registry
from connectors.spec import JsonObject

BEGUN = b"id: 1\nretry: 0\ndata:\n\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@dataclass
class Keeper:
    """Whoever keeps the token: it is good until a test says otherwise."""

    ends: ConnectorError | ConfigurationError | None = None

    async def secret(self, tenant: str, name: str) -> str:
        if self.ends is not None:
            raise self.ends
        return f"token-of-{tenant}-{name}"

    async def rejected(self, tenant: str, name: str, secret: str) -> bool:
        return True  # it is renewed for the next call


@dataclass
class Streaming:
    """A server at an address that begins to answer a call in a stream, and hangs up."""

    called: bytes = STREAM + BEGUN
    rest: bytes = STREAM + BEGUN
    on_call: Callable[[], None] = lambda: None
    asked: list[str] = field(default_factory=list)
    session: str = ""  # the one that it knows

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = head.partition("content-length:")[2].split("\r\n")[0].strip()
            request = json.loads(await reader.readexactly(int(length or 0)) or b"{}")
            writer.write(self._answered(head, request))
            await writer.drain()
        writer.close()

    def _answered(self, head: str, request: JsonObject) -> bytes:
        if head.startswith("get "):
            if "last-event-id" not in head:
                return answer(405)
            self.asked.append("the rest")
            return self.rest
        result: JsonObject
        headers = {"mcp-session-id": self.session} if self.session else {}
        if "mcp-session-id:" in head and f"mcp-session-id: {self.session}\r\n" not in head:
            gone: JsonObject = {"code": -32001, "message": "Session not found"}
            return answer(404, {"jsonrpc": "2.0", "id": None, "error": gone})
        match request.get("method"):
            case "initialize":
                info: JsonObject = {"name": "streaming", "version": "1"}
                result = {"protocolVersion": "2025-11-25", "serverInfo": info}
                result["capabilities"] = {"tools": {}}
            case "tools/list":
                result = {"tools": [tool("pay")]}
            case "tools/call":
                self.asked.append("a call")
                self.on_call()
                return self.called
            case str(method) if not method.startswith("notifications/"):
                error: JsonObject = {"code": -32601, "message": "Method not found"}
                return answer(200, {"jsonrpc": "2.0", "id": request["id"], "error": error})
            case _:
                return answer(202, b"")
        return answer(200, {"jsonrpc": "2.0", "id": request["id"], "result": result}, headers)


@asynccontextmanager
async def connected(streaming: Streaming, keeper: Keeper) -> AsyncIterator[Server]:
    async with listening(streaming.serve) as port:
        raw = Raw(port)
        settings = ConnectionSettings(
            "tools", "mcp", f"{raw.url}/mcp", credential="store:it", allow_hosts=(raw.host,)
        )
        memory = Pins()
        async with open_registry([settings], Vault(stored=keeper), None, memory) as registry:
            found = Server(registry, memory)
            found.catalog = await registry.load()
            await found.accept()
            yield found


async def ended(streaming: Streaming, keeper: Keeper) -> Outcome | ConnectorError:
    async with connected(streaming, keeper) as server:
        return await server.call("pay", seconds=3)


@pytest.mark.parametrize(
    "ends",
    [
        Unavailable("the token is renewed by somebody"),
        ConfigurationError("the consent was taken back"),
    ],
)
async def test_a_token_that_is_gone_amid_a_call_does_not_undo_that_it_was_sent(
    ends: ConnectorError | ConfigurationError,
) -> None:
    keeper = Keeper()

    def gone() -> None:
        keeper.ends = ends

    streaming = Streaming(on_call=gone)

    assert isinstance(await ended(streaming, keeper), Uncertain)
    assert streaming.asked == ["a call"]


async def test_a_token_that_is_not_taken_for_the_rest_was_taken_for_the_call() -> None:
    streaming = Streaming(rest=answer(401))

    assert isinstance(await ended(streaming, Keeper()), Uncertain)
    assert "the rest" in streaming.asked


async def test_a_token_that_is_not_taken_for_the_call_is_no_effect() -> None:
    found = await ended(Streaming(called=answer(401)), Keeper())

    assert isinstance(found, Unavailable)


async def test_a_stream_that_begins_anew_for_ever_is_left() -> None:
    streaming = Streaming()
    async with connected(streaming, Keeper()) as server:
        found = await server.call("pay", seconds=2)
        asked = len(streaming.asked)
        await asyncio.sleep(0.5)

    assert isinstance(found, Uncertain)
    assert len(streaming.asked) == asked < 1000


async def test_a_wait_until_a_date_is_counted_from_when_it_was_said() -> None:
    headers = {"retry-after": formatdate(time.time() + 60, usegmt=True)}
    found = await ended(Streaming(called=answer(429, headers=headers)), Keeper())

    assert isinstance(found, Unavailable)
    assert found.retry_after_s is not None
    assert 50 < found.retry_after_s <= 60


@pytest.mark.parametrize("fresh_s", [0.0, 60.0])  # its tools are looked at before the call, or not
async def test_a_server_that_was_started_anew_is_called_again_in_another_session(
    fresh_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "_FRESH_S", fresh_s)
    streaming = Streaming(called=STREAM, session="first")
    async with connected(streaming, Keeper()) as server:
        before = await server.call("pay", seconds=3)
        streaming.session = "second"
        found = await server.call("pay", seconds=3)
        called = list(streaming.asked)
        again = await server.call("pay", seconds=3)

    assert isinstance(before, Uncertain)
    assert isinstance(found, Unavailable)
    assert called == ["a call"]
    assert isinstance(again, Uncertain)
    assert streaming.asked == ["a call", "a call"]
