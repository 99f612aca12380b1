"""How far one transaction has come: what its silence means depends on nothing else.

    connecting ─▶ working ─▶ committing ─▶ done
    nothing was   the server   it may have
    sent          takes it     happened
                  back

One thread works at it and another waits for it, until the deadline. Whoever waits gives it up, and
from then on the thread begins nothing more: above all no commit.
"""

import threading
import time
from collections.abc import Callable
from enum import StrEnum

from connectors.errors import ConnectorError, Kind, Unavailable, Uncertain


class Phase(StrEnum):
    """Where a transaction is."""

    CONNECTING = "connecting"
    WORKING = "working"
    COMMITTING = "committing"


class Turn:
    """One transaction: until when it may work, and whether anybody still waits for it."""

    def __init__(self, deadline: float, send_before: float, *, is_write: bool) -> None:
        self._deadline = deadline
        self._send_before = send_before
        self._is_write = is_write
        self._lock = threading.Lock()
        self._is_over = False
        self._break_off: Callable[[], None] | None = None
        self.phase = Phase.CONNECTING

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._deadline - time.monotonic())

    def opens(self) -> None:
        """Begin to connect; raises `Unavailable` once it is too late."""
        with self._lock:
            if self._is_over or time.monotonic() >= min(self._send_before, self._deadline):
                raise Unavailable("the call could not begin in time", kind=Kind.CANCELLED)

    def works(self, break_off: Callable[[], None] | None = None) -> None:
        """Begin to work on a connection, which `break_off` ends; raises `Unavailable`."""
        self.opens()
        with self._lock:
            self._break_off, self.phase = break_off, Phase.WORKING

    def commits(self) -> None:
        """Begin to commit; raises `Unavailable` where that may not happen any more."""
        with self._lock:
            if self._is_over or time.monotonic() >= self._deadline:
                raise self.silence("the deadline passed before the commit", Kind.TIMEOUT)
            self.phase = Phase.COMMITTING

    def lets_go(self) -> None:
        """Say that the connection may be somebody else's from now on."""
        with self._lock:
            self._break_off = None

    def give_up(self) -> ConnectorError:
        """Have the thread begin nothing more; returns what the silence so far means."""
        with self._lock:
            self._is_over = True
            if self._break_off is not None:
                self._break_off()
            return self.silence("no result before the deadline", Kind.TIMEOUT)

    def silence(self, reason: str, kind: Kind) -> ConnectorError:
        """What it means that no word came any more."""
        if self.phase is Phase.COMMITTING and self._is_write:
            return Uncertain(f"no answer to the commit: {reason}", kind=kind)
        was_sent = self.phase is not Phase.CONNECTING
        return Unavailable(f"nothing was committed: {reason}", kind=kind, sent=was_sent)
