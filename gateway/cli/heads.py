"""HTTP of uvicorn's, of which a client may send only so much before it has said what it wants.

The head of a request needs no key, and httptools keeps all of it: without bounds, whoever can
connect fills the memory, or holds connections open with a byte now and then. What comes after the
head is counted by `body.BodyCap`.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.problems import ProblemError, render

MOST_BYTES = 65_536
WITHIN_S = 15.0


class BoundedHttp(HttpToolsProtocol):
    """Lets go of whoever does not end a head in so many bytes and so many seconds."""

    within_s: ClassVar[float] = WITHIN_S
    _late: asyncio.TimerHandle | None = None  # there, as long as a head has not ended
    _came = 0  # bytes of it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head."""
        self._came += len(data)
        super().data_received(data)
        if self._late is not None and self._came > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response(f"a head has at most {MOST_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Begin to wait for a head, the first one or another one on the same connection."""
        super().on_message_begin()
        self._came = 0
        self._wait()

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request with a problem, as everything is, and hang up."""
        self._stop_waiting()
        fix = "Send a request of HTTP/1.1."
        answer = render(
            ProblemError(400, "malformed-http", msg, fix, headers={"connection": "close"})
        )
        head = b"".join(b"%b: %b\r\n" % each for each in answer.raw_headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + bytes(answer.body))
        self.transport.close()

    def _wait(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(self.within_s, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
