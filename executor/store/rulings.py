"""What a person's decision does to an approval: decided once, never by the requester."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, func, select, update

from connectors.spec import Principal
from executor.check.envelope import Envelope
from executor.check.narrowing import Narrowing, WideningError, narrowed
from executor.store import approvals, runs
from executor.store.approvals import ApprovalRow
from executor.store.drives import Due, hold_row
from executor.store.statement import Change, Query, addition
from executor.store.tables import approvals as table
from executor.store.tables import decisions
from executor.store.text import to_text
from executor.store.waking import wake

Decision = Literal["approve", "refuse"]
Ruling = Literal[
    "granted",
    "refused",
    "counted",
    "repeated",
    "conflict",
    "expired",
    "void",
    "own",
    "role",
    "twice",
]
_ADD = addition(decisions)


@dataclass(frozen=True)
class Said:
    """What one person decided on an approval, as it is kept; `at` in seconds since the epoch."""

    by: str
    decision: Decision
    reason: str
    at: float


def said(c: Connection, tenant: str, approvals: Collection[str]) -> Mapping[str, list[Said]]:
    """Who has decided on these approvals, by approval and in their order."""
    query = (
        select(decisions)
        .where(decisions.c.tenant == tenant, decisions.c.approval.in_(approvals))
        .order_by(decisions.c.at, decisions.c.principal)
    )
    found: defaultdict[str, list[Said]] = defaultdict(list)
    for row in c.execute(query):
        found[row.approval].append(Said(row.principal, row.decision, row.reason, row.at))
    return found


def decide(
    c: Connection,
    tenant: str,
    approval: str,
    by: Principal,
    decision: Decision,
    reason: str,
    now: float,
    narrowing: Narrowing | None = None,
) -> Ruling:
    """Count one person's decision, and rule on the approval once that settles it.

    A yes to an envelope may narrow it, for everybody; raises `WideningError`. The requester never
    decides, nor who lacks the role; nobody says yes to one call in two roles; what the run no
    longer waits for is void; too late is expired; the same again is a repetition, the opposite a
    conflict. But a yes that has settled nothing yet is taken back by a no of whoever said it.
    """
    row = approvals.get(c, tenant, approval)
    if row is None:
        raise KeyError(approval)
    hold_row(c, Due("run", tenant, row.run))  # of two who decide at once, one counts the other
    row = approvals.get(c, tenant, approval) or row
    if by.id == row.requester:
        return "own"
    if row.role not in by.roles:
        return "role"
    if row.state == "void" or (row.state == "open" and _is_over(c, row)):
        return "void"
    if row.state == "expired" or (row.state == "open" and row.expires_at <= now):
        return "expired"
    earlier = _earlier(c, row, by)
    said = None if narrowing is None else to_text(narrowing.model_dump(mode="json"))
    takes_back = earlier is not None and row.state == "open" and decision == "refuse"
    if earlier is not None and not takes_back:
        return "repeated" if earlier == (decision, said) else "conflict"
    if row.state != "open":
        decided = {"granted": "approve", "refused": "refuse"}[row.state]
        return "repeated" if decided == decision and said is None else "conflict"
    if decision == "approve" and _said_yes_in_another_role(c, row, by):
        return "twice"
    if narrowing is not None:
        _narrow(c, row, narrowing, now)
    if takes_back:
        _TAKE_BACK.once(c, {**_of(row), "by": by.id})
    _ADD.once(
        c,
        {
            "tenant": tenant,
            "approval": approval,
            "principal": by.id,
            "decision": decision,
            "narrowing": said,
            "reason": reason,
            "at": now,
        },
    )
    if decision == "refuse":
        return _rule(c, row, "refused", now)
    return _rule(c, row, "granted", now) if _approvers(c, row) >= row.quorum else "counted"


def _is_over(c: Connection, row: ApprovalRow) -> bool:
    """Whether the run is being cancelled, though its drive has not closed the question yet."""
    return runs.cancel_mode(c, row.tenant, row.run) is not None


def _said_yes_in_another_role(c: Connection, row: ApprovalRow, by: Principal) -> bool:
    """Whether they count already for the same call.

    Of each role the newest question about a step stands, and one may be about several.
    """
    asked = approvals.listed(c, row.tenant, run=row.run)
    # Of two that were asked at the same time the older is the one that is void, or else the plan's.
    asked.sort(key=lambda each: (each.created_at, each.state != "void", each.kind == "step"))
    others = {
        (each.role, step): each
        for each in asked if each.role != row.role and _is_same(each, row)
        for step in {*each.steps}.intersection(row.steps)
    }  # fmt: skip
    stand = {each.id: each for each in others.values() if each.state in ("open", "granted")}
    said = (_earlier(c, each, by) for each in stand.values())
    return any(each is not None and each[0] == "approve" for each in said)


def _is_same(one: ApprovalRow, other: ApprovalRow) -> bool:
    """Whether two questions are about a call in common."""
    if one.kind == "step" and other.kind == "step" and one.args_hash != other.args_hash:
        return False
    return not {*one.steps}.isdisjoint(other.steps)


def _narrow(c: Connection, row: ApprovalRow, narrowing: Narrowing, now: float) -> None:
    """Keep what is left of the envelope: whoever decides later is shown that."""
    if row.kind != "envelope":
        raise WideningError("/narrow", "this approval is of exactly these arguments")
    if narrowing.expires_at is not None and narrowing.expires_at <= now:
        raise WideningError("/narrow/expires_at", "that is over already: refuse it instead")
    left = narrowed(Envelope.model_validate(row.arguments), narrowing, row.expires_at)
    c.execute(
        update(table)
        .where(table.c.tenant == row.tenant, table.c.id == row.id)
        .values(
            arguments=to_text(left.model_dump(mode="json")),
            args_hash=left.digest,
            steps=to_text([each.step for each in left.steps]),
        )
    )


def _earlier(c: Connection, row: ApprovalRow, by: Principal) -> tuple[str, str | None] | None:
    return _EARLIER.one(c, {**_of(row), "by": by.id})


def _rule(
    c: Connection, row: ApprovalRow, state: Literal["granted", "refused"], now: float
) -> Ruling:
    if not approvals.end(c, row.tenant, row.id, state):
        return "conflict"
    wake(c, Due("run", row.tenant, row.run), now)
    return state


def _approvers(c: Connection, row: ApprovalRow) -> int:
    return _APPROVERS.one(c, _of(row)) or 0


def _of(row: ApprovalRow) -> dict[str, object]:
    return {"whose": row.tenant, "which": row.id}


def _decision(decision: str, narrowing: str | None) -> tuple[str, str | None]:
    return decision, narrowing


_ITS = (decisions.c.tenant == bindparam("whose"), decisions.c.approval == bindparam("which"))
_THEIRS = (*_ITS, decisions.c.principal == bindparam("by"))
_EARLIER = Query(select(decisions.c.decision, decisions.c.narrowing).where(*_THEIRS), _decision)
_TAKE_BACK = Change(delete(decisions).where(*_THEIRS))
_APPROVERS = Query(
    select(func.count()).select_from(decisions).where(*_ITS, decisions.c.decision == "approve"), int
)
