"""POST once: the work and the answer to its Idempotency-Key are one transaction."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import Connection

from connectors.canonical import digest
from connectors.spec import JsonObject, Principal
from executor.store import idempotency
from executor.store.drives import Due
from executor.store.idempotency import Kept
from executor.store.text import to_object, to_text
from executor.store.writer import Fresh
from gateway.auth import need_good
from gateway.problems import ProblemError
from gateway.schemas import LONGEST_KEY
from gateway.wiring import Gateway

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"
WAKES_TOGETHER = 100  # in one turn of the event loop


@dataclass(frozen=True)
class Reply:
    """What a POST answers, and what is to be driven after it.

    `kept` is what a replay answers, where that must differ: a secret is never stored.
    """

    status: int
    body: JsonObject
    wake: tuple[Due, ...] = ()
    kept: JsonObject | None = None


async def once(
    request: Request,
    caller: Principal,
    body: BaseModel,
    work: Callable[[Connection], Reply],
    *,
    is_fresh: bool = False,
) -> JSONResponse:
    """Do the work, or give the answer that this key was given before; raises a problem.

    Only what was done is kept: after a problem the same key may be tried again. `is_fresh`: it
    writes only rows that nobody else knows of yet.
    """
    gateway: Gateway = request.app.state.gateway
    key = _key(request)
    hashed = "" if key is None else await _hash(request, body)

    def write(c: Connection) -> tuple[Reply, JSONResponse | None]:
        need_good(c, request, caller)
        now = gateway.clock()
        if key is not None:
            kept = idempotency.find(c, caller, request.url.path, key, now)
            if kept is not None:
                return Reply(kept.status, {}), _replay(kept, hashed)
        reply = work(c)
        if key is not None:
            told = reply.body if reply.kept is None else reply.kept
            answer = Kept(hashed, reply.status, to_text(told))
            idempotency.keep(c, caller, request.url.path, key, answer, now)
        return reply, None

    reply, again = await gateway.store.write(Fresh(write) if is_fresh else write)
    for number, due in enumerate(reply.wake, 1):
        gateway.wake(due)
        if number % WAKES_TOGETHER == 0:  # a stop may have held thousands
            await asyncio.sleep(0)
    return again or JSONResponse(reply.body, reply.status)


async def told_before(request: Request, caller: Principal, body: BaseModel) -> JSONResponse | None:
    """The answer that this key was given before, if it was, so that nothing is judged anew.

    For what is judged before the work begins, and might be judged otherwise by now.
    """
    gateway: Gateway = request.app.state.gateway
    if (key := _key(request)) is None:
        return None
    find = partial(idempotency.find, by=caller, route=request.url.path, key=key)
    kept = await gateway.store.read(partial(find, now=gateway.clock()))
    return None if kept is None else _replay(kept, await _hash(request, body))


def _key(request: Request) -> str | None:
    keys = request.headers.getlist(HEADER)
    if len(keys) > 1 or not all(0 < len(each) <= LONGEST_KEY for each in keys):
        raise ProblemError(
            400, "bad-idempotency-key", f"there is one key, of 1 to {LONGEST_KEY} characters",
            "Send a new random text for each thing that is to be done once.",
        )  # fmt: skip
    return keys[0] if keys else None


async def _hash(request: Request, body: BaseModel) -> str:
    gateway: Gateway = request.app.state.gateway
    size = len(await request.body())
    work = partial(_digest, body)
    return await gateway.allowances.think(request.state.key, size, work)


def _digest(body: BaseModel) -> str:
    return digest(body.model_dump(mode="json"))


def _replay(kept: Kept, hashed: str) -> JSONResponse:
    if kept.body_hash != hashed:
        raise ProblemError(
            422, "idempotency-key-reused", "this key came with another body before",
            "Use a new key for a new request.",
        )  # fmt: skip
    return JSONResponse(to_object(kept.answer), kept.status, {REPLAYED: "true"})
