"""The statements of `waking`, each built once.

The tenant is asked for in a way that no index has where what waits is sorted: SQLite would take the
index of all that the tenant ever had.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    Text,
    Update,
    bindparam,
    case,
    delete,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.sql import ClauseElement

from executor.store.drive_statements import looks_at_stops
from executor.store.drives import Due
from executor.store.statement import Change, Query, given, one_of
from executor.store.tables import runs, wakes
from executor.store.upsert import insert_into


class Name(NamedTuple):
    """A run that nobody else changes any more."""

    whose: str
    which: str


class Waiting(NamedTuple):
    """A run that waits, perhaps until a time."""

    tenant: str
    id: str
    wake_at: float | None

    def sleeps(self, now: float) -> bool:
        """Whether nobody has woken it."""
        return self.wake_at is None or self.wake_at > now


class Note(NamedTuple):
    """What is to be woken, and how far that has come: at which reason, and after which run."""

    tenant: str
    waiting_for: str
    reason: str
    after_tenant: str
    after_id: str


@cache
def finding(reasons: Sequence[str], *, is_of_one: bool) -> tuple[Query[Waiting], Query[Waiting]]:
    """What finds those that are driven, and the first of those that wait for one of these.

    They come by priority and age, and those that were woken already after all others. They are held
    next, so the stops are looked at: who lifts one waits until that is over, or goes first.
    """
    is_meant = runs.c.tenant.concat("") == bindparam("whose") if is_of_one else true()
    found = select(runs.c.tenant, runs.c.id, runs.c.wake_at).where(is_meant, looks_at_stops())
    is_awake = func.coalesce(runs.c.wake_at <= bindparam("now", type_=Double), false())
    waiting = (
        found.where(one_of(runs.c.waiting_for, reasons), _MAY_GO_ON)
        .order_by(is_awake, runs.c.priority, runs.c.updated_at)
        .limit(bindparam("most", type_=Integer))
    )
    return Query(found.where(runs.c.driver > ""), Waiting), Query(waiting, Waiting)


def _page(*which: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    """Those that wait for one reason, in the order that their index has."""
    found = select(runs.c.tenant, runs.c.id, runs.c.wake_at)
    return (
        found.where(runs.c.waiting_for == bindparam("reason"), *which, _MAY_GO_ON)
        .order_by(runs.c.tenant, runs.c.id)
        .limit(bindparam("most", type_=Integer))
    )


def _asked(dialect: str) -> tuple[ColumnElement[bool], ...]:
    asked = given(dialect, dict.fromkeys(("whose", "which"), str))
    return runs.c.tenant == asked["whose"], runs.c.id == asked["which"]


def _hold(dialect: str, *, only_free: bool) -> Select[tuple[object, ...]]:
    held = select(runs.c.tenant, runs.c.id).where(*_asked(dialect)).order_by(runs.c.id)
    return held.with_for_update(of=runs, skip_locked=only_free)


def _these(dialect: str) -> Update:
    """Whoever drives one by now looks again as well; what has ended meanwhile stays as it is."""
    goes_on = or_(runs.c.waiting_for.is_not(None), runs.c.driver.is_not(None))
    now = bindparam("now", type_=Double)
    woken = update(runs).values(
        wake_seq=runs.c.wake_seq + 1,
        wake_at=case((runs.c.status == "waiting", now), else_=runs.c.wake_at),
    )
    these = woken.where(*_asked(dialect), goes_on)
    return these.returning(runs.c.tenant, runs.c.id, runs.c.priority)


def _note(dialect: str) -> ClauseElement:
    """What was noted before is gone through from its start once more."""
    statement = insert_into(dialect, wakes)
    place = {name: statement.excluded[name] for name in ("reason", "after_tenant", "after_id")}
    return statement.on_conflict_do_update(index_elements=["tenant", "waiting_for"], set_=place)


# Who claims a row that is left to a person raises its epoch.
_MAY_GO_ON = func.coalesce(runs.c.left_under, -1) != runs.c.epoch
_AFTER = tuple_(bindparam("after_tenant", type_=Text), bindparam("after_id", type_=Text))
PAGE_OF_ALL = Query(_page(tuple_(runs.c.tenant, runs.c.id) > _AFTER), Waiting)
PAGE_OF_ONE = Query(
    _page(runs.c.tenant == bindparam("whose"), runs.c.id > bindparam("after_id")), Waiting
)
HOLD = Query(partial(_hold, only_free=False), Name)
HOLD_FREE = Query(partial(_hold, only_free=True), Name)
THESE = Query(_these, partial(Due, "run"))

_NOTES = select(*(wakes.c[name] for name in Note._fields)).limit(1)
_IS_ITS = (wakes.c.tenant == bindparam("whose"), wakes.c.waiting_for == bindparam("what"))
ANY_NOTE = Query(_NOTES, Note)
NEXT_NOTE = Query(
    _NOTES.where(looks_at_stops())
    .order_by(wakes.c.tenant, wakes.c.waiting_for)
    .with_for_update(of=wakes, skip_locked=True),
    Note,
)
NOTE = Change(_note)
MOVE_NOTE = Change(
    update(wakes)
    .where(*_IS_ITS)
    .values(
        reason=bindparam("at_reason"),
        after_tenant=bindparam("at_tenant"),
        after_id=bindparam("at_id"),
    )
)
DROP_NOTE = Change(delete(wakes).where(*_IS_ITS))
