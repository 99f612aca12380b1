"""What is known of a tool once LangChain is taken off: what it says of itself, and how it ends."""

from dataclasses import dataclass
from typing import Protocol

from connectors.mcp.wire import ToolResult
from connectors.spec import JsonObject

CALL_ID = "tool_call_id"
"""The argument that LangChain fills in with the id of a call, which is our key."""


@dataclass(frozen=True)
class Raised:
    """What a tool raised instead of returning; `ToolException` is a result that says so."""

    error: BaseException


@dataclass(frozen=True)
class Strange:
    """A tool returned what is nobody's answer, as a command to a graph."""


Ended = ToolResult | Raised | Strange


class FoundTool(Protocol):
    """One tool of a package."""

    @property
    def name(self) -> str:
        """The package's own name of it."""

    @property
    def is_blocking(self) -> bool:
        """Whether a call of it would hold up everything else, so that it needs a thread."""

    def definition(self) -> JsonObject:
        """What it says of itself now, in the words of MCP.

        `unfit` says why it is no action, `takes` that it takes the id of its call.
        """

    def run(self, arguments: JsonObject, call_id: str) -> Ended:
        """Call one that blocks; raises nothing."""

    async def arun(self, arguments: JsonObject, call_id: str) -> Ended:
        """Call one that does not; raises nothing but that it was given up."""
