"""What is known of a server once the protocol is taken off: its tools, results, and failures.

WireError
├── RpcError     the server answered with an error and its code
├── GoneError    the server does not know the session any more: nothing was done in it
├── LostError    no complete answer came: the stream broke, the process ended, time ran out
└── BadResult    a result came, so the call happened, but it is not one of the protocol's
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from connectors.errors import ConfigurationError, ConnectorError
from connectors.spec import Continuation, JsonObject

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602


class WireError(Exception):
    """A request to a server that has no usable result."""


class RpcError(WireError):
    """The server answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class GoneError(WireError):
    """The server does not know the session any more; what was asked in it was not begun."""


class LostError(WireError):
    """No complete answer came, so nobody knows what became of the request.

    `because` is what that means for a call that waited for it and had not begun, where it is known.
    """

    def __init__(
        self,
        message: str,
        *,
        timed_out: bool = False,
        because: ConnectorError | ConfigurationError | None = None,
    ) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.because = because


class BadResult(WireError):
    """A result came that is not one of the protocol's."""


@dataclass(frozen=True)
class ToolResult:
    """What a tool answered; `structured` is None where it gave none, or null itself."""

    content: tuple[JsonObject, ...] = ()
    structured: JsonValue = None
    has_structured: bool = False
    is_error: bool = False


@dataclass(frozen=True)
class InputAsked:
    """The server needs something more before it goes on; `state` is how to go on."""

    state: str | None
    requests: JsonObject


class Session(Protocol):
    """One conversation with a server; any number of calls may be under way in it."""

    @property
    def version(self) -> str:
        """The protocol that was agreed on."""

    @property
    def is_over(self) -> bool:
        """Whether nothing can be asked in it any more."""

    async def over(self) -> None:
        """Wait until it is."""

    async def tools(self) -> list[JsonObject]:
        """Every definition, as the server gives it now; raises `WireError`."""

    async def call(
        self,
        tool: str,
        arguments: JsonObject,
        timeout_s: float,
        continues: Continuation | None = None,
    ) -> ToolResult | InputAsked:
        """Call once, or go on with a call that was asked something; raises `WireError`."""


Opening = AbstractAsyncContextManager[Session]
