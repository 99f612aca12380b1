"""The catalogue: what can be done."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from connectors.spec import ActionSpec
from gateway.answers import ActionTold
from gateway.auth import Caller
from gateway.problems import ProblemError
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/actions", tags=["actions"])
LONGEST_WORDS = 1000


@router.get("")
async def listed(
    request: Request,
    caller: Caller,
    words: Annotated[str | None, Query(max_length=LONGEST_WORDS)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 40,
) -> list[ActionSpec]:
    """List every action with its manifest, playbooks among them; with `words` the best for them."""
    gateway: Gateway = request.app.state.gateway
    if words is None:
        return [*gateway.offered]
    best = await asyncio.to_thread(gateway.search.best, gateway.offered, [words], limit)
    return [*best]


@router.get("/{name}")
async def show(request: Request, caller: Caller, name: str) -> ActionTold:
    """Show one action with its digest."""
    gateway: Gateway = request.app.state.gateway
    action = gateway.offered.get(name)
    if action is None:
        candidates = ", ".join(gateway.offered.candidates(name))
        fix = f"Did you mean {candidates}?" if candidates else ""
        raise ProblemError(404, "unknown-action", f"{name} is not in the catalog", fix)
    told = action.model_dump(mode="json", by_alias=True)
    return ActionTold.model_validate({**told, "digest": action.digest})
