"""The kill switch: an operator stops calls at once, and lifts it again; all of it is kept."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from executor.store import ids, stops
from executor.store.stops import ALL, StopRow
from gateway.answers.connections import LiftTold, NewStopTold, StopTold
from gateway.auth import Caller, need_operator_of_all, need_role
from gateway.body import body_of, gives, takes
from gateway.once import Reply, once
from gateway.problems import ProblemError, not_found, told
from gateway.routes.lists import Before, Limit, no_such_place
from gateway.schemas import Lift, NewStop
from gateway.settings import Settings
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/stops", tags=["stops"])
OWN = "Stop your own tenant's calls."


@router.post(
    "",
    status_code=201,
    openapi_extra=takes(NewStop),
    responses=gives(201, NewStopTold),
)
async def stop(
    request: Request, caller: Caller, body: Annotated[NewStop, Depends(body_of(NewStop))]
) -> Response:
    """Let no call begin any more, of one connection or of all; runs wait until it is lifted."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway
    if body.tenants == "all":
        need_operator_of_all(caller, OWN)
    tenant = ALL if body.tenants == "all" else caller.tenant

    def work(c: Connection) -> Reply:
        _check_known(body.connection, gateway.settings)
        now = gateway.clock()
        row = StopRow(tenant, ids.new("stop"), body.connection or ALL, caller.id, body.reason, now)
        told = NewStopTold.model_validate({**row.as_json(), "under_way": stops.add(c, row)})
        return Reply(201, told.as_json())

    return await once(request, caller, body, work)


@router.get("")
async def listed(
    request: Request,
    caller: Caller,
    lifted: bool = False,
    before: Before = None,
    limit: Limit = 200,
) -> list[StopTold]:
    """List the stops that stand, newest first; with `lifted` also those that were lifted."""
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> list[StopRow]:
        last = None if before is None else stops.get(c, caller.tenant, before)
        if before is not None and last is None:
            raise no_such_place("stop", before)
        return stops.listed(c, caller.tenant, lifted=lifted, before=last, limit=limit)

    return [StopTold.model_validate(row.as_json()) for row in await gateway.store.read(work)]


@router.post("/{stop_id}/lift", openapi_extra=takes(Lift), responses=gives(200, LiftTold))
async def lift(
    request: Request, caller: Caller, stop_id: str, body: Annotated[Lift, Depends(body_of(Lift))]
) -> Response:
    """Lift a stop; what waits for it goes on by itself."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        now = gateway.clock()
        row = stops.standing(c, caller.tenant, stop_id)
        if row is None:
            raise not_found("stop that stands", stop_id)
        if row.tenant == ALL:
            need_operator_of_all(caller, OWN)
        woken = stops.lift(c, row.tenant, stop_id, caller.id, body.reason, now) or []
        told = LiftTold(id=stop_id, woken=stops.count_waiting(c, row.tenant))
        return Reply(200, told.as_json(), tuple(woken))

    return await once(request, caller, body, work)


def _check_known(connection: str | None, settings: Settings) -> None:
    if connection is not None and connection not in settings.connections:
        known = ", ".join(sorted(settings.connections))
        raise ProblemError(
            422, "unknown-connection", f"there is no connection {told(connection)}",
            f"There are: {known or 'none'}.", {"at": "/connection"},
        )  # fmt: skip
