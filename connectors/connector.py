"""The whole interface of a connector: what it offers, and one call."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from connectors.spec import ActionSpec, CallContext, JsonObject


@dataclass(frozen=True)
class Applied:
    """The call happened and this is its output.

    `retry_after_s` is for how long the service wants to be left alone: it may have done the call
    and none of the items in it.
    """

    output: JsonValue
    request_id: str | None = None
    replayed: bool = False  # the service said that it had done this before, under our key
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Unreadable:
    """The call happened, but its answer cannot be used: never send it again."""

    reason: str
    request_id: str | None = None


@dataclass(frozen=True)
class Pending:
    """The service accepted the call and is still at it; `handle` is how to ask again.

    With `asks` it goes on only with what somebody answers: a message and a schema by name.
    `retry_after_s` is for how long the service does not want to be asked.
    """

    handle: str
    request_id: str | None = None
    asks: JsonObject | None = None
    retry_after_s: float | None = None


Outcome = Applied | Unreadable | Pending


class Connector(Protocol):
    """A source of actions. It never retries, limits or logs: that happens once, around the call."""

    @property
    def name(self) -> str:
        """The connector's own name ("openapi", "smtp"), not the connection's."""

    async def actions(self) -> Sequence[ActionSpec]:
        """Every action on offer, the same each time it is asked."""

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Do it once; raises `Refused`, `Unavailable` or `Uncertain` and nothing else."""


@runtime_checkable
class Closing(Protocol):
    """A connector that holds something open: a process, a session."""

    async def aclose(self) -> None:
        """Let go of it; nothing is called afterwards."""


Call = Callable[[ActionSpec, Mapping[str, JsonValue], CallContext], Awaitable[Outcome]]
"""What the executor needs of all connectors together."""
