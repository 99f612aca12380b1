"""Circuit breakers as rows, one a connection of a tenant; what they do is `executor/breaker.py`."""

from dataclasses import asdict, fields

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.sql import ClauseElement

from executor.breaker import Breaker, Evidence, told
from executor.store import waking
from executor.store.statement import Change, Query
from executor.store.tables import breakers
from executor.store.upsert import insert_into

MOST_WOKEN = 10_000  # at once, once a service answers again

_ONE = select(breakers).where(
    breakers.c.tenant == bindparam("tenant"), breakers.c.connection == bindparam("connection")
)
_LOCKED = _ONE.with_for_update()
_STATES = [breakers.c[each.name] for each in fields(Breaker)]
_STANDING = Query(_ONE.with_only_columns(*_STATES), Breaker)
_HELD = Query(_LOCKED.with_only_columns(*_STATES), Breaker)


def _put(dialect: str) -> ClauseElement:
    statement = insert_into(dialect, breakers)
    changed = {each.name: statement.excluded[each.name] for each in _STATES}
    return statement.on_conflict_do_update(index_elements=["tenant", "connection"], set_=changed)


_PUT = Change(_put)
_PUT_FIRST = Change(lambda dialect: insert_into(dialect, breakers).on_conflict_do_nothing())


def read(c: Connection, tenant: str, connection: str) -> Breaker:
    """How it stands; one that may change is locked where the database locks rows."""
    which = {"tenant": tenant, "connection": connection}
    row = c.execute(_ONE, which).one_or_none()
    if row is not None and row.state != "closed":
        row = c.execute(_LOCKED, which).one()
    return Breaker() if row is None else _breaker(row)


def lock(c: Connection, tenant: str, connection: str) -> Breaker:
    """How it stands, and nobody else changes it before this transaction has ended."""
    which = {"tenant": tenant, "connection": connection}
    found = _HELD.one(c, which)
    if found is None:  # or of two processes that tell the first failure at once, one is not counted
        _PUT_FIRST.once(c, which | asdict(Breaker()))
        found = _HELD.one(c, which) or Breaker()
    return found


def listed(c: Connection, tenant: str) -> dict[str, Breaker]:
    """Every one that a tenant has."""
    rows = c.execute(select(breakers).where(breakers.c.tenant == tenant))
    return {row.connection: _breaker(row) for row in rows}


def put(c: Connection, tenant: str, connection: str, now_is: Breaker) -> None:
    """Keep how it stands."""
    _PUT.once(c, {"tenant": tenant, "connection": connection, **asdict(now_is)})


def tell(
    c: Connection,
    tenant: str,
    connection: str,
    evidence: Evidence,
    began_at: float,
    now: float,
    because: str,
) -> None:
    """Count how a call ended; once the service answers again, what waits for it goes on.

    Of very many the most important go on at once, and the rest at the times until which they wait.
    """
    which = {"tenant": tenant, "connection": connection}
    known = _STANDING.one(c, which)
    if evidence == "answered" and (known is None or known.is_clean):
        return
    before = lock(c, tenant, connection)
    after = told(before, evidence, began_at, now, because)
    if after == before:
        return
    put(c, tenant, connection, after)
    if after.state == "closed" and before.state != "closed":
        waking.wake_some(c, "service", now, tenant, MOST_WOKEN)


def _breaker(row: Row[tuple[object, ...]]) -> Breaker:
    return Breaker(row.state, row.failures, row.until, row.pause_s, row.changed_at, row.because)
