"""What is left of runs that are not found any more goes in pieces of `PIECE` rows.

A piece is hundreds of statements in one commit, for which everybody else waits: each of them is
built once.
"""

from sqlalchemy import ColumnElement, Connection, Integer, Table, bindparam, delete, select, tuple_

from executor.store import blobs
from executor.store.statement import Change, Query, one_of
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

PIECE, BLOBS = 1000, 20  # in one commit
WORTH = PIECE // BLOBS  # rows that a large value counts for
_AT_WORK = ("received", "planning", "needs_answer", "planner_unavailable")  # requests


def clear(c: Connection, tenant: str, run: str, plan: str | None, left: int) -> int:
    """Delete what is left of a run, at most so many rows; returns how many more there may be."""
    which = {"whose": tenant, "which": run}
    for part in _PARTS:
        left -= part.once(c, {**which, "most": left})
        if left <= 0:
            return 0
    left = _forget(c, tenant, run, left)
    if left > 0 and plan is not None:
        left = _clear_plan(c, tenant, plan, left)
    if left > 0:
        _NOTED.once(c, which)
    return left


def _clear_plan(c: Connection, tenant: str, plan: str, left: int) -> int:
    """Delete a plan that no run has any more, and the request that it was made for with it."""
    request = _REQUEST.one(c, {"whose": tenant, "which": plan})
    is_used, meant = _OF_PLAN if request is None else _OF_REQUEST
    which = {"whose": tenant, "which": request or plan}
    if is_used.one(c, which) is not None:
        return left
    if request is not None:
        if _IS_AT_WORK.one(c, which) is not None:
            return left
        _ASKED.once(c, which)
        left = _forget(c, tenant, request, left)
    if left > 0:
        meant.once(c, which)
    return left


def _forget(c: Connection, tenant: str, subject: str, left: int) -> int:
    """Delete a journal, and the large values that it alone refers to."""
    left -= _JOURNAL.once(c, {"whose": tenant, "which": subject, "most": left})
    if left <= 0:
        return 0
    dropped = blobs.drop(c, tenant, subject, BLOBS)
    if dropped is None or dropped == BLOBS:
        return 0
    return left - dropped * WORTH if dropped * WORTH < left else 1


def _is(table: Table, column: ColumnElement[str]) -> tuple[ColumnElement[bool], ...]:
    return table.c.tenant == bindparam("whose"), column == bindparam("which")


def _some(table: Table, *which: ColumnElement[bool]) -> Change:
    """Delete at most so many of these rows."""
    chosen = select(*table.primary_key).where(*which).limit(bindparam("most", type_=Integer))
    return Change(delete(table).where(tuple_(*table.primary_key).in_(chosen)))


def _of_plans(column: ColumnElement[str]) -> tuple[Query[str], Change]:
    """What finds a run of the plans that are meant, and what deletes these."""
    meant = _is(plans, column)
    theirs = select(plans.c.id).where(*meant)
    used = select(runs.c.id).where(runs.c.tenant == bindparam("whose"), runs.c.plan.in_(theirs))
    return Query(used.limit(1), str), Change(delete(plans).where(*meant))


def _as_it_is(request: str | None) -> str | None:
    return request


_ITS_APPROVALS = select(approvals.c.id).where(*_is(approvals, approvals.c.run))
_PARTS = (
    _some(attempts, *_is(attempts, attempts.c.run)),
    _some(
        decisions,
        decisions.c.tenant == bindparam("whose"),
        decisions.c.approval.in_(_ITS_APPROVALS),
    ),
    _some(approvals, *_is(approvals, approvals.c.run)),
    _some(reservations, *_is(reservations, reservations.c.run)),
)
_JOURNAL = _some(events, *_is(events, events.c.subject))
_NOTED = Change(delete(deletions).where(*_is(deletions, deletions.c.subject)))
_REQUEST = Query(select(plans.c.request).where(*_is(plans, plans.c.id)), _as_it_is)
_OF_PLAN, _OF_REQUEST = _of_plans(plans.c.id), _of_plans(plans.c.request)
_ONE_REQUEST = _is(requests, requests.c.id)
_IS_AT_WORK = Query(
    select(requests.c.id).where(*_ONE_REQUEST, one_of(requests.c.status, _AT_WORK)), str
)
_ASKED = Change(delete(requests).where(*_ONE_REQUEST))
