"""The kill switch: stops that keep new calls from being made, until somebody lifts them.

A stop is of one tenant or of all, and of one connection or of all. It is checked in the
transaction of every intent, so once it is committed no call begins any more: not a write, not a
read, not a look-up. Calls under way end as they end, and are journaled. A row is never deleted:
who stopped what, when and why, and who lifted it, stays.
"""

from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    or_,
    select,
    text,
    tuple_,
    update,
)

from connectors.spec import JsonObject
from executor.store import waking
from executor.store.drives import Due
from executor.store.statement import Change, Query, addition
from executor.store.tables import attempts, runs, stops

ALL = ""  # every tenant, or every connection
STANDING = (
    select(stops.c.id)
    .where(stops.c.lifted_at.is_(None))
    .where(or_(stops.c.tenant == ALL, stops.c.tenant == bindparam("tenant")))
    .where(or_(stops.c.connection == ALL, stops.c.connection == bindparam("connection")))
    .limit(1)
)
"""A stop in the way of the calls of one tenant's connection."""
_ADD = addition(stops)
_LIFT = Change(
    update(stops)
    .where(stops.c.tenant == bindparam("whose"), stops.c.id == bindparam("which"))
    .where(stops.c.lifted_at.is_(None))
    .values(lifted_at=bindparam("now"), lifted_by=bindparam("who"), lift_reason=bindparam("why"))
)
_OF_WHOM = bindparam("whose", type_=Text)
# Of runs that are driven, which are few: as an expression, for SQLite would look through attempts.
_IS_ITS = and_(attempts.c.tenant == runs.c.tenant + "", attempts.c.run == runs.c.id + "")
_UNDER_WAY = Query(
    select(attempts.c.action)
    .select_from(runs)
    .join(attempts, _IS_ITS)
    .where(runs.c.driver.is_not(None), attempts.c.state == "intent")
    .where(or_(_OF_WHOM == ALL, runs.c.tenant == _OF_WHOM)),
    str,
)


@dataclass(frozen=True)
class StopRow:
    """One stop; `tenant` and `connection` are empty where it is of all of them."""

    tenant: str
    id: str
    connection: str
    by: str
    reason: str
    at: float
    lifted_at: float | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None

    def as_json(self) -> JsonObject:
        """The stop as operators are shown it."""
        return {
            "id": self.id,
            "tenants": "all" if self.tenant == ALL else "own",
            "connection": self.connection or None,
            "by": self.by,
            "reason": self.reason,
            "at": self.at,
            "lifted_at": self.lifted_at,
            "lifted_by": self.lifted_by,
            "lift_reason": self.lift_reason,
        }


def add(c: Connection, row: StopRow) -> int:
    """Stop it from this commit on; returns how many calls are under way by then.

    It has its transaction for itself, and waits for all others that look at the stops.
    """
    _after_all_intents(c)
    _ADD.once(c, {**vars(row), "stopped_by": row.by})
    actions = _UNDER_WAY.all(c, {"whose": row.tenant})
    return sum(row.connection in (ALL, each.partition(".")[0]) for each in actions)


def standing(c: Connection, tenant: str | None, stop: str) -> StopRow | None:
    """A stop that whoever asks is about to lift; None if there is none that stands.

    Two who had both read it, and lift it then, would wait for each other.
    """
    _after_all_intents(c)
    row = get(c, tenant, stop)
    return None if row is None or row.lifted_at is not None else row


def lift(
    c: Connection, tenant: str, stop: str, by: str, reason: str, now: float
) -> list[Due] | None:
    """End a stop and wake what waits for it; None if there is none that stands.

    It has its transaction for itself, too. Whoever claims, holds or lets go of a run has looked at
    the stops first, so what is being written about by now sees that this one is over, or wakes
    the run itself: it is not waited for, while it waits for this commit.
    """
    _after_all_intents(c)  # or one that still saw the stop would wait for what is over
    if not _LIFT.once(c, {"whose": tenant, "which": stop, "who": by, "why": reason, "now": now}):
        return None
    whose = None if tenant == ALL else tenant
    return waking.wake_waiting_free(c, "stop", now, whose)


def count_waiting(c: Connection, tenant: str) -> int:
    """How many runs wait for a stop, in the reach of one of this tenant or of all."""
    return waking.count_waiting(c, "stop", None if tenant == ALL else tenant)


def _after_all_intents(c: Connection) -> None:
    """Wait for every intent that is being written, and let new ones wait for this commit.

    An intent reads the stops, and so holds its share of their table until it is committed. A
    file has one writer, and needs no such lock.
    """
    if c.dialect.name == "postgresql":
        c.execute(text("LOCK TABLE stops IN ACCESS EXCLUSIVE MODE"))


def get(c: Connection, tenant: str | None, stop: str) -> StopRow | None:
    """One of the stops that a tenant is or was under; without a tenant, of anybody's."""
    row = c.execute(_seen_by(tenant).where(stops.c.id == stop)).one_or_none()
    return None if row is None else _row(row)


def listed(
    c: Connection,
    tenant: str | None,
    *,
    lifted: bool = False,
    before: StopRow | None = None,
    limit: int | None = None,
) -> list[StopRow]:
    """The stops that a tenant is under, newest first; with `lifted` also those that were.

    With `before`, those that are older than that one; without a tenant, everybody's.
    """
    query = _seen_by(tenant)
    if not lifted:
        query = query.where(stops.c.lifted_at.is_(None))
    if before is not None:
        query = query.where(tuple_(stops.c.at, stops.c.id) < tuple_(before.at, before.id))
    ordered = query.order_by(stops.c.at.desc(), stops.c.id.desc()).limit(limit)
    return [_row(row) for row in c.execute(ordered)]


def _seen_by(tenant: str | None) -> Select[tuple[object, ...]]:
    if tenant is None:
        return select(stops)
    return select(stops).where(or_(stops.c.tenant == tenant, stops.c.tenant == ALL))


def _row(row: Row[tuple[object, ...]]) -> StopRow:
    return StopRow(
        row.tenant,
        row.id,
        row.connection,
        row.stopped_by,
        row.reason,
        row.at,
        row.lifted_at,
        row.lifted_by,
        row.lift_reason,
    )
