"""API keys: only the SHA-256 of a secret is kept."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from connectors.spec import Principal
from executor.store.statement import oldest_first
from executor.store.tables import keys
from executor.store.text import to_text, to_texts


@dataclass(frozen=True)
class KeyRow:
    """One key, without its secret."""

    id: str
    principal: Principal
    created_at: float
    revoked_at: float | None


def hash_of(secret: str) -> str:
    """What is kept of a secret; it is 256 random bits, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add(c: Connection, key: str, principal: Principal, secret: str, now: float) -> None:
    """Keep a new key."""
    c.execute(
        insert(keys).values(
            tenant=principal.tenant,
            id=key,
            principal=principal.id,
            roles=to_text(sorted(principal.roles)),
            secret_hash=hash_of(secret),
            created_at=now,
        )
    )


def find(c: Connection, secret: str) -> KeyRow | None:
    """The key of a secret, revoked or not."""
    row = c.execute(select(keys).where(keys.c.secret_hash == hash_of(secret))).one_or_none()
    return None if row is None else _row(row)


def is_good(c: Connection, tenant: str, key: str) -> bool:
    """Whether a key that was let in may stay."""
    row = c.execute(
        select(keys.c.id).where(
            keys.c.tenant == tenant, keys.c.id == key, keys.c.revoked_at.is_(None)
        )
    ).one_or_none()
    return row is not None


def revoke(c: Connection, tenant: str, key: str, now: float) -> bool:
    """End a key; False if there is no such key or it was revoked before."""
    done = c.execute(
        update(keys)
        .where(keys.c.tenant == tenant, keys.c.id == key, keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount == 1


def get(c: Connection, tenant: str, key: str) -> KeyRow | None:
    """One key of a tenant, revoked or not."""
    of_it = select(keys).where(keys.c.tenant == tenant, keys.c.id == key)
    row = c.execute(of_it).one_or_none()
    return None if row is None else _row(row)


def listed(
    c: Connection, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[KeyRow]:
    """A tenant's keys, oldest first; with `after`, those younger than that one."""
    found = c.execute(oldest_first(select(keys), keys, tenant, after=after, limit=limit))
    return [_row(row) for row in found]


def _row(row: Row[tuple[object, ...]]) -> KeyRow:
    principal = Principal(row.principal, row.tenant, frozenset(to_texts(row.roles)))
    return KeyRow(row.id, principal, row.created_at, row.revoked_at)
