"""The deprecated package composio-core as a way to ask, in a process of its own.

The package decides which requests are made. They are made here, over the connection's one way out:
so the key never reaches its process, egress is checked as for everybody, nothing is sent a second
time although the package would, and what came of an execution is known exactly.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from connectors.body import BodyError, read_json
from connectors.composio.listing import action_of, check_user, object_of, text_of
from connectors.composio.outcome import lost, read_reading
from connectors.composio.wire import ASKED_WITHIN_S, Account, ConnectLink, Execution, Listed
from connectors.errors import ConfigurationError, ConnectorError, Kind, Refused
from connectors.http import (
    HttpAnswer,
    HttpRequest,
    NoAnswerError,
    NotAllowedError,
    NotSentError,
    Transport,
    TransportError,
)
from connectors.mcp.process import Command, LocalServer, started
from connectors.mcp.wire import LostError
from connectors.spec import CallContext, JsonObject
from connectors.url import AddressError, read_address

_CHILD = Path(__file__).with_name("core_child.py")
# All of its environment. The package keeps a cache, in a folder that is gone with the process.
_QUIET = {
    "COMPOSIO_CACHE_DIR": ".",
    "COMPOSIO_DISABLE_SENTRY": "true",
    "COMPOSIO_DISABLE_VERSION_CHECK": "true",
    "COMPOSIO_LOGGING_LEVEL": "critical",
    "HOME": ".",
}
_PLACE = re.compile(r"/v[12]/[A-Za-z0-9_./-]+(\?[!-~]*)?")
_LINK_LASTS_S = 600.0  # the older interface does not say
_GRACE_S = 0.25  # the request's own deadline comes first: it knows more

Failure = TransportError | ConnectorError | ConfigurationError


@dataclass
class _Asked:
    """One question and the one request that may be made for it."""

    deadline: float
    send_before: float
    answer: HttpAnswer | None = None
    failure: Failure | None = None


class Core:
    """One project at one address, by way of the package in another interpreter."""

    name = "composio-core"

    def __init__(
        self, python: Path, base_url: str, transport: Transport, secret: Callable[[], str]
    ) -> None:
        self._root = f"{base_url}/api"
        self._transport = transport
        self._secret = secret
        self._command = Command((str(python), "-I", str(_CHILD), self._root), _QUIET)
        self._turn = asyncio.Lock()
        self._running: LocalServer | None = None
        self._stack = AsyncExitStack()

    @property
    def told(self) -> tuple[str, ...]:
        """The address, and what is started."""
        words = (f"argv[{index}] = {word!a}" for index, word in enumerate(self._command.argv))
        return (f"url: {self._root}", *words)

    async def tools(self, toolkit: str, version: str) -> list[Listed]:
        """List them in the version that is there: the package cannot ask for another."""
        found = await self._read({"do": "tools", "toolkit": toolkit})
        return [action_of(each) for each in _list(found)]

    async def accounts(self, toolkit: str, user: str, until: float) -> list[Account]:
        """Ask for all accounts of a user."""
        found = _list(await self._read({"do": "accounts", "user": user}, until))
        for each in map(object_of, found):
            check_user(each["user"], user)
        return [
            Account(text_of(each["id"]), text_of(each["status"]))
            for each in map(object_of, found)
            if text_of(each["toolkit"]).lower() == toolkit
        ]

    async def link(
        self, auth_config: str, user: str, callback: str | None, until: float
    ) -> ConnectLink:
        """Begin a connection by an integration, as an auth config is called there."""
        asked: JsonObject = {
            "do": "link",
            "integration": auth_config,
            "user": user,
            "callback": callback,
        }
        url = text_of(await self._read(asked, until))
        try:
            read_address(url)
        except AddressError as error:
            raise Refused("it gave no link", kind=Kind.INTERNAL) from error
        return ConnectLink(url, time.time() + _LINK_LASTS_S)

    async def execute(self, wanted: Execution, context: CallContext) -> HttpAnswer:
        """Have the package say which request that is, and send it once."""
        asked = _Asked(context.deadline, context.send_before)
        question: JsonObject = {
            "do": "execute",
            "tool": wanted.tool,
            "toolkit": wanted.toolkit,
            "version": wanted.version,
            "arguments": dict(wanted.arguments),
            "user": wanted.user,
            "account": wanted.account,
        }
        told = await self._ask(question, asked)
        if asked.failure is not None:
            raise asked.failure
        if asked.answer is None:
            raise NotSentError(f"composio-core made no request: {told.get('failed', 'it ended')}")
        return asked.answer

    async def aclose(self) -> None:
        """Stop the process."""
        async with self._turn:
            await self._stop()

    async def _read(self, question: JsonObject, until: float | None = None) -> JsonValue:
        """Ask what executes nothing; raises `ConnectorError`, or for the credential."""
        deadline = time.monotonic() + ASKED_WITHIN_S
        deadline = deadline if until is None else min(deadline, until)
        asked = _Asked(deadline, deadline)
        told = await self._ask(question, asked)
        if isinstance(asked.failure, TransportError):
            raise lost(asked.failure) from asked.failure
        if asked.failure is not None:
            raise asked.failure
        if "done" in told:
            return told["done"]
        if asked.answer is not None:
            read_reading(asked.answer)
        failed = f"composio-core failed: {told.get('failed', 'it ended')}"
        if asked.answer is None:
            raise lost(NotSentError(failed))
        raise Refused(failed, kind=Kind.INTERNAL)

    async def _ask(self, question: JsonObject, asked: _Asked) -> JsonObject:
        """Put one question; what came of its request is noted in `asked`, whatever the end."""
        is_over = False
        try:
            async with asyncio.timeout(max(0.0, asked.deadline + _GRACE_S - time.monotonic())):
                async with self._turn:
                    try:
                        told = await self._answered(question, asked)
                        is_over = True
                        return told
                    finally:
                        if not is_over:
                            await self._stop()  # nobody knows what it would say next
        except TimeoutError:
            return {"failed": "not in time"}
        except LostError as error:
            return {"failed": str(error)}

    async def _answered(self, question: JsonObject, asked: _Asked) -> JsonObject:
        server = await self._server()
        await server.send(json.dumps(question).encode())
        while True:
            try:
                told = read_json(await server.line())
            except BodyError as error:
                raise LostError(f"it says what is no JSON: {error}") from error
            wanted = told.get("send") if isinstance(told, dict) else None
            if not isinstance(told, dict) or not isinstance(wanted, dict):
                return told if isinstance(told, dict) else {}
            await server.send(json.dumps(await self._sent(wanted, asked)).encode())

    async def _sent(self, wanted: JsonObject, asked: _Asked) -> JsonObject:
        """Make one request, the only one of its question."""
        method, url, body = (
            text_of(wanted.get("method")),
            text_of(wanted.get("url")),
            wanted.get("body"),
        )
        is_first = asked.answer is None and asked.failure is None
        if not is_first or not self._is_ours(method, url):
            told = f"{method} {url}"[:100]
            refused = NotAllowedError(f"composio-core is not to ask for {told!a}")
            asked.failure = asked.failure or (refused if is_first else None)
            return {"failed": str(refused)}
        headers = {"x-api-key": self._secret(), "content-type": "application/json"}
        content = body.encode() if isinstance(body, str) else None
        asked.failure = NoAnswerError("it was given up while it was sent", timed_out=True)
        try:
            answer = await self._transport.send(
                HttpRequest(method, url, headers, content),
                deadline=asked.deadline,
                send_before=asked.send_before,
            )
        except (TransportError, ConnectorError, ConfigurationError) as error:
            asked.failure = error
            return {"failed": type(error).__name__}
        asked.answer, asked.failure = answer, None
        return {"status": answer.status, "body": answer.body.decode("latin-1")}

    def _is_ours(self, method: str, url: str) -> bool:
        below = url.removeprefix(self._root)
        is_below = _PLACE.fullmatch(below) is not None and ".." not in below
        return is_below and method in ("GET", "POST")

    async def _server(self) -> LocalServer:
        """The process, started where there is none; raises `LostError`."""
        if self._running is None:
            self._running = await self._stack.enter_async_context(started(self._command))
        return self._running

    async def _stop(self) -> None:
        self._running = None
        await self._stack.aclose()


def _list(found: JsonValue) -> list[JsonValue]:
    if not isinstance(found, list):
        raise Refused("composio-core gave no list", kind=Kind.INTERNAL)
    return found
