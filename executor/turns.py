"""Whose turn it is: tenant after tenant; within a tenant by rank; of one rank lane after lane.

A tenant with a thousand waiting and a tenant with one each get every second turn, so nobody
waits longer for a turn than there are tenants. A tenant that comes back is last in the round.
The same holds of the lanes of one tenant and rank: what was just asked for waits for one of what
goes on, and not for all of it. Within a lane it goes by order of arrival.

No rank waits for ever: after `PASSED` turns of a tenant that passed over what had waited longer,
the next one for which that has room is of its rank.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, NamedTuple, TypeVar

PASSED = 9
T = TypeVar("T")


class _Place(NamedTuple, Generic[T]):
    """What waits: its number among all lanes of its rank, and among all that ever came."""

    number: int
    came: int
    item: T


class _First(NamedTuple, Generic[T]):
    """Of a rank: what comes first and its lane, and when what has waited longest came."""

    place: _Place[T]
    lane: "deque[_Place[T]]"
    longest: int


@dataclass
class _Rank(Generic[T]):
    """What waits of one rank, each lane numbered by itself from where the rank has come to."""

    lanes: "dict[int, deque[_Place[T]]]" = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)  # by lane
    reached: int = 0

    def add(self, item: T, lane: int, count: int) -> None:
        number = self.last[lane] = max(self.reached, self.last.get(lane, 0)) + 1
        self.lanes.setdefault(lane, deque()).append(_Place(number, count, item))

    def first(self, is_ready: Callable[[T], bool]) -> _First[T] | None:
        """Of what is ready."""
        found = [
            (place, lane)
            for lane in self.lanes.values()
            if (place := next((each for each in lane if is_ready(each.item)), None)) is not None
        ]
        if not found:
            return None
        place, lane = min(found, key=lambda each: each[0][:2])
        return _First(place, lane, min(each.came for each, _ in found))


@dataclass
class _Tenant(Generic[T]):
    """What waits for one of them."""

    ranks: dict[int, _Rank[T]] = field(default_factory=dict)
    passed: int = 0

    def add(self, item: T, rank: int, lane: int, count: int) -> None:
        self.ranks.setdefault(rank, _Rank()).add(item, lane, count)

    def __len__(self) -> int:
        return sum(len(lane) for rank in self.ranks.values() for lane in rank.lanes.values())

    def take(self, is_ready: Callable[[T], bool], has_room: Callable[[int], bool]) -> T | None:
        """The first one that is ready, of the ranks that have room."""
        firsts = {
            rank: first
            for rank in sorted(self.ranks)
            if (first := self.ranks[rank].first(is_ready)) is not None
        }
        rank = next((each for each in firsts if has_room(each)), None)
        if rank is None:
            return None
        longest = min(firsts, key=lambda each: firsts[each].longest)
        if rank != longest:
            self.passed += 1
            if self.passed > PASSED and has_room(longest):
                rank, self.passed = longest, 0
        place, lane, _ = firsts[rank]
        lane.remove(place)
        self.ranks[rank].reached = max(place.number, self.ranks[rank].reached)
        return place.item

    def drop(self, item: T) -> None:
        for rank in self.ranks.values():
            for name, lane in rank.lanes.items():
                rank.lanes[name] = deque(each for each in lane if each.item != item)


class Turns(Generic[T]):
    """What waits, by tenant; a lower rank comes first."""

    def __init__(self) -> None:
        self._round: deque[str] = deque()
        self._tenants: dict[str, _Tenant[T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return sum(len(each) for each in self._tenants.values())

    def add(self, tenant: str, item: T, rank: int = 0, lane: int = 0) -> None:
        """Let it wait."""
        if tenant not in self._tenants:
            self._tenants[tenant] = _Tenant()
            self._round.append(tenant)
        self._count += 1
        self._tenants[tenant].add(item, rank, lane, self._count)

    def next(
        self,
        is_ready: Callable[[T], bool] = lambda _: True,
        has_room: Callable[[str, int], bool] = lambda _, __: True,
    ) -> T | None:
        """Take the one whose turn it is; None if nothing waits that is ready and has room.

        Room is asked for by tenant and rank. A tenant of which there is nothing to take keeps its
        place in the round.
        """
        for place, tenant in enumerate(self._round):
            item = self._tenants[tenant].take(is_ready, partial(has_room, tenant))
            if item is not None:
                del self._round[place]
                if self._tenants[tenant]:
                    self._round.append(tenant)
                else:
                    del self._tenants[tenant]
                return item
        return None

    def drop(self, tenant: str, item: T) -> None:
        """What waited wants no turn any more: none is spent on it."""
        places = self._tenants[tenant]
        places.drop(item)
        if not places:
            self._round.remove(tenant)
            del self._tenants[tenant]
