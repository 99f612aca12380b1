"""The lease of one process on a shared database: until when it counts as alive, and may act.

Nobody else renews a lease, so a process that finds an older one than it was told to be kept knows
that the server has lost commits, also those of runs that nobody drives, and says so. Less than what
lies between two renewals is not seen by that; but that another server answers, or the same one in
another life, is.
"""

import logging
import os
import socket
import time
from collections.abc import Iterable

from sqlalchemy import Connection

from executor.store import recovery, workers
from executor.store.clock import steady
from executor.store.drives import Due
from executor.store.store import Store

LEASE_S = 4.0
MARGIN_S = 0.5  # before the end of its lease a process begins no effect any more
LOST_COMMITS = "commits-lost"
_LOST = (
    "the server holds an older lease of this process than it had said to keep, so it has lost "
    "commits: a standby has taken over without them, say, or a copy was put in its place. Runs may "
    "call again what they had called: lamgate stop --all-tenants, then look after them as "
    "docs/how-to/distributed.md says, 'A standby that takes over'"
)
_log = logging.getLogger("lamgate.dispatch")


class Lease:
    """Renewed by its process every second; `ends` is a reading of `time.monotonic()`."""

    def __init__(self, store: Store, worker: str) -> None:
        self.ends = 0.0
        self.take_overs = 0  # by a server that may lack something: how many this process has seen
        self._store = store
        self._worker = worker
        self._driven: set[Due] = set()  # at any time of this lease
        self._renewed_until = 0.0  # as the database has said that it keeps it
        self._up_since: float | None = None  # which server that was

    def note(self, driven: Due) -> None:
        """It is driven here from now on: if we are taken for dead, that is not its fault."""
        self._driven.add(driven)

    async def renew(self, driven_now: Iterable[Due]) -> None:
        """Say that this process lives; raises `StoreError`.

        `driven_now` is looked at once that is written: what is driven then goes into the next one.
        """
        driven, place = {*self._driven}, f"{socket.gethostname()}:{os.getpid()}"
        asked_at, steady_at = time.monotonic(), steady()

        def renew(c: Connection) -> tuple[float, float | None, float]:
            now = self._store.database_now(c)
            lasted = workers.renew(c, self._worker, place, LEASE_S, now)
            if lasted is None or lasted < now:
                recovery.forgive(c, driven)
            return now, lasted, self._store.server_up_since(c)

        told, lasted, up_since = await self._store.write_at_once(renew)
        has_lost = lasted is not None and lasted < self._renewed_until
        if has_lost:
            _log.error("%s: %s", LOST_COMMITS, _LOST)
        if has_lost or up_since != (self._up_since or up_since):
            self.take_overs += 1
        self._renewed_until, self._up_since = told + LEASE_S, up_since
        self._driven = self._driven - driven | {*driven_now}
        # Asked before the database counted: so its lease ends later than ours.
        self.ends = asked_at + LEASE_S - MARGIN_S
        self._store.note_time(steady_at, told)
