"""Who drives on a shared database: a row for each process, with a lease by the database's time.

A process renews its lease every second. One that does not for some seconds counts as dead: what it
drove is handed back, fenced by a higher epoch. Whether it is dead, cut off or only stopped does
not matter: it may begin an effect only while its own clock says that its lease lasts, and that
clock was read before the lease was asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, delete, func, select

from executor.store import ready, recovery
from executor.store.drives import Due
from executor.store.postgres import end_silent
from executor.store.statement import Change, Query
from executor.store.tables import workers
from executor.store.upsert import insert_into

if TYPE_CHECKING:
    from executor.store.upsert import Insert

_WATCH = 0x1A3_6A7F  # the number of our advisory lock


def _renew(dialect: str) -> "Insert":
    new = insert_into(dialect, workers)
    changed = {"lease_until": new.excluded.lease_until}
    return new.on_conflict_do_update(index_elements=["id"], set_=changed)


_LASTED = Query(
    select(workers.c.lease_until).where(workers.c.id == bindparam("which")).with_for_update(), float
)
_RENEW = Change(_renew)


@dataclass(frozen=True)
class Seen:
    """What one look at everything found: processes that died, and rows that nobody drives."""

    dead: Sequence[str]
    due: Sequence[Due]


def renew(c: Connection, worker: str, place: str, lease_s: float, now: float) -> float | None:
    """Say that this process lives: until `now` and `lease_s`.

    Returns until when it was taken for alive before; None if it is not known any more, or not yet.
    """
    lasted = _LASTED.one(c, {"which": worker})
    lives = {"id": worker, "place": place, "started_at": now, "lease_until": now + lease_s}
    _RENEW.once(c, lives)
    return lasted


def forget(c: Connection, worker: str, now: float) -> int:
    """A process ends in good order: what it leaves behind is free at once.

    Returns how much that was; it is known no more once that is nothing.
    """
    given = recovery.release(c, worker, now)
    if not given:
        c.execute(delete(workers).where(workers.c.id == worker))
    return given


def living(c: Connection, now: float) -> list[str]:
    """The processes whose lease lasts."""
    found = select(workers.c.id).where(workers.c.lease_until >= now).order_by(workers.c.id)
    return list(c.execute(found).scalars())


def known(c: Connection) -> set[str]:
    """The processes that live, or were not looked after yet since they died."""
    return set(c.execute(select(workers.c.id)).scalars())


def watch(c: Connection, now: float) -> Seen | None:
    """Look after everything, if no other process is at it: at most one at a time does."""
    end_silent(c)  # first of all: one of them may have been looking after everything
    if not c.execute(select(func.pg_try_advisory_xact_lock(_WATCH))).scalar_one():
        return None
    dead = list(c.execute(select(workers.c.id).where(workers.c.lease_until < now)).scalars())
    # One that went on after it was buried, claimed something, and then died for good.
    dead += sorted(recovery.drivers(c) - known(c))
    for worker in dead:
        recovery.hand_back(c, now, driver=worker)
    return Seen(dead, ready.due(c, now))


def bury(c: Connection, worker: str, now: float) -> None:
    """Nothing of a dead process is left to look after, unless it lives, or speaks, after all."""
    gone = select(workers.c.id).where(workers.c.id == worker, workers.c.lease_until < now)
    if c.execute(gone.with_for_update(skip_locked=True)).first() is not None:
        c.execute(delete(workers).where(workers.c.id == worker))
