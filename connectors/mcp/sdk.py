"""The `mcp` package, here and nowhere else: sessions over lines of a process, or over HTTP.

Only its client is used, and of that only what carries messages: results are checked by us, since
the package would follow references in a schema to wherever they lead; it caches nothing, offers
servers no model and no files, and follows no redirect.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.metadata import version

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client._transport import TransportStreams
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequestParams,
    ErrorData,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    ServerNotification,
    ToolListChangedNotification,
    jsonrpc_message_adapter,
)
from pydantic import TypeAdapter, ValidationError

from connectors.body import BodyError, read_json
from connectors.mcp.over_http import CheckedTransport
from connectors.mcp.process import LocalServer
from connectors.mcp.wire import (
    BadResult,
    GoneError,
    InputAsked,
    LostError,
    RpcError,
    Session,
    ToolResult,
    WireError,
)
from connectors.spec import Continuation, JsonObject

_MOST_PAGES = 50
_MOST_TOOLS = 2000
_MOST_LISTED = 16 * 1024 * 1024  # characters of all definitions: each page alone is bounded already
_LISTED_WITHIN_S = 20.0
_LISTEN_AGAIN_S = 5.0
# What the package says itself, in the form of a server's error, where it can read no answer.
_OWN_WORDS = (
    (INTERNAL_ERROR, "Server returned an error response"),
    (PARSE_ERROR, "Failed to parse JSON response"),
    (INVALID_REQUEST, "Unexpected content type"),
    (INVALID_REQUEST, "server answered a request with 202"),
)
_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(
    CallToolResult | InputRequiredResult
)
_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


@asynccontextmanager
async def over_lines(
    server: LocalServer, on_change: Callable[[], None], opens_within_s: float
) -> AsyncIterator[Session]:
    """A session with a process that was started; raises `WireError`."""
    hung_up = asyncio.Event()
    async with _session(_lines(server, hung_up), hung_up, on_change, opens_within_s) as session:
        yield session


@asynccontextmanager
async def over_http(
    url: str, way: CheckedTransport, on_change: Callable[[], None], opens_within_s: float
) -> AsyncIterator[Session]:
    """A session with a server at an address; raises `WireError`."""
    async with httpx2.AsyncClient(
        transport=way, trust_env=False, follow_redirects=False, timeout=None
    ) as client:
        streams = streamable_http_client(url, http_client=client)
        async with _session(streams, asyncio.Event(), on_change, opens_within_s) as session:
            yield session


@asynccontextmanager
async def _session(
    streams: AbstractAsyncContextManager[TransportStreams],
    is_over: asyncio.Event,
    on_change: Callable[[], None],
    opens_within_s: float,
) -> AsyncIterator[Session]:
    """Agree on a protocol, tell of changed tools meanwhile; raises `WireError`."""

    async def heard(message: ServerNotification | Exception) -> None:
        if isinstance(message, ToolListChangedNotification):
            on_change()

    _quiet()
    client = Client(
        streams,
        cache=None,
        client_info=Implementation(name="lamgate", version=version("lamgate")),
        message_handler=heard,
        elicitation_callback=_nobody,
        read_timeout_seconds=opens_within_s,
    )
    has_opened = False
    try:
        async with client:
            has_opened = True
            listening = asyncio.create_task(_listen(client, on_change))
            try:
                yield _SdkSession(client, is_over)
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening
    except Exception as error:
        # The package raises what it likes here, also groups of it.
        is_over.set()
        if isinstance(error, WireError) or has_opened:
            raise
        raise _meant(error) from error


async def _nobody(context: ClientRequestContext, params: ElicitRequestParams) -> ErrorData:
    """An older protocol asks while the call is under way: no person is that quick.

    That there is an answer says to a server of today that it may ask, which it does in its result.
    """
    return ErrorData(code=INVALID_REQUEST, message="nobody can be asked in the middle of a call")


def _quiet() -> None:
    """Have the package log nothing: it would repeat what servers say, with secrets in it."""
    for name in ("mcp", "client"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _SdkSession:
    """One client of the package."""

    def __init__(self, client: Client, is_over: asyncio.Event) -> None:
        self._client = client
        self._over = is_over

    @property
    def version(self) -> str:
        return self._client.protocol_version

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    async def over(self) -> None:
        await self._over.wait()

    async def tools(self) -> list[JsonObject]:
        found: list[JsonObject] = []
        cursor: str | None = None
        left = _MOST_LISTED
        try:
            async with asyncio.timeout(_LISTED_WITHIN_S):
                for _ in range(_MOST_PAGES):
                    params = PaginatedRequestParams(cursor=cursor)
                    page = await self._client.session.list_tools(params=params)
                    for tool in page.tools:
                        told = tool.model_dump(by_alias=True, mode="json", exclude_unset=True)
                        found.append(_OBJECT.validate_python(told))
                        left -= len(json.dumps(told))
                    cursor = page.next_cursor
                    if left < 0 or len(found) > _MOST_TOOLS:
                        break
                    if cursor is None:
                        return found
        except Exception as error:
            raise self._ended(error) from error
        most = f"{_MOST_TOOLS} tools or {_MOST_LISTED:,} characters of them"
        raise LostError(f"it lists more than {most}, or has no last page of them")

    async def call(
        self,
        tool: str,
        arguments: JsonObject,
        timeout_s: float,
        continues: Continuation | None = None,
    ) -> ToolResult | InputAsked:
        try:
            params = _params(tool, arguments, continues)
            found = await self._client.session.send_request(
                CallToolRequest(params=params), _RESULT, request_read_timeout_seconds=timeout_s
            )
            if isinstance(found, InputRequiredResult):
                return _asked(found)
            return _result(found)
        except Exception as error:
            raise self._ended(error) from error

    def _ended(self, error: Exception) -> WireError:
        """What a failure means; a session that the server does not know any more is over."""
        if isinstance(error, MCPError) and (
            error.code == INVALID_REQUEST and error.message == "Session terminated"
        ):
            self._over.set()
            return GoneError("the server has ended the session; another one is opened")
        return _meant(error)


def _result(found: CallToolResult) -> ToolResult:
    told = _OBJECT.validate_python(found.model_dump(by_alias=True, mode="json", exclude_none=True))
    content = told.get("content")
    parts = content if isinstance(content, list) else []
    has_structured = "structured_content" in found.model_fields_set
    return ToolResult(
        content=tuple(part for part in parts if isinstance(part, dict)),
        structured=_OBJECT.validate_python({"it": found.structured_content})["it"],
        has_structured=has_structured,
        is_error=bool(found.is_error),
    )


def _params(
    tool: str, arguments: JsonObject, continues: Continuation | None
) -> CallToolRequestParams:
    said: JsonObject = {"name": tool, "arguments": arguments}
    if continues is not None:
        state = _OBJECT.validate_json(continues.handle)["request_state"]
        said |= {"requestState": state, "inputResponses": continues.answers}
    return CallToolRequestParams.model_validate(said)


def _asked(found: InputRequiredResult) -> InputAsked:
    told = _OBJECT.validate_python(found.model_dump(by_alias=True, mode="json", exclude_none=True))
    requests = told.get("inputRequests")
    return InputAsked(found.request_state, requests if isinstance(requests, dict) else {})


def _meant(error: BaseException) -> WireError:
    """The package's failures as ours."""
    if isinstance(error, BaseExceptionGroup):
        return _meant(error.exceptions[0])
    if isinstance(error, WireError):
        return error
    if isinstance(error, MCPError):
        if error.code == REQUEST_TIMEOUT:
            return LostError("no answer in time", timed_out=True)
        if error.code == CONNECTION_CLOSED:
            return LostError(error.message)
        if any(error.code == code and error.message.startswith(own) for code, own in _OWN_WORDS):
            return LostError("no answer that can be read")
        return RpcError(error.code, error.message)
    if isinstance(error, TimeoutError):
        return LostError("no answer in time", timed_out=True)
    if isinstance(error, ValidationError):
        return BadResult("its answer is not one of the protocol")
    return LostError(type(error).__name__)


async def _listen(client: Client, on_change: Callable[[], None]) -> None:
    """Hear of changed tools where they are told of in a stream of their own (since 2026-07-28)."""
    while True:
        try:
            async with client.listen(tools_list_changed=True) as events:
                async for _ in events:
                    on_change()
        except ListenNotSupportedError:
            return
        except (
            MCPError,
            SubscriptionLost,
            TimeoutError,
            httpx2.HTTPError,
            anyio.ClosedResourceError,
        ):
            pass  # it is asked for its tools now and then anyway
        await asyncio.sleep(_LISTEN_AGAIN_S)


@asynccontextmanager
async def _lines(server: LocalServer, hung_up: asyncio.Event) -> AsyncIterator[TransportStreams]:
    """The package's streams over a process's lines."""
    to_read, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, to_write = anyio.create_memory_object_stream[SessionMessage](0)

    async def incoming() -> None:
        async with to_read:
            with suppress(LostError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                while True:
                    await to_read.send(_message(await server.line()))
        hung_up.set()

    async def outgoing() -> None:
        async with to_write:
            async for each in to_write:
                line = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                try:
                    await server.send(line.encode())
                except LostError:
                    break
        await to_read.aclose()
        hung_up.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(incoming)
        tasks.start_soon(outgoing)
        try:
            yield read, write
        finally:
            tasks.cancel_scope.cancel()


def _message(line: bytes) -> SessionMessage | Exception:
    """A message of strict JSON; what is none is told to the session, which goes on."""
    try:
        return SessionMessage(
            jsonrpc_message_adapter.validate_python(read_json(line), by_name=False)
        )
    except (BodyError, ValidationError) as error:
        return error
