"""Stored credentials, sealed by whoever keeps the master keys: the store never sees a secret.

A row says in the open what is no secret (its kind, where its authorisation server is) and holds
the rest sealed. `generation` counts its changes: who has read an older one writes nothing. It
begins anywhere, so that what was removed and set again is not taken for what it was before.
A refresh is leased to one process at a time, so that a refresh token is used once.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, tuple_, update

from connectors.spec import JsonObject
from executor.store import ids
from executor.store.tables import audits, consents, credentials
from executor.store.text import to_object, to_text

Standing = Literal["ready", "unconnected", "refused"]
SealedAnew = Callable[[str, str, str], str | None]
Place = tuple[str, str] | None  # a tenant, and the name of a credential; None: all are done
FIRST: Place = ("", "")
TOGETHER = 100  # that are sealed anew in one transaction while others write
_ANYWHERE = 2**30  # below this; a column holds twice as much


@dataclass(frozen=True)
class CredentialRow:
    """One credential; `sealed` holds everything about it that is secret."""

    tenant: str
    id: str
    kind: str
    settings: JsonObject
    sealed: str
    standing: Standing
    reason: str | None
    expires_at: float | None
    generation: int
    leased_until: float
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class ConsentRow:
    """One person's asking a service for access: begun by them, and over soon."""

    tenant: str
    ticket_hash: str
    credential: str
    principal: str
    state_hash: str | None
    browser_hash: str | None
    sealed: str
    redirect_uri: str
    expires_at: float


@dataclass(frozen=True)
class AuditRow:
    """What an operator did, or what became of it: never changed, never deleted."""

    tenant: str
    id: str
    at: float
    by: str
    act: str
    subject: str
    detail: JsonObject


def put(c: Connection, row: CredentialRow) -> bool:
    """Set a credential, new or instead of another; True if it is new.

    What was asked of the other's service is over.
    """
    _end_consents(c, row.tenant, row.id)
    values = {
        "kind": row.kind,
        "settings": to_text(row.settings),
        "sealed": row.sealed,
        "standing": row.standing,
        "reason": row.reason,
        "expires_at": row.expires_at,
        "leased_until": 0.0,
        "updated_at": row.updated_at,
    }
    changed = c.execute(
        update(credentials)
        .where(_is(row.tenant, row.id))
        .values(generation=credentials.c.generation + 1, **values)
    )
    if changed.rowcount:
        return False
    first = {"tenant": row.tenant, "id": row.id, "created_at": row.created_at}
    begins_at = secrets.randbelow(_ANYWHERE)
    c.execute(insert(credentials).values(**first, generation=begins_at, **values))
    return True


def get(c: Connection, tenant: str, name: str) -> CredentialRow | None:
    """One credential."""
    row = c.execute(select(credentials).where(_is(tenant, name))).one_or_none()
    return None if row is None else _row(row)


def listed(
    c: Connection, tenant: str | None = None, *, after: str = "", limit: int | None = None
) -> list[CredentialRow]:
    """The credentials of a tenant, or of all, by id: those that come after one."""
    query = select(credentials).where(credentials.c.id > after)
    if tenant is not None:
        query = query.where(credentials.c.tenant == tenant)
    ordered = query.order_by(credentials.c.tenant, credentials.c.id).limit(limit)
    return [_row(row) for row in c.execute(ordered)]


def remove(c: Connection, tenant: str, name: str) -> bool:
    """Delete a credential with all that was sealed of it; False if there is none."""
    _end_consents(c, tenant, name)
    return c.execute(delete(credentials).where(_is(tenant, name))).rowcount == 1


def lease(c: Connection, row: CredentialRow, until: float, now: float) -> bool:
    """Take the one right to refresh it; False if somebody has it, or has refreshed it."""
    taken = c.execute(
        update(credentials)
        .where(_is(row.tenant, row.id), credentials.c.generation == row.generation)
        .where(credentials.c.leased_until <= now)
        .values(leased_until=until)
    )
    return taken.rowcount == 1


def release(c: Connection, row: CredentialRow) -> None:
    """Let others refresh it, for nothing came of it."""
    c.execute(
        update(credentials)
        .where(_is(row.tenant, row.id), credentials.c.generation == row.generation)
        .values(leased_until=0.0)
    )


def renew(
    c: Connection,
    row: CredentialRow,
    now: float,
    *,
    sealed: str | None = None,
    expires_at: float | None = None,
    standing: Standing = "ready",
    reason: str | None = None,
) -> bool:
    """Write what became of it; False if it was changed meanwhile, for that counts.

    What is `sealed` of it stays if nothing else is given: it may have been sealed anew by now.
    """
    changed = c.execute(
        update(credentials)
        .where(_is(row.tenant, row.id), credentials.c.generation == row.generation)
        .values(
            sealed=credentials.c.sealed if sealed is None else sealed,
            expires_at=expires_at,
            standing=standing,
            reason=reason,
            generation=row.generation + 1,
            leased_until=0.0,
            updated_at=now,
        )
    )
    return changed.rowcount == 1


def expire(c: Connection, row: CredentialRow) -> None:
    """Have it renewed before it is used again, and leave whoever is renewing it alone."""
    c.execute(
        update(credentials)
        .where(_is(row.tenant, row.id), credentials.c.generation == row.generation)
        .values(expires_at=0.0)
    )


def reseal(c: Connection, sealed_anew: SealedAnew) -> int:
    """Seal every row anew that `sealed_anew(sealed, tenant, name)` gives something for."""
    changed, place = 0, FIRST
    while place is not None:
        some, place = reseal_some(c, sealed_anew, place)
        changed += some
    return changed


def reseal_some(
    c: Connection, sealed_anew: SealedAnew, after: tuple[str, str]
) -> tuple[int, Place]:
    """The same of the next `TOGETHER` rows after a place; how many, and where to go on."""
    key, changed = (credentials.c.tenant, credentials.c.id), 0
    page = select(*key, credentials.c.sealed).where(tuple_(*key) > tuple_(*after))
    rows = c.execute(page.order_by(*key).limit(TOGETHER)).all()
    for row in rows:
        fresh = sealed_anew(row.sealed, row.tenant, row.id)
        if fresh is not None:
            # Its generation stays: what it says is the same, and a refresh may be under way.
            done = c.execute(
                update(credentials)
                .where(_is(row.tenant, row.id), credentials.c.sealed == row.sealed)
                .values(sealed=fresh)
            )
            changed += done.rowcount
    return changed, (rows[-1].tenant, rows[-1].id) if len(rows) == TOGETHER else None


def reseal_consents(c: Connection, sealed_anew: SealedAnew) -> None:
    """The same of the consents that are under way."""
    under_way = select(consents.c.tenant, consents.c.ticket_hash, consents.c.sealed)
    for row in c.execute(under_way).all():
        fresh = sealed_anew(row.sealed, row.tenant, row.ticket_hash)
        if fresh is not None:
            which = (consents.c.tenant == row.tenant, consents.c.ticket_hash == row.ticket_hash)
            c.execute(update(consents).where(*which).values(sealed=fresh))


def begin(c: Connection, row: ConsentRow, now: float) -> None:
    """Keep what somebody has begun; what is over goes."""
    c.execute(delete(consents).where(consents.c.expires_at <= now))
    c.execute(
        insert(consents).values(
            tenant=row.tenant,
            ticket_hash=row.ticket_hash,
            credential=row.credential,
            principal=row.principal,
            state_hash=row.state_hash,
            browser_hash=row.browser_hash,
            sealed=row.sealed,
            redirect_uri=row.redirect_uri,
            expires_at=row.expires_at,
        )
    )


def opened(
    c: Connection, ticket_hash: str, now: float, *, state_hash: str, browser_hash: str, sealed: str
) -> bool:
    """Bind what was begun to the browser that opened it; the newest one counts."""
    bound = c.execute(
        update(consents)
        .where(consents.c.ticket_hash == ticket_hash, consents.c.expires_at > now)
        .values(state_hash=state_hash, browser_hash=browser_hash, sealed=sealed)
    )
    return bound.rowcount == 1


def consent_of_ticket(c: Connection, ticket_hash: str, now: float) -> ConsentRow | None:
    """What was begun with a ticket, if it is not over."""
    return _consent(c, consents.c.ticket_hash == ticket_hash, now)


def take_consent(c: Connection, state_hash: str, now: float) -> ConsentRow | None:
    """What was begun with a state, for this once."""
    found = _consent(c, consents.c.state_hash == state_hash, now)
    if found is not None:
        gone = c.execute(delete(consents).where(consents.c.state_hash == state_hash))
        return found if gone.rowcount == 1 else None
    return None


def audit(
    c: Connection, tenant: str, by: str, act: str, subject: str, now: float, **detail: str | int
) -> None:
    """Note what was done, in the transaction that does it."""
    told: JsonObject = dict(detail)
    c.execute(
        insert(audits).values(
            tenant=tenant,
            id=ids.new("aud"),
            at=now,
            principal=by,
            act=act,
            subject=subject,
            detail=to_text(told),
        )
    )


def audited(c: Connection, tenant: str, subject: str, limit: int = 100) -> list[AuditRow]:
    """What was done with something, newest first."""
    found = c.execute(
        select(audits)
        .where(audits.c.tenant == tenant, audits.c.subject == subject)
        .order_by(audits.c.at.desc(), audits.c.id)
        .limit(limit)
    )
    return [
        AuditRow(row.tenant, row.id, row.at, row.principal, row.act, row.subject,
                 to_object(row.detail))
        for row in found
    ]  # fmt: skip


def _end_consents(c: Connection, tenant: str, name: str) -> None:
    c.execute(delete(consents).where(consents.c.tenant == tenant, consents.c.credential == name))


def _consent(c: Connection, which: ColumnElement[bool], now: float) -> ConsentRow | None:
    row = c.execute(select(consents).where(which, consents.c.expires_at > now)).one_or_none()
    if row is None:
        return None
    return ConsentRow(
        row.tenant,
        row.ticket_hash,
        row.credential,
        row.principal,
        row.state_hash,
        row.browser_hash,
        row.sealed,
        row.redirect_uri,
        row.expires_at,
    )


def _is(tenant: str, name: str) -> ColumnElement[bool]:
    return and_(credentials.c.tenant == tenant, credentials.c.id == name)


def _row(row: Row[tuple[object, ...]]) -> CredentialRow:
    return CredentialRow(
        row.tenant,
        row.id,
        row.kind,
        to_object(row.settings),
        row.sealed,
        row.standing,
        row.reason,
        row.expires_at,
        row.generation,
        row.leased_until,
        row.created_at,
        row.updated_at,
    )
