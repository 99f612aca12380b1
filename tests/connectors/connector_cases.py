"""What the connectors' tests share: raw servers, ways out, connectors built as operators do."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from connectors.connector import Connector, Outcome
from connectors.credentials import Vault
from connectors.errors import ConnectorError
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.openapi import OpenApiConnector, Overlay, Source
from connectors.opening import build
from connectors.registry import Registry
from connectors.spec import ActionSpec, JsonObject
from connectors.testing import call_context

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SECRETS = {"env:MINOR": "sk_shop_minor", "env:DECIMAL": "shop-decimal-key"}

# Reading the system's certificates takes longer than most of the tests that need none.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def host_of(url: str) -> str:
    """`host:port`, as allow_hosts has it."""
    return url.partition("://")[2]


@dataclass
class Outside:
    """Transports that are closed in the end."""

    opened: list[Transport] = field(default_factory=list)

    def to(self, *hosts: str) -> Transport:
        """A way out that may reach these private hosts."""
        self.opened.append(Transport(frozenset(hosts), tls=NO_TLS))
        return self.opened[-1]

    async def close(self) -> None:
        """Close them all."""
        while self.opened:
            await self.opened.pop().aclose()


@dataclass
class Raw:
    """A server that says exactly what it is told to, and keeps what it was sent."""

    port: int
    received: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """Its `host:port`."""
        return f"127.0.0.1:{self.port}"

    def head(self, index: int = -1) -> str:
        """The head of a request."""
        return self.received[index].partition(b"\r\n\r\n")[0].decode("latin-1")

    def body(self, index: int = -1) -> JsonValue:
        """The body of a request."""
        found: JsonValue = json.loads(self.received[index].partition(b"\r\n\r\n")[2] or b"null")
        return found


@asynccontextmanager
async def raw_server(answer: bytes | Handler) -> AsyncIterator[Raw]:
    """Answer each request with these bytes and hang up, or as the handler likes."""
    raw = Raw(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            raw.received.append(await _request(reader))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        writer.close()

    async with listening(serve) as port:
        raw.port = port
        yield raw


@asynccontextmanager
async def listening(serve: Handler) -> AsyncIterator[int]:
    """A server on loopback; what it still does at the end is cancelled."""
    busy: set[asyncio.Task[None]] = set()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            busy.discard(task)

    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + (await reader.readexactly(length) if length else b"")


def answer(
    status: int = 200,
    body: bytes | JsonValue = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """One HTTP answer, as it goes over the wire."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", "content-length": str(len(content))}
    told = "".join(f"{name}: {value}\r\n" for name, value in (given | dict(headers or {})).items())
    return f"HTTP/1.1 {status} Said\r\n{told}connection: close\r\n\r\n".encode() + content


def document(paths: JsonObject, *, version: str = "3.1.0", **more: JsonValue) -> JsonObject:
    """A small OpenAPI document."""
    return {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": paths, **more}


def operation(name: str = "do_it", **more: JsonValue) -> JsonObject:
    """One operation that answers with anything."""
    return {"operationId": name, "responses": {"200": {"description": "ok"}}, **more}


def described(
    folder: Path,
    found: JsonObject | str,
    transport: Transport,
    base_url: str = "http://127.0.0.1:1",
    *,
    overlay: JsonObject | None = None,
    secret: str | None = None,
) -> OpenApiConnector:
    """A connector over a document in a file, on the connection `api`."""
    file = folder / "document.yaml"
    file.write_text(found if isinstance(found, str) else json.dumps(found), encoding="utf-8")
    return OpenApiConnector(
        "api",
        base_url,
        transport,
        document=Source(file.name, base_url, folder),
        overlay=Overlay.model_validate(overlay or {}),
        secret=None if secret is None else lambda: secret,
    )


def registry_of(transport: Transport, *settings: ConnectionSettings, **secrets: str) -> Registry:
    """A registry as the gateway builds one."""
    known = SECRETS | {f"env:{name}": secret for name, secret in secrets.items()}
    return build(settings, Vault(lambda reference: known[reference]), lambda _: transport)


async def end_of(
    connector: Registry | Connector,
    action: ActionSpec,
    arguments: JsonObject,
    *,
    key: str = "K" * 32,
    seconds: float = 10.0,
    attempt: int = 1,
) -> Outcome | ConnectorError:
    """How a call ends: what it gives or what it raises."""
    context = call_context(key=key, seconds=seconds, attempt=attempt)
    try:
        return await connector.call(action, arguments, context)
    except ConnectorError as error:
        return error


async def action_of(connector: OpenApiConnector, name: str) -> ActionSpec:
    """One action of a connector."""
    return {action.name: action for action in await connector.actions()}[name]
