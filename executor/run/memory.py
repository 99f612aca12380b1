"""What a process has seen of the runs that it drove last: more than its server may know since.

A server whose standby takes over lacks what was committed last. Who drives a run once more looks
first whether all is there that this process had seen when it drove it before.
"""

from typing import NamedTuple

from executor.run.effects import Effects
from executor.store.drives import Claim
from executor.store.journal import Seen

MOST_REMEMBERED = 10_000  # runs: far more than are driven while a standby falls behind


class Memory(NamedTuple):
    """Under which claim a drive saw its journal up to where, and what it knew of effects then."""

    claim: Claim
    seen: Seen
    effects: Effects


class Memories:
    """Of the runs that were driven last, each by its id."""

    def __init__(self) -> None:
        self._kept: dict[str, Memory] = {}

    def of(self, run: str) -> Memory | None:
        """What is remembered of it."""
        return self._kept.get(run)

    def all(self) -> list[Memory]:
        """What is remembered of every run, the one that was driven last first."""
        return [*reversed(self._kept.values())]

    def keep(self, memory: Memory | None) -> None:
        """Remember it instead of what was remembered of its run before."""
        if memory is None:
            return
        self._kept.pop(memory.claim.id, None)  # so that it is the last
        self._kept[memory.claim.id] = memory
        if len(self._kept) > MOST_REMEMBERED:
            del self._kept[next(iter(self._kept))]
