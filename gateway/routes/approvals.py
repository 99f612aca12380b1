"""Approvals: what waits for a person, with the full arguments, and the person's decision."""

from collections.abc import Sequence
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from connectors.spec import JsonObject, Principal
from executor.check.envelope import Envelope
from executor.check.envelope_text import render_envelope
from executor.check.narrowing import WideningError
from executor.run import events as e
from executor.run.perform import new_event
from executor.store import approvals, journal, rulings, runs
from executor.store.approvals import ApprovalRow
from executor.store.drives import Due
from executor.store.rulings import Ruling, Said
from gateway.answers.runs import ApprovalState, ApprovalTold, DecisionTold
from gateway.auth import Caller
from gateway.body import body_of, gives, takes
from gateway.once import Reply, once
from gateway.problems import ProblemError
from gateway.routes.finding import found
from gateway.routes.lists import After, Limit, no_such_place
from gateway.schemas import NewDecision
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])


@router.get("")
async def listed(
    request: Request,
    caller: Caller,
    state: ApprovalState | None = None,
    run: str | None = None,
    after: After = None,
    limit: Limit = 200,
) -> list[ApprovalTold]:
    """List approvals, oldest first, or those that came after the one that `after` names."""
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> list[ApprovalTold]:
        if after is not None and approvals.get(c, caller.tenant, after) is None:
            raise no_such_place("approval", after, "after")
        rows = approvals.listed(c, caller.tenant, state=state, run=run, after=after, limit=limit)
        said = rulings.said(c, caller.tenant, [row.id for row in rows])
        return [shown(row, said.get(row.id, [])) for row in rows]

    return await gateway.store.read(work)


@router.get("/{approval_id}")
async def show(request: Request, caller: Caller, approval_id: str) -> ApprovalTold:
    """Show one approval; looking never approves. `rehearse` is where its plan is rehearsed."""
    gateway: Gateway = request.app.state.gateway
    row = await found(request, caller.tenant, "approval", approval_id, approvals.get)

    def work(c: Connection) -> ApprovalTold:
        run = runs.get(c, caller.tenant, row.run)
        said = rulings.said(c, caller.tenant, [row.id]).get(row.id, [])
        return shown(row, said, None if run is None else f"/v1/plans/{run.plan}/rehearse")

    return await gateway.store.read(work)


@router.post(
    "/{approval_id}/decision",
    openapi_extra=takes(NewDecision),
    responses=gives(200, DecisionTold),
)
async def decide(
    request: Request,
    caller: Caller,
    approval_id: str,
    body: Annotated[NewDecision, Depends(body_of(NewDecision))],
) -> Response:
    """Approve or refuse, with a reason; nobody decides on their own request."""
    gateway: Gateway = request.app.state.gateway
    row = await found(request, caller.tenant, "approval", approval_id, approvals.get)

    def work(c: Connection) -> Reply:
        now = gateway.clock()
        ruling = _decided(c, row, caller, body, now)
        after = approvals.get(c, caller.tenant, row.id) or row
        if (problem := _problem(ruling, after)) is not None:
            raise problem
        wake: tuple[Due, ...] = ()
        if (event := _event(ruling, after, caller.id, body.reason)) is not None:
            journal.append(c, caller.tenant, row.run, [new_event(event)], now)
            wake = (Due("run", caller.tenant, row.run),)
        said = rulings.said(c, caller.tenant, [row.id]).get(row.id, [])
        yes = sum(each.decision == "approve" for each in said)
        told = DecisionTold.model_validate(
            {"id": row.id, "state": after.state, "run": row.run, "yes": yes, "quorum": row.quorum}
        )
        return Reply(200, told.as_json(), wake)

    return await once(request, caller, body, work)


def _event(ruling: Ruling, after: ApprovalRow, by: str, reason: str) -> e.Event | None:
    """What the journal is told of a decision; nothing of one that changed nothing."""
    match ruling:
        case "granted":
            whole = after.kind == "envelope"
            envelope = Envelope.model_validate(after.arguments) if whole else None
            return e.ApprovalGranted(approval=after.id, by=by, reason=reason, envelope=envelope)
        case "counted":
            return e.ApprovalCounted(approval=after.id, by=by, reason=reason)
        case "refused":
            return e.ApprovalRefused(approval=after.id, by=by, reason=reason)
        case _:
            return None


def _decided(
    c: Connection, row: ApprovalRow, caller: Principal, body: NewDecision, now: float
) -> Ruling:
    if body.narrow is not None and body.decision == "refuse":
        raise ProblemError(422, "band-widened", "a no is a no to all of it", "Leave narrow out.")
    try:
        return rulings.decide(
            c, caller.tenant, row.id, caller, body.decision, body.reason, now, body.narrow
        )
    except WideningError as error:
        fix = "Approve what is shown or less of it, or refuse it."
        raise ProblemError(422, "band-widened", str(error), fix, {"at": error.at}) from error


def shown(row: ApprovalRow, said: Sequence[Said], rehearse: str | None = None) -> ApprovalTold:
    """An approval as the API shows it: never the arguments in part."""
    rendered = None
    if row.kind == "envelope":
        rendered = render_envelope(Envelope.model_validate(row.arguments))
    told = {
        "id": row.id,
        "run": row.run,
        "kind": row.kind,
        "step": row.step,
        "steps": [*row.steps],
        "rendered": rendered,
        "iteration": row.iteration,
        "action": row.action,
        "arguments": row.arguments,
        "args_hash": row.args_hash,
        "action_digest": row.action_digest,
        "plan_digest": row.plan_digest,
        "policy_version": row.policy_version,
        "role": row.role,
        "quorum": row.quorum,
        "reasons": [*row.reasons],
        "policies": [*row.policies],
        "requester": row.requester,
        "decisions": [{**vars(each)} for each in said],
        "state": row.state,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "rehearse": rehearse,
    }
    return ApprovalTold.model_validate(told)


def _problem(ruling: Ruling, row: ApprovalRow) -> ProblemError | None:
    more: JsonObject = {"state": row.state}
    match ruling:
        case "own":
            detail = "nobody approves their own request"
            fix = f"Ask somebody else who has the role {row.role}."
            return ProblemError(403, "own-request", detail, fix, more)
        case "role":
            detail = f"this needs the role {row.role}"
            return ProblemError(403, "role-missing", detail, "Use another key.", more)
        case "twice":
            detail = "you have said yes to this call in another role, and two roles are two people"
            fix = f"Ask somebody else who has the role {row.role}. You may still refuse."
            return ProblemError(403, "already-counted", detail, fix, more)
        case "conflict" if row.state == "open":
            detail = "you have said yes to it already, and not to the same"
            fix = "What you said stands; refuse it, if you do not want it any more."
            return ProblemError(409, "already-decided", detail, fix, more)
        case "conflict":
            detail = f"it is {row.state} already, and you or somebody else said otherwise"
            return ProblemError(409, "already-decided", detail, "See the run's trace.", more)
        case "expired":
            fix = "Have the request made again."
            return ProblemError(410, "approval-expired", "nobody answered in time", fix, more)
        case "void":
            detail = "the run no longer waits for it"
            return ProblemError(409, "approval-void", detail, "See the run's trace.", more)
        case "granted" | "refused" | "counted" | "repeated":
            return None
        case _:
            assert_never(ruling)
