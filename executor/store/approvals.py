"""Approvals: bound to exactly what was shown, decided once, never by the requester."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from connectors.spec import JsonObject, Principal
from executor.check.grant import Grant
from executor.store import runs
from executor.store.drives import Due, hold_row, wake
from executor.store.tables import approvals, decisions
from executor.store.text import to_object, to_text, to_texts

Decision = Literal["approve", "refuse"]
Ruling = Literal[
    "granted", "refused", "counted", "repeated", "conflict", "expired", "void", "own", "role"
]


@dataclass(frozen=True)
class ApprovalRow:
    """One question to an approver, with the full arguments that it is about."""

    tenant: str
    id: str
    run: str
    step: str
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


def create(c: Connection, row: ApprovalRow) -> None:
    """Ask."""
    c.execute(
        insert(approvals).values(
            tenant=row.tenant,
            id=row.id,
            run=row.run,
            step=row.step,
            iteration=row.iteration,
            plan_digest=row.plan_digest,
            action=row.action,
            action_digest=row.action_digest,
            arguments=to_text(row.arguments),
            args_hash=row.args_hash,
            policy_version=row.policy_version,
            policies=to_text(row.policies),
            reasons=to_text(row.reasons),
            role=row.role,
            quorum=row.quorum,
            requester=row.requester,
            nonce=row.nonce,
            state=row.state,
            created_at=row.created_at,
            expires_at=row.expires_at,
        )
    )


def get(c: Connection, tenant: str, approval: str) -> ApprovalRow | None:
    """One approval of a tenant."""
    row = c.execute(
        select(approvals).where(approvals.c.tenant == tenant, approvals.c.id == approval)
    ).one_or_none()
    return None if row is None else _row(row)


def listed(
    c: Connection, tenant: str, *, state: str | None = None, run: str | None = None
) -> list[ApprovalRow]:
    """A tenant's approvals, oldest first."""
    query = select(approvals).where(approvals.c.tenant == tenant)
    if state is not None:
        query = query.where(approvals.c.state == state)
    if run is not None:
        query = query.where(approvals.c.run == run)
    return [_row(row) for row in c.execute(query.order_by(approvals.c.created_at).limit(500))]


def decide(
    c: Connection,
    tenant: str,
    approval: str,
    by: Principal,
    decision: Decision,
    reason: str,
    now: float,
) -> Ruling:
    """Count one person's decision, and rule on the approval once that settles it.

    The requester never decides, nor who lacks the role; what the run no longer waits for is
    void; too late is expired; the same again is a repetition, the opposite a conflict.
    """
    row = get(c, tenant, approval)
    if row is None:
        raise KeyError(approval)
    hold_row(c, Due("run", tenant, row.run))  # of two who decide at once, one counts the other
    row = get(c, tenant, approval) or row
    if by.id == row.requester:
        return "own"
    if row.role not in by.roles:
        return "role"
    if row.state == "void" or (row.state == "open" and _is_over(c, row)):
        return "void"
    if row.state == "expired" or (row.state == "open" and row.expires_at <= now):
        return "expired"
    earlier = _earlier(c, row, by)
    if earlier is not None:
        return "repeated" if earlier == decision else "conflict"
    if row.state != "open":
        decided = {"granted": "approve", "refused": "refuse"}[row.state]
        return "repeated" if decided == decision else "conflict"
    c.execute(
        insert(decisions).values(
            tenant=tenant,
            approval=approval,
            principal=by.id,
            decision=decision,
            reason=reason,
            at=now,
        )
    )
    if decision == "refuse":
        return _rule(c, row, "refused", now)
    return _rule(c, row, "granted", now) if _approvers(c, row) >= row.quorum else "counted"


def covers(c: Connection, tenant: str, grant: Grant, action_digest: str, now: float) -> bool:
    """Whether it is granted for exactly these arguments of exactly this action, and in time."""
    row = get(c, tenant, grant.approval)
    return (
        row is not None
        and row.state == "granted"
        and row.args_hash == grant.approved_hash
        and row.action_digest == action_digest
        and now < row.expires_at
    )


def close(c: Connection, tenant: str, run: str, state: Literal["void", "expired"]) -> None:
    """End every open approval of a run that no longer waits for it."""
    c.execute(
        update(approvals)
        .where(approvals.c.tenant == tenant, approvals.c.run == run, approvals.c.state == "open")
        .values(state=state)
    )


def supersede(c: Connection, row: ApprovalRow) -> None:
    """Make void what is still open of the same step and role: it is about to be asked anew."""
    c.execute(
        update(approvals)
        .where(approvals.c.tenant == row.tenant, approvals.c.run == row.run)
        .where(approvals.c.step == row.step, approvals.c.iteration == row.iteration)
        .where(approvals.c.role == row.role, approvals.c.state == "open")
        .values(state="void")
    )


def expire(c: Connection, tenant: str, approval: str) -> bool:
    """Mark one as expired if it is still open."""
    done = c.execute(
        update(approvals)
        .where(approvals.c.tenant == tenant, approvals.c.id == approval)
        .where(approvals.c.state == "open")
        .values(state="expired")
    )
    return done.rowcount == 1


def _is_over(c: Connection, row: ApprovalRow) -> bool:
    """Whether the run is being cancelled, though its drive has not closed the question yet."""
    return runs.cancel_mode(c, row.tenant, row.run) is not None


def _earlier(c: Connection, row: ApprovalRow, by: Principal) -> str | None:
    return c.execute(
        select(decisions.c.decision).where(
            decisions.c.tenant == row.tenant,
            decisions.c.approval == row.id,
            decisions.c.principal == by.id,
        )
    ).scalar_one_or_none()


def _rule(
    c: Connection, row: ApprovalRow, state: Literal["granted", "refused"], now: float
) -> Ruling:
    won = c.execute(
        update(approvals)
        .where(approvals.c.tenant == row.tenant, approvals.c.id == row.id)
        .where(approvals.c.state == "open")
        .values(state=state)
    )
    if won.rowcount != 1:
        return "conflict"
    wake(c, Due("run", row.tenant, row.run), now)
    return state


def _approvers(c: Connection, row: ApprovalRow) -> int:
    return c.execute(
        select(func.count())
        .select_from(decisions)
        .where(decisions.c.tenant == row.tenant, decisions.c.approval == row.id)
        .where(decisions.c.decision == "approve")
    ).scalar_one()


def _row(row: Row[tuple[object, ...]]) -> ApprovalRow:
    return ApprovalRow(
        tenant=row.tenant,
        id=row.id,
        run=row.run,
        step=row.step,
        iteration=row.iteration,
        plan_digest=row.plan_digest,
        action=row.action,
        action_digest=row.action_digest,
        arguments=to_object(row.arguments),
        args_hash=row.args_hash,
        policy_version=row.policy_version,
        policies=to_texts(row.policies),
        reasons=to_texts(row.reasons),
        role=row.role,
        quorum=row.quorum,
        requester=row.requester,
        nonce=row.nonce,
        state=row.state,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
