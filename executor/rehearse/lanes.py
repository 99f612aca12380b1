"""How calls of a connection are let through in a rehearsal: its rate, and how many at once.

The rule is that of `executor/store/limits.py`, with nobody else on the road: permits are there from
the start, and no other run takes any.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.spec import ActionSpec, Limits

LimitsOf = Callable[[ActionSpec], Limits | None]


@dataclass
class Lanes:
    """The permits of every connection, in one scenario."""

    limits_of: LimitsOf
    waited_s: dict[str, float] = field(default_factory=dict)
    _arrivals: dict[str, float] = field(default_factory=dict)
    _held: dict[str, float] = field(default_factory=dict)

    def take(self, action: ActionSpec, now: float, under_way: Sequence[float]) -> float | None:
        """Take a permit, or say when to ask again; `under_way` is when calls there will end."""
        allowed, key = self.limits_of(action), action.connection
        if allowed is None:
            return None
        if allowed.concurrency is not None and len(under_way) >= allowed.concurrency:
            return min(under_way)
        if allowed.rate is None:
            return None
        interval = allowed.per_s / allowed.rate
        arrival = self._arrivals.get(key, now)
        early = arrival - (allowed.burst - 1) * interval
        if early > now:
            waits_from = max(now, self._held.get(key, now))
            self.waited_s[key] = self.waited_s.get(key, 0.0) + max(0.0, early - waits_from)
            self._held[key] = max(early, self._held.get(key, early))
            return early
        self._arrivals[key] = max(arrival, now) + interval
        return None
