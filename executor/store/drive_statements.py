"""The statements of `drives` that are sent for every step, built once for each kind of row.

`whose` and `which` are the row's tenant and id: an update would take their own names for what
it is to set.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from sqlalchemy import (
    Double,
    Select,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    case,
    null,
    or_,
    select,
    type_coerce,
    update,
)

from executor.store import tables
from executor.store.statement import Change, Query, one_of

DriveKind = Literal["request", "run"]
TABLES: Mapping[DriveKind, Table] = {"request": tables.requests, "run": tables.runs}
# Where a drive has something to do; other states wait for somebody or are final.
CLAIMABLE: Mapping[DriveKind, tuple[str, ...]] = {
    "request": ("received", "planning"),
    "run": ("queued", "waiting", "cancelling"),
}
DRIVEN: Mapping[DriveKind, str] = {"request": "planning", "run": "running"}
_NOW = bindparam("now", type_=Double)


class Claimed(NamedTuple):
    """A row as whoever claims it finds it."""

    epoch: int
    wake_seq: int
    crashes: int


class Standing(NamedTuple):
    """How often a row was woken, and how it is being cancelled, if it is."""

    wake_seq: int
    cancel_mode: str | None


def _claim(kind: DriveKind, table: Table) -> Update:
    """Returns a row only where nobody else drives it."""
    is_free = and_(one_of(table.c.status, CLAIMABLE[kind]), table.c.driver.is_(None))
    is_mine = and_(table.c.status == DRIVEN[kind], table.c.driver == bindparam("by"))
    return (
        _one(update(table), table)
        .where(or_(is_free, is_mine))
        .values(
            status=DRIVEN[kind],
            driver=bindparam("by"),
            epoch=table.c.epoch + 1,
            wake_at=None,
            waiting_for=None,
            updated_at=_NOW,
        )
        .returning(table.c.epoch, table.c.wake_seq, table.c.crashes)
    )


def _end(table: Table) -> Update:
    return (
        _one(update(table), table)
        .where(table.c.epoch == bindparam("under"), table.c.driver.is_not(None))
        .where(table.c.wake_seq == bindparam("seen"))
        .values(
            status=bindparam("ends_as"),
            waiting_for=bindparam("waits_for"),
            code=bindparam("because"),
            wake_at=bindparam("wakes_at"),
            driver=None,
            crashes=0,
            updated_at=_NOW,
        )
    )


def _standing(kind: DriveKind, table: Table) -> Select[int, str | None]:
    """Found only while the claim holds."""
    cancel = table.c.cancel_mode if kind == "run" else type_coerce(null(), Text)
    return (
        select(table.c.wake_seq, cancel)
        .where(table.c.tenant == bindparam("whose"), table.c.id == bindparam("which"))
        .where(table.c.epoch == bindparam("under"), table.c.driver.is_not(None))
    )


def _hold_row(table: Table) -> Select[str]:
    return (
        select(table.c.id)
        .where(table.c.tenant == bindparam("whose"), table.c.id == bindparam("which"))
        .with_for_update()
    )


def _wake(table: Table) -> Update:
    return _one(update(table), table).values(
        wake_seq=table.c.wake_seq + 1,
        wake_at=case((table.c.status == "waiting", _NOW), else_=table.c.wake_at),
        updated_at=_NOW,
    )


def _one(statement: Update, table: Table) -> Update:
    return statement.where(table.c.tenant == bindparam("whose"), table.c.id == bindparam("which"))


CLAIM = {kind: Query(_claim(kind, table), Claimed) for kind, table in TABLES.items()}
END = {kind: Change(_end(table)) for kind, table in TABLES.items()}
STANDING = {kind: Query(_standing(kind, table), Standing) for kind, table in TABLES.items()}
HOLD = {
    kind: Query(_standing(kind, table).with_for_update(), Standing)
    for kind, table in TABLES.items()
}
HOLD_ROW = {kind: _hold_row(table) for kind, table in TABLES.items()}
WAKE = {kind: _wake(table) for kind, table in TABLES.items()}
