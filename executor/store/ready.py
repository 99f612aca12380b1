"""What wants to be driven: nobody drives it, and its time has come.

Much may be ready at once, and only the first of it is looked at: of each tenant the first of every
rank and, however much processes died with, which may wait long, the first of all else. What is
fresh, which nobody has to wait for, is found group by group in an index that has it in this order.
What has waited for its time is found by that, and there is seldom much. Where there are more groups
than a few, or more whose time has come, all of it is sorted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Select,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)

from executor.store import drive_statements as statements
from executor.store import tables
from executor.store.drive_statements import TABLES, DriveKind
from executor.store.drives import Due
from executor.store.statement import Query

MOST_DUE = 1000  # that are told together
MOST_GROUPS = 100  # that are looked at one after the other
MOST_WOKEN = 2000  # that are compared here


class _Group(NamedTuple):
    """What is compared by its age alone."""

    tenant: str
    priority: int
    crashes: int


class _Ready(NamedTuple):
    tenant: str
    id: str
    priority: int
    crashes: int
    epoch: int
    updated_at: float

    @property
    def group(self) -> _Group:
        return _Group(self.tenant, self.priority, self.crashes)


class _Longest(NamedTuple):
    """What has waited longest, and the rank that comes first of all that waits."""

    id: str
    priority: int
    epoch: int
    updated_at: float
    first: int


def due(c: Connection, now: float) -> list[Due]:
    """What nobody drives and whose time has come: the tenants by turns, each by its ranks.

    However many one tenant has, the first of every other one is among those that are found; and of
    each tenant the first of every rank, and of all that as many processes have died with.
    """
    found = [
        (turn, row.updated_at,
         Due(kind, row.tenant, row.id, row.priority, row.crashes, epoch=row.epoch))
        for kind in TABLES
        for turn, row in _by_turns([*_fresh(c, kind), *_woken(c, kind, now)])
    ]  # fmt: skip
    return [each for _, _, each in sorted(found, key=lambda one: one[:2])]


def next_wake(c: Connection, after: float) -> float | None:
    """When the next waiting row, of those that are not due yet, wants to be looked at."""
    times = [each.one(c, {"after": after}) for each in _NEXT_WAKE]
    return min((each for each in times if each is not None), default=None)


def generation(c: Connection, due: Due, now: float) -> tuple[int, int] | None:
    """Epoch and rank of a row that wants to be driven now and that nobody drives, or None."""
    table = TABLES[due.kind]
    row = c.execute(
        select(table.c.epoch, table.c.priority)
        .where(table.c.tenant == due.tenant, table.c.id == due.id)
        .where(or_(_is_fresh(table), _is_woken(table))),
        {"now": now},
    ).one_or_none()
    return None if row is None else (row.epoch, row.priority)


def passed_over(c: Connection, tenant: str, now: float, crashes: int) -> Due | None:
    """What of a tenant's has waited longest and comes after what has not; None if nothing does.

    Nothing that as many processes, or more, have died with.
    """
    which = {"tenant": tenant, "now": now, "crashes": crashes}
    found = [
        (kind, each)
        for kind in TABLES
        for each in (*_oldest(c, kind, tenant, crashes), *_LONGEST[kind].all(c, which))
    ]
    if not found:
        return None
    kind, longest = min(found, key=lambda one: one[1].updated_at)
    if (longest.priority, kind) == min((each.first, kind) for kind, each in found):
        return None
    return Due(kind, tenant, longest.id, longest.priority, epoch=longest.epoch)


def stuck(c: Connection, now: float) -> int:
    """How many rows can neither be driven nor put aside."""
    return sum(each.one(c, {"now": now}) or 0 for each in _STUCK)


def _fresh(c: Connection, kind: DriveKind) -> list[_Ready]:
    groups = [*islice(_groups(c, kind), MOST_GROUPS + 1)]
    if len(groups) > MOST_GROUPS:
        return _ALL_FRESH[kind].all(c, {})
    most = min(MOST_DUE, 1 + 4 * MOST_DUE // max(1, len(groups)))  # some have fewer
    return [
        row for group in groups for row in _OF_GROUP[kind].all(c, group._asdict() | {"most": most})
    ]


def _oldest(c: Connection, kind: DriveKind, tenant: str, crashes: int) -> Iterator[_Longest]:
    """Of each group of a tenant what is fresh for the longest time."""
    for group in _groups(c, kind, tenant):
        if group.tenant != tenant:
            return
        if group.crashes < crashes:
            for row in _OF_GROUP[kind].all(c, group._asdict() | {"most": 1}):
                yield _Longest(row.id, row.priority, row.epoch, row.updated_at, row.priority)


def _groups(c: Connection, kind: DriveKind, tenant: str = "") -> Iterator[_Group]:
    """Those of which anything is fresh, from a tenant on: as many steps in an index."""
    start = _Group(tenant, 0, 0)
    while (found := _NEXT_GROUP[kind].one(c, start._asdict())) is not None:
        yield found
        start = found._replace(crashes=found.crashes + 1)


def _woken(c: Connection, kind: DriveKind, now: float) -> list[_Ready]:
    found = _SOME_WOKEN[kind].all(c, {"now": now})
    return found if len(found) <= MOST_WOKEN else _ALL_WOKEN[kind].all(c, {"now": now})


def _by_turns(rows: Iterable[_Ready]) -> list[tuple[int, _Ready]]:
    """The first of each group, then the second, as many as are told; with its tenant's turn."""
    among, turns = Counter[_Group](), Counter[str]()
    by_group: list[tuple[int, _Ready]] = []
    for row in sorted(rows, key=lambda row: row.updated_at):
        among[row.group] += 1
        by_group.append((among[row.group], row))
    told = sorted(by_group, key=lambda one: one[0])[:MOST_DUE]  # of one number: by age
    found: list[tuple[int, _Ready]] = []
    for _, row in sorted(told, key=lambda one: (one[1].priority, one[1].updated_at)):
        turns[row.tenant] += 1
        found.append((turns[row.tenant], row))
    return found


def _is_fresh(table: Table) -> ColumnElement[bool]:
    """Said as its index says it, or SQLite would not see that this is the one."""
    return literal_column(tables.FRESH[table.name])


def _is_woken(table: Table) -> ColumnElement[bool]:
    by_now = table.c.wake_at <= bindparam("now", type_=Double)
    return and_(table.c.driver.is_(None), table.c.status == "waiting", by_now)


def _some(table: Table, which: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return select(*(table.c[name] for name in _Ready._fields)).where(which)


def _next_group(table: Table) -> Select[tuple[object, ...]]:
    names = [table.c[name] for name in _Group._fields]
    start = tuple_(*(bindparam(each.name, type_=each.type) for each in names))
    found = select(*names).where(_is_fresh(table), tuple_(*names) >= start)  # SQLite seeks no ">"
    return found.order_by(*names).limit(1)


def _of_group(table: Table) -> Select[tuple[object, ...]]:
    of_group = (table.c[name] == bindparam(name) for name in _Group._fields)
    found = _some(table, _is_fresh(table)).where(*of_group)
    return found.order_by(table.c.updated_at).limit(bindparam("most"))


def _all_of(table: Table, which: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    """All of it is sorted for those that are told."""
    group = [table.c[name] for name in _Group._fields]
    among = func.row_number().over(partition_by=group, order_by=table.c.updated_at)
    ready = _some(table, which).add_columns(among.label("among")).subquery()
    told = select(*(ready.c[name] for name in _Ready._fields))
    return told.order_by(ready.c.among, ready.c.updated_at).limit(MOST_DUE)


def _longest(table: Table) -> Select[tuple[object, ...]]:
    *names, _ = _Longest._fields
    return (
        select(*(table.c[name] for name in names), func.min(table.c.priority).over())
        .where(table.c.tenant == bindparam("tenant"), _is_woken(table))
        .where(table.c.crashes < bindparam("crashes"))
        .order_by(table.c.updated_at)
        .limit(1)
    )


def _all_stuck(table: Table, kind: DriveKind) -> Select[int]:
    is_driven = table.c.status == statements.DRIVEN[kind]
    is_here = or_(is_driven, _is_fresh(table), _is_woken(table))
    return select(func.count()).select_from(table).where(text(tables.IS_STUCK), is_here)


def _next_wake(table: Table) -> Select[tuple[float]]:
    is_later = table.c.wake_at > bindparam("after", type_=Double)
    found = select(table.c.wake_at).where(table.c.status == "waiting", is_later)
    return found.order_by(table.c.wake_at).limit(1)


_OF_KIND = TABLES.items()
_NEXT_GROUP = {kind: Query(_next_group(table), _Group) for kind, table in _OF_KIND}
_OF_GROUP = {kind: Query(_of_group(table), _Ready) for kind, table in _OF_KIND}
_ALL_FRESH = {kind: Query(_all_of(table, _is_fresh(table)), _Ready) for kind, table in _OF_KIND}
_SOME_WOKEN = {
    kind: Query(
        _some(table, _is_woken(table)).order_by(table.c.wake_at).limit(MOST_WOKEN + 1), _Ready
    )
    for kind, table in _OF_KIND
}
_ALL_WOKEN = {kind: Query(_all_of(table, _is_woken(table)), _Ready) for kind, table in _OF_KIND}
_LONGEST = {kind: Query(_longest(table), _Longest) for kind, table in _OF_KIND}
_NEXT_WAKE = [Query(_next_wake(table), float) for table in TABLES.values()]
_STUCK = [Query(_all_stuck(table, kind), int) for kind, table in _OF_KIND]
