"""Whose turn it is: tenant after tenant; within a tenant by rank; of one rank lane after lane.

A tenant with a thousand waiting and a tenant with one each get every second turn, so nobody
waits longer for a turn than there are tenants. A tenant that comes back is last in the round.
The same holds of the lanes of one tenant and rank: what was just asked for waits for one of what
goes on, and not for all of it. Within a lane it goes by order of arrival.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_Place = tuple[int, int, int, T]  # rank, number among all lanes of it, count, and what waits


@dataclass
class _Tenant(Generic[T]):
    """What waits for one of them, each lane numbered by itself from where the rank has come to."""

    waiting: list[_Place[T]] = field(default_factory=list)
    reached: dict[int, int] = field(default_factory=dict)  # by rank
    last: dict[tuple[int, int], int] = field(default_factory=dict)  # by rank and lane

    def add(self, item: T, rank: int, lane: int, count: int) -> None:
        number = max(self.reached.get(rank, 0), self.last.get((rank, lane), 0)) + 1
        self.last[rank, lane] = number
        heapq.heappush(self.waiting, (rank, number, count, item))

    def take(self, is_ready: Callable[[T], bool]) -> T | None:
        """The first one that is ready."""
        passed: list[_Place[T]] = []
        found = None
        while self.waiting and found is None:
            first = heapq.heappop(self.waiting)
            if is_ready(first[-1]):
                rank, number, _, found = first
                self.reached[rank] = max(number, self.reached.get(rank, 0))
            else:
                passed.append(first)
        for each in passed:
            heapq.heappush(self.waiting, each)
        return found


class Turns(Generic[T]):
    """What waits, by tenant; a lower rank comes first."""

    def __init__(self) -> None:
        self._round: deque[str] = deque()
        self._tenants: dict[str, _Tenant[T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return sum(len(each.waiting) for each in self._tenants.values())

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
        has_room: Callable[[str], bool] = lambda _: True,
    ) -> T | None:
        """Take the one whose turn it is; None if nothing waits that is ready.

        A tenant that has nothing that is ready, or no room, keeps its place in the round.
        """
        for place, tenant in enumerate(self._round):
            if not has_room(tenant):
                continue
            item = self._tenants[tenant].take(is_ready)
            if item is not None:
                del self._round[place]
                if self._tenants[tenant].waiting:
                    self._round.append(tenant)
                else:
                    del self._tenants[tenant]
                return item
        return None

    def drop(self, tenant: str, item: T) -> None:
        """What waited wants no turn any more: none is spent on it."""
        places = self._tenants[tenant]
        places.waiting = [each for each in places.waiting if each[-1] != item]
        heapq.heapify(places.waiting)
        if not places.waiting:
            self._round.remove(tenant)
            del self._tenants[tenant]
