"""Carries MCP's HTTP requests over the one way out, and notes what became of each.

The SDK gives up a whole session where one request fails, and with it the calls of others. So a
request that fails here is answered by `HERE`, a status that no service sends, with no body; and
what really happened stands in the `Carried` of whoever asked.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import httpcore2
import httpx2

from connectors.body import MOST_BYTES
from connectors.egress import SENDING, Sending
from connectors.errors import ConfigurationError, ConnectorError
from connectors.http import FAILURES, HttpRequest, NotAllowedError, Transport, TransportError
from connectors.mcp.carried import CARRIED, Carried
from connectors.url import read_address

HERE = 599  # the answer of this file where there is no answer


class CheckedTransport(httpx2.AsyncBaseTransport):
    """A way out for one server's origin; `secret_headers` are read when they are sent."""

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        secret_headers: Callable[[], Mapping[str, str]],
        hide: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._hide = hide
        self._transport = transport
        self._origin = read_address(base_url).origin
        self._secret_headers = secret_headers

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send once; a redirect is an answer of which nothing is followed."""
        carried = CARRIED.get(None) or Carried()
        SENDING.set(carried.sending)  # of this task alone
        was_sent = carried.sending.has_begun
        opened = None
        try:
            opened, response = await self._opened(request, carried.sending)
        except (TransportError, ConnectorError, ConfigurationError) as error:
            # A call was sent even if the rest of its answer could not be asked for.
            known = TransportError(str(error)) if was_sent else error
            carried.failure = carried.failure or known
            return httpx2.Response(HERE, request=request)
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        }
        if carried.status is None or carried.is_of_last:
            carried.status, carried.headers = response.status, headers
            carried.received_at = time.time()
        if response.status == 404 and "mcp-session-id" in request.headers:
            # Servers say in words of their own that a session is gone: what they say is left out.
            await opened.__aexit__(None, None, None)
            return httpx2.Response(404, request=request)
        if 300 <= response.status < 400 or "content-encoding" in headers:
            await opened.__aexit__(None, None, None)
            return httpx2.Response(HERE, request=request)
        body = _Bounded(opened, response, carried, self._hide)
        return httpx2.Response(
            response.status, headers=response.headers, stream=body, request=request
        )

    async def _opened(
        self, request: httpx2.Request, sending: Sending
    ) -> tuple[AbstractAsyncContextManager[httpcore2.Response], httpcore2.Response]:
        url = str(request.url)
        try:
            if read_address(url).origin != self._origin:
                raise NotAllowedError("only the server's own address is called")
        except ValueError as error:
            raise NotAllowedError(str(error)) from error
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in ("accept", "content-type", "last-event-id") or name.startswith("mcp-")
        }
        body = await request.aread() if request.method == "POST" else None
        made = HttpRequest(request.method, url, {**headers, **self._secret_headers()}, body)
        opened = self._transport.stream(made, sending)
        return opened, await opened.__aenter__()


class _Bounded(httpx2.AsyncByteStream):
    """An answer's body, cut off where it is too large or breaks, which is noted."""

    def __init__(
        self,
        opened: AbstractAsyncContextManager[httpcore2.Response],
        response: httpcore2.Response,
        carried: Carried,
        hide: Callable[[bytes], bytes],
    ) -> None:
        self._hide = hide
        self._opened = opened
        self._response = response
        self._carried = carried

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Line by line, as far as there are any: a secret may come in two pieces."""
        size, begun = 0, bytearray()
        try:
            async for chunk in self._response.aiter_stream():
                size += len(chunk)
                if size > MOST_BYTES:
                    self._note(f"the answer is larger than {MOST_BYTES} bytes")
                    return
                end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
                begun += chunk[: end or None]
                if end:
                    yield self._hide(bytes(begun))
                    begun = bytearray(chunk[end:])
        except FAILURES as error:
            self._note(f"the answer was cut short: {error}")
        else:
            yield self._hide(bytes(begun))

    async def aclose(self) -> None:
        await self._opened.__aexit__(None, None, None)

    def _note(self, message: str) -> None:
        self._carried.failure = self._carried.failure or TransportError(message)
