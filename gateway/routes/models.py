"""Models: the names that a request may say, and what keeps one of them from being asked."""

from typing import Literal

from fastapi import APIRouter, Request

from gateway.answers.connections import ModelTold
from gateway.auth import Caller
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def listed(request: Request, caller: Caller) -> list[ModelTold]:
    """List what plans, by the names that a request may say as its `model`."""
    gateway: Gateway = request.app.state.gateway
    return [_told(gateway, name, reason) for name, reason in sorted(gateway.planners.items())]


def stands_as(reason: str | None) -> Literal["ready", "absent"]:
    """How one stands that this keeps from being asked."""
    return "ready" if reason is None else "absent"


def _told(gateway: Gateway, name: str, reason: str | None) -> ModelTold:
    entry = gateway.settings.models.get(name)
    return ModelTold(
        name=name,
        adapter=None if entry is None else entry.adapter,
        model=None if entry is None else entry.model,
        is_default=name == gateway.settings.planner,
        standing=stands_as(reason),
        reason=reason,
    )
