"""Whether a call of a connection may be made now, asked in the transaction of its intent.

In this order, so that nothing is used up for a call that is not made: no stop stands in its way,
its service is not taken for down, the rate allows it, and the service itself still takes calls.
What a call is told is kept here too, for those that come after it, in whatever run or process.
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
    """Why no call may be made; without `retry_at` nobody knows when one may.

    `news`: something has arrived since it was decided on, so it is decided on again.
    """

    reason: Literal[
        "cancelled", "news", "open_attempt", "approval", "stop", "service", "rate_limit"
    ]
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


class Permits:
    """Those of one tenant inside one transaction, which asks once what is known of a connection."""

    def __init__(self, c: Connection, tenant: str) -> None:
        self._c = c
        self._tenant = tenant
        self._known: dict[str, _Known] = {}
        self._clean: set[str] = set()  # connections whose breakers have nothing to remember

    def take(
        self, connection: str, allowed: Limits | None, now: float, trial_s: float
    ) -> Blocked | None:
        """Take a permit for a call that lasts at most `trial_s`, or say why there is none."""
        c, tenant, known = self._c, self._tenant, self._of(connection)
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
            self._forget(connection)
        return None

    def tell(self, what: Told, now: float) -> None:
        """Keep what a call was told; runs that wait for the service go on once it answers again."""
        c, tenant, connection = self._c, self._tenant, what.connection
        if what.hold_until is not None:
            limits.hold(c, tenant, connection, what.hold_until)
            self._forget(connection)
        if what.quota is not None and what.quota.left <= PLENTY:
            limits.count_down(c, tenant, connection, what.quota, now)
            self._forget(connection)
        if what.evidence is None or (what.evidence == "answered" and self._is_clean(connection)):
            return
        breakers.tell(c, tenant, connection, what.evidence, what.began_at, now, what.because)
        self._forget(connection)

    def _of(self, connection: str) -> _Known:
        found = self._known.get(connection)
        if found is None:
            found = _KNOWN.one(self._c, {"tenant": self._tenant, "connection": connection})
            assert found is not None  # noqa: S101 - it is one row, whatever is known
            self._known[connection] = found
        return found

    def _is_clean(self, connection: str) -> bool:
        if connection not in self._clean and breakers.is_clean(self._c, self._tenant, connection):
            self._clean.add(connection)
        return connection in self._clean

    def _forget(self, connection: str) -> None:
        self._known.pop(connection, None)
        self._clean.discard(connection)
