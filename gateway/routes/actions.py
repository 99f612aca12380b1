"""The catalogue: what can be done."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from connectors.spec import ActionSpec, JsonObject
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
) -> list[JsonObject]:
    """List every action with its manifest, playbooks among them; with `words` the best for them."""
    gateway: Gateway = request.app.state.gateway
    found: Iterable[ActionSpec] = gateway.offered
    if words is not None:
        found = await asyncio.to_thread(gateway.search.best, gateway.offered, [words], limit)
    return [action.model_dump(mode="json", by_alias=True) for action in found]


@router.get("/{name}")
async def show(request: Request, caller: Caller, name: str) -> JsonObject:
    """Show one action with its digest."""
    gateway: Gateway = request.app.state.gateway
    action = gateway.offered.get(name)
    if action is None:
        candidates = ", ".join(gateway.offered.candidates(name))
        fix = f"Did you mean {candidates}?" if candidates else ""
        raise ProblemError(404, "unknown-action", f"{name} is not in the catalog", fix)
    return {**action.model_dump(mode="json", by_alias=True), "digest": action.digest}
