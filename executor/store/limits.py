"""Rate limits by GCRA (the virtual scheduling form of ITU-T I.371), one row a connection.

`arrival` is when the next call would come if calls came evenly; a call may come `burst - 1`
intervals before it. Taking a permit is one statement, which decides and moves it at once.

Who gets none is told when to come again. `queue_end` moves on by one interval for each of them, so
that a thousand that wait come one after the other, and not all together for the same permit.

What a service says that it still takes (`quota_left` until `quota_until`) is counted down by each
permit: its next answer may come after many calls have begun. Until it renews it only goes down.
"""

from sqlalchemy import Connection, Double, Integer, bindparam, case, select, update
from sqlalchemy.sql import ClauseElement

from connectors.quota import Quota
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
    _HOLD.once(c, row | {"quota_left": None, "quota_until": None})


def _hold(dialect: str) -> ClauseElement:
    statement = insert_into(dialect, limits)
    until = statement.excluded.hold_until
    return statement.on_conflict_do_update(
        index_elements=["tenant", "key"],
        set_={"hold_until": until},
        where=limits.c.hold_until < until,
    )


_HOLD = Change(_hold)


def spend(c: Connection, tenant: str, key: str) -> bool:
    """Count one call down; False where none is left any more."""
    return _SPEND.once(c, {"of": tenant, "connection": key}) > 0


_SPEND = Change(
    update(limits)
    .where(
        limits.c.tenant == bindparam("of"),
        limits.c.key == bindparam("connection"),
        limits.c.quota_left > 0,
    )
    .values(quota_left=limits.c.quota_left - 1)
)


def count_down(c: Connection, tenant: str, key: str, quota: Quota, now: float) -> None:
    """Begin with what a service says, or go on with it if it is less than what was counted."""
    values = {"tenant": tenant, "key": key, "now": now, "left": quota.left}
    _COUNT_DOWN.once(c, values | {"until": now + quota.renews_in_s})


def _count_down(dialect: str) -> ClauseElement:
    left, until = bindparam("left", type_=Integer), bindparam("until", type_=Double)
    counts = limits.c.quota_until > bindparam("now", type_=Double)
    statement = insert_into(dialect, limits).values(
        tenant=bindparam("tenant"), key=bindparam("key"), arrival=0.0, hold_until=0.0,
        queue_end=0.0, quota_left=left, quota_until=until,
    )  # fmt: skip
    is_less = counts & (limits.c.quota_left < left)
    is_no_more = counts & (limits.c.quota_left <= left)
    return statement.on_conflict_do_update(
        index_elements=["tenant", "key"],
        set_={
            "quota_left": case((is_less, limits.c.quota_left), else_=left),
            "quota_until": case((is_no_more, limits.c.quota_until), else_=until),
        },
    )


_COUNT_DOWN = Change(_count_down)


def held(c: Connection, tenant: str, now: float) -> dict[str, float]:
    """Until when services have asked to be left alone, by connection."""
    rows = c.execute(
        select(limits.c.key, limits.c.hold_until).where(
            limits.c.tenant == tenant, limits.c.hold_until > now
        )
    )
    return {row.key: row.hold_until for row in rows}


def quotas(c: Connection, tenant: str, now: float) -> dict[str, tuple[int, float]]:
    """How many calls services still take, and until when that holds, where it is counted."""
    rows = c.execute(
        select(limits.c.key, limits.c.quota_left, limits.c.quota_until).where(
            limits.c.tenant == tenant, limits.c.quota_until > now
        )
    )
    return {row.key: (row.quota_left, row.quota_until) for row in rows}


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
