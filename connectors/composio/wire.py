"""What Composio is asked, whichever of its interfaces answers; nothing is asked twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from connectors.http import HttpAnswer
from connectors.spec import CallContext, JsonObject

ASKED_WITHIN_S = 20.0  # one question that is no execution


@dataclass(frozen=True)
class Listed:
    """One tool as it is listed: our form of its definition, and the versions that there are."""

    definition: JsonObject
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Account:
    """One account that a user has connected, or began to."""

    id: str
    status: str

    @property
    def is_active(self) -> bool:
        """Whether tools can be executed with it."""
        return self.status.upper() == "ACTIVE"


@dataclass(frozen=True)
class ConnectLink:
    """Where a person connects an account, until an instant in epoch seconds."""

    url: str
    expires_at: float


@dataclass(frozen=True)
class Execution:
    """One tool to execute, in exactly this version, for this user with this account."""

    tool: str
    toolkit: str
    version: str
    arguments: Mapping[str, JsonValue]
    user: str
    account: str | None  # a tool that needs none has none


class Wire(Protocol):
    """A way to ask. What is refused or lost is a `ConnectorError`; nothing else is raised.

    Only `execute` hands out its answer as it came, or raises `TransportError` too: what it means
    is the outcome table's to say. `until` is a reading of `time.monotonic()`.
    """

    @property
    def name(self) -> str:
        """The connector's name."""

    @property
    def told(self) -> tuple[str, ...]:
        """What is called or started, for an operator, without a secret."""

    async def tools(self, toolkit: str, version: str) -> list[Listed]:
        """Every tool of a toolkit in this version; in the newest where it is ""."""

    async def accounts(self, toolkit: str, user: str, until: float) -> list[Account]:
        """The user's accounts for a toolkit, whatever their status."""

    async def link(
        self, auth_config: str, user: str, callback: str | None, until: float
    ) -> ConnectLink:
        """A link at which a person connects an account for the user."""

    async def execute(self, wanted: Execution, context: CallContext) -> HttpAnswer:
        """Execute a tool once."""

    async def aclose(self) -> None:
        """Let go of what is held open."""
