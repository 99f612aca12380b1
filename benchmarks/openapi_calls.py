"""Calls every operation of a document, and reads each request back by the document alone.

A relay stands between the connector and a mock server that knows the document: it keeps what was
sent and what was answered. Without a mock server it answers each call with nothing.
"""

import asyncio
import json
import ssl
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.openapi_decoder import MisreadError, Node, Reader, member, parameters, said, target
from benchmarks.openapi_examples import NoExampleError, arguments_of
from benchmarks.openapi_node import serving
from connectors.connector import Applied, Outcome, Pending
from connectors.errors import ConfigurationError, ConnectorError
from connectors.http import Transport
from connectors.openapi import OpenApiConnector, Overlay, Source
from connectors.openapi.extract import Operation, extract
from connectors.openapi.load import read_openapi
from connectors.openapi.names import longest_operation
from connectors.spec import ActionSpec, JsonObject
from connectors.testing import call_context
from connectors.validate import output_flaw

NAME = "api"
READ = "read, and of its type"
_SCRIPT = Path(__file__).with_name("openapi_mock.mjs")
_EMPTY = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass
class Called:
    """What became of the calls of one document; `wrong` says what of whom."""

    offered: int = 0
    calls: int = 0
    called: set[str] = field(default_factory=set)  # operations of which a request left
    right: int = 0  # the request says what was meant
    answered: int = 0  # with a 2xx that is what the action promises
    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)


@dataclass
class _Relay:
    port: int | None
    received: bytes = b""
    status: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(each[15:])
                    for each in head.lower().split(b"\r\n")
                    if each.startswith(b"content-length:")
                ),
                0,
            )
            self.received = head + (await reader.readexactly(length) if length else b"")
            answer = _EMPTY if self.port is None else await self._asked(self.port)
            self.status = int(answer.split(b" ", 2)[1])
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def _asked(self, port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head, _, body = self.received.partition(b"\r\n\r\n")
        writer.write(head + b"\r\nconnection: close\r\n\r\n" + body)
        found = await reader.read(-1)
        writer.close()
        return found


@asynccontextmanager
async def _relay(port: int | None) -> AsyncIterator[tuple[_Relay, str]]:
    relay = _Relay(port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0, limit=2**20)
    async with server:
        yield relay, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def called(file: Path, packages: Path | None) -> Called:
    """Call every operation twice: with the fewest arguments, and with each of them."""
    document, source = await asyncio.to_thread(_opened, file)
    found = Called()
    async with AsyncExitStack() as stack:
        port = None
        if packages is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            text = folder / "document.json"
            await asyncio.to_thread(text.write_text, json.dumps(document))
            port = await stack.enter_async_context(serving(_SCRIPT, packages, [text]))
        relay, host = await stack.enter_async_context(_relay(port))
        way = Transport(frozenset({host}), tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        stack.push_async_callback(way.aclose)
        overlay = _overlay(document)
        api = OpenApiConnector(
            NAME,
            f"http://{host}",
            way,
            document=source,
            overlay=overlay,
            secret=lambda: "user:secret",
        )
        operations = {
            f"{NAME}.{each.name}": each
            for each in extract(document, longest_operation(NAME)).operations
        }
        raw = _raw(document)
        for action in await _actions(api):
            found.offered += 1
            for each in (False, True):
                await _call(api, action, operations[action.name], each, relay, document, raw, found)
    return found


def _opened(file: Path) -> tuple[Node, Source]:
    document: Node = read_openapi(file.read_bytes(), file.name)
    return document, Source(f"file:{file.resolve()}", "", Path())


async def _actions(api: OpenApiConnector) -> Sequence[ActionSpec]:
    """What is on offer: nothing, where a document only has webhooks."""
    try:
        return await api.actions()
    except ConfigurationError:
        return ()


async def _call(
    api: OpenApiConnector,
    action: ActionSpec,
    operation: Operation,
    each: bool,
    relay: _Relay,
    document: Node,
    raw: Mapping[tuple[str, str, str], tuple[str, Node, Node]],
    found: Called,
) -> None:
    found.calls += 1
    what = f"{operation.called}{' with everything' if each else ''}"
    end: Outcome | ConnectorError
    arguments: JsonObject = {}
    try:
        arguments = arguments_of(action.input_schema, each=each)
        relay.received, relay.status = b"", 0
        end = await api.call(action, arguments, call_context(seconds=60))
    except NoExampleError as error:
        found.wrong.append(f"{what}: no example: {error}")
        found.ends["no example"] += 1
        return
    except ConnectorError as error:
        end = error
    if not relay.received:
        found.wrong.append(f"{what}: not sent: {end}")
        found.ends["not sent"] += 1
        return
    found.called.add(action.name)
    try:
        key = (operation.method, operation.path, operation.query)
        _check(document, raw[key], operation, arguments, relay.received)
        found.right += 1
    except (MisreadError, LookupError, ValueError, AttributeError, TypeError) as error:
        found.wrong.append(f"{what}: misread: {type(error).__name__}: {error}")
    flaw = output_flaw(action, end.output) if isinstance(end, Applied) else None
    if flaw is not None:
        found.wrong.append(f"{what}: {flaw}")
        found.ends["an answer that is not of its type"] += 1
    elif isinstance(end, Applied | Pending):
        found.answered += 1
        found.ends[READ] += 1
    else:
        found.ends[f"{relay.status} {type(end).__name__}: {str(end)[:60]}"] += 1


def _check(
    document: Node,
    raw: tuple[str, Node, Node],
    operation: Operation,
    arguments: JsonObject,
    received: bytes,
) -> None:
    """Raise `MisreadError` where the request does not say the arguments."""
    written, item, node = raw
    head, _, body = received.partition(b"\r\n\r\n")
    reader = Reader(written, operation.method, head.decode("latin-1"), body)
    declared = parameters(document, item, node)
    sent: JsonObject = {}
    for name, value in arguments.items():
        place = operation.places[name]
        if place.where in ("body", "whole_body"):
            sent[place.wire if place.where == "body" else ""] = value
            continue
        one = declared.get((place.where, place.wire), {})
        told = reader.value(place.where, place.wire, one, value)
        if told != (value if "content" in one else said(value)):
            raise MisreadError(f"{place.where} {place.wire}: {told!r} is not {value!r}")
    if sent or body:
        _check_body(document, node, declared, reader, sent.get("", sent))


def _check_body(document: Node, node: Node, declared: Any, reader: Reader, value: Any) -> None:
    media = reader.headers["content-type"].partition(";")[0]
    if media.endswith("json"):
        told = reader.json_body()
        if told != value:
            raise MisreadError(f"body: {str(told)[:200]} is not {str(value)[:200]}")
        return
    if media == "application/x-www-form-urlencoded":
        pairs = reader.form()
        content = target(document, node.get("requestBody", {})).get("content", {})
        encodings = content.get(media, {}).get("encoding", {})
        for name, one in value.items():
            old = declared.get(("formData", name))
            encoding = encodings.get(name, {})
            if old is not None and old.get("type") == "array":
                encoding = {
                    "style": old.get("collectionFormat", "csv"),
                    "explode": old.get("collectionFormat") == "multi",
                }
            told = member(pairs, name, encoding, one)
            if said(told) != said(one):
                raise MisreadError(f"form {name}: {told!r} is not {one!r}")
    elif media == "multipart/form-data":
        parts = reader.parts()
        for name, one in value.items():
            told = [data for each, data, _ in parts if each.partition("[")[0] == name]
            if not told or (not isinstance(one, list | dict) and told != [said(one).encode()]):
                raise MisreadError(f"part {name}: {told!r} is not {one!r}")
            if isinstance(one, dict) and "text" in one and told != [_bytes(one)]:
                raise MisreadError(f"file {name}: {told!r} is not {one!r}")
        if {name.partition("[")[0] for name, _, _ in parts} != set(value):
            raise MisreadError("there are other parts")
    elif reader.body != _bytes(value):
        raise MisreadError("the body is not what was said")


def _bytes(value: Any) -> bytes:
    return str(value["text"] if isinstance(value, dict) else value).encode()


def _raw(document: Node) -> dict[tuple[str, str, str], tuple[str, Node, Node]]:
    """Operations by method, path and fixed query, as the document has them."""
    found: dict[tuple[str, str, str], tuple[str, Node, Node]] = {}
    for path, item in document.get("paths", {}).items():
        for method, node in target(document, item).items():
            if (isinstance(node, dict) and "responses" in node) or method in ("get", "post"):
                bare, _, query = path.partition("#")[0].partition("?")
                found.setdefault((method, bare, query), (path, target(document, item), node))
    return found


def _overlay(document: Node) -> Overlay:
    """Everything at one address, and the key where the document wants it."""
    operations = extract(document, longest_operation(NAME)).operations
    shared = document.get("components", {}).get("securitySchemes", {})
    schemes = shared or document.get("securityDefinitions", {})
    credential: JsonObject = {}
    first: Node = next(iter(schemes.values()), {})
    if first.get("type") == "apiKey":
        credential = {first["in"]: first["name"], "form": "{secret}"}
    if first.get("type") == "basic" or first.get("scheme") == "basic":
        credential = {"form": "Basic {basic}"}
    return Overlay.model_validate(
        {
            "credential": credential,
            "servers": {each.server: "" for each in operations if each.server},
        }
    )
