"""What a connector tells of a source of its actions that is not its own: a document, a server.

Such a source has parts that cannot be offered, changes, and may not answer when it is asked.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Skipped:
    """What cannot be offered, and why: an operation, or one optional argument of it."""

    name: str
    reason: str


@dataclass(frozen=True)
class Stale:
    """The source does not answer: what it said at `since` (seconds since 1970) is offered."""

    since: float
    reason: str


@dataclass(frozen=True)
class Connection:
    """How one connection stands: what it offers, what of it cannot be offered, what is amiss.

    `absent` says why nothing is known of its actions, so that none of them is in the catalogue.
    """

    name: str
    connector: str
    actions: int
    skipped: tuple[Skipped, ...] = ()
    stale: Stale | None = None
    absent: str | None = None


@runtime_checkable
class Sourced(Protocol):
    """A connector that asks somebody else what it offers."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What of the source cannot be offered."""

    @property
    def stale(self) -> Stale | None:
        """Since when the source has not been heard of; None where it answered."""

    async def ask_again(self) -> None:
        """Ask the source once more; raises `ConfigurationError`, and changes nothing then."""
