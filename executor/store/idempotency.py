"""Answers to POST requests by their Idempotency-Key, for thirty days."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, tuple_

from connectors.spec import Principal
from executor.store.kept import KEPT_S
from executor.store.tables import idempotency

SOME = 20  # that go as one comes


@dataclass(frozen=True)
class Kept:
    """The answer that was given to this key, and the hash of the body it was given to."""

    body_hash: str
    status: int
    answer: str


def find(c: Connection, by: Principal, route: str, key: str, now: float) -> Kept | None:
    """The answer kept for a key of this principal on this route."""
    row = c.execute(
        select(idempotency).where(
            idempotency.c.tenant == by.tenant,
            idempotency.c.principal == by.id,
            idempotency.c.route == route,
            idempotency.c.key == key,
            idempotency.c.created_at > now - KEPT_S,
        )
    ).one_or_none()
    return None if row is None else Kept(row.body_hash, row.status, row.answer)


def keep(c: Connection, by: Principal, route: str, key: str, kept: Kept, now: float) -> None:
    """Keep an answer; what is older than thirty days goes, a little with each that comes."""
    forget(c, now - KEPT_S, SOME)
    c.execute(
        delete(idempotency).where(
            idempotency.c.tenant == by.tenant,
            idempotency.c.principal == by.id,
            idempotency.c.route == route,
            idempotency.c.key == key,
            idempotency.c.created_at <= now - KEPT_S,
        )
    )
    c.execute(
        insert(idempotency).values(
            tenant=by.tenant,
            principal=by.id,
            route=route,
            key=key,
            body_hash=kept.body_hash,
            status=kept.status,
            answer=kept.answer,
            created_at=now,
        )
    )


def forget(c: Connection, until: float, most: int) -> int:
    """Delete answers of this time or before, at most so many and the oldest first; how many."""
    is_old = idempotency.c.created_at <= until
    old = select(*idempotency.primary_key).where(is_old).order_by(idempotency.c.created_at)
    some = old.limit(most).with_for_update(skip_locked=True)
    key_of = tuple_(*idempotency.primary_key)
    return c.execute(delete(idempotency).where(key_of.in_(some))).rowcount
