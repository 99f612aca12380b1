"""Whether the gateway works; needs no key and tells nothing of anybody."""

from collections import Counter
from functools import partial

from fastapi import APIRouter, Request

from executor.store import ready
from gateway.answers.connections import HealthTold
from gateway.routes.connections import standing
from gateway.routes.models import stands_as
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1", tags=["health"])


@router.head("/health", include_in_schema=False)  # many monitors and balancers ask so
@router.get("/health")
async def health(request: Request) -> HealthTold:
    """Answer once the store does."""
    gateway: Gateway = request.app.state.gateway
    stuck = await gateway.store.read(partial(ready.stuck, now=gateway.clock()))
    stands = Counter(standing(each) for each in gateway.registry.connections())
    connections = dict(sorted(stands.items()))
    models = dict(sorted(Counter(stands_as(each) for each in gateway.planners.values()).items()))
    return HealthTold(
        status="ok", actions=len(gateway.catalog), connections=connections, models=models,
        time=gateway.clock(), stuck=stuck,
    )  # fmt: skip
