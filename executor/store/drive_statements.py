"""The statements of `drives` that are sent for every step, built once for each kind of row.

`whose` and `which` are the row's tenant and id: an update would take their own names for what
it is to set. Claims and holds are of any number of rows; these are held in the order of their ids,
so that no two processes wait for each other crosswise.
"""

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Double,
    Select,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal,
    null,
    select,
    type_coerce,
    update,
)

from executor.store import tables
from executor.store.statement import Change, Columns, Query, Value, alteration, given, one_of

DriveKind = Literal["request", "run"]
TABLES: Mapping[DriveKind, Table] = {"request": tables.requests, "run": tables.runs}
# Where a drive has something to do; other states wait for somebody or are final.
CLAIMABLE: Mapping[DriveKind, tuple[str, ...]] = {
    "request": ("received", "planning"),
    "run": ("queued", "waiting", "cancelling"),
}
DRIVEN: Mapping[DriveKind, str] = {"request": "planning", "run": "running"}
_NOW = bindparam("now", type_=Double)
_HOLDING: Columns = {
    "whose": str,
    "which": str,
    "under": int,
    "by": str,
    "number": int,
}


class Claimed(NamedTuple):
    """A row as whoever claims it finds it."""

    whose: str
    which: str
    epoch: int
    wake_seq: int
    crashes: int
    plan: str | None
    driver: str
    priority: int


class Standing(NamedTuple):
    """How often a row was woken, and how it is being cancelled, if it is."""

    wake_seq: int
    cancel_mode: str | None


class Held(NamedTuple):
    """The same of the row that asker `number` holds from now on, and its journal's last event."""

    number: int
    wake_seq: int
    cancel_mode: str | None
    last: int  # 0: nothing is written in it
    last_at: float | None


def _claim(kind: DriveKind, table: Table, dialect: str) -> Update:
    """Returns the rows that nobody else drives."""
    asked = given(dialect, dict.fromkeys(("whose", "which", "driver"), str))
    if dialect == "postgresql":
        asked = _in_order(table, asked)
    is_free = one_of(table.c.status, CLAIMABLE[kind])
    is_mine = and_(table.c.status == DRIVEN[kind], table.c.driver == asked["driver"])
    # A choice, for SQLite would look through all rows of these states rather than for the one.
    may_claim = case((table.c.driver.is_(None), is_free), else_=is_mine)
    return (
        update(table)
        .where(table.c.tenant == asked["whose"], table.c.id == asked["which"])
        .where(may_claim)
        .values(
            status=DRIVEN[kind],
            driver=asked["driver"],
            epoch=table.c.epoch + 1,
            wake_at=None,
            waiting_for=None,
            updated_at=_NOW,
        )
        .returning(table.c.tenant, table.c.id, *(table.c[name] for name in Claimed._fields[2:]))
    )


def _in_order(table: Table, asked: Mapping[str, Value]) -> Mapping[str, Value]:
    """The same rows once all of them are held, as `_hold` does: an update has no order."""
    found = (
        select(*(value.label(name) for name, value in asked.items()))
        .where(table.c.tenant == asked["whose"], table.c.id == asked["which"], looks_at_stops())
        .order_by(table.c.id)
        .with_for_update(of=table)
        .subquery("held")
    )
    return {name: found.c[name] for name in asked}


def _last(table: Table) -> tuple[ColumnElement[int], ColumnElement[float]]:
    """The last event of a row, and its time; another process's may come later."""
    events = tables.events
    of_it = (events.c.tenant == table.c.tenant, events.c.subject == table.c.id)
    place = select(func.coalesce(func.max(events.c.seq), 0)).where(*of_it)
    at = select(events.c.at).where(*of_it).order_by(events.c.seq.desc()).limit(1)
    return place.scalar_subquery(), at.scalar_subquery()


_ENDING: Columns = {
    **dict.fromkeys(("whose", "which", "by", "ends_as", "waits_for", "because"), str),
    **dict.fromkeys(("under", "seen"), int),
    **dict.fromkeys(("wakes_at", "now"), float),
}


def _end(table: Table, of: Mapping[str, Value]) -> Update:
    """Who only waits from now on may still be what the processes died of that drove it.

    It may be for a stop: who lifts one waits until that is written.
    """
    waits = of["ends_as"] == literal("waiting")
    return (
        update(table)
        .where(table.c.tenant == of["whose"], table.c.id == of["which"])
        .where(table.c.epoch == of["under"], table.c.driver == of["by"])
        .where(table.c.wake_seq == of["seen"], looks_at_stops())
        .values(
            status=of["ends_as"],
            waiting_for=of["waits_for"],
            code=of["because"],
            wake_at=of["wakes_at"],
            driver=None,
            crashes=case((waits, table.c.crashes), else_=0),
            updated_at=of["now"],
        )
    )


def _leave() -> Update:
    """What a drive has just let go of; whoever claims it next raises its epoch."""
    runs = tables.runs
    which = _one(update(runs), runs).where(runs.c.epoch == bindparam("under"))
    return which.values(left_under=runs.c.epoch)


def _finish(of: Mapping[str, Value]) -> Update:
    return _end(tables.runs, of).values(result=of["answer"], large=of["refs"])


def _cancel_mode(kind: DriveKind, table: Table) -> ColumnElement[str | None]:
    return table.c.cancel_mode if kind == "run" else type_coerce(null(), Text)


def _standing(kind: DriveKind, table: Table) -> Select[tuple[int, str | None]]:
    """Found only while the claim holds."""
    return (
        select(table.c.wake_seq, _cancel_mode(kind, table))
        .where(table.c.tenant == bindparam("whose"), table.c.id == bindparam("which"))
        .where(table.c.epoch == bindparam("under"), table.c.driver == bindparam("by"))
    )


def _hold(
    kind: DriveKind, table: Table, dialect: str
) -> Select[tuple[int, int, str | None, int, float]]:
    """The same of many rows, which nobody else changes then.

    Who holds them looks at the stops next, so it says so first: who lifts a stop, and then wakes
    these rows, waits before they are held and not amid it.
    """
    asked = given(dialect, _HOLDING)
    return (
        select(asked["number"], table.c.wake_seq, _cancel_mode(kind, table), *_last(table))
        .where(table.c.tenant == asked["whose"], table.c.id == asked["which"])
        .where(table.c.epoch == asked["under"], table.c.driver == asked["by"], looks_at_stops())
        .order_by(table.c.id)
        .with_for_update(of=table)
    )


def looks_at_stops() -> ColumnElement[bool]:
    """Always so."""
    return select(tables.stops.c.id).exists().is_not(None)


def _hold_row(table: Table) -> Select[str]:
    return (
        select(table.c.id)
        .where(table.c.tenant == bindparam("whose"), table.c.id == bindparam("which"))
        .where(looks_at_stops())
        .with_for_update(of=table)
    )


def _wake(kind: DriveKind, table: Table) -> Update:
    """What has ended stays as it ended, whatever is learnt of it later."""
    woken = _one(update(table), table)
    if kind == "run":
        woken = woken.where(one_of(table.c.status, (*CLAIMABLE[kind], DRIVEN[kind])))
    return woken.values(
        wake_seq=table.c.wake_seq + 1,
        wake_at=case((table.c.status == "waiting", _NOW), else_=table.c.wake_at),
        updated_at=_NOW,
    )


def _one(statement: Update, table: Table) -> Update:
    return statement.where(table.c.tenant == bindparam("whose"), table.c.id == bindparam("which"))


CLAIM = {kind: Query(partial(_claim, kind, table), Claimed) for kind, table in TABLES.items()}
END = {kind: alteration(_ENDING, partial(_end, table)) for kind, table in TABLES.items()}
LEAVE = Change(_leave())
FINISH = alteration({**_ENDING, "answer": str, "refs": str}, _finish)
STANDING = {kind: Query(_standing(kind, table), Standing) for kind, table in TABLES.items()}
HOLD = {kind: Query(partial(_hold, kind, table), Held) for kind, table in TABLES.items()}
HOLD_ROW = {kind: Query(_hold_row(table), str) for kind, table in TABLES.items()}
WAKE = {kind: Change(_wake(kind, table)) for kind, table in TABLES.items()}
