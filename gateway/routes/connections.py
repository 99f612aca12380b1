"""Connections: what is known of each service now, and what keeps its calls from beginning."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import JsonValue
from sqlalchemy import Connection

from connectors import source
from connectors.source import Review
from connectors.spec import Limits
from executor.breaker import Breaker
from executor.store import breakers, limits, pins, stops
from executor.store.pins import PinRow
from executor.store.stops import ALL
from gateway.answers.connections import (
    AcceptedTold,
    BreakerTold,
    ChangeTold,
    ConnectionTold,
    QuotaTold,
    ReviewTold,
    SkippedTold,
)
from gateway.auth import Caller, need_operator_of_all
from gateway.body import body_of, gives, takes
from gateway.offering import fits
from gateway.once import Reply, once
from gateway.problems import ProblemError, told
from gateway.routes.lists import AfterName, Limit
from gateway.schemas import Acceptance
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/connections", tags=["connections"])
SHARED = "Ask them: what is accepted is on offer to every tenant."


@router.get("")
async def listed(
    request: Request, caller: Caller, after: AfterName = None, limit: Limit = 200
) -> list[ConnectionTold]:
    """List connections by name: what they offer, and what keeps the tenant's calls waiting."""
    gateway: Gateway = request.app.state.gateway
    names = sorted(each for each in gateway.settings.connections if each > (after or ""))
    return await _rows(gateway, caller.tenant, names[:limit])


@router.get("/{name}")
async def show(request: Request, caller: Caller, name: str) -> ConnectionTold:
    """Show one connection."""
    gateway: Gateway = request.app.state.gateway
    if name not in gateway.settings.connections:
        raise _unknown(name)
    (found,) = await _rows(gateway, caller.tenant, [name])
    return found


@router.get("/{name}/review")
async def review(request: Request, caller: Caller, name: str) -> ReviewTold:
    """Show what a server says of itself beside what was accepted, and exactly how it is reached."""
    need_operator_of_all(caller, SHARED)
    return _shown(name, _review_of(request.app.state.gateway, name))


@router.post(
    "/{name}/review",
    openapi_extra=takes(Acceptance),
    responses=gives(200, AcceptedTold),
)
async def accept(
    request: Request,
    caller: Caller,
    name: str,
    body: Annotated[Acceptance, Depends(body_of(Acceptance))],
) -> Response:
    """Accept exactly the definitions that were looked at: they are on offer from then on."""
    need_operator_of_all(caller, SHARED)
    gateway: Gateway = request.app.state.gateway
    found = _review_of(gateway, name)
    if found.digest != body.digest:
        raise ProblemError(
            409, "review-changed", "the server says something else by now",
            f"Look again: GET /v1/connections/{name}/review.", {"digest": found.digest},
        )  # fmt: skip

    def work(c: Connection) -> Reply:
        row = PinRow(name, found.digest, {**found.definitions}, caller.id, gateway.clock())
        pins.add(c, row)
        tools: list[JsonValue] = [*sorted(found.definitions)]
        return Reply(200, {"connection": name, "digest": found.digest, "accepted": tools})

    answer = await once(request, caller, body, work)
    await gateway.registry.ask_again(fits(gateway.policy), only=name)
    return answer


def standing(connection: source.Connection) -> Literal["ready", "stale", "absent"]:
    """Whether its actions are known, in one word."""
    if connection.absent is not None:
        return "absent"
    return "ready" if connection.stale is None else "stale"


def _unknown(name: str) -> ProblemError:
    fix = "See GET /v1/connections."
    return ProblemError(404, "unknown-connection", f"there is no connection {told(name)}", fix)


def _review_of(gateway: Gateway, name: str) -> Review:
    if name not in gateway.settings.connections:
        raise _unknown(name)
    found = gateway.registry.review(name)
    if found is None:
        raise ProblemError(
            409, "nothing-to-review", f"{name} has said nothing of itself that could be reviewed",
            f"See GET /v1/connections/{name}.",
        )  # fmt: skip
    return found


def _shown(name: str, found: Review) -> ReviewTold:
    return ReviewTold(
        connection=name,
        digest=found.digest,
        reached_by=[*found.reached_by],
        changes=[
            ChangeTold(tool=each.tool, kind=each.kind, notes=[*each.notes], diff=[*each.diff])
            for each in found.changes
        ],
        notes=[*found.notes],
    )


async def _rows(gateway: Gateway, tenant: str, names: list[str]) -> list[ConnectionTold]:
    offers = {each.name: each for each in gateway.registry.connections()}

    def work(c: Connection) -> list[ConnectionTold]:
        found = breakers.listed(c, tenant)
        held = limits.held(c, tenant, gateway.clock())
        quotas = limits.quotas(c, tenant, gateway.clock())
        stopped = stops.listed(c, tenant)
        return [
            _told(
                offers[name],
                gateway.settings.connections[name].limits,
                found.get(name, Breaker()),
                held.get(name),
                quotas.get(name),
                [row.id for row in stopped if row.connection in (ALL, name)],
            )
            for name in names
        ]

    return await gateway.store.read(work)


def _told(
    offered: source.Connection,
    allowed: Limits | None,
    breaker: Breaker,
    hold_until: float | None,
    quota: tuple[int, float] | None,
    stopped: list[str],
) -> ConnectionTold:
    """What it offers, what of it cannot be offered, and whether its source answers."""
    stale = offered.stale
    return ConnectionTold(
        name=offered.name,
        connector=offered.connector,
        standing=standing(offered),
        actions=offered.actions,
        held=offered.held,
        skipped=[SkippedTold(name=one.name, reason=one.reason) for one in offered.skipped],
        stale_since=None if stale is None else _written(stale.since),
        reason=offered.absent or (stale.reason if stale else None),
        limits=allowed,
        breaker=_breaker(breaker),
        hold_until=hold_until,
        quota=None if quota is None else QuotaTold(left=quota[0], renews_at=quota[1]),
        stops=stopped,
    )


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _breaker(found: Breaker) -> BreakerTold:
    return BreakerTold(
        state=found.state,
        failures=found.failures,
        until=None if found.state == "closed" else found.until,
        because=found.because,
    )
