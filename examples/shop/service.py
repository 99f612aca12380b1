"""What every service of the shop has around its business: its way to say no, records, serving."""

import argparse
import asyncio
import os
import secrets
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import uvicorn
from database import Database, JsonObject, KeyReused
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from faults import CuttableConnection, FaultOrder, FaultReport, Faults, FaultyApp
from pydantic import BaseModel
from starlette.exceptions import HTTPException

Documented = dict[int | str, dict[str, object]]
LOOK_FOR_PARENT_EVERY_S = 0.5
FAULT_STATUS = {"error_500": 500, "error_503": 503, "rate_limit": 429}


class Refusal(Exception):
    """The service says no: an answer, and no effect."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Style:
    """How one service says no: its body, its words, and where it puts the id of a request."""

    body: Callable[[Refusal, str], JsonObject]  # the refusal and the request's id
    request_id_header: str
    codes: Mapping[int, str]  # for what has no code of its own; 0 for any other status
    invalid: int  # the status of what cannot be read
    key_reused: tuple[int, str]

    def answer(self, refusal: Refusal, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """Write a refusal in this style."""
        request_id = new_id("rq")
        given = {**(headers or {}), self.request_id_header: request_id}
        return JSONResponse(self.body(refusal, request_id), refusal.status, given)

    def plain(self, status: int, message: str) -> Refusal:
        """Build a refusal that has no code of its own."""
        return Refusal(status, self.codes.get(status, self.codes[0]), message)

    def fault(self, kind: str, retry_after: str) -> JSONResponse:
        """Answer as a fault on demand wants it."""
        status = FAULT_STATUS.get(kind, self.invalid)
        headers = {"Retry-After": retry_after} if status in (429, 503) else {}
        return self.answer(self.plain(status, f"{kind} on demand"), headers)


def new_id(prefix: str) -> str:
    """An id that nobody had before."""
    return f"{prefix}_{secrets.token_hex(8)}"


def new_service(
    title: str, description: str, style: Style, database: Database, faults: Faults
) -> FastAPI:
    """Build an application that says no in its style, with the controls beside the business."""

    def named(response: Response) -> None:
        response.headers[style.request_id_header] = new_id("rq")

    app = FastAPI(
        title=title,
        description=description,
        version="1.0.0",
        dependencies=[Depends(named)],
        generate_unique_id_function=_name_of,
    )
    _add_refusals(app, style)
    _add_controls(app, database, faults)
    return app


def documented(model: type[BaseModel], refusals: Mapping[int, str]) -> Documented:
    """Document how an operation says no; the model is the body of every refusal and failure."""
    found: Documented = {
        status: {"model": model, "description": text} for status, text in refusals.items()
    }
    found["default"] = {"model": model, "description": "Any other refusal, or a failure"}
    return found


def _name_of(route: APIRoute) -> str:
    return route.name


def _add_refusals(app: FastAPI, style: Style) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return style.answer(error)

    @app.exception_handler(KeyReused)
    async def reused(_: Request, error: KeyReused) -> Response:
        status, code = style.key_reused
        message = f"the key {error} was used before, for something else; take a new one"
        return style.answer(Refusal(status, code, message))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        found = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
        return style.answer(style.plain(style.invalid, "; ".join(found)))

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> Response:
        return style.answer(style.plain(error.status_code, error.detail), error.headers)


def _add_controls(app: FastAPI, database: Database, faults: Faults) -> None:
    """Add what is no part of the business, and stands in no document."""

    @app.get("/health", include_in_schema=False)
    async def health() -> JsonObject:
        return {"status": "ok"}

    @app.get("/ledger", include_in_schema=False)
    def ledger() -> list[JsonObject]:
        return database.ledger()

    @app.post("/faults", include_in_schema=False)
    async def add_fault(order: FaultOrder) -> FaultReport:
        return faults.add(order)

    @app.get("/faults", include_in_schema=False)
    async def list_faults() -> list[FaultReport]:
        return faults.reports()

    @app.delete("/faults", include_in_schema=False)
    async def clear_faults() -> list[FaultReport]:
        faults.clear()
        return faults.reports()


def arguments(description: str) -> argparse.ArgumentParser:
    """The command line of every service."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--data", default=":memory:", help="the SQLite file")
    parser.add_argument("--parent", type=int, help="end with this process, or with standard input")
    return parser


def open_database(options: argparse.Namespace, tables: str) -> Database:
    """Open the service's file, or end with a message."""
    try:
        return Database(options.data, tables)
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"cannot open {options.data}: {error}")


def serve(
    app: FastAPI,
    style: Style,
    faults: Faults,
    options: argparse.Namespace,
    beside: Callable[[], Awaitable[str]] | None = None,
) -> None:
    """Serve on loopback until told to end; say one line when ready.

    `beside` starts what else the service listens on, and returns its address.
    """
    if options.parent is not None:
        for watch in (_end_with_input, _end_with_parent):
            threading.Thread(target=watch, args=(options.parent,), daemon=True).start()
    listener = listen(options.port)
    config = uvicorn.Config(
        FaultyApp(app, faults, style.fault),
        http=CuttableConnection,
        ws="none",
        lifespan="off",
        log_level="error",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    asyncio.run(_Server(config, address, beside).serve(sockets=[listener]))


def listen(port: int) -> socket.socket:
    """Take a port on loopback, or end with a message."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        sys.exit(f"cannot listen on port {port}: {error}")


class _Server(uvicorn.Server):
    """Says that it is ready once it is."""

    def __init__(
        self, config: uvicorn.Config, address: str, beside: Callable[[], Awaitable[str]] | None
    ) -> None:
        super().__init__(config)
        self._address = address
        self._beside = beside

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        words = ["ready", self._address]
        if self._beside is not None:
            words.append(await self._beside())
        print(*words, flush=True)


def _end_with_input(_: int) -> None:
    while sys.stdin.buffer.read(1):
        pass
    # At once, as if killed: the database is whole at any moment.
    os._exit(0)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_FOR_PARENT_EVERY_S)
    os._exit(0)
