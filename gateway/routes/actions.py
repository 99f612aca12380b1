"""The catalogue: what can be done."""

from fastapi import APIRouter, Request

from connectors.spec import JsonObject
from gateway.auth import Caller
from gateway.problems import ProblemError
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/actions", tags=["actions"])


@router.get("")
async def listed(request: Request, caller: Caller) -> list[JsonObject]:
    """List every action with its manifest, playbooks among them."""
    gateway: Gateway = request.app.state.gateway
    return [action.model_dump(mode="json", by_alias=True) for action in gateway.offered]


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
