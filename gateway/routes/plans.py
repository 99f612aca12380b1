"""Plans: submit one that was written elsewhere, look at one, start one."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import JsonValue
from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.check.admit import (
    Accepted,
    Inputs,
    Questions,
    admit,
    restore,
    to_row,
    tool_changes,
)
from executor.check.parse import plan_of
from executor.check.violation import Violation
from executor.plan.model import Plan
from executor.plan.render import render
from executor.rehearse.explore import Bounds
from executor.rehearse.render import told as told_of
from executor.store import ids, plans, requests, runs
from executor.store.plans import PlanRow
from gateway.answers.requests import PlanTold, RehearsalTold
from gateway.answers.told import Made
from gateway.auth import Caller, need_role, need_self
from gateway.body import body_of, gives, takes
from gateway.once import Reply, once, told_before
from gateway.problems import ProblemError
from gateway.rehearsing import rehearsal_of, roles_of
from gateway.routes.finding import found
from gateway.schemas import NewPlan, NewRehearsal, NewRun
from gateway.wiring import Gateway
from planner.propose import schema_of_inputs

router = APIRouter(prefix="/v1/plans", tags=["plans"])


@router.post("", status_code=201, openapi_extra=takes(NewPlan), responses=gives(201, PlanTold))
async def submit(
    request: Request, caller: Caller, body: Annotated[NewPlan, Depends(body_of(NewPlan))]
) -> Response:
    """Have a plan admitted; no planner is involved."""
    need_role(caller, "requester")
    gateway: Gateway = request.app.state.gateway
    if (again := await told_before(request, caller, body)) is not None:
        return again
    async with gateway.allowances.turn(request.state.key, "writes"):
        accepted = await asyncio.to_thread(_admitted, gateway, caller, body)

    def work(c: Connection) -> Reply:
        plan = ids.new("pln")
        row = PlanRow(
            caller.tenant, plan, accepted.digest, caller.id, None, to_row(accepted), gateway.clock()
        )
        plans.add(c, row)
        return Reply(201, shown(row, accepted).as_json())

    return await once(request, caller, body, work, is_fresh=True)


@router.get("/{plan_id}", responses=gives(200, PlanTold))
async def show(request: Request, caller: Caller, plan_id: str) -> Response:
    """Show an accepted plan: itself, its certificate, and how it reads."""
    gateway: Gateway = request.app.state.gateway
    row = await found(request, caller.tenant, "plan", plan_id, plans.get)

    def answer() -> Response:
        accepted = restore(row.accepted, gateway.admission.seal_key)
        return JSONResponse(shown(row, accepted).as_json())

    return await asyncio.to_thread(answer)  # a plan may be large


@router.post(
    "/{plan_id}/runs",
    status_code=202,
    openapi_extra=takes(NewRun),
    responses=gives(202, Made),
)
async def start(
    request: Request,
    caller: Caller,
    plan_id: str,
    body: Annotated[NewRun, Depends(body_of(NewRun))],
) -> Response:
    """Run an accepted plan; each call starts another run, an Idempotency-Key makes it one."""
    need_role(caller, "requester")
    gateway: Gateway = request.app.state.gateway
    row = await found(request, caller.tenant, "plan", plan_id, plans.get)
    need_self(caller, row.principal, "this plan")
    accepted = await _accepted(gateway, row)
    gateway.machine.know(caller.tenant, row.id, accepted)

    def work(c: Connection) -> Reply:
        _need_unchanged(gateway, accepted)  # here, for a replay begins nothing
        run = ids.new("run")
        due = runs.create(
            c, tenant=caller.tenant, run=run, plan=row.id, requester=caller.id,
            now=gateway.clock(), request=row.request, priority=body.priority,
        )  # fmt: skip
        if row.request is not None:
            requests.set_run(c, caller.tenant, row.request, run)
        return Reply(202, {"id": run}, (due,))

    return await once(request, caller, body, work, is_fresh=row.request is None)


@router.post(
    "/{plan_id}/rehearse",
    openapi_extra=takes(NewRehearsal),
    responses=gives(200, RehearsalTold),
)
async def rehearse(
    request: Request,
    caller: Caller,
    plan_id: str,
    body: Annotated[NewRehearsal, Depends(body_of(NewRehearsal))],
) -> Response:
    """Tell what a run would do, calling nothing: for who may start it, or may have to approve."""
    gateway: Gateway = request.app.state.gateway
    row = await found(request, caller.tenant, "plan", plan_id, plans.get)
    accepted = await _accepted(gateway, row)
    need_role(caller, "requester", *sorted(roles_of(accepted)))
    if (again := await told_before(request, caller, body)) is not None:
        return again
    _need_unchanged(gateway, accepted)
    bounds = Bounds(size=body.size, scenarios=body.scenarios)
    recorded = body.recorded
    async with gateway.allowances.turn(request.state.key, "writes"):
        rehearsal = await rehearsal_of(
            gateway, caller.tenant, accepted, bounds, by_records=recorded
        )
    told: JsonObject = {"plan": row.id, **told_of(rehearsal)}
    return await once(request, caller, body, lambda c: Reply(200, told))


def shown(row: PlanRow, accepted: Accepted) -> PlanTold:
    """A plan as the API shows it."""
    return PlanTold(
        id=row.id,
        digest=accepted.digest,
        plan=accepted.plan.stored()["plan"],
        rendered=render(accepted.plan),
        inputs={"schema": accepted.inputs.schema, "values": accepted.inputs.values},
        certificate=accepted.certificate,
        request=row.request,
        requester=row.principal,
    )


def _admitted(gateway: Gateway, caller: Caller, body: NewPlan) -> Accepted:
    plan = plan_of(body.plan)
    if not isinstance(plan, Plan):
        raise _rejected(plan)
    inputs = Inputs(schema_of_inputs(body.inputs), body.inputs)
    verdict = admit(plan, gateway.admission.of(caller, body.request, (), inputs))
    match verdict:
        case Accepted():
            return verdict
        case Questions(questions=asked, unable=unable):
            more: JsonObject = {
                "questions": [each.model_dump(mode="json") for each in asked],
                "unable": unable,
            }
            detail = unable or "the plan asks questions; nothing runs before they are answered"
            raise ProblemError(422, "plan-not-runnable", detail, "Answer them in the plan.", more)
        case _:
            raise _rejected(verdict.violations)


def _need_unchanged(gateway: Gateway, accepted: Accepted) -> None:
    """Raise a problem if an action is not what it was when the plan was accepted."""
    if changes := tool_changes(accepted, gateway.catalog):
        raise _refused(409, "tool-changed", changes, "Submit the plan anew.")


def _rejected(violations: tuple[Violation, ...]) -> ProblemError:
    fix = "Repair every violation and submit the plan again."
    return _refused(422, "plan-rejected", violations, fix)


def _refused(status: int, code: str, violations: tuple[Violation, ...], fix: str) -> ProblemError:
    found: list[JsonValue] = [each.as_json() for each in violations]
    first = violations[0]
    detail = f"{first.at}: {first.message}"
    if len(violations) > 1:
        detail += f" (and {len(violations) - 1} more)"
    return ProblemError(status, code, detail, fix, {"violations": found})


async def _accepted(gateway: Gateway, row: PlanRow) -> Accepted:
    """A stored plan, as it was accepted; it may be large, so beside the loop."""
    return await asyncio.to_thread(restore, row.accepted, gateway.admission.seal_key)
