"""The one way out: HTTP with checked addresses, no redirects, caps, and what exactly was sent.

After a failure there is one question: had a byte of the request left us? `NotSentError` means
no, so nothing can have happened. `NoAnswerError` means yes, and no complete answer came back.
"""

import asyncio
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpcore2

from connectors.egress import SENDING, CheckedBackend, EgressRefusedError, Sending, TooLateError

MOST_BYTES = 10 * 1024 * 1024
_CHUNK = 64 * 1024


class TransportError(Exception):
    """A request that has no usable answer."""


class NotSentError(TransportError):
    """No byte of the request left us."""


class NoAnswerError(TransportError):
    """The request left us, at least in part, and no complete answer came back."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class BadAnswerError(TransportError):
    """An answer came with a status, but its body is too large or cannot be decoded."""

    def __init__(self, message: str, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


@dataclass(frozen=True)
class HttpRequest:
    """One request; `url` is absolute."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class HttpAnswer:
    """One answer, decoded; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends requests; `allow_hosts` are exact `host:port` pairs that may be private."""

    def __init__(self, allow_hosts: frozenset[str] = frozenset()) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=200,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=CheckedBackend(allow_hosts),
        )

    async def send(
        self, request: HttpRequest, *, deadline: float, send_before: float
    ) -> HttpAnswer:
        """Send once, by monotonic deadlines; raises `TransportError`."""
        parts = urlsplit(request.url)
        if parts.scheme not in ("http", "https") or parts.username or not parts.hostname:
            raise NotSentError("only http and https addresses without a user are called")
        sending = Sending(send_before)
        SENDING.set(sending)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await self._send(request, parts.netloc)
        except (EgressRefusedError, TooLateError, httpcore2.UnsupportedProtocol) as error:
            raise NotSentError(str(error)) from error
        except (TimeoutError, httpcore2.TimeoutException) as error:
            if not sending.has_begun:
                raise NotSentError("no connection before the deadline") from error
            raise NoAnswerError("no answer before the deadline", timed_out=True) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            if not sending.has_begun:
                raise NotSentError(f"no connection: {error}") from error
            raise NoAnswerError(f"the connection ended without an answer: {error}") from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def _send(self, request: HttpRequest, host: str) -> HttpAnswer:
        headers = {
            "host": host,
            "user-agent": "lamgate",
            "accept": "application/json",
            "accept-encoding": "gzip",
            **{name.lower(): value for name, value in request.headers.items()},
        }
        if request.body is not None:
            headers["content-length"] = str(len(request.body))
        async with self._pool.stream(
            request.method,
            request.url,
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
            content=request.body,
        ) as response:
            answered = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            body = await _read(response, answered)
            return HttpAnswer(response.status, answered, body)


async def _read(response: httpcore2.Response, headers: Mapping[str, str]) -> bytes:
    """Read and decode a body, never holding more than the cap."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "deflate"):
        raise BadAnswerError(f"encoded as {encoding}", response.status, headers)
    decoder = None if encoding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)
    body = bytearray()
    try:
        async for chunk in response.aiter_stream():
            if decoder is None:
                body += chunk
            else:
                data = chunk
                while data:
                    body += decoder.decompress(data, _CHUNK)
                    data = decoder.unconsumed_tail
                    _check_size(body, response.status, headers)
            _check_size(body, response.status, headers)
    except zlib.error as error:
        raise BadAnswerError(f"not {encoding}: {error}", response.status, headers) from error
    return bytes(body)


def _check_size(body: bytearray, status: int, headers: Mapping[str, str]) -> None:
    if len(body) > MOST_BYTES:
        raise BadAnswerError(f"larger than {MOST_BYTES} bytes", status, headers)
