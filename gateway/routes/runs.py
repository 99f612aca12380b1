"""Runs: where they stand, what happened, cancel, and what a person found out."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.check.admit import Accepted, SealBrokenError
from executor.run import events as e
from executor.run.effects import Effects, effects_told
from executor.run.perform import new_event
from executor.run.quarantine import effects_so_far
from executor.run.state import RunState
from executor.store import journal, plans, runs
from executor.store.drives import Due
from executor.store.journal import StoredEvent
from executor.store.runs import RunRow
from executor.trace import Trace, render_trace, state_of, trace, unread
from gateway.answers.runs import RunRowTold, RunStatus, RunTold
from gateway.answers.told import Made
from gateway.auth import Caller, need_role
from gateway.body import body_of, gives, takes
from gateway.once import Reply, once
from gateway.preferences import likes_better
from gateway.problems import ProblemError, not_found
from gateway.reconcile import resolve
from gateway.routes.events import LAST_SEEN, STREAM, Place, Watched, answer_events
from gateway.routes.finding import found
from gateway.routes.lists import Before, Limit, no_such_place
from gateway.schemas import Cancel, Reconcile
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/runs", tags=["runs"])
UNREAD = (SealBrokenError, ValueError, LookupError)  # what reading a damaged record raises
_log = logging.getLogger("lamgate.http")


_EXPLAINED: dict[int | str, dict[str, Any]] = {
    200: {"model": Trace, "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get("")
async def newest(
    request: Request,
    caller: Caller,
    status: RunStatus | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> list[RunRowTold]:
    """List the newest runs, or those that are older than the one that `before` names."""
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> list[RunRowTold]:
        if before is not None and runs.get(c, caller.tenant, before) is None:
            raise no_such_place("run", before)
        rows = runs.newest(c, caller.tenant, status=status, before=before, limit=limit)
        words = plans.words_of(c, caller.tenant, (row.plan for row in rows))
        return [RunRowTold.model_validate(_row(row, words.get(row.plan))) for row in rows]

    return await gateway.store.read(work)


@router.get("/{run_id}")
async def show(request: Request, caller: Caller, run_id: str) -> RunTold:
    """Say where a run stands; of one that has ended also what became of its effects."""
    gateway: Gateway = request.app.state.gateway
    row = await found(request, caller.tenant, "run", run_id, runs.get)

    def work(c: Connection) -> RunTold:
        words = plans.words_of(c, caller.tenant, [row.plan]).get(row.plan)
        return RunTold.model_validate({**_row(row, words), **_effects(c, gateway, row)})

    if not row.has_ended:
        return await gateway.store.read(work)
    async with gateway.allowances.turn(request.state.key, "reads"):  # a journal may be long
        return await gateway.store.read(work)


def _effects(c: Connection, gateway: Gateway, row: RunRow) -> JsonObject:
    """The steps whose effects stand, are uncertain, or were undone."""
    if not row.has_ended:
        return {"standing": None, "uncertain": None, "undone": None}
    record = _recorded(c, gateway, row)
    effects = record if isinstance(record, Effects) else effects_told(record.accepted, record.state)
    return {
        "standing": [*effects.standing],
        "uncertain": [*effects.uncertain],
        "undone": [*effects.undone],
    }


@router.get("/{run_id}/events", openapi_extra=LAST_SEEN, responses=STREAM)
async def events(request: Request, caller: Caller, run_id: str, after: Place = None) -> Response:
    """Stream the run's journal until it is finished; `Last-Event-ID` goes on from there."""
    row = await found(request, caller.tenant, "run", run_id, runs.get)

    def has_ended(c: Connection) -> bool:
        now = runs.get(c, caller.tenant, row.id)
        return now is None or now.has_ended

    return await answer_events(request, Watched(caller.tenant, row.id, has_ended), after)


@router.get("/{run_id}/trace", responses=_EXPLAINED)
async def explain(request: Request, caller: Caller, run_id: str) -> Response:
    """Explain a run: what happened, why, and whether each effect happened."""
    told = await _trace(request, caller.tenant, run_id)
    is_text = likes_better(request, "text/plain", "application/json")

    def answer() -> Response:
        if is_text:
            return PlainTextResponse(render_trace(told) + "\n")
        return JSONResponse(told.model_dump(mode="json"))

    return await asyncio.to_thread(answer)  # a trace may be long


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    openapi_extra=takes(Cancel),
    responses=gives(202, Made),
)
async def cancel(
    request: Request,
    caller: Caller,
    run_id: str,
    body: Annotated[Cancel, Depends(body_of(Cancel))],
) -> Response:
    """Begin no new effects, and undo those that happened if asked; writes in flight are awaited."""
    row = await found(request, caller.tenant, "run", run_id, runs.get)
    if row.requester != caller.id:
        need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        now = gateway.clock()
        if not runs.request_cancel(c, caller.tenant, row.id, body.mode, now):
            raise _over(runs.get(c, caller.tenant, row.id) or row)
        asked = new_event(e.CancelRequested(by=caller.id, mode=body.mode))
        journal.append(c, caller.tenant, row.id, [asked], now)
        return Reply(202, {"id": row.id}, (Due("run", caller.tenant, row.id),))

    return await once(request, caller, body, work)


@router.post(
    "/{run_id}/reconcile",
    status_code=202,
    openapi_extra=takes(Reconcile),
    responses=gives(202, Made),
)
async def reconcile(
    request: Request,
    caller: Caller,
    run_id: str,
    body: Annotated[Reconcile, Depends(body_of(Reconcile))],
) -> Response:
    """Say what became of an uncertain effect, having checked; or answer what a call asked."""
    row = await found(request, caller.tenant, "run", run_id, runs.get)
    if body.resolution != "answer" or row.requester != caller.id:
        need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        now = gateway.clock()
        resolve(c, gateway.machine.restored, row, caller.id, body, now)
        return Reply(202, {"id": row.id}, (Due("run", caller.tenant, row.id),))

    return await once(request, caller, body, work)


def _row(row: RunRow, words: str | None) -> JsonObject:
    return {
        "id": row.id,
        "plan": row.plan,
        "request": row.request,
        "words": words,
        "requester": row.requester,
        "status": row.status,
        "waiting_for": row.waiting_for,
        "code": row.code,
        "wake_at": row.wake_at,
        "result": row.result,
        "large": row.large.as_json() if row.large else None,
        "recoveries": row.recoveries,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _over(row: RunRow) -> ProblemError:
    how = row.status if row.has_ended else "being cancelled"
    fix = f"See its trace: /v1/runs/{row.id}/trace."
    return ProblemError(409, "already-over", f"the run is {how}", fix)


async def _trace(request: Request, tenant: str, run_id: str) -> Trace:
    gateway: Gateway = request.app.state.gateway
    row = await found(request, tenant, "run", run_id, runs.get)

    def work(c: Connection) -> Trace:
        record = _recorded(c, gateway, row)
        if isinstance(record, Effects):
            words = plans.words_of(c, tenant, [row.plan]).get(row.plan, "")
            return unread(row, words, record)
        return trace(record.accepted, row, record.stored, record.state)

    async with gateway.allowances.turn(request.state.key, "reads"):  # a journal may be long
        return await gateway.store.read(work)


@dataclass(frozen=True)
class _Record:
    """What is kept of a run, and what its journal comes to."""

    accepted: Accepted
    stored: list[StoredEvent]
    state: RunState


def _recorded(c: Connection, gateway: Gateway, row: RunRow) -> _Record | Effects:
    """The record of a run; where it cannot be read, what its calls' own rows tell.

    Only the reading is judged so: what goes wrong with what was read is a mistake of ours.
    """
    sealed = plans.sealed(c, row.tenant, row.plan)
    if sealed is None:
        raise not_found("plan", row.plan)
    try:
        accepted = gateway.machine.restored(row.tenant, sealed)
        stored = journal.read(c, row.tenant, row.id)
        return _Record(accepted, stored, state_of(stored))
    except UNREAD as error:
        _log.error("run %s cannot be read: %s: %s", row.id, type(error).__name__, error)
        return effects_so_far(c, Due("run", row.tenant, row.id))
