"""Runs and requests are woken: one, or all that wait for the same."""

from collections.abc import Sequence
from functools import cache, partial

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from executor.store import drive_statements as statements
from executor.store import tables
from executor.store.drives import Due
from executor.store.statement import Query, given, one_of

# What a run is said to wait for, if it waits for several things: what needs a person comes first.
REASONS = (
    "reconcile", "credentials", "approval", "stop", "callback", "service", "rate_limit", "retry",
)  # fmt: skip


def wake(c: Connection, due: Due, now: float) -> None:
    """Note that something arrived: whoever drives it looks again before it lets go.

    A row that waits is due from now on, so that a wake outlives the process that was told.
    """
    statements.WAKE[due.kind].once(c, {"whose": due.tenant, "which": due.id, "now": now})


def wake_waiting(
    c: Connection, waiting_for: str, now: float, tenant: str | None = None
) -> list[Due]:
    """Wake every run that waits for this, and have those look again that are being driven.

    So are those that are said to wait for what comes before it: they may wait for this as well.
    But those sleep on that are left to a person alone (`Wait.left`), for nothing else changes them.
    The rows are held in the order in which drives hold theirs.
    """
    whose = {} if tenant is None else {"whose": tenant}
    hold, waking = _waking(reasons_to(waiting_for), is_of_one=bool(whose))
    if c.dialect.name == "postgresql":
        hold.all(c, whose)
    return waking.all(c, {**whose, "now": now})


def count_waiting(c: Connection, waiting_for: str, tenant: str | None = None) -> int:
    """How many runs are said to wait for this."""
    table = tables.runs
    meant = select(func.count()).select_from(table).where(table.c.waiting_for == waiting_for)
    of_whom = meant if tenant is None else meant.where(table.c.tenant == tenant)
    return c.execute(of_whom).scalar_one()


def wake_waiting_free(
    c: Connection,
    waiting_for: Sequence[str],
    now: float,
    tenant: str | None,
    most: int | None = None,
) -> list[Due]:
    """Wake what waits for these, but for what another process is writing about: it holds the row.

    For whoever holds what others wait for, and would wait for them crosswise. So it is for waits
    that end by themselves, too, or where what writes about a run has to look for itself. However
    many they are, they are one value of one statement. With `most` it is what is driven and then
    the highest and oldest, for a transaction that has to come to its end; the rest waits on.
    """
    whose = {} if tenant is None else {"whose": tenant}
    if c.dialect.name != "postgresql" and most is None:
        return _waking(waiting_for, is_of_one=bool(whose))[1].all(c, {**whose, "now": now})
    runs, meant = tables.runs, _waits_for(waiting_for, is_of_one=bool(whose))
    free = select(runs.c.tenant, runs.c.id).where(meant).with_for_update(skip_locked=True)
    if most is not None:
        free = free.order_by(runs.c.driver.is_(None), runs.c.priority, runs.c.updated_at)
        free = free.limit(most)
    which = [{"whose": row.tenant, "which": row.id} for row in c.execute(free, whose)]
    return _THESE.of(c, which, {"now": now})


def reasons_to(waiting_for: str) -> Sequence[str]:
    """What a run may be said to wait for that waits for this: it comes first, or nothing does."""
    return REASONS[: REASONS.index(waiting_for) + 1]


@cache
def _waking(reasons: Sequence[str], *, is_of_one: bool) -> tuple[Query[str], Query[Due]]:
    """What holds the rows that wait for one of these, and what wakes them."""
    runs, meant = tables.runs, _waits_for(reasons, is_of_one=is_of_one)
    hold = select(runs.c.id).where(meant).order_by("id").with_for_update()
    woken = _woken().where(meant).returning(runs.c.tenant, runs.c.id, runs.c.priority)
    return Query(hold, str), Query(woken, partial(Due, "run"))


def _waits_for(reasons: Sequence[str], *, is_of_one: bool) -> ColumnElement[bool]:
    """What waits for one of these or is driven: few rows, of each of which there is an index.

    The tenant is asked for in a way that no index has: SQLite would take the one of all that the
    tenant ever had. Who claims a row that is left to a person raises its epoch.
    """
    table = tables.runs
    waits, is_driven = one_of(table.c.waiting_for, reasons), table.c.driver > ""
    may_go_on = func.coalesce(table.c.left_under, -1) != table.c.epoch
    if not is_of_one:
        return and_(or_(waits, is_driven), may_go_on)
    return and_(or_(waits, is_driven), may_go_on, table.c.tenant.concat("") == bindparam("whose"))


def _woken() -> Update:
    table = tables.runs
    return update(table).values(
        wake_seq=table.c.wake_seq + 1,
        wake_at=case(
            (table.c.status == "waiting", bindparam("now", type_=Double)), else_=table.c.wake_at
        ),
    )


def _these(dialect: str) -> Update:
    runs, asked = tables.runs, given(dialect, dict.fromkeys(("whose", "which"), str))
    which = (runs.c.tenant == asked["whose"], runs.c.id == asked["which"])
    return _woken().where(*which).returning(runs.c.tenant, runs.c.id, runs.c.priority)


_THESE = Query(_these, partial(Due, "run"))
