"""How permits follow one another: evenly, or after a service was left alone faster and faster.

What waited while a service took no calls would all come in the moment in which it may, and most of
it only to be put off once more. So where no rate is known they come one after the other, at first
`FIRST_PER_S` a second, and twice as many with each second (the slow start of RFC 5681, by the clock
in place of answers). After `SLOW_S` none waits for another any more.
"""

from dataclasses import dataclass
from math import log, log2

from connectors.spec import Limits

FIRST_PER_S = 20.0
SLOW_S = 6.0


@dataclass(frozen=True)
class Pace:
    """Seconds between two permits; with `since` it is so until then, and half of it a second later.

    `burst` of them may come together where they come evenly.
    """

    interval: float
    burst: int = 1
    since: float | None = None

    def after(self, at: float, permits: float = 1.0) -> float:
        """When so many permits have come since the one at this time."""
        if self.since is None:
            return at + permits * self.interval
        interval = self.interval * 2.0 ** -max(0.0, at - self.since)
        return at + log2(1.0 + permits * interval * log(2.0))

    def free_at(self, arrival: float) -> float:
        """From when on one may come where the next would, if all came evenly."""
        return arrival - (self.burst - 1) * self.interval


def pace_of(allowed: Limits | None, left_alone_until: float, now: float) -> Pace | None:
    """That of a connection; None where no call has to wait for another."""
    if allowed is not None and allowed.rate is not None:
        return Pace(allowed.per_s / allowed.rate, allowed.burst)
    if now >= left_alone_until + SLOW_S:
        return None
    return Pace(1.0 / FIRST_PER_S, since=left_alone_until)
