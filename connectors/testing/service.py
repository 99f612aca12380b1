"""A real HTTP service on loopback for tests of connectors: it does as told, or fails as told.

What it does is one function from a request to an answer. A fault stands between them: whether the
service still acts, and how its answer then goes wrong. Every request that came is kept. Which of
them go wrong is a function from their number: all, or the one of a call that is looked at.
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import JsonValue

_CHUNK = bytes(64 * 1024)
_ENOUGH_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """One request; header names are in lower case, `body` is its JSON or None.

    `pairs` are the parameters of its query in their order, each as often as it was sent.
    """

    method: str
    path: str
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: JsonValue

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters by name; of one that is there more than once, the last."""
        return dict(self.pairs)

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, decoded."""
        return tuple(unquote(each) for each in self.path.strip("/").split("/"))


@dataclass(frozen=True)
class Said:
    """One answer; bytes go as they are, anything else as JSON."""

    status: int = 200
    body: JsonValue | bytes = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """How a request goes wrong.

    `acts` is whether the service does what it was asked all the same. Then it answers with `said`
    instead, or what it would have said `short` (half of it), or `endless`ly, or hangs up (`cut`),
    or says nothing until the fault is over (`hang`); `echo` tells everything back that it was sent.
    """

    acts: bool = False
    said: Said | None = None
    ending: Literal["answer", "short", "endless", "cut", "hang", "echo"] = "answer"


Faults = Callable[[int], Fault | None]
"""What becomes of a request, by its number counted from 1."""


class Service:
    """Serves `handle` from a thread of its own between `start` and `stop`."""

    def __init__(self, handle: Callable[[Asked], Said]) -> None:
        self.handle = handle
        self.asked: list[Asked] = []
        self.sent_bytes = 0
        self._faults: Faults = _no_fault
        self._faulty_since = 0
        self._last: int | None = None
        self._is_over = threading.Event()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread = threading.Thread()

    @property
    def host(self) -> str:
        """Its `host:port`, as `allow_hosts` has it."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}"

    def start(self, port: int = 0) -> None:
        """Listen, on any free port or on this one."""
        self._server = _Server(("127.0.0.1", port or self._port), _handler_of(self))
        self._port = self._server.server_address[1]
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up; what hangs is let go."""
        self._is_over.set()
        self._close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def spoil(self, faults: Faults) -> None:
        """Have the requests that come from now on go wrong like this."""
        self._is_over.clear()
        self._faulty_since = len(self.asked)
        self._faults = faults

    @contextmanager
    def spoiled(self, fault: Fault, at: int = 0) -> Iterator[None]:
        """Have one request go wrong like this meanwhile, counted from 1; 0 is each."""
        self.spoil(lambda number: fault if at in (0, number) else None)
        try:
            yield
        finally:
            self.spoil(_no_fault)
            self._is_over.set()

    @contextmanager
    def away(self, at: int = 1) -> Iterator[None]:
        """Accept no connection meanwhile, from this request on, counted from 1."""
        self.spoil(_no_fault)
        if at == 1:
            self._close()
        else:
            self._last = at - 1
        try:
            yield
        finally:
            self._last = None
            self._close()
            self.start()

    def next_fault(self) -> Fault:
        """How the request that came last goes wrong; after the last one nobody listens."""
        number = len(self.asked) - self._faulty_since
        if number == self._last:
            self._close()
        return self._faults(number) or Fault(acts=True)

    def wait_until_over(self) -> None:
        """Wait until the fault is over."""
        self._is_over.wait(60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    """One connection, which carries one request."""

    service: Service

    def answer(self) -> None:
        """Read the request, act unless a fault forbids it, and answer as the fault lets it."""
        asked = self._asked()
        self.service.asked.append(asked)
        fault = self.service.next_fault()
        said = self.service.handle(asked) if fault.acts else Said()
        said = fault.said or said
        match fault.ending:
            case "hang":
                self.service.wait_until_over()
            case "cut":
                pass
            case "endless":
                self._stream()
            case "echo":
                sent = f"{asked.method} {asked.path} {asked.pairs} {dict(asked.headers)}"
                told = f"{sent} {asked.body}"
                body: JsonValue = {"code": told, "message": told, "detail": told, "error": told}
                self._say(Said(400, body, {"x-request-id": " ".join(asked.headers.values())}))
            case "short":
                self._say(said, is_short=True)
            case _:
                self._say(said)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the interface's
        """Say nothing on standard error."""

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body: JsonValue = json.loads(content or b"null")
        except ValueError:
            body = content.decode("latin-1")
        headers = {name.lower(): value for name, value in self.headers.items()}
        pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return Asked(self.command, parts.path, pairs, headers, body)

    def _say(self, said: Said, *, is_short: bool = False) -> None:
        raw = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        self.send_response(said.status)
        for name, value in {"content-type": "application/json", **said.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self._write(raw[: len(raw) // 2] if is_short else raw)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        before = self.service.sent_bytes
        while self.service.sent_bytes - before < _ENOUGH_BYTES and self._write(_CHUNK):
            pass

    def _write(self, content: bytes) -> bool:
        try:
            self.wfile.write(content)
        except OSError:
            return False
        self.service.sent_bytes += len(content)
        return True


@cache
def bomb() -> Said:
    """An answer of a few kilobytes that unpacks to very much."""
    return Said(200, gzip.compress(bytes(_ENOUGH_BYTES), 9), {"content-encoding": "gzip"})


def _no_fault(_: int) -> None:
    """All is well."""


def _handler_of(service: Service) -> type[BaseHTTPRequestHandler]:
    answers = {f"do_{each}": _Handler.answer for each in ("GET", "POST", "PUT", "PATCH", "DELETE")}
    return type("Handler", (_Handler,), {"service": service, **answers})
