"""The catalogue: what can be done."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from connectors.spec import ActionSpec
from gateway.answers.connections import ActionTold
from gateway.auth import Caller
from gateway.problems import ProblemError, told
from gateway.routes.lists import AfterName
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/actions", tags=["actions"])
LONGEST_WORDS = 1000
MOST, BEST = 200, 40


@router.get("")
async def listed(
    request: Request,
    caller: Caller,
    words: Annotated[str | None, Query(max_length=LONGEST_WORDS)] = None,
    after: AfterName = None,
    limit: Annotated[int | None, Query(ge=1, le=200, description="200, of the best 40")] = None,
) -> list[ActionSpec]:
    """List actions by name, playbooks among them; with `words` the best for them, best first."""
    gateway: Gateway = request.app.state.gateway
    if words is None:
        names = sorted(each.name for each in gateway.offered if each.name > (after or ""))
        found = map(gateway.offered.get, names[: limit or MOST])
        return [each for each in found if each is not None]
    if after is not None:
        at = "/query/after"
        detail = f"{at}: the best for words are one list"
        raise ProblemError(422, "bad-parameter", detail, "Leave one of them out.", {"at": at})
    best = await asyncio.to_thread(gateway.search.best, gateway.offered, [words], limit or BEST)
    return [*best]


@router.get("/{name}")
async def show(request: Request, caller: Caller, name: str) -> ActionTold:
    """Show one action with its digest."""
    gateway: Gateway = request.app.state.gateway
    action = gateway.offered.get(name)
    if action is None:
        candidates = ", ".join(await asyncio.to_thread(gateway.offered.candidates, name))
        fix = f"Did you mean {candidates}?" if candidates else "See GET /v1/actions."
        raise ProblemError(404, "unknown-action", f"{told(name)} is not in the catalog", fix)
    shown = action.model_dump(mode="json", by_alias=True)
    return ActionTold.model_validate({**shown, "digest": action.digest})
