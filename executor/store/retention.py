"""Old runs are deleted whole, in small commits between those of everybody else.

    1. a run that may go is taken: its row goes, so it is not found any more, and in the same
       commit it is noted what is to be cleared away (`deletions`); after them requests that came
       to nothing, by the same way
    2. what is left of it goes in pieces of `PIECE` rows: attempts, decisions, approvals, events,
       reservations, and large values that nobody else refers to
    3. with the last run of a plan the plan goes, and with the last run of a request the request,
       unless it is still at work; then the note

A process that dies in between leaves the note, and whoever deletes next goes on from there. On a
server one process deletes at a time.

A run may go that has ended, and of which nothing was heard, before a time; and of whose calls it is
known what became. Runs with an effect that nobody has found out about stay until somebody has.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    null,
    select,
    tuple_,
)

from executor.store import blobs, facts
from executor.store.attempts import OPEN
from executor.store.runs import ENDED
from executor.store.tables import (
    approvals,
    attempts,
    decisions,
    deletions,
    events,
    plans,
    requests,
    reservations,
    runs,
)

RUNS, PIECE, BLOBS = 50, 1000, 20  # in one commit
WORTH = PIECE // BLOBS  # rows that a large value counts for
_NOTHING = ("refused", "rejected", "cancelled")  # how requests end that come to none
_AT_WORK = ("received", "planning", "needs_answer", "planner_unavailable")  # requests
_ALONE = 0x1A3_6A81  # the number of our advisory lock


@dataclass(frozen=True)
class Deleted:
    """What one commit came to: what is not found any more, and whether to go on."""

    runs: int = 0
    requests: int = 0
    goes_on: bool = False


def delete_some(c: Connection, before: float) -> Deleted:
    """Delete a bounded piece of what ended before a time, beginning with what was begun."""
    if not _is_alone(c):
        return Deleted()
    begun = c.execute(select(deletions).limit(RUNS)).all()
    if not begun:
        taken = _take(c, runs, _may_go(before))
        others = 0 if taken else _take(c, requests, _came_to_nothing(before))
        if taken or others:
            _note(c, before)
        return Deleted(taken, others, goes_on=taken + others > 0)
    left = PIECE
    for row in begun:
        left = _clear(c, row.tenant, row.subject, row.plan, left)
        if left <= 0:
            break
    return Deleted(goes_on=True)


def may_go(c: Connection, before: float) -> Deleted:
    """How much could be deleted."""
    runs_there, requests_there = (
        c.execute(select(func.count()).select_from(each.subquery())).scalar_one()
        for each in (_may_go(before), _came_to_nothing(before))
    )
    return Deleted(runs_there, requests_there)


def deleted_until(c: Connection) -> str:
    """For whoever looks for something that is not there: until when things were deleted, if any."""
    told = facts.fact(c, facts.DELETED)
    if told is None:
        return ""
    until = datetime.fromtimestamp(float(told), UTC)
    return f"; what ended before {until:%Y-%m-%d %H:%M}Z was deleted"


def _is_alone(c: Connection) -> bool:
    if c.dialect.name != "postgresql":
        return True
    return bool(c.execute(select(func.pg_try_advisory_xact_lock(_ALONE))).scalar_one())


def _may_go(before: float) -> Select[tuple[str, str, str | None]]:
    last = (
        select(events.c.at)
        .where(events.c.tenant == runs.c.tenant, events.c.subject == runs.c.id)
        .order_by(events.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    unknown = exists().where(
        attempts.c.tenant == runs.c.tenant,
        attempts.c.run == runs.c.id,
        attempts.c.state.in_(OPEN),
    )
    return select(runs.c.tenant, runs.c.id, runs.c.plan).where(
        runs.c.status.in_(ENDED),
        runs.c.updated_at < before,
        runs.c.driver.is_(None),
        func.coalesce(last, runs.c.updated_at) < before,
        ~unknown,
    )


def _came_to_nothing(before: float) -> Select[tuple[str, str, str | None]]:
    """Requests that ended without a plan."""
    planned = exists().where(plans.c.tenant == requests.c.tenant, plans.c.request == requests.c.id)
    return select(requests.c.tenant, requests.c.id, null().label("plan")).where(
        requests.c.status.in_(_NOTHING),
        requests.c.updated_at < before,
        requests.c.driver.is_(None),
        ~planned,
    )


def _take(c: Connection, table: Table, which: Select[tuple[str, str, str | None]]) -> int:
    """Let the oldest of these not be found any more."""
    oldest = which.order_by(table.c.updated_at).limit(RUNS)
    taken = c.execute(oldest.with_for_update(skip_locked=True, of=table)).all()
    if not taken:
        return 0
    noted = [{"tenant": row.tenant, "subject": row.id, "plan": row.plan} for row in taken]
    c.execute(insert(deletions), noted)
    ids = [(row.tenant, row.id) for row in taken]
    c.execute(delete(table).where(tuple_(table.c.tenant, table.c.id).in_(ids)))
    return len(taken)


def _note(c: Connection, before: float) -> None:
    """Note until when things were deleted."""
    told = float(facts.fact(c, facts.DELETED) or 0)
    facts.note(c, facts.DELETED, repr(max(told, before)))


def _clear(c: Connection, tenant: str, run: str, plan: str | None, left: int) -> int:
    """Delete what is left of a run, at most so many rows; returns how many more there may be."""
    its_approvals = select(approvals.c.id).where(
        approvals.c.tenant == tenant, approvals.c.run == run
    )
    for table, is_its in (
        (attempts, attempts.c.run == run),
        (decisions, decisions.c.approval.in_(its_approvals)),
        (approvals, approvals.c.run == run),
        (reservations, reservations.c.run == run),
    ):
        left -= _some(c, table, and_(table.c.tenant == tenant, is_its), left)
        if left <= 0:
            return 0
    left = _forget(c, tenant, run, left)
    if left > 0 and plan is not None:
        left = _clear_plan(c, tenant, plan, left)
    if left > 0:
        c.execute(delete(deletions).where(deletions.c.tenant == tenant, deletions.c.subject == run))
    return left


def _clear_plan(c: Connection, tenant: str, plan: str, left: int) -> int:
    """Delete a plan that no run has any more, and the request that it was made for with it."""
    of_tenant = plans.c.tenant == tenant
    request = c.execute(select(plans.c.request).where(of_tenant, plans.c.id == plan)).scalar()
    meant = and_(of_tenant, plans.c.id == plan if request is None else plans.c.request == request)
    has_plan = (runs.c.tenant == tenant, runs.c.plan.in_(select(plans.c.id).where(meant)))
    if c.execute(select(runs.c.id).where(*has_plan).limit(1)).first() is not None:
        return left
    if request is not None:
        which = and_(requests.c.tenant == tenant, requests.c.id == request)
        if c.execute(select(requests.c.id).where(which, requests.c.status.in_(_AT_WORK))).first():
            return left
        c.execute(delete(requests).where(which))
        left = _forget(c, tenant, request, left)
    if left > 0:
        c.execute(delete(plans).where(meant))
    return left


def _forget(c: Connection, tenant: str, subject: str, left: int) -> int:
    """Delete a journal, and the large values that it alone refers to."""
    mine = and_(events.c.tenant == tenant, events.c.subject == subject)
    left -= _some(c, events, mine, left)
    if left <= 0:
        return 0
    dropped = blobs.drop(c, tenant, subject, BLOBS)
    if dropped is None or dropped == BLOBS:
        return 0
    return left - dropped * WORTH if dropped * WORTH < left else 1


def _some(c: Connection, table: Table, which: ColumnElement[bool], most: int) -> int:
    """Delete at most so many of these rows; returns how many it were."""
    key = tuple_(*table.primary_key)
    chosen = select(*table.primary_key).where(which).limit(most)
    return c.execute(delete(table).where(key.in_(chosen))).rowcount
