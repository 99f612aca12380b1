"""Approvals: each is of exactly what was shown, and covers that or what lies in its bands."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select, update

from connectors.spec import JsonObject
from executor.check.envelope import Envelope
from executor.check.grant import Grant
from executor.store import attempts
from executor.store.statement import Change, Query, addition, alteration, oldest_first
from executor.store.tables import approvals
from executor.store.text import to_object, to_text, to_texts

Kind = Literal["step", "envelope"]

_ADD = addition(approvals)
# An update would take the names of columns for what it is to set.
_CLOSE = alteration(
    dict.fromkeys(("whose", "of_run", "ends_as"), str),
    lambda of: (
        update(approvals)
        .where(approvals.c.tenant == of["whose"], approvals.c.run == of["of_run"])
        .where(approvals.c.state == "open")
        .values(state=of["ends_as"])
    ),
)


_SUPERSEDE = Change(
    update(approvals)
    .where(approvals.c.tenant == bindparam("whose"), approvals.c.run == bindparam("of_run"))
    .where(approvals.c.step == bindparam("of_step"))
    .where(approvals.c.iteration == bindparam("of_item"))
    .where(approvals.c.role == bindparam("of_role"), approvals.c.state == "open")
    .values(state="void")
)


@dataclass(frozen=True)
class ApprovalRow:
    """One question to an approver, with the full arguments that it is about.

    Those of an envelope are the envelope, as the approvers so far have narrowed it.
    """

    tenant: str
    id: str
    run: str
    kind: Kind
    step: str  # "" of an envelope
    steps: tuple[str, ...]
    iteration: str
    plan_digest: str
    action: str
    action_digest: str
    arguments: JsonObject
    args_hash: str
    policy_version: str | None
    policies: tuple[str, ...]
    reasons: tuple[str, ...]
    role: str
    quorum: int
    requester: str
    nonce: str
    state: str
    created_at: float
    expires_at: float


@dataclass(frozen=True)
class Called:
    """What an approval has to cover."""

    step: str
    iteration: str
    action_digest: str
    arguments: JsonObject
    beside: frozenset[str] = frozenset()  # the items that are about to be called under it, too


def create(c: Connection, row: ApprovalRow) -> None:
    """Ask."""
    _ADD.once(
        c,
        {
            "tenant": row.tenant,
            "id": row.id,
            "run": row.run,
            "kind": row.kind,
            "step": row.step,
            "steps": to_text(row.steps),
            "iteration": row.iteration,
            "plan_digest": row.plan_digest,
            "action": row.action,
            "action_digest": row.action_digest,
            "arguments": to_text(row.arguments),
            "args_hash": row.args_hash,
            "policy_version": row.policy_version,
            "policies": to_text(row.policies),
            "reasons": to_text(row.reasons),
            "role": row.role,
            "quorum": row.quorum,
            "requester": row.requester,
            "nonce": row.nonce,
            "state": row.state,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
        },
    )


def get(c: Connection, tenant: str, approval: str) -> ApprovalRow | None:
    """One approval of a tenant."""
    return _GET.one(c, {"whose": tenant, "which": approval})


def listed(
    c: Connection,
    tenant: str,
    *,
    state: str | None = None,
    run: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[ApprovalRow]:
    """A tenant's approvals, oldest first; with `after`, those younger than that one."""
    query = _EVERY
    if state is not None:
        query = query.where(approvals.c.state == state)
    if run is not None:
        query = query.where(approvals.c.run == run)
    found = c.execute(oldest_first(query, approvals, tenant, after=after, limit=limit))
    return [_row(*row) for row in found]


def covers(c: Connection, tenant: str, grant: Grant, call: Called, now: float) -> bool:
    """Whether it is granted for exactly this call, or with it inside its bands, and in time."""
    row = get(c, tenant, grant.approval)
    if row is None or row.state != "granted" or row.args_hash != grant.approved_hash:
        return False
    if row.kind == "envelope":
        return _is_inside(c, row, call, now)
    return row.action_digest == call.action_digest and now < row.expires_at


def _is_inside(c: Connection, row: ApprovalRow, call: Called, now: float) -> bool:
    envelope = Envelope.model_validate(row.arguments)
    step = envelope.of(call.step)
    if step is None or step.action_digest != call.action_digest:
        return False
    if now >= min(row.expires_at, envelope.expires_at or row.expires_at):
        return False
    begun = attempts.places_under(c, row.tenant, row.run, row.id, call.step) | call.beside
    others = begun - {call.iteration}
    return len(others) < step.calls and not [*step.departures(call.arguments)]


def close(c: Connection, *runs: tuple[str, str], state: Literal["void", "expired"]) -> None:
    """End every open approval of runs (tenant, id) that no longer wait for it."""
    _CLOSE.many(c, [{"whose": tenant, "of_run": run, "ends_as": state} for tenant, run in runs])


def supersede(c: Connection, row: ApprovalRow) -> None:
    """Make void what is still open of the same step and role: it is about to be asked anew."""
    _SUPERSEDE.once(
        c,
        {
            "whose": row.tenant,
            "of_run": row.run,
            "of_step": row.step,
            "of_item": row.iteration,
            "of_role": row.role,
        },
    )


def end(
    c: Connection, tenant: str, approval: str, state: Literal["granted", "refused", "expired"]
) -> bool:
    """End one approval; False if it is not open any more."""
    return _END.once(c, {"whose": tenant, "which": approval, "ends_as": state}) == 1


def _row(*found: Any) -> ApprovalRow:
    row = dict(zip(_COLUMNS, found, strict=True))
    row["arguments"] = to_object(row["arguments"])
    for name in ("steps", "policies", "reasons"):
        row[name] = to_texts(row[name])
    return ApprovalRow(**row)


_COLUMNS = tuple(each.name for each in fields(ApprovalRow))
_EVERY = select(*(approvals.c[name] for name in _COLUMNS))
_ONE = (approvals.c.tenant == bindparam("whose"), approvals.c.id == bindparam("which"))
_GET = Query(_EVERY.where(*_ONE), _row)
_END = Change(
    update(approvals).where(*_ONE, approvals.c.state == "open").values(state=bindparam("ends_as"))
)
