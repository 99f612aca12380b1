"""A service that keeps when each call came and went, and asks to be left alone where it is told to.

It is called by several names (`/NAME/things`), so that each connection of a test has one.
"""

import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

THING = {"type": "object", "properties": {"mark": {"type": "string"}}, "required": ["mark"]}
ANSWER = {"200": {"description": "ok", "content": {"application/json": {"schema": THING}}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Watched", "version": "1"},
    "paths": {
        "/things": {
            "post": {
                "operationId": "make",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": THING}},
                },
                "responses": ANSWER,
            },
        },
        "/things/{mark}": {
            "get": {
                "operationId": "find",
                "parameters": [
                    {
                        "name": "mark",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                    }
                ],
                "responses": ANSWER,
            }
        },
    },
}
OVERLAY = """
version: 1
actions:
  make:
    effect: keyed
    idempotency: {in: header, name: Idempotency-Key, window_s: 86400}
    egress: false
    approval: null
    reads_as: trusted
    irreversible: false
    timeout_s: 30
    sinks: {mark: plain}
  find: {egress: false, reads_as: trusted, timeout_s: 30}
"""


@dataclass
class Came:
    """One call: what of, and between when and when, by the machine's monotonic clock."""

    name: str
    mark: str
    at: float
    from_port: int
    status: int = 200
    until: float | None = None  # None: whoever called was gone before there was an answer


@dataclass
class Counted:
    """So many calls in each stretch of so many seconds, and it says how many are left."""

    most: int
    per_s: float
    renews_at: float = 0.0
    left: int = 0
    windows: int = 0

    def take(self) -> bool:
        """Whether one more is taken."""
        now = time.monotonic()
        if now >= self.renews_at:
            self.renews_at, self.left = now + self.per_s, self.most
            self.windows += 1
        self.left -= 1
        return self.left >= 0

    def said(self) -> Mapping[str, str]:
        """What each answer says of it."""
        reset = str(math.ceil(self.renews_at - time.monotonic()))
        told = {"ratelimit-remaining": str(max(0, self.left)), "ratelimit-reset": reset}
        return told if self.left >= 0 else {**told, "retry-after": reset}


@dataclass
class Watched:
    """What it was called for; `asks` is what it says instead of an answer, by name."""

    port: int = 0
    takes_s: float = 0.0
    came: list[Came] = field(default_factory=list)
    asks: dict[str, list[tuple[int, Mapping[str, str]]]] = field(default_factory=dict)
    counts: dict[str, Counted] = field(default_factory=dict)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one call after the other."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                at = time.monotonic()
                first, *lines = head.decode().split("\r\n")
                method, path, _ = first.split()
                told = dict(line.lower().split(": ", 1) for line in lines if line)
                body = await reader.readexactly(int(told.get("content-length", "0")))
                _, name, *rest = path.split("/")
                if rest == ["openapi.json"]:
                    await self._say(writer, 200, DOCUMENT, {})
                    continue
                mark = json.loads(body)["mark"] if method == "POST" else rest[-1]
                call = Came(name, mark, at, writer.get_extra_info("peername")[1])
                self.came.append(call)
                if self.asks.get(name):
                    call.status, headers = self.asks[name].pop(0)
                else:
                    call.status, headers = self._counted(name)
                    await asyncio.sleep(self.takes_s)
                call.until = time.monotonic()
                await self._say(writer, call.status, {"mark": mark}, headers)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    def _counted(self, name: str) -> tuple[int, Mapping[str, str]]:
        counted = self.counts.get(name)
        if counted is None:
            return 200, {}
        return 200 if counted.take() else 429, counted.said()

    async def _say(
        self, writer: asyncio.StreamWriter, status: int, what: Any, headers: Mapping[str, str]
    ) -> None:
        text = json.dumps(what).encode()
        told = {"content-type": "application/json", "content-length": f"{len(text)}", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + text)
        await writer.drain()
