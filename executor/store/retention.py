"""Old runs are deleted whole, in small commits between those of everybody else.

    1. a run that may go is taken: its row goes, so it is not found any more, and in the same
       commit it is noted what is to be cleared away (`deletions`)
    2. what is left of it goes in pieces of `PIECE` rows: attempts, decisions, approvals, events,
       reservations, and large values that nobody else refers to
    3. with the last run of a plan the plan goes, and with the last run of a request the request,
       unless it is still at work; then the note

A process that dies in between leaves the note, and whoever deletes next goes on from there. On a
server one process deletes at a time.

A run may go that has ended, and of which nothing was heard, before a time; and of whose calls it is
known what became. Runs with an effect that nobody has found out about stay until somebody has.
"""

import json
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
    select,
    tuple_,
)

from executor.store import blobs, facts
from executor.store.attempts import OPEN
from executor.store.idempotency import KEPT_S
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

LEAST_S = KEPT_S  # an answer that is given again within this time names its run
RUNS, PIECE, BLOBS = 50, 1000, 20  # in one commit
WORTH = PIECE // BLOBS  # rows that a large value counts for
_AT_WORK = ("received", "planning", "needs_answer", "planner_unavailable")  # requests
_ALONE = 0x1A3_6A81  # the number of our advisory lock


@dataclass(frozen=True)
class Deleted:
    """What one commit came to: runs that are not found any more, and whether to go on."""

    runs: int
    goes_on: bool


def delete_some(c: Connection, before: float) -> Deleted:
    """Delete a bounded piece of what ended before a time, beginning with what was begun."""
    if not _is_alone(c):
        return Deleted(0, False)
    begun = c.execute(select(deletions).limit(RUNS)).all()
    if not begun:
        taken = _take(c, before)
        return Deleted(taken, taken > 0)
    left = PIECE
    for row in begun:
        left = _clear(c, row.tenant, row.run, row.plan, left)
        if left <= 0:
            break
    return Deleted(0, True)


def count(c: Connection, before: float) -> int:
    """How many runs may go."""
    found = _may_go(before).subquery()
    return c.execute(select(func.count()).select_from(found)).scalar_one()


def deleted_until(c: Connection) -> str:
    """For whoever looks for something that is not there: until when runs were deleted, if any."""
    told = facts.fact(c, facts.DELETED)
    if told is None:
        return ""
    until = datetime.fromtimestamp(json.loads(told)["ended_before"], UTC)
    return f"; runs that ended before {until:%Y-%m-%d %H:%M}Z were deleted"


def _is_alone(c: Connection) -> bool:
    if c.dialect.name != "postgresql":
        return True
    return bool(c.execute(select(func.pg_try_advisory_xact_lock(_ALONE))).scalar_one())


def _may_go(before: float) -> Select[tuple[str, str, str]]:
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


def _take(c: Connection, before: float) -> int:
    """Let the oldest runs that may go not be found any more."""
    oldest = _may_go(before).order_by(runs.c.updated_at).limit(RUNS)
    taken = c.execute(oldest.with_for_update(skip_locked=True, of=runs)).all()
    if not taken:
        return 0
    noted = [{"tenant": row.tenant, "run": row.id, "plan": row.plan} for row in taken]
    c.execute(insert(deletions), noted)
    which = [(row.tenant, row.id) for row in taken]
    c.execute(delete(runs).where(tuple_(runs.c.tenant, runs.c.id).in_(which)))
    told = json.loads(facts.fact(c, facts.DELETED) or '{"runs": 0, "ended_before": 0}')
    now_told = {
        "runs": told["runs"] + len(taken),
        "ended_before": max(told["ended_before"], before),
    }
    facts.note(c, facts.DELETED, json.dumps(now_told))
    return len(taken)


def _clear(c: Connection, tenant: str, run: str, plan: str, left: int) -> int:
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
    if left > 0:
        left = _clear_plan(c, tenant, plan, left)
    if left > 0:
        c.execute(delete(deletions).where(deletions.c.tenant == tenant, deletions.c.run == run))
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
