"""Old runs are deleted whole, in small commits between those of everybody else.

    1. a run that may go is taken: its row goes, so it is not found any more, and in the same
       commit it is noted what is to be cleared away (`deletions`); after them requests that came
       to nothing, by the same way
    2. what is left of it goes in pieces of `PIECE` rows (`clearing.py`): attempts, decisions,
       approvals, events, reservations, and large values that nobody else refers to
    3. with the last run of a plan the plan goes, and with the last run of a request the request,
       unless it is still at work; then the note

A process that dies in between leaves the note, and whoever deletes next goes on from there. On a
server one process deletes at a time.

A run may go that has ended, and of which nothing was heard, before a time; and of whose calls it is
known what became. Runs with an effect that nobody has found out about stay until somebody has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    delete,
    func,
    insert,
    null,
    select,
)

from executor.store import facts
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
_NOTHING = ("refused", "rejected", "cancelled")  # how requests end that come to none
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
        taken = _take(c, runs, ENDED, _may_go(before))
        others = 0 if taken else _take(c, requests, _NOTHING, _came_to_nothing(before))
        if taken or others:
            _note(c, before)
        return Deleted(taken, others, goes_on=taken + others > 0)
    left = PIECE
    for row in begun:
        left = clear(c, row.tenant, row.subject, row.plan, left)
        if left <= 0:
            break
    return Deleted(goes_on=True)


def may_go(c: Connection, before: float) -> Deleted:
    """How much could be deleted."""
    found = (
        _may_go(before).where(runs.c.status.in_(ENDED)),
        _came_to_nothing(before).where(requests.c.status.in_(_NOTHING)),
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
    """Runs that may, if they have ended; each is looked at by itself, however many there are."""
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
        runs.c.updated_at < before,
        runs.c.driver.is_(None),
        func.coalesce(last, runs.c.updated_at) < before,
        unknown.is_(None),
    )


def _came_to_nothing(before: float) -> Select[tuple[str, str, str | None]]:
    """Requests without a plan, which may go if they have ended."""
    planned = (
        select(plans.c.id)
        .where(plans.c.tenant == requests.c.tenant, plans.c.request == requests.c.id)
        .limit(1)
        .scalar_subquery()
    )
    return select(requests.c.tenant, requests.c.id, null().label("plan")).where(
        requests.c.updated_at < before,
        requests.c.driver.is_(None),
        planned.is_(None),
    )


def _take(
    c: Connection, table: Table, ends: Sequence[str], which: Select[tuple[str, str, str | None]]
) -> int:
    """Let the oldest of these not be found any more, of one end after the other.

    Those of one end come in the order of an index; all of them would be sorted for each commit.
    """
    taken: list[Row[tuple[str, str, str | None]]] = []
    for status in ends:
        oldest = which.where(table.c.status == status).order_by(table.c.updated_at)
        free = oldest.limit(RUNS - len(taken)).with_for_update(skip_locked=True, of=table)
        taken += c.execute(free).all()
        if len(taken) == RUNS:
            break
    if not taken:
        return 0
    noted = [{"tenant": row.tenant, "subject": row.id, "plan": row.plan} for row in taken]
    c.execute(insert(deletions), noted)
    c.execute(delete(table).where(rows_named(table, [(row.tenant, row.id) for row in taken])))
    return len(taken)


def _note(c: Connection, before: float) -> None:
    """Note until when things were deleted."""
    told = float(facts.fact(c, facts.DELETED) or 0)
    facts.note(c, facts.DELETED, repr(max(told, before)))
