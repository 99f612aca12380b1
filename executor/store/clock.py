"""What time it is for everybody who uses a database, though the database's own clock is set back.

A process goes on evenly from what the database said last, whatever becomes of the machine's clock.
Where a server says an earlier time than it can be by that, its clock was set back: whoever notices
writes down what time it was (`noted`), and from then on the time goes on from there for everybody,
a tenth slower than it does, until the server's clock has caught up. So no wait ends too early, and
none takes hours longer than it should.

A server's clock that is set forward cannot be told from a process that stood still: it is followed,
but for what only sets right a clock that had been set back.
"""

import sys
import time
from typing import NamedTuple

BACK_S = 2.0  # what is less is no more than how exactly the time is known
PACE = 0.9


class Moment(NamedTuple):
    """What time it is, and what the server's own clock says."""

    time: float
    server: float


def moment(server: float, noted: str | None) -> Moment:
    """What time it is by the server's clock, and by what was noted when that was set back."""
    if noted is None:
        return Moment(server, server)
    then, was = (float(each) for each in noted.split())
    return Moment(max(server, was + PACE * (server - then)), server)


def note(server: float, now: float) -> str:
    """What is noted where the server's clock says something else than what time it is."""
    return f"{server!r} {now!r}"


def apart(ahead_s: float) -> str:
    """How far a clock is ahead of something, or behind it, as people say it."""
    size, unit = abs(ahead_s), "seconds"
    for seconds, longer in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if size >= 2 * seconds:
            size, unit = size / seconds, longer
            break
    return f"{size:.0f} {unit} {'ahead of' if ahead_s > 0 else 'behind'}"


def steady() -> float:
    """A clock that never jumps, and goes on while the machine is suspended."""
    if sys.platform != "linux":
        return time.monotonic()
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """One process's, set by what the database says again and again."""

    def __init__(self) -> None:
        self._ahead_s = 0.0  # of the steady clock
        self._asked_at = self._answered_at = 0.0  # by the steady clock, between which it was
        self._said: float | None = None

    def now(self) -> float:
        """What time it is."""
        return steady() + self._ahead_s

    def set(self, asked_at: float, answered_at: float, time: float) -> None:
        """Take over what the database said between two readings of the steady clock."""
        self._ahead_s = time - (asked_at + answered_at) / 2
        self._asked_at, self._answered_at, self._said = asked_at, answered_at, time

    def disagrees(self, asked_at: float, answered_at: float, found: Moment) -> bool:
        """Whether the server's clock was set back since it was heard last, or right again."""
        if self._said is None:
            return False
        least = self._said + PACE * (asked_at - self._answered_at)
        most = self._said + answered_at - self._asked_at
        is_corrected = found.time > found.server
        return found.time < least - BACK_S or (is_corrected and found.time > most + BACK_S)
