"""What the shop's services share: a database, a ledger, idempotency keys, faults on demand, serving.

The shop knows nothing of who calls it. Its ledger is the truth that tests judge by: one row for
each effect that was really applied.
"""

import argparse
import asyncio
import hashlib
import json
import os
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

FaultKind = Literal[
    "refuse",
    "error_500",
    "error_503",
    "rate_limit",
    "hang_before",
    "hang_after",
    "drop_before",
    "drop_after",
    "garbage",
]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Match(BaseModel):
    """Which requests a fault is for."""

    method: str = "POST"
    path_prefix: str = "/"


class Fault(BaseModel):
    """Something that goes wrong with the next `times` matching requests."""

    match: Match = Match()
    times: int = 1
    kind: FaultKind
    seconds: float = 3600
    retry_after: float = 1
    fired: int = 0


class KeyReusedError(Exception):
    """The idempotency key was used before with another body."""


class Database:
    """One SQLite file behind one lock: every effect is one transaction."""

    def __init__(self, path: str, schema: str) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.RLock()
        self._connection.executescript(
            "PRAGMA journal_mode=WAL;"
            "CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, kind TEXT, reference TEXT,"
            " body TEXT, at REAL);"
            "CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, fingerprint TEXT, status INTEGER,"
            " answer TEXT, at REAL);" + schema
        )

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
        self._lock.release()

    def once(
        self,
        key: str | None,
        body: object,
        window_s: float,
        effect: Callable[[sqlite3.Connection], tuple[int, dict[str, Any]]],
    ) -> tuple[int, dict[str, Any], bool]:
        """Apply an effect once for a key; returns status, answer, and whether it is a replay."""
        text = json.dumps(body, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        with self as c:
            if key is not None:
                row = c.execute(
                    "SELECT * FROM keys WHERE key = ? AND at > ?", (key, time.time() - window_s)
                ).fetchone()
                if row is not None:
                    if row["fingerprint"] != fingerprint:
                        raise KeyReusedError(key)
                    return row["status"], json.loads(row["answer"]), True
            status, answer = effect(c)
            if key is not None:
                c.execute(
                    "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)",
                    (key, fingerprint, status, json.dumps(answer), time.time()),
                )
            return status, answer, False


def write_ledger(c: sqlite3.Connection, kind: str, reference: str | None, body: object) -> None:
    """Note an effect in the transaction that applies it."""
    c.execute(
        "INSERT INTO ledger (kind, reference, body, at) VALUES (?, ?, ?, ?)",
        (kind, reference, json.dumps(body, sort_keys=True), time.time()),
    )


def add_controls(app: FastAPI, database: Database, faults: list[Fault]) -> None:
    """Add health, ledger and faults; none of them is part of the business."""

    @app.get("/health", include_in_schema=False)
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ledger", include_in_schema=False)
    def ledger() -> list[dict[str, Any]]:
        with database as c:
            rows = c.execute("SELECT * FROM ledger ORDER BY id").fetchall()
        return [{**dict(row), "body": json.loads(row["body"])} for row in rows]

    @app.post("/faults", include_in_schema=False)
    async def add_fault(fault: Fault) -> Fault:
        faults.append(fault)
        return fault

    @app.get("/faults", include_in_schema=False)
    async def list_faults() -> list[Fault]:
        return faults

    @app.delete("/faults", include_in_schema=False)
    async def clear_faults() -> None:
        faults.clear()


class FaultyApp:
    """An ASGI application around another that spoils answers, or whole requests, on demand."""

    def __init__(self, app: FastAPI, faults: list[Fault]) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        fault = self._next(scope) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        fault.fired += 1
        if fault.kind in ("hang_after", "drop_after", "garbage"):
            await self._app(scope, receive, _swallow)
        await _spoil(fault, scope, receive, send)

    def _next(self, scope: Message) -> Fault | None:
        for fault in self._faults:
            fits = scope["method"] == fault.match.method
            if fits and scope["path"].startswith(fault.match.path_prefix):
                if fault.fired < fault.times and scope["path"] != "/faults":
                    return fault
        return None


async def _swallow(_: Message) -> None:
    """The answer never leaves."""


async def _spoil(fault: Fault, scope: Message, receive: Receive, send: Send) -> None:
    match fault.kind:
        case "hang_before" | "hang_after":
            await asyncio.sleep(fault.seconds)
        case "drop_before" | "drop_after":
            # The server's own request cycle owns the connection; end it without a word.
            receive.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's cycle
        case "garbage":
            await _answer(send, 200, {}, b"<html>something else</html>")
        case "refuse":
            await _answer(send, 400, {}, b'{"error": "refused on demand"}')
        case "error_500":
            await _answer(send, 500, {}, b'{"error": "failed on demand"}')
        case "error_503":
            after = {"retry-after": str(fault.retry_after)}
            await _answer(send, 503, after, b'{"error": "unavailable on demand"}')
        case "rate_limit":
            after = {"retry-after": str(fault.retry_after)}
            await _answer(send, 429, after, b'{"error": "too many on demand"}')


async def _answer(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def answer(status: int, body: object, **headers: str) -> JSONResponse:
    """An answer with a status and headers; `_` in a header's name is written as `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse(body, status_code=status, headers=named)


def arguments(description: str) -> argparse.ArgumentParser:
    """The command line of every service."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--data", default=":memory:", help="the SQLite file")
    return parser


def serve(app: FastAPI, faults: list[Fault], port: int, extra: str = "") -> None:
    """Serve on loopback, say when ready, and end when standard input does."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    config = uvicorn.Config(FaultyApp(app, faults), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(f"ready http://127.0.0.1:{listener.getsockname()[1]}{extra}", flush=True)
    server.run(sockets=[listener])


def _end_with_parent() -> None:
    if not sys.stdin.isatty():
        sys.stdin.read()
        os._exit(0)
