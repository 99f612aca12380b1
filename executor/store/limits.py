"""Rate limits by GCRA (the virtual scheduling form of ITU-T I.371), one row a connection.

`arrival` is when the next call would come if calls came evenly; a call may come `burst - 1`
intervals before it. What becomes of a row is decided in pure functions; who takes permits has
locked it before, and puts it back in the same transaction, once for all calls that begin in it.

Who gets none is told when to come again, and reserves that (`reservations.py`): each one interval
after the one before, so that a thousand that wait come one after the other, and not all together
for the same permit. At its time it comes before whoever reserved nothing, or later, unless that is
of a higher rank. `queue_end` is the latest time that was reserved, `passed` how many have come
before lower ranks since one of these was raised, and `normal_off_s` and `low_off_s` by how much all
that was reserved for these ranks was put off so far.

Where no rate is known nobody waits for another, but for a while after the service was left alone,
or what it takes was used up (`pace.py`).

What a service says that it still takes (`quota_left` until `quota_until`) is counted down by each
permit: its next answer may come after many calls have begun. Until it renews it only goes down.
"""

from dataclasses import asdict, dataclass, replace
from math import inf
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.sql import ClauseElement

from connectors.quota import Quota
from connectors.spec import Limits
from executor.store.drives import RANKS
from executor.store.pace import Pace, pace_of
from executor.store.reservations import LATE_S, PutOff, Reserved
from executor.store.statement import Change, Query
from executor.store.tables import NORMAL, limits
from executor.store.upsert import insert_into
from executor.turns import PASSED


@dataclass(frozen=True)
class Limit:
    """How a connection's permits stand."""

    arrival: float = 0.0
    hold_until: float = 0.0
    queue_end: float = 0.0
    quota_left: int | None = None
    quota_until: float | None = None
    passed: int = 0
    normal_off_s: float = 0.0
    low_off_s: float = 0.0

    @property
    def put_off(self) -> PutOff:
        """By how much each rank was put off; the highest one never is."""
        off = (0.0, self.normal_off_s, self.low_off_s)
        return dict(zip(RANKS.values(), off, strict=True))

    @property
    def was_told(self) -> bool:
        """Whether the service has said anything that still has to be remembered."""
        return bool(self.hold_until) or self.quota_left is not None

    @property
    def left_alone_until(self) -> float:
        """Until when the service took no calls, as it has said last; 0 if it never has."""
        used_up = self.quota_until or 0.0 if self.quota_left == 0 else 0.0
        return max(self.hold_until, used_up)


class Taken(NamedTuple):
    """What becomes of a limit, and when to ask again if there was no permit.

    `raises`: enough have come before lower ranks, and the first of each counts as one rank higher.
    """

    limit: Limit
    again_at: float | None = None
    raises: bool = False


NOTHING = Reserved()


def taken(
    limit: Limit,
    allowed: Limits | None,
    now: float,
    rank: int = NORMAL,
    reserved: Reserved = NOTHING,
) -> Taken:
    """Take one permit for a run of a rank, or none and say when to ask again."""
    raises, pace = False, pace_of(allowed, limit.left_alone_until, now)
    if pace is not None:
        free_at = max(pace.free_at(limit.arrival), limit.left_alone_until)
        again_at = _again_at(free_at, pace, now, reserved)
        at = now if again_at is None else again_at
        passes = reserved.own is None and reserved.below < pace.after(at)  # of a lower rank
        if passes:
            limit = replace(limit, passed=(limit.passed + 1) % PASSED)
            raises = not limit.passed
        if again_at is not None:
            if passes:
                limit = _put_off(limit, rank, pace.after(again_at) - again_at)
            end = max(limit.queue_end, again_at)
            return Taken(replace(limit, queue_end=end), again_at, raises)
        limit = replace(limit, arrival=pace.after(max(limit.arrival, now)))
    if (limit.quota_until or 0.0) > now and limit.quota_left:
        limit = replace(limit, quota_left=limit.quota_left - 1)
    elif pace is None and limit.was_told:  # it is long over
        limit = replace(limit, hold_until=0.0, quota_left=None, quota_until=None)
    return Taken(limit, raises=raises)


def _again_at(free_at: float, pace: Pace, now: float, reserved: Reserved) -> float | None:
    """When to come again, or None where it is the turn of whoever asks."""
    if reserved.own is not None:
        at = reserved.own.at
        return max(at, pace.after(free_at, reserved.ahead)) if max(at, free_at) > now else None
    if max(reserved.last, free_at) > now:
        return max(free_at, pace.after(reserved.last))
    is_late = reserved.last > -inf  # somebody is, and comes first
    return min(pace.after(now), now + LATE_S) if is_late else None


def _put_off(limit: Limit, rank: int, seconds: float) -> Limit:
    """All of lower ranks come later: one of this rank comes before them."""
    _, normal, low = (off + seconds * (each > rank) for each, off in limit.put_off.items())
    end = limit.queue_end + seconds
    return replace(limit, queue_end=end, normal_off_s=normal, low_off_s=low)


def held_until(limit: Limit, until: float) -> Limit:
    """Let nothing through before `until`: what Retry-After asked for is never undercut."""
    return replace(limit, hold_until=max(limit.hold_until, until))


def counted_down(limit: Limit, quota: Quota, now: float) -> Limit:
    """Begin with what a service says, or go on with it if it is less than what was counted."""
    renews_at, until = limit.quota_until or 0.0, now + quota.renews_in_s
    if renews_at <= now or limit.quota_left is None or quota.left < limit.quota_left:
        return replace(limit, quota_left=quota.left, quota_until=until)
    if quota.left == limit.quota_left:  # for longer, where what it said first is over sooner
        return replace(limit, quota_until=max(renews_at, until))
    return limit


_KEY = (limits.c.tenant == bindparam("tenant"), limits.c.key == bindparam("key"))
_COLUMNS = [limits.c[name] for name in asdict(Limit())]
_LOCKED = Query(select(*_COLUMNS).where(*_KEY).with_for_update(), Limit)
_PUT_FIRST = Change(lambda dialect: insert_into(dialect, limits).on_conflict_do_nothing())


def _put(dialect: str) -> ClauseElement:
    statement = insert_into(dialect, limits)
    changed = {each.name: statement.excluded[each.name] for each in _COLUMNS}
    return statement.on_conflict_do_update(index_elements=["tenant", "key"], set_=changed)


_PUT = Change(_put)


def lock(c: Connection, tenant: str, key: str) -> Limit:
    """How it stands, and nobody else changes it before this transaction has ended."""
    which = {"tenant": tenant, "key": key}
    found = _LOCKED.one(c, which)
    if found is None:  # of two processes that come first at once, one waits for the other here
        _PUT_FIRST.once(c, which | asdict(Limit()))
        found = _LOCKED.one(c, which) or Limit()
    return found


def put(c: Connection, tenant: str, key: str, limit: Limit) -> None:
    """Keep how it stands."""
    _PUT.once(c, {"tenant": tenant, "key": key, **asdict(limit)})


def held(c: Connection, tenant: str, now: float) -> dict[str, float]:
    """Until when services have asked to be left alone, by connection."""
    rows = c.execute(
        select(limits.c.key, limits.c.hold_until).where(
            limits.c.tenant == tenant, limits.c.hold_until > now
        )
    )
    return {row.key: row.hold_until for row in rows}


def quotas(c: Connection, tenant: str, now: float) -> dict[str, tuple[int, float]]:
    """How many calls services still take, and until when that holds, where it is counted."""
    rows = c.execute(
        select(limits.c.key, limits.c.quota_left, limits.c.quota_until).where(
            limits.c.tenant == tenant, limits.c.quota_until > now
        )
    )
    return {row.key: (row.quota_left, row.quota_until) for row in rows}
