"""Evidence: what a service says later of a call, a late answer or a webhook, by the call's key."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from executor.store.drives import Due
from gateway.answers.runs import EvidenceTold
from gateway.auth import Caller, need_role
from gateway.body import body_of, gives, takes
from gateway.once import Reply, once
from gateway.reconcile import learn
from gateway.schemas import Evidence
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/evidence", tags=["evidence"])
_LEARNED = gives(202, EvidenceTold) | gives(200, EvidenceTold)


@router.post("", status_code=202, openapi_extra=takes(Evidence), responses=_LEARNED)
async def take(
    request: Request, caller: Caller, body: Annotated[Evidence, Depends(body_of(Evidence))]
) -> Response:
    """Take in what became of a call; 200 if that was known already."""
    need_role(caller, "evidence", "operator")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> Reply:
        now, restored = gateway.clock(), gateway.machine.restored
        row, is_news = learn(c, restored, caller.tenant, caller.id, body, now)
        woken = (Due("run", caller.tenant, row.id),) if is_news else ()
        told = EvidenceTold(run=row.id, news=is_news)
        return Reply(202 if is_news else 200, told.as_json(), woken)

    return await once(request, caller, body, work)
