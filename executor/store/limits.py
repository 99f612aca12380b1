"""Rate limits by GCRA (the virtual scheduling form of ITU-T I.371), one row a connection.

`arrival` is when the next call would come if calls came evenly; a call may come `burst - 1`
intervals before it. Taking a permit is one statement, which decides and moves it at once.

Who gets none is told when to come again. `queue_end` moves on by one interval for each of them, so
that a thousand that wait come one after the other, and not all together for the same permit.
"""

from sqlalchemy import Connection, Double, bindparam, case, select, update
from sqlalchemy.sql import ClauseElement

from connectors.spec import Limits
from executor.store.statement import Change, Query
from executor.store.tables import limits
from executor.store.upsert import insert_into


def acquire(
    c: Connection, tenant: str, key: str, allowed: Limits | None, now: float
) -> float | None:
    """Take one permit and return None, or take nothing and return when to ask again."""
    if allowed is None or allowed.rate is None:
        held_until = _row(c, tenant, key)[1]
        return held_until if held_until > now else None
    interval = allowed.per_s / allowed.rate
    early = (allowed.burst - 1) * interval
    values = {"tenant": tenant, "key": key, "first": now + interval}
    if _TAKE.one(c, values | {"now": now, "interval": interval, "early": early}) is not None:
        return None
    return _queue(c, tenant, key, interval, early)


def _take(dialect: str) -> ClauseElement:
    """Take a permit if there is one: the row comes back only then."""
    arrival, now = limits.c.arrival, bindparam("now", type_=Double)
    statement = insert_into(dialect, limits).values(
        tenant=bindparam("tenant"), key=bindparam("key"), arrival=bindparam("first"),
        hold_until=0.0, queue_end=0.0,
    )  # fmt: skip
    moved = case((arrival > now, arrival), else_=now) + bindparam("interval", type_=Double)
    is_there = (arrival - bindparam("early", type_=Double) <= now) & (limits.c.hold_until <= now)
    return statement.on_conflict_do_update(
        index_elements=["tenant", "key"], set_={"arrival": moved}, where=is_there
    ).returning(limits.c.key)


_TAKE = Query(_take, str)


def hold(c: Connection, tenant: str, key: str, until: float) -> None:
    """Let nothing through before `until`: what Retry-After asked for is never undercut."""
    row = {"tenant": tenant, "key": key, "arrival": 0.0, "hold_until": until, "queue_end": 0.0}
    _HOLD.once(c, row)


def _hold(dialect: str) -> ClauseElement:
    statement = insert_into(dialect, limits)
    until = statement.excluded.hold_until
    return statement.on_conflict_do_update(
        index_elements=["tenant", "key"],
        set_={"hold_until": until},
        where=limits.c.hold_until < until,
    )


_HOLD = Change(_hold)


def held(c: Connection, tenant: str, now: float) -> dict[str, float]:
    """Until when services have asked to be left alone, by connection."""
    rows = c.execute(
        select(limits.c.key, limits.c.hold_until).where(
            limits.c.tenant == tenant, limits.c.hold_until > now
        )
    )
    return {row.key: row.hold_until for row in rows}


def _queue(c: Connection, tenant: str, key: str, interval: float, early: float) -> float:
    """When to come again: once a permit is free and those that asked earlier have come."""
    arrived, held_until, queue_end = _row(c, tenant, key)
    turn = max(arrived - early, held_until, queue_end)
    c.execute(
        update(limits)
        .where(limits.c.tenant == tenant, limits.c.key == key)
        .values(queue_end=turn + interval)
    )
    return turn


def _row(c: Connection, tenant: str, key: str) -> tuple[float, float, float]:
    row = c.execute(
        select(limits.c.arrival, limits.c.hold_until, limits.c.queue_end).where(
            limits.c.tenant == tenant, limits.c.key == key
        )
    ).one_or_none()
    return (0.0, 0.0, 0.0) if row is None else (row.arrival, row.hold_until, row.queue_end)
