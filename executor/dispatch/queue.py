"""What is asked for on a queue, and what a queue does: it brings a job to one process at a time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from executor.store.drives import Due


@dataclass(frozen=True)
class Job:
    """One drive that is wanted: of a row, in one generation."""

    due: Due
    epoch: int
    is_first: bool = False  # it comes before all others of its tenant

    @property
    def name(self) -> str:
        """The same for whoever asks for the same."""
        name = f"{self.due.kind}:{self.due.tenant}:{self.due.id}:{self.epoch}"
        return f"{name}:first" if self.is_first else name

    @property
    def priority(self) -> int:
        """By rank; of one rank first what somebody waits for: an answer to a request."""
        return 1 if self.is_first else 2 * self.due.rank + (2 if self.due.kind == "request" else 3)

    @classmethod
    def of(cls, kind: str, tenant: str, name: str, epoch: int) -> "Job":
        """A job as it comes from the queue; raises `ValueError`."""
        match kind:
            case "request" | "run":
                return cls(Due(kind, tenant, name), epoch)
            case _:
                raise ValueError(f"nothing of the kind {kind} is driven")


class Queue(Protocol):
    """Brings each job to one process at a time."""

    async def open(self, run: Callable[[Job], Awaitable[None]]) -> None:
        """Begin to take jobs."""

    def put(self, c: Connection, job: Job) -> bool:
        """Ask for a job inside a transaction; the same job again changes nothing.

        False if it has ended already, and will not come again.
        """

    async def holders(self) -> set[str]:
        """The processes that have taken a job which is not noted as ended."""

    async def take_over(self, dead: str) -> int:
        """Let others take what a dead process had taken; returns how much that was."""

    async def sweep(self, now: float) -> None:
        """Forget what ended some time ago."""

    async def leave(self, within_s: float) -> None:
        """Take nothing more, and let what is under way be noted as ended."""
