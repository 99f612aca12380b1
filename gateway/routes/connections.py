"""Connections: what is known of each service now, and what keeps its calls from beginning."""

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.breaker import Breaker
from executor.store import breakers, limits, stops
from executor.store.stops import ALL
from gateway.auth import Caller
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/connections", tags=["connections"])


@router.get("")
async def listed(request: Request, caller: Caller) -> list[JsonObject]:
    """List connections: breaker, Retry-After and stops as they stand for the caller's tenant."""
    gateway: Gateway = request.app.state.gateway
    actions = [each.connection for each in gateway.catalog]

    def work(c: Connection) -> list[JsonObject]:
        found = breakers.listed(c, caller.tenant)
        held = limits.held(c, caller.tenant, gateway.clock())
        standing = stops.listed(c, caller.tenant)
        return [
            {
                "name": name,
                "connector": each.connector,
                "actions": actions.count(name),
                "limits": each.limits.model_dump(mode="json") if each.limits else None,
                "breaker": _breaker(found.get(name, Breaker())),
                "hold_until": held.get(name),
                "stops": [row.id for row in standing if row.connection in (ALL, name)],
            }
            for name, each in gateway.settings.connections.items()
        ]

    return await gateway.store.read(work)


def _breaker(found: Breaker) -> JsonObject:
    return {
        "state": found.state,
        "failures": found.failures,
        "until": None if found.state == "closed" else found.until,
        "because": found.because,
    }
