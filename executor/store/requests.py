"""Requests: the words, what was asked and answered, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from connectors.spec import JsonObject, Principal
from executor.store.drives import RANKS, Claim, Due, Priority, hold_row
from executor.store.statement import newest_first, one_of
from executor.store.tables import requests
from executor.store.text import to_object, to_text, to_texts
from executor.store.waking import wake


@dataclass(frozen=True)
class RequestRow:
    """One request; `detail` holds its questions, drafts and violations."""

    tenant: str
    id: str
    principal: Principal
    text: str
    inputs: JsonObject
    answers: Mapping[str, str]
    model: str | None
    start: str
    priority: Priority
    status: str
    code: str | None
    detail: JsonObject
    plan: str | None
    run: str | None
    created_at: float
    updated_at: float


def create(
    c: Connection,
    *,
    request: str,
    principal: Principal,
    text: str,
    inputs: JsonObject,
    model: str | None,
    start: str,
    now: float,
    priority: Priority = "normal",
) -> None:
    """Keep a request that was received; it is planned by a drive."""
    c.execute(
        insert(requests).values(
            tenant=principal.tenant,
            id=request,
            principal=principal.id,
            roles=to_text(sorted(principal.roles)),
            text=text,
            inputs=to_text(inputs),
            answers=to_text({}),
            model=model,
            start=start,
            detail=to_text({}),
            priority=RANKS[priority],
            status="received",
            created_at=now,
            updated_at=now,
        )
    )


def get(c: Connection, tenant: str, request: str) -> RequestRow | None:
    """One request of a tenant."""
    row = c.execute(
        select(requests).where(requests.c.tenant == tenant, requests.c.id == request)
    ).one_or_none()
    return None if row is None else _row(row)


def newest(
    c: Connection,
    tenant: str,
    *,
    status: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[RequestRow]:
    """The newest requests of a tenant first; with `before`, those that are older than that one."""
    query = select(requests)
    if status is not None:
        query = query.where(requests.c.status == status)
    rows = c.execute(newest_first(query, requests, tenant, before=before, limit=limit))
    return [_row(row) for row in rows]


def answer(
    c: Connection, tenant: str, request: str, answers: Mapping[str, str], now: float
) -> bool:
    """Add answers and have the request planned again; False if it does not wait for any."""
    hold_row(c, Due("request", tenant, request))
    row = get(c, tenant, request)
    if row is None or row.status != "needs_answer":
        return False
    return _again(c, row, now, answers=to_text({**row.answers, **answers}))


def retry(c: Connection, tenant: str, request: str, now: float) -> bool:
    """Have a request planned again after the planner was unavailable."""
    hold_row(c, Due("request", tenant, request))
    row = get(c, tenant, request)
    if row is None or row.status != "planner_unavailable":
        return False
    return _again(c, row, now)


def cancel(c: Connection, tenant: str, request: str, now: float) -> bool:
    """Give up a request that waits for an answer or for a model; False if it does not wait."""
    hold_row(c, Due("request", tenant, request))
    done = c.execute(
        update(requests)
        .where(requests.c.tenant == tenant, requests.c.id == request)
        .where(one_of(requests.c.status, ("needs_answer", "planner_unavailable")))
        .values(status="cancelled", code=None, wake_at=None, updated_at=now)
    )
    return done.rowcount == 1


def settle(
    c: Connection,
    claim: Claim,
    *,
    detail: JsonObject,
    plan: str | None = None,
    run: str | None = None,
) -> bool:
    """Keep what planning came to; False if another drive has taken over."""
    settled = c.execute(
        update(requests)
        .where(requests.c.tenant == claim.tenant, requests.c.id == claim.id)
        .where(requests.c.epoch == claim.epoch)
        .values(detail=to_text(detail), plan=plan, run=run)
    )
    return settled.rowcount == 1


def set_run(c: Connection, tenant: str, request: str, run: str) -> None:
    """Say which run a planned request became."""
    c.execute(
        update(requests)
        .where(requests.c.tenant == tenant, requests.c.id == request)
        .values(run=run)
    )


def _again(c: Connection, row: RequestRow, now: float, **changes: str) -> bool:
    c.execute(
        update(requests)
        .where(requests.c.tenant == row.tenant, requests.c.id == row.id)
        .values(status="received", code=None, updated_at=now, **changes)
    )
    wake(c, Due("request", row.tenant, row.id), now)
    return True


def _row(row: Row[tuple[object, ...]]) -> RequestRow:
    return RequestRow(
        row.tenant,
        row.id,
        Principal(row.principal, row.tenant, frozenset(to_texts(row.roles))),
        row.text,
        to_object(row.inputs),
        {key: str(value) for key, value in to_object(row.answers).items()},
        row.model,
        row.start,
        next(name for name, rank in RANKS.items() if rank == row.priority),
        row.status,
        row.code,
        to_object(row.detail),
        row.plan,
        row.run,
        row.created_at,
        row.updated_at,
    )
