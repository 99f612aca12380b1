"""What a connector tells of a source of its actions that is not its own: a document, a server.

Such a source has parts that cannot be offered, changes, and may not answer when it is asked. What
a server says of itself is offered only as far as an operator has accepted it: that is its pin.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from connectors.spec import JsonObject


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
class Pin:
    """The definitions that were accepted last, by the server's own names; `at` is epoch seconds."""

    definitions: dict[str, JsonObject]
    at: float


Pins = Callable[[str], Awaitable[Pin | None]]
"""Asked with a connection's name: what was accepted of its server, if anything."""


Kind = Literal["new", "changed", "renamed", "gone", "unfit"]


@dataclass(frozen=True)
class Change:
    """One definition that differs from what was accepted; everything in it can be shown as it is.

    One that is `unfit` stays so whoever accepts it. `notes` say what to look at twice.
    """

    tool: str
    kind: Kind
    notes: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()


@dataclass(frozen=True)
class Review:
    """What a server offers now, what of it waits to be accepted, and how it is reached.

    `digest` is of the whole set: who accepts it accepts exactly that. `definitions` is the set.
    """

    digest: str
    changes: tuple[Change, ...]
    definitions: dict[str, JsonObject]
    reached_by: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connection:
    """How one connection stands: what it offers, what of it cannot be offered, what is amiss.

    `held` counts what waits for an operator's review. `absent` says why nothing is known of its
    actions, so that none of them is in the catalogue.
    """

    name: str
    connector: str
    actions: int
    skipped: tuple[Skipped, ...] = ()
    stale: Stale | None = None
    absent: str | None = None
    held: int = 0


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


@runtime_checkable
class Reviewed(Protocol):
    """A connector whose source is held to what an operator accepted, and asked again and again."""

    @property
    def review(self) -> Review | None:
        """What there is to accept; None where the server has not been heard yet."""
