"""Rate limits by GCRA (the virtual scheduling form of ITU-T I.371), one row a connection.

`arrival` is when the next call would come if calls came evenly; a call may come `burst - 1`
intervals before it. Taking a permit is one statement, which decides and moves it at once.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Table, case, select
from sqlalchemy.dialects import postgresql, sqlite

from connectors.spec import Limits
from executor.store.tables import limits

_INSERT: Mapping[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def acquire(
    c: Connection, tenant: str, key: str, allowed: Limits | None, now: float
) -> float | None:
    """Take one permit and return None, or take nothing and return when to ask again."""
    if allowed is None:
        held_until = _row(c, tenant, key)[1]
        return held_until if held_until > now else None
    interval = allowed.per_s / allowed.rate
    early = (allowed.burst - 1) * interval
    statement = _INSERT[c.dialect.name](limits).values(
        tenant=tenant, key=key, arrival=now + interval, hold_until=0.0
    )
    arrival = limits.c.arrival
    taken = c.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant", "key"],
            set_={"arrival": case((arrival > now, arrival), else_=now) + interval},
            where=(arrival - early <= now) & (limits.c.hold_until <= now),
        ).returning(limits.c.key)
    )
    if taken.first() is not None:
        return None
    arrived, held_until = _row(c, tenant, key)
    return max(arrived - early, held_until)


def hold(c: Connection, tenant: str, key: str, until: float) -> None:
    """Let nothing through before `until`: what Retry-After asked for is never undercut."""
    statement = _INSERT[c.dialect.name](limits).values(
        tenant=tenant, key=key, arrival=0.0, hold_until=until
    )
    c.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant", "key"],
            set_={"hold_until": until},
            where=limits.c.hold_until < until,
        )
    )


def _row(c: Connection, tenant: str, key: str) -> tuple[float, float]:
    row = c.execute(
        select(limits.c.arrival, limits.c.hold_until).where(
            limits.c.tenant == tenant, limits.c.key == key
        )
    ).one_or_none()
    return (0.0, 0.0) if row is None else (row.arrival, row.hold_until)
