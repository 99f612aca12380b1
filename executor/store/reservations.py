"""When each run that got no permit may come again: one reservation a run and connection.

It is kept until the run takes its permit, so a run that is woken early, or asks for several calls
at once, has the one that it had and pushes nobody back. Its `turn` is the time that it was told
first, and says who comes before whom of its rank; it is to come `at` a later time if the service
asked for one meanwhile. `LATE_S` after that nobody waits for it any more; but whoever comes for it
later still has its turn, for `KEPT_S`: on a host on which all come too late, each that comes would
else find the later times of the others, and wait for them as they wait for it.

A run that comes anew comes after those of its own rank and of higher ones, and before those of
lower ranks, which it puts off by one interval: they learn of it when they come. After `PASSED` that
came like this, the first of each lower rank counts as one rank higher, so nobody waits for ever.
"""

from math import inf
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    Double,
    Integer,
    and_,
    bindparam,
    case,
    delete,
    func,
    null,
    select,
    update,
)
from sqlalchemy.sql import ClauseElement

from executor.store.drives import RANKS
from executor.store.runs import ENDED
from executor.store.statement import Change, Query, one_of
from executor.store.tables import reservations, runs
from executor.store.upsert import insert_into

LATE_S = 5.0
KEPT_S = 600.0


class Reserved(NamedTuple):
    """For when a run has reserved, if it has, and how the others that are waited for stand to it.

    How many come before it, when the last of its rank or a higher one comes, and when the first of
    a lower one.
    """

    at: float | None = None
    ahead: int = 0
    last: float = -inf
    below: float = inf


_OF_KEY = (
    reservations.c.tenant == bindparam("tenant"),
    reservations.c.key == bindparam("key"),
)
_IS_OWN = reservations.c.run == bindparam("run")
_STANDS = reservations.c.at > bindparam("since", type_=Double)
_IS_KEPT = reservations.c.at > bindparam("kept", type_=Double)
_OWN = select(reservations).where(*_OF_KEY, _IS_OWN, _IS_KEPT).subquery()
_TURN = select(_OWN.c.turn).scalar_subquery()
_RANK = func.coalesce(select(_OWN.c.rank).scalar_subquery(), bindparam("rank", type_=Integer))
_IS_OVER = (
    select(runs.c.id)
    .where(runs.c.tenant == reservations.c.tenant, runs.c.id == reservations.c.run)
    .where(one_of(runs.c.status, ENDED))
    .exists()
)
_IS_BELOW = reservations.c.rank > _RANK
_IS_LATER = and_(reservations.c.rank == _RANK, reservations.c.turn >= _TURN)  # no, if it has none


def _reserved(at: float | None, ahead: int, last: float | None, below: float | None) -> Reserved:
    return Reserved(at, ahead, -inf if last is None else last, inf if below is None else below)


_FOUND = Query(
    select(
        select(_OWN.c.at).scalar_subquery(),
        func.count(case((_IS_BELOW, null()), (_IS_LATER, null()), else_=1)),
        func.max(case((~_IS_BELOW, reservations.c.at))),
        func.min(case((_IS_BELOW, reservations.c.at))),
    ).where(*_OF_KEY, ~_IS_OWN, _STANDS, ~_IS_OVER),
    _reserved,
)
_PUT_OFF = Change(
    update(reservations)
    .where(*_OF_KEY, _STANDS, reservations.c.rank > bindparam("of", type_=Integer))
    .values(at=reservations.c.at + bindparam("interval", type_=Double))
)
_FIRST = (
    select(reservations.c.run)
    .where(*_OF_KEY, _STANDS, reservations.c.rank == bindparam("of", type_=Integer))
    .order_by(reservations.c.at, reservations.c.run)
    .limit(1)
)
_RAISE = Change(
    update(reservations)
    .where(*_OF_KEY, reservations.c.run == _FIRST.scalar_subquery())
    .values(rank=reservations.c.rank - 1, turn=reservations.c.at)
)
_DROP = Change(delete(reservations).where(*_OF_KEY, _IS_OWN))
_SWEEP = Change(delete(reservations).where(*_OF_KEY, ~_IS_KEPT))


def _put(dialect: str) -> ClauseElement:
    statement = insert_into(dialect, reservations)
    return statement.on_conflict_do_update(
        index_elements=["tenant", "key", "run"], set_={"at": statement.excluded.at}
    )


_PUT = Change(_put)


def found(c: Connection, tenant: str, key: str, run: str, rank: int, now: float) -> Reserved:
    """How a run stands among those that wait for permits of a connection."""
    since = {"since": now - LATE_S, "kept": now - KEPT_S}
    one = _FOUND.one(c, {"tenant": tenant, "key": key, "run": run, "rank": rank, **since})
    assert one is not None  # noqa: S101 - what counts gives one row, whatever there is
    return one


def put(c: Connection, tenant: str, key: str, run: str, rank: int, at: float, now: float) -> None:
    """Have a run come at this time; what nobody came for is forgotten."""
    _SWEEP.once(c, {"tenant": tenant, "key": key, "kept": now - KEPT_S})
    _PUT.once(c, {"tenant": tenant, "key": key, "run": run, "rank": rank, "turn": at, "at": at})


def put_off(c: Connection, tenant: str, key: str, rank: int, interval: float, now: float) -> None:
    """Have all of lower ranks come one interval later: one of this rank comes before them."""
    which = {"tenant": tenant, "key": key, "since": now - LATE_S}
    _PUT_OFF.once(c, which | {"of": rank, "interval": interval})


def raise_first(c: Connection, tenant: str, key: str, now: float) -> None:
    """Have the first of each rank count as one of the next higher one, of which it is the last."""
    which = {"tenant": tenant, "key": key, "since": now - LATE_S}
    for rank in sorted(RANKS.values())[1:]:  # the higher one first: nobody is raised twice
        _RAISE.once(c, which | {"of": rank})


def drop(c: Connection, tenant: str, key: str, run: str) -> None:
    """The run has its permit."""
    _DROP.once(c, {"tenant": tenant, "key": key, "run": run})
