"""For how long whoever asks waits for a database that has fallen silent.

A drive has time: what it asked for is done once the database is back. Who is asked by a person has
not, and says within a second that nothing can be said now. Silence counts from the last answer
that anybody in this process got, so that a database which is only slow is waited for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SILENT_S = 0.8
_silent_s: ContextVar[float | None] = ContextVar("silent_s", default=None)


@contextmanager
def impatient(silent_s: float = SILENT_S) -> Iterator[None]:
    """Have what is asked for in here fail once a shared database is silent for so long."""
    before = _silent_s.set(silent_s)
    try:
        yield
    finally:
        _silent_s.reset(before)


def give_up_at(asked_at: float, answered_at: float, within_s: float) -> float:
    """When there is nothing more to wait for, on the clock of the two readings."""
    silent_s = _silent_s.get()
    latest = asked_at + within_s
    return latest if silent_s is None else min(latest, max(asked_at, answered_at) + silent_s)
