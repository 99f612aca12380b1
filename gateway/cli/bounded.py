"""HTTP of uvicorn's, which waits for a client only so long, and keeps only so much of it.

Whoever can connect needs no key to begin a request, to leave it unfinished, to ask again before it
is answered, or to leave an answer unread: without bounds they fill the memory, or hold connections
open with a byte now and then. Whatever a connection waits for, a timer runs that no byte starts
anew: for the end of a head, the end of a body, an answer to be read, or (uvicorn's own) the next
request. How many bytes a body has is counted by `body.BodyCap`.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.problems import RETRY_AFTER_S, ProblemError, render

MOST_BYTES = 65_536  # of a head, and of an answer the least that is read in `reading_s`
MOST_MEMBERS = 100  # of a head
MOST_AHEAD = 16  # requests that come before an earlier one is answered
CLOSE = {"connection": "close"}


class BoundedHttp(HttpToolsProtocol):
    """Lets go of whoever keeps it waiting."""

    most_connections: ClassVar[int] = 1_000_000
    head_s: ClassVar[float] = 15.0
    body_s: ClassVar[float] = 30.0
    reading_s: ClassVar[float] = 30.0
    _late: asyncio.TimerHandle | None = None  # there, as long as a request has not ended
    _unread: asyncio.TimerHandle | None = None  # there, as long as an answer is not read
    _unsent = 0  # bytes of an answer when it was last looked
    _came = 0  # bytes of a head
    _is_in_body = False
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Begin to wait for the first head."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # tells of every answer that is not read
        if len(self.connections) > self.most_connections:
            self.app = full
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        self._stop_looking()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True  # uvicorn tells the last one that came alone
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head."""
        super().data_received(data)
        self._came += len(data)  # the piece that a head began in counts whole
        if self.transport.is_closing() or self._is_in_body:
            return
        if self._late is not None and self._came > MOST_BYTES:
            self.send_400_response(f"a head has at most {MOST_BYTES} bytes")
        if self._late is None and self.cycle.response_complete:
            self._wait_for_head()  # what came begins no request, but has ended uvicorn's waiting

    def on_message_begin(self) -> None:
        """Begin to wait for a head, the first one or another one on the same connection."""
        super().on_message_begin()
        self._came = 0
        self._wait_for_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a member of a head; what comes after a body is no use to anybody."""
        if self._is_in_body:
            return
        if len(self.headers) == MOST_MEMBERS:
            raise ValueError("too many members")  # taken for what is no HTTP
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        super().on_headers_complete()
        if not self.pipeline:
            self._answering = self.cycle
        if len(self.pipeline) > MOST_AHEAD:
            raise ValueError("too many requests at once")
        self._is_in_body = True
        self._wait(self.body_s, self._body_is_late)

    def on_message_complete(self) -> None:
        """The request has ended."""
        self._is_in_body = False
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The next request that waits is answered."""
        if self.pipeline:
            self._answering = self.pipeline[-1][0]
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Begin to look whether the answer is read."""
        super().pause_writing()
        self._look_again()

    def resume_writing(self) -> None:
        """It has been read."""
        self._stop_looking()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request with a problem, as everything is, and hang up."""
        fix = "Send a request of HTTP/1.1."
        self._hang_up(ProblemError(400, "malformed-http", msg, fix, headers=CLOSE))

    def _body_is_late(self) -> None:
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._wait(self.body_s, self._body_is_late)  # for us: it may not be sent yet
        elif self.cycle.response_started or self.pipeline:
            self.transport.close()
        else:
            self.cycle.disconnected = True  # it has been answered here
            detail = f"a body arrives within {self.body_s:g} s"
            self._hang_up(ProblemError(408, "too-slow", detail, "Send it again.", headers=CLOSE))

    def _hang_up(self, problem: ProblemError) -> None:
        self._stop_waiting()
        answer = render(problem)
        status = STATUS_LINE[answer.status_code]
        head = b"".join(b"%b: %b\r\n" % each for each in answer.raw_headers)
        self.transport.write(status + head + b"\r\n" + bytes(answer.body))
        self.transport.close()

    def _look_again(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self.reading_s, self._look)

    def _look(self) -> None:
        """Let go of whoever has read less than so much; what is read in time goes on."""
        if self._unsent - self.transport.get_write_buffer_size() < MOST_BYTES:
            self.transport.abort()
        else:
            self._look_again()

    def _wait_for_head(self) -> None:
        self._wait(self.head_s, self.timeout_keep_alive_handler)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _stop_looking(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def bounded_http(connections: int) -> type[BoundedHttp]:
    """The same for a gateway that has at most so many connections at once."""
    return type("Http", (BoundedHttp,), {"most_connections": connections})


async def full(scope: Scope, receive: Receive, send: Send) -> None:
    """What answers on a connection that is one too many."""
    detail = "this gateway has as many connections as it may"
    headers = {"retry-after": RETRY_AFTER_S, **CLOSE}
    fix = f"Ask again after {RETRY_AFTER_S} s; what was accepted goes on."
    problem = ProblemError(503, "temporary-reduced-capacity", detail, fix, headers=headers)
    await render(problem)(scope, receive, send)
