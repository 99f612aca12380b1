"""Connections: what is known of each service now, and what keeps its calls from beginning."""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import JsonValue
from sqlalchemy import Connection

from connectors import source
from connectors.spec import JsonObject
from executor.breaker import Breaker
from executor.store import breakers, limits, stops
from executor.store.stops import ALL
from gateway.auth import Caller
from gateway.problems import ProblemError
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/connections", tags=["connections"])


@router.get("")
async def listed(request: Request, caller: Caller) -> list[JsonObject]:
    """List connections: what they offer, and what keeps calls of the caller's tenant waiting."""
    return await _rows(request.app.state.gateway, caller.tenant)


@router.get("/{name}")
async def show(request: Request, caller: Caller, name: str) -> JsonObject:
    """Show one connection."""
    for each in await _rows(request.app.state.gateway, caller.tenant):
        if each["name"] == name:
            return each
    fix = "See GET /v1/connections."
    raise ProblemError(404, "unknown-connection", f"there is no connection {name}", fix)


def standing(connection: source.Connection) -> Literal["ready", "stale", "absent"]:
    """Whether its actions are known, in one word."""
    if connection.absent is not None:
        return "absent"
    return "ready" if connection.stale is None else "stale"


async def _rows(gateway: Gateway, tenant: str) -> list[JsonObject]:
    offers = {each.name: each for each in gateway.registry.connections()}

    def work(c: Connection) -> list[JsonObject]:
        found = breakers.listed(c, tenant)
        held = limits.held(c, tenant, gateway.clock())
        stopped = stops.listed(c, tenant)
        return [
            {
                "name": name,
                "connector": each.connector,
                **_offered(offers[name]),
                "limits": each.limits.model_dump(mode="json") if each.limits else None,
                "breaker": _breaker(found.get(name, Breaker())),
                "hold_until": held.get(name),
                "stops": [row.id for row in stopped if row.connection in (ALL, name)],
            }
            for name, each in gateway.settings.connections.items()
        ]

    return await gateway.store.read(work)


def _offered(found: source.Connection) -> JsonObject:
    """What it offers, what of it cannot be offered, and whether its source answers."""
    skipped: list[JsonValue] = [{"name": one.name, "reason": one.reason} for one in found.skipped]
    stale = found.stale
    return {
        "standing": standing(found),
        "actions": found.actions,
        "skipped": skipped,
        "stale_since": None if stale is None else _written(stale.since),
        "reason": found.absent or (stale.reason if stale else None),
    }


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _breaker(found: Breaker) -> JsonObject:
    return {
        "state": found.state,
        "failures": found.failures,
        "until": None if found.state == "closed" else found.until,
        "because": found.because,
    }
