"""A journal as server-sent events: from any place, without a gap, until it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from functools import partial

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from executor.store import journal
from executor.store.journal import StoredEvent
from gateway.problems import ProblemError
from gateway.wiring import Gateway

HEARTBEAT_S = 10.0
LOOK_S = 1.0


async def answer_events(
    request: Request, tenant: str, subject: str, is_over: Callable[[StoredEvent], bool]
) -> Response:
    """Answer with a stream, or with a list where the client asks for JSON."""
    gateway: Gateway = request.app.state.gateway
    after = _after(request)
    if "application/json" in request.headers.get("accept", ""):
        found = await gateway.store.read(lambda c: journal.read(c, tenant, subject, after=after))
        return JSONResponse([each.as_json() for each in found])
    stream = _stream(request, gateway, tenant, subject, after, is_over)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(
    request: Request,
    gateway: Gateway,
    tenant: str,
    subject: str,
    after: int,
    is_over: Callable[[StoredEvent], bool],
) -> AsyncIterator[str]:
    quiet = 0.0
    with gateway.notices.watch(subject) as bell:
        while not await request.is_disconnected():
            bell.clear()
            read = partial(journal.read, tenant=tenant, subject=subject, after=after)
            for event in await gateway.store.read(read):
                after, quiet = event.seq, 0.0
                yield f"id: {event.seq}\nevent: {event.type}\ndata: {json.dumps(event.as_json())}\n\n"
                if is_over(event):
                    return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await bell.wait()
            quiet += LOOK_S
            if quiet >= HEARTBEAT_S:
                quiet = 0.0
                yield ": still here\n\n"


def _after(request: Request) -> int:
    text = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if not text.isdigit() or len(text) > 12:
        raise ProblemError(400, "bad-event-id", "Last-Event-ID is the number of an event", "")
    return int(text)
