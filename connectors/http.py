"""The one way out: HTTP with checked addresses, no redirects, caps, and what exactly was sent."""

import asyncio
import contextlib
import copy
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, partial

import httpcore2

from connectors.body import Body, BodyError
from connectors.credentials import Vault, placed
from connectors.egress import (
    SENDING,
    CheckedBackend,
    EgressRefusedError,
    IpAddress,
    Sending,
    TooLateError,
    checked,
)
from connectors.errors import Kind, Unavailable
from connectors.exchange import (
    BadAnswerError,
    HttpAnswer,
    HttpRequest,
    NoAnswerError,
    NotAllowedError,
    NotSentError,
    TransportError,
)
from connectors.quota import note
from connectors.url import Address, AddressError, read_address

__all__ = [
    "FAILURES",
    "BadAnswerError",
    "HttpAnswer",
    "HttpRequest",
    "NoAnswerError",
    "NotAllowedError",
    "NotSentError",
    "Transport",
    "TransportError",
]

LARGE_BYTES = 64 * 1024
"""Above this it takes so long to read an answer that all else has its turn before the next one."""
_READS = ("GET", "HEAD")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_LOST = (httpcore2.NetworkError, httpcore2.ProtocolError, OSError)
FAILURES = (*_LOST, httpcore2.TimeoutException)
"""What may end an answer while it is read."""


@cache
def _certificates() -> ssl.SSLContext:
    """Those of the system, read once in a process: reading them takes longer than most calls."""
    return httpcore2.default_ssl_context()


class Transport:
    """Sends requests; `allow_hosts` are exact `host:port` pairs that may be private.

    `tls` says whose certificates count; without it those of the system do.
    """

    def __init__(
        self,
        allow_hosts: frozenset[str] = frozenset(),
        *,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        backend = CheckedBackend(allow_hosts)
        context = tls or _certificates()
        self._clock = clock
        self._allowed = frozenset(host.lower() for host in allow_hosts)
        self._vault: Vault | None = None
        self.turn = asyncio.Lock()  # of whoever reads a large answer
        self._reads = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=4.0,
            network_backend=backend,
        )
        # A write gets a connection of its own. On one that had been idle the service may be
        # hanging up just then, and nobody could tell whether it still took the request.
        self._writes = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=0,
            network_backend=backend,
        )

    def allows(self, origin: str) -> bool:
        """Whether the operator's file names this `host:port`."""
        return origin in self._allowed

    async def addresses(self, host: str, port: int) -> Sequence[IpAddress]:
        """Where a host is, resolved once and checked, for what speaks another protocol than HTTP.

        Raises `NotAllowedError`, or `NotSentError` where it cannot be found.
        """
        try:
            return await checked(host.lower(), port, self._allowed)
        except EgressRefusedError as error:
            raise NotAllowedError(str(error)) from error
        except httpcore2.ConnectError as error:
            raise NotSentError(str(error)) from error

    def carrying(self, vault: Vault) -> "Transport":
        """The same way out, which puts secrets where something stands for them."""
        found = copy.copy(self)
        found._vault = vault
        return found

    async def send(
        self, request: HttpRequest, *, deadline: float, send_before: float
    ) -> HttpAnswer:
        """Send once, by monotonic deadlines; raises `TransportError`.

        For a secret that cannot be had: `ConfigurationError`, or `Unavailable` for now.
        """
        if self._vault is None:
            return await self._answered(request, deadline, send_before)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                opened = await self._vault.opened(request.url, *request.headers.values())
        except TimeoutError as error:
            raise NotSentError("the credential was not there in time") from error
        try:
            answer = await self._answered(_filled(request, opened), deadline, send_before)
        except TransportError as error:
            _hide_in(error, self._vault)
            raise error from None  # what it was raised from may tell anything
        if answer.status == 401 and await self._vault.rejected(opened):
            raise Unavailable("the token was not taken; it is renewed", kind=Kind.AUTH, sent=True)
        # Before anybody reads, shortens or quotes it: half a secret is not found any more.
        hide = self._vault.redactor.hide
        headers = {name: hide(value) for name, value in answer.headers.items()}
        body = self._vault.redactor.hide_bytes(answer.body)
        return replace(answer, headers=headers, body=body, hide=hide)

    async def _answered(
        self, request: HttpRequest, deadline: float, send_before: float
    ) -> HttpAnswer:
        """Send it; a large answer is handed on when it has its turn, or else at the deadline.

        Whoever gets it reads it in one go: many that are there at once would hold up everything
        else for as long as all of them take, heartbeats too.
        """
        answer = await self._send_filled(request, deadline, send_before)
        if len(answer.body) > LARGE_BYTES:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline - time.monotonic()), self.turn:
                    await asyncio.sleep(0)
        return answer

    async def _send_filled(
        self, request: HttpRequest, deadline: float, send_before: float
    ) -> HttpAnswer:
        try:
            address = read_address(request.url)
            headers = _headers(request, address)
        except ValueError as error:
            raise NotAllowedError(str(error)) from error
        sending = Sending(send_before)
        token = SENDING.set(sending)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await self._send(request, address, headers, sending)
        except (EgressRefusedError, httpcore2.LocalProtocolError) as error:
            if sending.has_begun:
                raise NoAnswerError(str(error)) from error
            raise NotAllowedError(str(error)) from error
        except TooLateError as error:
            raise NotSentError(str(error), is_late=True) from error
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise self._failure(sending, "the deadline passed", timed_out=True) from error
        except _LOST as error:
            raise self._failure(sending, f"{error}" or type(error).__name__) from error
        finally:
            SENDING.reset(token)

    @asynccontextmanager
    async def stream(
        self, request: HttpRequest, sending: Sending
    ) -> AsyncIterator[httpcore2.Response]:
        """Send once and hand out the answer while it comes, undecoded, unbounded and not redacted.

        It is for protocols that stream. Whoever reads has set `SENDING`, counts what comes, hides
        what must not be seen, and knows when to stop. Until the head of the answer is there it
        raises what `send` does.
        """
        vault = self._vault
        opened: Mapping[str, str] = {}
        if vault is not None:
            opened = await vault.opened(request.url, *request.headers.values())
        try:
            response, close = await self._streamed(_filled(request, opened), sending)
        except TransportError as error:
            if vault is not None:
                _hide_in(error, vault)
            raise error from None  # what it was raised from may tell anything
        sending.status = response.status
        try:
            if response.status == 401 and vault is not None and await vault.rejected(opened):
                told = "the token was not taken; it is renewed"
                raise Unavailable(told, kind=Kind.AUTH, sent=True)
            yield response
        finally:
            await close()

    async def _streamed(
        self, request: HttpRequest, sending: Sending
    ) -> tuple[httpcore2.Response, Callable[[], Awaitable[object]]]:
        try:
            address = read_address(request.url)
            headers = _headers(request, address, encoding="identity")
        except ValueError as error:
            raise NotAllowedError(str(error)) from error
        pool = self._reads if request.method in _READS else self._writes
        opened = pool.stream(request.method, _url(address), headers=headers, content=request.body)
        try:
            return await opened.__aenter__(), partial(opened.__aexit__, None, None, None)
        except (EgressRefusedError, httpcore2.LocalProtocolError) as error:
            raise NotAllowedError(str(error)) from error
        except TooLateError as error:
            raise NotSentError(str(error), is_late=True) from error
        except FAILURES as error:
            raise self._failure(sending, f"{error}" or type(error).__name__) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._reads.aclose()
        await self._writes.aclose()

    def _failure(self, sending: Sending, reason: str, *, timed_out: bool = False) -> TransportError:
        """What is known of a request that ended without an answer."""
        if not sending.has_begun:
            return NotSentError(f"no connection: {reason}")
        if sending.status is None:
            return NoAnswerError(f"sent, but there is no answer: {reason}", timed_out=timed_out)
        message = f"the answer of status {sending.status} was cut short: {reason}"
        if sending.status < 300:
            # A service may say 200 before it is done, so this is not yet a yes.
            return NoAnswerError(message, timed_out=timed_out)
        return BadAnswerError(message, sending.status, sending.headers or {}, self._clock())

    async def _send(
        self,
        request: HttpRequest,
        address: Address,
        headers: list[tuple[bytes, bytes]],
        sending: Sending,
    ) -> HttpAnswer:
        pool = self._reads if request.method in _READS else self._writes
        async with pool.stream(
            request.method, _url(address), headers=headers, content=request.body
        ) as response:
            answered: dict[str, str] = {}
            for raw_name, value in response.headers:
                name, said = raw_name.decode("latin-1").lower(), value.decode("latin-1")
                # One link a line is as good as all in one; of all else the last one counts.
                is_more = name == "link" and name in answered
                answered[name] = f"{answered[name]}, {said}" if is_more else said
            sending.status, sending.headers = response.status, answered
            note(answered, self._clock())
            try:
                body = Body(answered.get("content-encoding", "").lower(), request.most_bytes)
                async for chunk in response.aiter_stream():
                    body.feed(chunk)
                found = body.finish()
            except BodyError as error:
                raise BadAnswerError(
                    str(error), response.status, answered, self._clock()
                ) from error
            return HttpAnswer(response.status, answered, found, self._clock())


def _filled(request: HttpRequest, opened: Mapping[str, str]) -> HttpRequest:
    headers = {name: placed(value, opened) for name, value in request.headers.items()}
    return replace(request, url=placed(request.url, opened, in_address=True), headers=headers)


def _hide_in(error: TransportError, vault: Vault) -> None:
    """Take every secret out of a failure."""
    error.args = (vault.hide(str(error)),)
    if isinstance(error, BadAnswerError):
        error.headers = {name: vault.hide(value) for name, value in error.headers.items()}


def _url(address: Address) -> httpcore2.URL:
    """The parts that were checked, which nobody reads again."""
    return httpcore2.URL(
        scheme=address.scheme, host=address.host, port=address.port, target=address.target
    )


def _headers(
    request: HttpRequest, address: Address, encoding: str = "gzip"
) -> list[tuple[bytes, bytes]]:
    """The request's headers and ours; a value is never repeated in a message, it may be secret."""
    headers = {
        "user-agent": "lamgate",
        "accept": "application/json",
        **{name.lower(): value for name, value in request.headers.items()},
        "host": address.authority,
        "accept-encoding": encoding,
    }
    if request.body is not None:
        headers["content-length"] = str(len(request.body))
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name in ("transfer-encoding", "connection", "te"):
            raise AddressError(f"{name[:40]!r} is no header that is sent")
        if not _VALUE.fullmatch(value) or value != value.strip():
            raise AddressError(f"the value of the header {name} has characters that cannot be sent")
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
