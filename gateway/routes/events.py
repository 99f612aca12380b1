"""A journal as server-sent events: from any place, without a gap, until nothing more can come."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from sqlalchemy import Connection

from executor.store import journal, keys
from executor.store.errors import StoreClosedError, StorePausedError
from executor.store.journal import StoredEvent
from gateway.answers.runs import EventTold
from gateway.body import header
from gateway.preferences import likes_better
from gateway.problems import ProblemError
from gateway.wiring import Gateway

LOOK_S = 1.0  # the bell rings at once; this is for what it might miss
PAGE = 1000  # of a list
STREAMED = 50  # that are read ahead of whoever follows a stream, who may read slowly or never
PIECE = 64 * 1024  # characters, or one event, that are ahead of them: they cost memory
MOST = 999_999_999  # every database has such
LAST_SEEN = {
    "parameters": [
        header("Last-Event-ID", "the id of the last event that was seen", pattern="^[0-9]*$")
    ]
}
Place = Annotated[
    int | None, Query(ge=0, le=MOST, description="the same, where no header can be sent")
]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "model": list[EventTold],
        "description": "A stream of events, or the list of them where JSON is asked for",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "Nothing more can come"},
}


@dataclass(frozen=True)
class Watched:
    """Whose journal it is, and how to see that nothing more will be written to it."""

    tenant: str
    subject: str
    has_ended: Callable[[Connection], bool]


class _Look(NamedTuple):
    """One look at a journal; `is_last` if nothing more can come after these events."""

    events: list[StoredEvent]
    is_last: bool


class _Page(NamedTuple):
    """What a stream tells next: events, up to the last; more is there already if it is full."""

    text: str = ""
    last: int = 0
    told: int = STREAMED
    is_full: bool = False
    is_last: bool = False


async def answer_events(request: Request, watched: Watched, place: int | None) -> Response:
    """Answer with a stream, or with a list where the client asks for JSON."""
    gateway: Gateway = request.app.state.gateway
    after = _seen(request) or place or 0
    look = partial(_look, watched=watched, after=after)
    if likes_better(request, "application/json", "text/event-stream"):
        async with gateway.allowances.turn(request.state.key, "reads"):  # it may be long
            listed = await gateway.store.read(partial(look, most=PAGE))
            return await asyncio.to_thread(_listed, listed.events)
    first = await gateway.store.read(partial(look, most=1))
    if first.is_last and not first.events:
        return Response(status_code=204)  # tells an EventSource not to come back
    stream = _stream(request, gateway, watched, after)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _listed(events: list[StoredEvent]) -> Response:
    return JSONResponse([each.as_json() for each in events])


async def _stream(
    request: Request, gateway: Gateway, watched: Watched, after: int
) -> AsyncIterator[str]:
    clock, heartbeat_s = asyncio.get_running_loop().time, gateway.settings.server.heartbeat_s
    spoke_at, is_behind, most = clock(), False, STREAMED
    read = partial(_look_again, watched=watched, key=request.state.key)
    turn = gateway.allowances.turn(request.state.key, "reads")  # a journal may be long
    with (
        gateway.notices.watch(watched.subject) as bell,
        contextlib.suppress(StoreClosedError),  # the gateway stops: the client comes back later
    ):
        while not gateway.notices.is_over and not await request.is_disconnected():
            bell.clear()
            page: _Page | None = _Page()
            async with turn if is_behind else contextlib.nullcontext():
                with contextlib.suppress(StorePausedError):  # whoever watches goes on watching
                    page = await gateway.store.read(partial(read, after=after, most=most))
            if page is None:
                return  # nothing more, and 401 to whoever comes back
            if page.text:
                after, spoke_at = page.last, clock()
                yield page.text
            if page.is_last:
                return
            is_behind, most = page.is_full, min(STREAMED, 2 * page.told)
            if is_behind:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, heartbeat_s)):
                    await bell.wait()
            if clock() - spoke_at >= heartbeat_s:
                spoke_at = clock()
                yield ": still here\n\n"


def _look_again(c: Connection, watched: Watched, key: str, after: int, most: int) -> _Page | None:
    """The same for whoever goes on watching; None once the key that let them in is over.

    Of large events few are told at once, and next time hardly more are read than that.
    """
    if not keys.is_good(c, watched.tenant, key):
        return None
    events, is_last = _look(c, watched, after, most)
    if not events:
        return _Page(is_last=is_last)
    told, size = list[str](), 0
    for event in events:
        told.append(_told(event))
        size += len(told[-1])
        if size >= PIECE:
            break
    is_cut = len(told) < len(events)
    is_full = is_cut or len(events) == most
    last = events[len(told) - 1].seq
    return _Page("".join(told), last, len(told), is_full, is_last and not is_cut)


def _told(event: StoredEvent) -> str:
    return f"id: {event.seq}\nevent: {event.type}\ndata: {json.dumps(event.as_json())}\n\n"


def _look(c: Connection, watched: Watched, after: int, most: int) -> _Look:
    """Events and whether they are the last, seen in one snapshot; raises a problem."""
    if after and not journal.read(c, watched.tenant, watched.subject, after=after - 1, limit=1):
        raise _bad_id(f"there is no event {after} yet")
    events = journal.read(c, watched.tenant, watched.subject, after=after, limit=most)
    return _Look(events, len(events) < most and watched.has_ended(c))


def _seen(request: Request) -> int:
    text = request.headers.get("last-event-id") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MOST)):
        raise _bad_id("Last-Event-ID is the number of an event")
    return int(text)


def _bad_id(detail: str) -> ProblemError:
    return ProblemError(
        400, "bad-event-id", detail, "Send the id of the last event that you saw, or none."
    )
