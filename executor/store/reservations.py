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

By how much a rank was put off so far is a sum (`PutOff`) that its connection's limit keeps, and a
row's `at` is the time less that sum as it was then: whoever is put off is not written to. Nothing
here looks at more rows than a few, however many wait, but the count of those that come before one
that has reserved, which are few at its time; and rows of runs that have ended are passed over until
they are swept away.
"""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    ScalarSelect,
    and_,
    bindparam,
    delete,
    func,
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
_RANKS = sorted(RANKS.values())
PutOff = Mapping[int, float]  # by how many seconds each rank was put off in all


class Reservation(NamedTuple):
    """When a run is to come, when it was told to at first, and its rank, which may be raised."""

    at: float
    turn: float
    rank: int


class Reserved(NamedTuple):
    """For when a run has reserved, if it has, and how the others that are waited for stand to it.

    Of one that has: how many come before it. Of one that has not: when the last of its rank or a
    higher one comes, and when the first of a lower one.
    """

    own: Reservation | None = None
    ahead: int = 0
    last: float = -inf
    below: float = inf

    def told(self, at: float, rank: int) -> Reservation:
        """What a run of a rank has reserved that is told to come at this time."""
        return Reservation(at, at, rank) if self.own is None else self.own._replace(at=at)


_OF_KEY = (
    reservations.c.tenant == bindparam("tenant"),
    reservations.c.key == bindparam("key"),
)
_IS_OWN = reservations.c.run == bindparam("run")
_IS_OVER = (
    select(runs.c.id)
    .where(runs.c.tenant == reservations.c.tenant, runs.c.id == reservations.c.run)
    .where(one_of(runs.c.status, ENDED))
    .exists()
)


def _of(rank: int) -> tuple[ColumnElement[bool], ...]:
    """Those of a rank."""
    return (*_OF_KEY, reservations.c.rank == rank)


def _time(name: str, rank: int) -> ColumnElement[float]:
    """A time as it would stand in a row of a rank; see `_of_rows`."""
    return bindparam(f"{name}_{rank}", type_=Double)


def _stands(rank: int) -> ColumnElement[bool]:
    return reservations.c.at > _time("since", rank)


def _end(rank: int, *, is_last: bool) -> ScalarSelect[float]:
    """When the first of a rank, or the last, is to come, as its row says."""
    at = reservations.c.at
    found = select(at).where(*_of(rank), _stands(rank), ~_IS_OVER)
    return found.order_by(at.desc() if is_last else at).limit(1).scalar_subquery()


def _count(*which: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).where(*which, ~_IS_OVER).scalar_subquery()


def _ahead(rank: int) -> ColumnElement[int]:
    """How many come before one of a rank; of its own one those whose turn was earlier."""
    of_own = and_(
        reservations.c.turn < bindparam("turn", type_=Double),
        reservations.c.at + 0.0 > _time("since", rank),  # found by their turns, which are few
    )
    found: ColumnElement[int] = _count(*_of(rank), of_own)
    for higher in _RANKS[:rank]:
        found = found + _count(*_of(higher), _stands(higher))
    return found


_OWN = Query(
    select(*(reservations.c[name] for name in Reservation._fields)).where(*_OF_KEY, _IS_OWN),
    Reservation,
)
_AHEAD = {rank: Query(select(_ahead(rank)), int) for rank in _RANKS}
_ENDS = {
    rank: Query(select(*(_end(each, is_last=each <= rank) for each in _RANKS)), lambda *row: row)
    for rank in _RANKS
}
_FIRST = {
    rank: select(reservations.c.run)
    .where(*_of(rank), _stands(rank))
    .order_by(reservations.c.at, reservations.c.run)
    .limit(1)
    for rank in _RANKS
}
_RAISE = {
    rank: Change(
        update(reservations)
        .where(*_OF_KEY, reservations.c.run == first.scalar_subquery())
        .values(
            rank=rank - 1,
            turn=reservations.c.at + bindparam("own_off", type_=Double),
            at=reservations.c.at + bindparam("less_off", type_=Double),
        )
    )
    for rank, first in _FIRST.items()
}
_DROP = Change(delete(reservations).where(*_OF_KEY, _IS_OWN))
_SWEEP = {
    rank: Change(delete(reservations).where(*_of(rank), reservations.c.at <= _time("kept", rank)))
    for rank in _RANKS
}


def _put(dialect: str) -> ClauseElement:
    statement = insert_into(dialect, reservations)
    changed = {name: statement.excluded[name] for name in Reservation._fields}
    return statement.on_conflict_do_update(index_elements=["tenant", "key", "run"], set_=changed)


_PUT = Change(_put)


def found(
    c: Connection, tenant: str, key: str, run: str, rank: int, put_off: PutOff, now: float
) -> Reserved:
    """How a run stands among those that wait for permits of a connection."""
    which = _of_rows(tenant, key, "since", now - LATE_S, put_off)
    own = _OWN.one(c, {"tenant": tenant, "key": key, "run": run})
    if own is not None and (at := own.at + put_off[own.rank]) > now - KEPT_S:
        ahead = _AHEAD[own.rank].one(c, which | {"turn": own.turn})
        return Reserved(own._replace(at=at), ahead or 0)
    (ends,) = _ENDS[rank].all(c, which)
    times = {r: at + put_off[r] for r, at in zip(_RANKS, ends, strict=True) if at is not None}
    last = max((at for r, at in times.items() if r <= rank), default=-inf)
    return Reserved(last=last, below=min((at for r, at in times.items() if r > rank), default=inf))


def put(
    c: Connection, tenant: str, key: str, run: str, own: Reservation, put_off: PutOff, now: float
) -> None:
    """Have a run come at its time; what nobody of its rank came for is forgotten."""
    which = _of_rows(tenant, key, "kept", now - KEPT_S, put_off)
    _SWEEP[own.rank].once(c, which)
    stored = own._replace(at=own.at - put_off[own.rank])
    _PUT.once(c, {"tenant": tenant, "key": key, "run": run, **stored._asdict()})


def raise_first(c: Connection, tenant: str, key: str, put_off: PutOff, now: float) -> None:
    """Have the first of each rank count as one of the next higher one, of which it is the last."""
    which = _of_rows(tenant, key, "since", now - LATE_S, put_off)
    for rank in _RANKS[1:]:  # the higher one first: nobody is raised twice
        off, less = put_off[rank], put_off[rank] - put_off[rank - 1]
        _RAISE[rank].once(c, which | {"own_off": off, "less_off": less})


def drop(c: Connection, tenant: str, key: str, run: str) -> None:
    """The run has its permit."""
    _DROP.once(c, {"tenant": tenant, "key": key, "run": run})


def _of_rows(tenant: str, key: str, name: str, at: float, put_off: PutOff) -> dict[str, object]:
    """Which rows, and what a time is in those of each rank."""
    times = {f"{name}_{rank}": at - put_off[rank] for rank in _RANKS}
    return {"tenant": tenant, "key": key, **times}
