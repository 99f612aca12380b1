"""Whose turn it is: tenant after tenant, and within a tenant by rank, then in order of arrival.

A tenant with a thousand waiting and a tenant with one each get every second turn, so nobody
waits longer for a turn than there are tenants. A tenant that comes back is last in the round.
"""

import heapq
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """What waits, by tenant; a lower rank comes first."""

    def __init__(self) -> None:
        self._round: deque[str] = deque()
        self._waiting: dict[str, list[tuple[int, int, T]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, tenant: str, item: T, rank: int = 0) -> None:
        """Let it wait."""
        if tenant not in self._waiting:
            self._waiting[tenant] = []
            self._round.append(tenant)
        self._count += 1
        heapq.heappush(self._waiting[tenant], (rank, self._count, item))

    def next(self) -> T | None:
        """Take the one whose turn it is; None if nothing waits."""
        if not self._round:
            return None
        tenant = self._round.popleft()
        waiting = self._waiting[tenant]
        _, _, item = heapq.heappop(waiting)
        if waiting:
            self._round.append(tenant)
        else:
            del self._waiting[tenant]
        return item
