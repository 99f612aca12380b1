"""Whether a call of a connection may be made now, asked in the transaction of its intent.

In this order, so that nothing is used up for a call that is not made: no stop stands in its way,
its service is not taken for down, the
rate allows it, and the service itself still takes calls. What a call is told is kept here too,
for those that come after it, in whatever run or process.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Connection, and_, bindparam, literal, select

from connectors.quota import Quota
from connectors.spec import Limits
from executor.breaker import Breaker, Evidence, asked
from executor.store import breakers, limits, stops, tables
from executor.store.statement import Query

PLENTY = 100  # calls left that nobody needs to count
# All that is known of a connection, in one query: most calls need no other one.
_ONE = select(literal(1).label("one")).subquery()
_BREAKER = and_(
    tables.breakers.c.tenant == bindparam("tenant"),
    tables.breakers.c.connection == bindparam("connection"),
)
_LIMIT = and_(
    tables.limits.c.tenant == bindparam("tenant"),
    tables.limits.c.key == bindparam("connection"),
)


class _Known(NamedTuple):
    stop: str | None
    state: str | None
    hold_until: float | None
    quota_left: int | None
    quota_until: float | None


_KNOWN = Query(
    select(
        stops.STANDING.scalar_subquery(),
        tables.breakers.c.state,
        tables.limits.c.hold_until,
        tables.limits.c.quota_left,
        tables.limits.c.quota_until,
    ).select_from(_ONE.outerjoin(tables.breakers, _BREAKER).outerjoin(tables.limits, _LIMIT)),
    _Known,
)


@dataclass(frozen=True)
class Blocked:
    """Why no call may be made; without `retry_at` nobody knows when one may."""

    reason: Literal["cancelled", "open_attempt", "approval", "stop", "service", "rate_limit"]
    retry_at: float | None = None


@dataclass(frozen=True)
class Told:
    """What the end of a call says of its service; `hold_until` is when it may be asked again."""

    connection: str
    evidence: Evidence | None
    began_at: float
    because: str = ""
    hold_until: float | None = None
    quota: Quota | None = None  # how many calls it still takes


def take(
    c: Connection, tenant: str, connection: str, allowed: Limits | None, now: float, trial_s: float
) -> Blocked | None:
    """Take a permit for a call that lasts at most `trial_s`, or say why there is none."""
    known = _KNOWN.one(c, {"tenant": tenant, "connection": connection})
    assert known is not None  # noqa: S101 - it is one row, whatever is known
    if known.stop is not None:
        return Blocked("stop")
    is_closed = known.state in (None, "closed")
    breaker = Breaker() if is_closed else breakers.read(c, tenant, connection)
    allowing = asked(breaker, now, trial_s)
    if allowing is None:
        return Blocked("service", breaker.until)
    until = known.quota_until or 0.0
    if until > now and not known.quota_left:
        return Blocked("rate_limit", until)
    if allowed is not None and allowed.rate is not None:
        retry_at = limits.acquire(c, tenant, connection, allowed, now)
        if retry_at is not None:
            return Blocked("rate_limit", retry_at)
    elif (known.hold_until or 0.0) > now:
        return Blocked("rate_limit", known.hold_until)
    if until > now and not limits.spend(c, tenant, connection):
        return Blocked("rate_limit", until)
    if allowing != breaker:
        breakers.put(c, tenant, connection, allowing)
    return None


def tell(c: Connection, tenant: str, what: Told, now: float) -> None:
    """Keep what a call was told; runs that wait for the service go on once it answers again."""
    if what.hold_until is not None:
        limits.hold(c, tenant, what.connection, what.hold_until)
    if what.quota is not None and what.quota.left <= PLENTY:
        limits.count_down(c, tenant, what.connection, what.quota, now)
    if what.evidence is not None:
        breakers.tell(c, tenant, what.connection, what.evidence, what.began_at, now, what.because)
