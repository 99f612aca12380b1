"""Rate limits by GCRA (the virtual scheduling form of ITU-T I.371), one row a connection."""

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from connectors.spec import Limits
from executor.store.tables import limits


def acquire(
    c: Connection, tenant: str, key: str, allowed: Limits | None, now: float
) -> float | None:
    """Take one permit and return None, or take nothing and return when to ask again."""
    row = c.execute(
        select(limits.c.arrival, limits.c.hold_until).where(
            limits.c.tenant == tenant, limits.c.key == key
        )
    ).one_or_none()
    if row is not None and row.hold_until > now:
        held: float = row.hold_until
        return held
    if allowed is None:
        return None
    interval = allowed.per_s / allowed.rate
    arrival = max(now, row.arrival if row is not None else now)
    earliest = arrival - (allowed.burst - 1) * interval
    if earliest > now:
        return earliest
    _put(c, tenant, key, arrival=arrival + interval)
    return None


def hold(c: Connection, tenant: str, key: str, until: float) -> None:
    """Let nothing through before `until`: what Retry-After asked for is never undercut."""
    statement = insert(limits).values(tenant=tenant, key=key, arrival=0.0, hold_until=until)
    later = statement.excluded.hold_until > limits.c.hold_until
    c.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant", "key"], set_={"hold_until": until}, where=later
        )
    )


def _put(c: Connection, tenant: str, key: str, *, arrival: float) -> None:
    statement = insert(limits).values(tenant=tenant, key=key, arrival=arrival, hold_until=0.0)
    c.execute(
        statement.on_conflict_do_update(index_elements=["tenant", "key"], set_={"arrival": arrival})
    )
