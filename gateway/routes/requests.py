"""Requests: words in; a question, a plan or a run out."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.plan.refs import join_pointer
from executor.run import planning_events as e
from executor.run.perform import new_event
from executor.store import ids, journal, requests
from executor.store.drives import RANKS, Due
from executor.store.errors import StoreError
from executor.store.requests import RequestRow
from executor.store.text import to_object
from gateway.answers.requests import RequestRowTold, RequestStatus, RequestTold
from gateway.answers.told import Made
from gateway.auth import Caller, need_role, need_self
from gateway.body import PREFER, body_of, gives, takes
from gateway.once import REPLAYED, Reply, once
from gateway.preferences import wait_s
from gateway.problems import ProblemError, told
from gateway.routes.events import LAST_SEEN, STREAM, Place, Watched, answer_events
from gateway.routes.finding import found
from gateway.routes.lists import Before, Limit, no_such_place
from gateway.schemas import Answers, NewRequest, Nothing
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/requests", tags=["requests"])
_OPEN = ("received", "planning")
# With `Prefer: wait` where the request stands by then, else its id alone.
_PLANNED: dict[int | str, dict[str, Any]] = {
    200: {"model": RequestTold, "description": "It is planned, asked, refused or rejected"},
    202: {"model": Made | RequestTold},
}


@router.post("", status_code=202, openapi_extra=takes(NewRequest, PREFER), responses=_PLANNED)
async def receive(
    request: Request, caller: Caller, body: Annotated[NewRequest, Depends(body_of(NewRequest))]
) -> Response:
    """Take a request in plain words; it is planned, admitted and run."""
    need_role(caller, "requester")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        _check_known(body.model, gateway.planners)
        new = ids.new("req")
        now = gateway.clock()
        requests.create(
            c, request=new, principal=caller, text=body.text, inputs=body.inputs,
            model=body.model, start=body.start, now=now, priority=body.priority,
        )  # fmt: skip
        received = new_event(e.RequestReceived(text=body.text))
        journal.append(c, caller.tenant, new, [received], now)
        return Reply(202, {"id": new}, (Due("request", caller.tenant, new, RANKS[body.priority]),))

    answer = await once(request, caller, body, work, is_fresh=True)
    return await _perhaps_wait(request, caller.tenant, answer)


@router.get("")
async def newest(
    request: Request,
    caller: Caller,
    status: RequestStatus | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> list[RequestRowTold]:
    """List the newest requests without their drafts, or those older than what `before` names."""
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> list[RequestRowTold]:
        if before is not None and requests.get(c, caller.tenant, before) is None:
            raise no_such_place("request", before)
        rows = requests.newest(c, caller.tenant, status=status, before=before, limit=limit)
        return [RequestRowTold.model_validate(_row(row)) for row in rows]

    return await gateway.store.read(work)


@router.get("/{request_id}")
async def show(request: Request, caller: Caller, request_id: str) -> RequestTold:
    """Say where a request stands: questions, drafts with their violations, plan, run."""
    return shown(await found(request, caller.tenant, "request", request_id, requests.get))


@router.post(
    "/{request_id}/answers",
    status_code=202,
    openapi_extra=takes(Answers, PREFER),
    responses=_PLANNED,
)
async def answer(
    request: Request,
    caller: Caller,
    request_id: str,
    body: Annotated[Answers, Depends(body_of(Answers))],
) -> Response:
    """Answer what was asked; the request is planned again. Only who asked may: it is their word."""
    need_role(caller, "requester")
    row = await found(request, caller.tenant, "request", request_id, requests.get)
    need_self(caller, row.principal.id, "this request")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        now = gateway.clock()
        _check_asked(requests.get(c, caller.tenant, row.id), body)
        if not requests.answer(c, caller.tenant, row.id, body.answers, now):
            raise ProblemError(
                409, "no-question", "this request does not wait for an answer",
                f"See where it stands: /v1/requests/{row.id}.",
            )  # fmt: skip
        answered = new_event(e.QuestionAnswered(answers=body.answers))
        journal.append(c, caller.tenant, row.id, [answered], now)
        return Reply(202, {"id": row.id}, (Due("request", caller.tenant, row.id),))

    return await _perhaps_wait(request, caller.tenant, await once(request, caller, body, work))


@router.post(
    "/{request_id}/retry",
    status_code=202,
    openapi_extra=takes(Nothing, PREFER),
    responses=_PLANNED,
)
async def retry(
    request: Request,
    caller: Caller,
    request_id: str,
    body: Annotated[Nothing, Depends(body_of(Nothing))],
) -> Response:
    """Have a request planned again after no model answered."""
    need_role(caller, "requester", "operator")
    row = await found(request, caller.tenant, "request", request_id, requests.get)
    if "operator" not in caller.roles:
        need_self(caller, row.principal.id, "this request")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        if not requests.retry(c, caller.tenant, row.id, gateway.clock()):
            raise ProblemError(
                409, "not-retryable", "only planner_unavailable can be tried again",
                "Send the words as a new request.",
            )  # fmt: skip
        return Reply(202, {"id": row.id}, (Due("request", caller.tenant, row.id),))

    return await _perhaps_wait(request, caller.tenant, await once(request, caller, body, work))


@router.post(
    "/{request_id}/cancel",
    status_code=202,
    openapi_extra=takes(Nothing),
    responses=gives(202, Made),
)
async def cancel(
    request: Request,
    caller: Caller,
    request_id: str,
    body: Annotated[Nothing, Depends(body_of(Nothing))],
) -> Response:
    """Give up a request that waits for an answer or for a model; a run is cancelled by its own."""
    row = await found(request, caller.tenant, "request", request_id, requests.get)
    if row.principal.id != caller.id:
        need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        now = gateway.clock()
        if not requests.cancel(c, caller.tenant, row.id, now):
            raise _waits_not(requests.get(c, caller.tenant, row.id) or row)
        cancelled = new_event(e.RequestCancelled(by=caller.id))
        journal.append(c, caller.tenant, row.id, [cancelled], now)
        return Reply(202, {"id": row.id})

    reply = await once(request, caller, body, work)
    gateway.notices.tell(Due("request", caller.tenant, row.id))
    return reply


@router.get("/{request_id}/events", openapi_extra=LAST_SEEN, responses=STREAM)
async def events(
    request: Request, caller: Caller, request_id: str, after: Place = None
) -> Response:
    """Stream the request's journal while it is planned; `Last-Event-ID` goes on from there."""
    row = await found(request, caller.tenant, "request", request_id, requests.get)

    def has_ended(c: Connection) -> bool:
        now = requests.get(c, caller.tenant, row.id)
        return now is None or now.status not in (*_OPEN, "needs_answer")

    return await answer_events(request, Watched(caller.tenant, row.id, has_ended), after)


def shown(row: RequestRow) -> RequestTold:
    """A request as the API shows it."""
    told = {**row.detail, **_row(row), "answers": dict(row.answers)}
    return RequestTold.model_validate(told)


def _row(row: RequestRow) -> JsonObject:
    return {
        "id": row.id,
        "status": row.status,
        "code": row.code,
        "requester": row.principal.id,
        "text": row.text,
        "plan": row.plan,
        "run": row.run,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _waits_not(row: RequestRow) -> ProblemError:
    if row.status in _OPEN:
        return ProblemError(
            409, "under-way", "the request is just being planned", "Ask again in a moment."
        )
    fix = f"See where it stands: /v1/requests/{row.id}."
    if row.run is not None:
        fix = f"Cancel its run: /v1/runs/{row.run}/cancel."
    return ProblemError(409, "already-over", f"the request is {row.status}", fix)


def _check_known(model: str | None, planners: Collection[str]) -> None:
    if model is not None and model not in planners:
        known = ", ".join(sorted(planners))
        raise ProblemError(
            422, "unknown-model", f"there is no model {told(model)}", f"Use: {known}.",
            {"at": "/model"},
        )  # fmt: skip


def _check_asked(row: RequestRow | None, body: Answers) -> None:
    """Raise a problem for an answer to what nobody asked: it would be kept and help nobody."""
    if row is None or row.status != "needs_answer":
        return
    asked = row.detail.get("questions")
    about = [
        str(each["about"])
        for each in (asked if isinstance(asked, list) else [])
        if isinstance(each, dict)
    ]
    for name in body.answers:
        if name not in about:
            at = f"/answers/{join_pointer((name,))}"
            fix = f"Answer: {', '.join(about)}."
            raise ProblemError(
                422, "unknown-question", f"nobody asked about {told(name)}", fix, {"at": at}
            )


async def _perhaps_wait(request: Request, tenant: str, answer: JSONResponse) -> Response:
    """`Prefer: wait=N`: answer with where the request stands once it is planned, or in time.

    Whatever becomes of the waiting, the request was taken, and that is what is answered.
    """
    seconds = wait_s(request)
    if not seconds or answer.status_code != 202:
        return answer
    gateway: Gateway = request.app.state.gateway
    subject = str(to_object(bytes(answer.body).decode())["id"])
    try:
        row = await _waited_for(request, gateway, tenant, subject, seconds)
    except StoreError:
        return answer
    headers = {"preference-applied": f"wait={seconds:g}"}
    if REPLAYED in answer.headers:
        headers[REPLAYED] = "true"
    return JSONResponse(shown(row).as_json(), 202 if row.status in _OPEN else 200, headers)


async def _waited_for(
    request: Request, gateway: Gateway, tenant: str, subject: str, seconds: float
) -> RequestRow:
    """A request once it is planned, or as it stands after so long."""
    with gateway.notices.watch(subject) as bell, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await found(request, tenant, "request", subject, requests.get)).status in _OPEN:
                if gateway.notices.is_over or await request.is_disconnected():
                    break
                bell.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await bell.wait()
    return await found(request, tenant, "request", subject, requests.get)
