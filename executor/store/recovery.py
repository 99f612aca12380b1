"""What processes leave behind as they stop or die: given back to whoever claims it next.

Each death is counted for the row that was being driven, until a call of it has ended: what kills
every process that drives it is found by its count.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from sqlalchemy import ColumnElement, Connection, Table, Update, and_, select, update

from executor.store.drive_statements import CLAIMABLE, TABLES, DriveKind, looks_at_stops
from executor.store.drives import Claim, Due
from executor.store.statement import Columns, Value, alteration

AT_ONCE = 1_000  # of either kind, in one transaction


def note_progress(c: Connection, claim: Claim) -> None:
    """A call was made and its end is kept: whatever killed processes is behind it."""
    if claim.crashes:
        table = TABLES[claim.kind]
        mine = (table.c.tenant == claim.tenant, table.c.id == claim.id)
        c.execute(update(table).where(*mine, table.c.epoch == claim.epoch).values(crashes=0))


def crashed(c: Connection, times: int) -> list[Due]:
    """What has killed, or died with, so many processes in a row."""
    found = []
    for kind, table in TABLES.items():
        rows = c.execute(
            select(table.c.tenant, table.c.id, table.c.priority, table.c.crashes, table.c.epoch)
            .where(table.c.crashes >= times, table.c.driver.is_(None))
            .where(table.c.status.in_(CLAIMABLE[kind]))
        )
        found += [
            Due(kind, row.tenant, row.id, row.priority, row.crashes, epoch=row.epoch)
            for row in rows
        ]
    return found


def crashes_of(c: Connection, due: Due) -> int:
    """How many processes died in a row while they were driving it."""
    table = TABLES[due.kind]
    found = select(table.c.crashes).where(table.c.tenant == due.tenant, table.c.id == due.id)
    return c.execute(found).scalar_one_or_none() or 0


def forgive(c: Connection, driven: Iterable[Due]) -> None:
    """Take back one death of each: the process that drove it was only cut off, and lives.

    As all who hold rows of runs it looks at the stops: who lifts one waits for it, or goes first.
    """
    for each in sorted(driven, key=lambda due: due.id):  # as all who take several rows
        table = TABLES[each.kind]
        c.execute(
            update(table)
            .where(table.c.tenant == each.tenant, table.c.id == each.id, table.c.crashes > 0)
            .where(looks_at_stops())
            .values(crashes=table.c.crashes - 1)
        )


def drivers(c: Connection) -> set[str]:
    """Who drives anything."""
    found = (select(t.c.driver).where(t.c.driver.is_not(None)) for t in TABLES.values())
    return {str(name) for each in found for name in c.execute(each.distinct()).scalars()}


def driven_by(c: Connection, driver: str) -> set[Due]:
    """What somebody is said to drive."""
    return {
        Due(kind, row.tenant, row.id)
        for kind, table in TABLES.items()
        for row in c.execute(select(table.c.tenant, table.c.id).where(table.c.driver == driver))
    }


def hand_back(c: Connection, now: float, driver: str | None = None) -> int:
    """Give back what a dead process was driving, and count it: of a file, all that was driven.

    At most `AT_ONCE` of either kind; returns how many, so whoever asks again comes to an end. A
    row that somebody holds at this moment is left out: who asks again will come by it.
    """
    handed = 0
    for kind, table in TABLES.items():
        is_driven = table.c.driver.is_not(None) if driver is None else table.c.driver == driver
        handed += _give_back(c, kind, is_driven, now, deaths=1)
    return handed


def release(c: Connection, driver: str, now: float, only: Due | None = None) -> int:
    """Give back what this driver leaves behind as it stops in good order: all of it, or one row.

    At most `AT_ONCE` of either kind; returns how many.
    """
    given = 0
    for kind, table in TABLES.items():
        if only is not None and only.kind != kind:
            continue
        which = table.c.driver == driver
        if only is not None:
            which = and_(which, table.c.tenant == only.tenant, table.c.id == only.id)
        given += _give_back(c, kind, which, now, deaths=0)
    return given


def free_of_earlier(c: Connection, lost: Claim, now: float) -> None:
    """Free a row of whoever is said to drive it under an earlier claim than one that was lost."""
    table = TABLES[lost.kind]
    row = (table.c.tenant == lost.tenant, table.c.id == lost.id, table.c.driver.is_not(None))
    values = {**_given_back(table, lost.kind), "updated_at": now}
    c.execute(update(table).where(*row, table.c.epoch < lost.epoch).values(**values))


def _given_back(table: Table, kind: DriveKind) -> dict[str, object]:
    """What nobody drives any more: free to be claimed, and fenced from whoever had it."""
    status = {"request": "received", "run": "queued"}[kind]
    return {"driver": None, "status": status, "epoch": table.c.epoch + 1}


def _give_back(
    c: Connection, kind: DriveKind, which: ColumnElement[bool], now: float, deaths: int
) -> int:
    table = TABLES[kind]
    driven = select(table.c.tenant, table.c.id, table.c.driver).where(which).limit(AT_ONCE)
    if deaths:
        driven = driven.with_for_update(skip_locked=True)
    rows = [
        {"whose": row.tenant, "which": row.id, "by": row.driver, "deaths": deaths, "now": now}
        for row in c.execute(driven)
    ]
    return _GIVE_BACK[kind].many(c, rows)


def _giving_back(kind: DriveKind, table: Table, of: Mapping[str, Value]) -> Update:
    which = (table.c.tenant == of["whose"], table.c.id == of["which"], table.c.driver == of["by"])
    counted = {name: table.c[name] + of["deaths"] for name in ("recoveries", "crashes")}
    given_back = {**_given_back(table, kind), "updated_at": of["now"]}
    return update(table).where(*which).values(**given_back, **counted)


_GIVEN: Columns = {**dict.fromkeys(("whose", "which", "by"), str), "deaths": int, "now": float}
_GIVE_BACK = {
    kind: alteration(_GIVEN, partial(_giving_back, kind, table)) for kind, table in TABLES.items()
}
