"""Whether a call of a connection may be made now, asked in the transaction of its intent.

In this order, so that nothing is used up for a call that is not made: no stop stands in its way,
its service is not taken for down, the rate allows it, and the service itself still takes calls.
What a call is told is kept here too, for those that come after it, in whatever run or process.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

from sqlalchemy import Connection, and_, bindparam, literal, select

from connectors.quota import Quota
from connectors.spec import Limits
from executor.breaker import Breaker, Evidence, State, asked
from executor.store import breakers, limits, reservations, stops, tables
from executor.store.limits import Limit
from executor.store.pace import pace_of
from executor.store.reservations import KEPT_S
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
    """What is known; all of a breaker or of a limit is None where there is no row of it."""

    stop: str | None
    state: State | None
    failures: int
    until: float
    pause_s: float
    changed_at: float
    because: str
    arrival: float | None
    hold_until: float
    queue_end: float
    quota_left: int | None
    quota_until: float | None
    passed: int
    normal_off_s: float
    low_off_s: float

    @property
    def breaker(self) -> Breaker:
        """How the breaker stands."""
        return Breaker() if self.state is None else Breaker(self.state, *self[2:7])

    @property
    def limit(self) -> Limit:
        """How the limit stands, if nobody changes it."""
        return Limit() if self.arrival is None else Limit(self.arrival, *self[8:])


_ROWS = (tables.breakers, Breaker), (tables.limits, Limit)
_KNOWN = Query(
    select(
        stops.STANDING.scalar_subquery(),
        *(table.c[each.name] for table, of in _ROWS for each in fields(of)),
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


class Need(NamedTuple):
    """What a write may change of what is known of a connection.

    `hold_until`: it tells that the service wants to be left alone. Whatever order they are in, that
    holds for all that begins in the same transaction.
    """

    connection: str
    limit: bool = False
    breaker: bool = False
    hold_until: float | None = None


def need_of(connection: str, allowed: Limits | None) -> Need:
    """What a permit needs."""
    return Need(connection, limit=allowed is not None and allowed.rate is not None)


def need_to_tell(what: Told) -> Need:
    """What it needs to keep what a call was told."""
    counts = what.quota is not None and what.quota.left <= PLENTY
    limit = counts or what.hold_until is not None
    return Need(what.connection, limit, what.evidence == "down", what.hold_until)


def tell_alone(c: Connection, tenant: str, what: Told, now: float) -> None:
    """Keep what a service asks for, though the run whose call heard it is another's, or over.

    It may have been kept before, so it counts for no breaker.
    """
    permits = Permits(c, tenant)
    permits.tell(replace(what, evidence=None), now)
    permits.close()


def asks_for_something(told: Told | None) -> bool:
    """Whether the service wants to be left alone, or counts calls."""
    return told is not None and (told.hold_until is not None or told.quota is not None)


class Permits:
    """Those of one tenant in one transaction, which asks once what is known of a connection.

    However many calls begin in it, the row of a limit is locked, read and written once.
    """

    def __init__(self, c: Connection, tenant: str) -> None:
        self._c = c
        self._tenant = tenant
        self._known: dict[str, _Known] = {}
        self._locked: dict[str, Limit] = {}  # as they were found
        self._limits: dict[str, Limit] = {}  # of these, as they are now
        self._waits: dict[tuple[str, str], Blocked] = {}  # runs that asked a connection in vain
        self.may_wake = False  # a service was told of: runs that wait for it may have been woken

    def lock(self, needs: Iterable[Need]) -> None:
        """Lock what may change, by name: two processes that need the same never wait crosswise."""
        wanted: dict[str, list[Need]] = {}
        for need in needs:
            wanted.setdefault(need.connection, []).append(need)
        for connection in sorted(wanted):
            known, mine = self._of(connection), wanted[connection]
            if any(need.breaker for need in mine) or not known.breaker.is_clean:
                breakers.lock(self._c, self._tenant, connection)
                del self._known[connection]  # another process may have been faster
            if any(need.limit for need in mine) or known.limit.was_told:
                until = max(need.hold_until or 0.0 for need in mine)
                self._limits[connection] = limits.held_until(self._lock(connection), until)

    def take(
        self,
        connection: str,
        allowed: Limits | None,
        now: float,
        trial_s: float,
        run: str,
        rank: int = tables.NORMAL,
    ) -> Blocked | None:
        """Take a permit for a run's call that lasts at most `trial_s`, or say why there is none."""
        if (waits := self._waits.get((connection, run))) is not None:
            return waits
        c, tenant, known = self._c, self._tenant, self._of(connection)
        if known.stop is not None:
            return Blocked("stop")
        is_closed = known.breaker.state == "closed"
        breaker = known.breaker if is_closed else breakers.read(c, tenant, connection)
        allowing = asked(breaker, now, trial_s)
        if allowing is None:
            return Blocked("service", breaker.until)
        limit = self._limit(connection)
        has_pace = pace_of(allowed, limit.left_alone_until, now) is not None
        counts = has_pace or limit.was_told
        if counts:
            limit = self._lock(connection)
        reserved = limits.NOTHING
        if has_pace and limit.queue_end > now - KEPT_S:  # else nobody can have reserved anything
            reserved = reservations.found(c, tenant, connection, run, rank, limit.put_off, now)
        now_is, retry_at, raises = limits.taken(limit, allowed, now, rank, reserved)
        if counts:
            self._limits[connection] = now_is
        if raises:
            reservations.raise_first(c, tenant, connection, now_is.put_off, now)
        if retry_at is not None:
            own = reserved.told(retry_at, rank)
            reservations.put(c, tenant, connection, run, own, now_is.put_off, now)
            waits = self._waits[connection, run] = Blocked("rate_limit", retry_at)
            return waits
        if reserved.own is not None:
            reservations.drop(c, tenant, connection, run)
        if allowing != breaker:
            breakers.put(c, tenant, connection, allowing)
            self._known.pop(connection)
        return None

    def tell(self, what: Told, now: float) -> None:
        """Keep what a call was told; runs that wait for the service go on once it answers again."""
        self._tell_breaker(what, now)  # before the limit, as `take`: none waits for another's row
        connection = what.connection
        if what.hold_until is not None:
            self._limits[connection] = limits.held_until(self._lock(connection), what.hold_until)
        if what.quota is not None and what.quota.left <= PLENTY:
            limit = limits.counted_down(self._lock(connection), what.quota, now)
            self._limits[connection] = limit

    def _tell_breaker(self, what: Told, now: float) -> None:
        c, tenant, connection = self._c, self._tenant, what.connection
        is_clean = what.evidence == "answered" and self._of(connection).breaker.is_clean
        if what.evidence is None or is_clean:
            return
        self.may_wake = True
        breakers.tell(c, tenant, connection, what.evidence, what.began_at, now, what.because)
        self._known.pop(connection, None)

    def close(self) -> None:
        """Write what has become of the limits."""
        for connection, limit in self._limits.items():
            if limit != self._locked[connection]:
                limits.put(self._c, self._tenant, connection, limit)

    def _of(self, connection: str) -> _Known:
        found = self._known.get(connection)
        if found is None:
            found = _KNOWN.one(self._c, {"tenant": self._tenant, "connection": connection})
            assert found is not None  # noqa: S101 - it is one row, whatever is known
            self._known[connection] = found
        return found

    def _limit(self, connection: str) -> Limit:
        """As it stands, whether it is locked or not."""
        return self._limits.get(connection) or self._of(connection).limit

    def _lock(self, connection: str) -> Limit:
        if connection not in self._limits:
            found = limits.lock(self._c, self._tenant, connection)
            self._locked[connection] = self._limits[connection] = found
        return self._limits[connection]
