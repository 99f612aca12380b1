"""Old runs are deleted whole, in small commits between those of everybody else.

    1. a run that may go is taken: its row goes, so it is not found any more, and in the same
       commit it is noted what is to be cleared away (`deletions`); after them requests that came
       to nothing, by the same way
    2. what is left of it goes in pieces of `PIECE` rows (`clearing.py`): attempts, decisions,
       approvals, events, reservations, and large values that nobody else refers to
    3. with the last run of a plan the plan goes, and with the last run of a request the request,
       unless it is still at work; then the note
    4. at the end of a turn, answers that were kept for an Idempotency-Key and are as old: they may
       hold a plan, or what a rehearsal was told

A process that dies in between leaves the note, and whoever deletes next goes on from there. On a
server one process deletes at a time.

A run may go that has ended, and of which nothing was heard, before a time; and of whose calls it is
known what became. Runs with an effect that nobody has found out about stay until somebody has:
whoever deletes passes over them once in a turn, and each commit goes on where the last one ended.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    Select,
    Table,
    delete,
    func,
    insert,
    null,
    select,
    tuple_,
)

from executor.store import facts, idempotency
from executor.store.attempts import OPEN
from executor.store.clearing import PIECE, clear
from executor.store.runs import ENDED
from executor.store.statement import rows_named
from executor.store.tables import (
    attempts,
    deletions,
    events,
    plans,
    requests,
    runs,
)

RUNS = 50  # in one commit
LOOKED = 500  # of which it is known after a look whether they may go, in one commit
_NOTHING = ("refused", "rejected", "cancelled")  # how requests end that come to none
_ENDS = (*((runs, each) for each in ENDED), *((requests, each) for each in _NOTHING))
_ALONE = 0x1A3_6A81  # the number of our advisory lock


class Place(NamedTuple):
    """How far a turn has come: at which end, and after which of its rows (time, tenant, id)."""

    end: int = 0
    after: tuple[float, str, str] | None = None


START = Place()


@dataclass(frozen=True)
class Deleted:
    """What one commit came to: what is not found any more, whether to go on, and where."""

    runs: int = 0
    requests: int = 0
    goes_on: bool = False
    place: Place = START


def delete_some(c: Connection, before: float, place: Place = START) -> Deleted:
    """Delete a bounded piece of what ended before a time, beginning with what was begun.

    A turn is to be gone through from its start, each time at the place where the last one ended.
    The time is at least `LEAST_S` ago (`kept.py`).
    """
    if not _is_alone(c):
        return Deleted()
    begun = c.execute(select(deletions).limit(RUNS)).all()
    if not begun:
        return _take_next(c, before, place)
    left = PIECE
    for row in begun:
        left = clear(c, row.tenant, row.subject, row.plan, left)
        if left <= 0:
            break
    return Deleted(goes_on=True, place=place)


def may_go(c: Connection, before: float) -> Deleted:
    """How much could be deleted."""
    found = (
        _may_go(before).where(runs.c.updated_at < before, runs.c.status.in_(ENDED)),
        _came_to_nothing().where(requests.c.updated_at < before, requests.c.status.in_(_NOTHING)),
    )
    runs_there, requests_there = (
        c.execute(select(func.count()).select_from(each.subquery())).scalar_one() for each in found
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
    """Runs that may, if they have ended by then; each is looked at by itself."""
    last = (
        select(events.c.at)
        .where(events.c.tenant == runs.c.tenant, events.c.subject == runs.c.id)
        .order_by(events.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    unknown = (
        select(attempts.c.state)
        .where(attempts.c.tenant == runs.c.tenant, attempts.c.run == runs.c.id)
        .where(attempts.c.state.in_(OPEN))
        .limit(1)
        .scalar_subquery()
    )
    return select(runs.c.tenant, runs.c.id, runs.c.plan).where(
        runs.c.driver.is_(None),
        func.coalesce(last, runs.c.updated_at) < before,
        unknown.is_(None),
    )


def _came_to_nothing() -> Select[tuple[str, str, str | None]]:
    """Requests without a plan, which may go if they have ended by then."""
    planned = (
        select(plans.c.id)
        .where(plans.c.tenant == requests.c.tenant, plans.c.request == requests.c.id)
        .limit(1)
        .scalar_subquery()
    )
    return select(requests.c.tenant, requests.c.id, null().label("plan")).where(
        requests.c.driver.is_(None),
        planned.is_(None),
    )


def _take_next(c: Connection, before: float, place: Place) -> Deleted:
    """Let the next that may go not be found any more, and say how far that has come.

    What has to stay is looked at once in a turn: there may be thousands of it.
    """
    taken, table = 0, runs
    while place.end < len(_ENDS):
        table, status = _ENDS[place.end]
        taken, place = _take(c, table, status, before, place)
        if taken or place.after is not None:
            break
    if taken:
        _note(c, before)
    of_runs, of_requests = (taken if table is each else 0 for each in (runs, requests))
    goes_on = taken > 0 or place.end < len(_ENDS)
    if not goes_on:
        goes_on = idempotency.forget(c, before, PIECE) == PIECE
    return Deleted(of_runs, of_requests, goes_on, place)


def _take(
    c: Connection, table: Table, status: str, before: float, place: Place
) -> tuple[int, Place]:
    """The same of those that ended so, which an index has in order; the oldest come first."""
    age = (table.c.updated_at, table.c.tenant, table.c.id)
    which = [table.c.status == status]
    if place.after is not None:
        which.append(tuple_(*age) > tuple_(*place.after))
    is_old = table.c.updated_at < before
    looked = select(*age).where(*which, is_old).order_by(*age).offset(LOOKED - 1).limit(1)
    upto = c.execute(looked).one_or_none()
    which.append(is_old if upto is None else tuple_(*age) <= tuple_(*upto))
    found = _may_go(before) if table is runs else _came_to_nothing()
    oldest = found.add_columns(table.c.updated_at).where(*which).order_by(*age).limit(RUNS)
    taken = c.execute(oldest.with_for_update(skip_locked=True, of=table)).all()
    if taken:
        noted = [{"tenant": row.tenant, "subject": row.id, "plan": row.plan} for row in taken]
        c.execute(insert(deletions), noted)
        c.execute(delete(table).where(rows_named(table, [(row.tenant, row.id) for row in taken])))
    if len(taken) == RUNS:
        last = taken[-1]
        return RUNS, Place(place.end, (last.updated_at, last.tenant, last.id))
    if upto is not None:
        return len(taken), Place(place.end, (upto.updated_at, upto.tenant, upto.id))
    return len(taken), Place(place.end + 1)


def _note(c: Connection, before: float) -> None:
    """Note until when things were deleted."""
    told = float(facts.fact(c, facts.DELETED) or 0)
    facts.note(c, facts.DELETED, repr(max(told, before)))
