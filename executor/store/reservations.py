"""When each run that got no permit may come again: one reservation a run and connection.

It is kept until the run takes its permit, so a run that is woken early, or asks for several calls
at once, has the one that it had and pushes nobody back. Its `turn` is the time that it was told
first, and says who comes before whom; it is to come `at` a later time if the service asked for one
meanwhile. One that nobody came for is void `LATE_S` after that.
"""

from math import inf
from typing import NamedTuple

from sqlalchemy import Connection, Double, bindparam, case, delete, func, or_, select
from sqlalchemy.sql import ClauseElement

from executor.store.runs import ENDED
from executor.store.statement import Change, Query, one_of
from executor.store.tables import reservations, runs
from executor.store.upsert import insert_into

LATE_S = 5.0


class Reserved(NamedTuple):
    """For when a run has reserved, if it has, how many come before it, and when the last of all."""

    at: float | None = None
    ahead: int = 0
    last: float = -inf


_OF_KEY = (
    reservations.c.tenant == bindparam("tenant"),
    reservations.c.key == bindparam("key"),
)
_IS_OWN = reservations.c.run == bindparam("run")
_STANDS = reservations.c.at > bindparam("since", type_=Double)
_OWN = select(reservations).where(*_OF_KEY, _IS_OWN, _STANDS).subquery()
_TURN = select(_OWN.c.turn).scalar_subquery()
_IS_OVER = (
    select(runs.c.id)
    .where(runs.c.tenant == reservations.c.tenant, runs.c.id == reservations.c.run)
    .where(one_of(runs.c.status, ENDED))
    .exists()
)
_IS_AHEAD = case((or_(_TURN.is_(None), reservations.c.turn < _TURN), 1))


def _reserved(at: float | None, ahead: int, last: float | None) -> Reserved:
    return Reserved(at, ahead, -inf if last is None else last)


_FOUND = Query(
    select(
        select(_OWN.c.at).scalar_subquery(), func.count(_IS_AHEAD), func.max(reservations.c.at)
    ).where(*_OF_KEY, ~_IS_OWN, _STANDS, ~_IS_OVER),
    _reserved,
)
_DROP = Change(delete(reservations).where(*_OF_KEY, _IS_OWN))
_SWEEP = Change(delete(reservations).where(*_OF_KEY, ~_STANDS))


def _put(dialect: str) -> ClauseElement:
    statement = insert_into(dialect, reservations)
    return statement.on_conflict_do_update(
        index_elements=["tenant", "key", "run"], set_={"at": statement.excluded.at}
    )


_PUT = Change(_put)


def found(c: Connection, tenant: str, key: str, run: str, now: float) -> Reserved:
    """How a run stands among those that wait for permits of a connection."""
    which = {"tenant": tenant, "key": key, "run": run, "since": now - LATE_S}
    return _FOUND.one(c, which) or Reserved()


def put(c: Connection, tenant: str, key: str, run: str, at: float, now: float) -> None:
    """Have a run come at this time; what nobody came for is forgotten."""
    _SWEEP.once(c, {"tenant": tenant, "key": key, "since": now - LATE_S})
    _PUT.once(c, {"tenant": tenant, "key": key, "run": run, "turn": at, "at": at})


def drop(c: Connection, tenant: str, key: str, run: str) -> None:
    """The run has its permit."""
    _DROP.once(c, {"tenant": tenant, "key": key, "run": run})
