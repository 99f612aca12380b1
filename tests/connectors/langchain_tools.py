"""Tools as packages have them, for tests; what they did stands in `DONE`."""

import asyncio
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Annotated, Any, Literal

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import (
    BaseTool,
    BaseToolkit,
    InjectedToolArg,
    InjectedToolCallId,
    StructuredTool,
    Tool,
    ToolException,
    tool,
)
from pydantic import BaseModel, Field

DONE: list[Any] = []
GO_ON = threading.Event()


class Line(BaseModel):
    sku: str
    count: int = Field(ge=1)


@tool
def order(lines: list[Line], note: str = "") -> dict[str, Any]:
    """Order what the lines say."""
    DONE.append(("order", [line.model_dump() for line in lines], note))
    return {"ordered": sum(line.count for line in lines)}


@tool
async def look(name: Literal["plates", "cups"], config: RunnableConfig) -> str:
    """Look how many there are."""
    DONE.append(("look", name, threading.current_thread() is threading.main_thread()))
    await asyncio.sleep(0)
    return f"{name}: 3"


@tool(response_format="content_and_artifact")
def both(name: str) -> tuple[str, Line]:
    """Say it and have it."""
    return f"one {name}", Line(sku=name, count=1)


@tool
def pictures() -> list[Any]:
    """Show pictures."""
    image = {"type": "image_url", "image_url": {"url": "https://pictures.example/1"}}
    return ["seen", {"type": "text", "text": "drawn"}, image]


@tool
def keyed(amount: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
    """Pay under a key."""
    DONE.append(("keyed", amount, tool_call_id))
    return tool_call_id


@tool
def misnamed(amount: int, tool_call_id: str = "") -> str:
    """Take what is called as our key is, and is a plan's."""
    DONE.append(("misnamed", amount, tool_call_id))
    return "done"


@tool
def optional_state(
    amount: int, state: Annotated[dict[str, Any] | None, InjectedToolArg] = None
) -> str:
    """Take what an agent may have."""
    DONE.append(("state", amount, state))
    return "done"


@tool
def stateful(amount: int, state: Annotated[dict[str, Any], InjectedToolArg]) -> str:
    """Take what only an agent has."""
    return "done"


@tool
def with_callable(function: Callable[[int], int]) -> str:
    """Take what no JSON is."""
    return "done"


@tool
def fails(how: str) -> str:
    """Fail as it is told."""
    if how == "tool":
        raise ToolException("no more plates")
    if how == "time":
        raise TimeoutError("of its own")
    if how == "exit":
        raise SystemExit(3)
    if how.isdecimal():
        raise HttpError(int(how))
    if how == "429 in a minute":
        raise HttpError(429, formatdate(time.time() + 60, usegmt=True))
    raise ValueError(f"the secret is {how}")


@tool
async def fails_async(how: str) -> str:
    """Fail as it is told, in the loop."""
    raise ToolException(f"no more cups: {how}")


class HttpError(Exception):
    """As HTTP libraries raise them."""

    def __init__(self, status: int, after: str = "7") -> None:
        super().__init__("a body with secrets")
        self.response = self
        self.status_code = status
        self.headers = {"Retry-After": after}


handled = StructuredTool.from_function(
    lambda: (_ for _ in ()).throw(ToolException("it is handled")),
    name="handled",
    description="It fails and says so as if it were a result.",
    handle_tool_error=True,
)


@tool
def command() -> Any:
    """Return what is several messages."""
    return [ToolMessage("a", tool_call_id="1"), ToolMessage("b", tool_call_id="2")]


@tool
def slow(seconds: float) -> str:
    """Block for so long, or until it may go on."""
    DONE.append(("slow", seconds))
    GO_ON.wait(seconds)
    return "slept"


@tool
async def stubborn() -> str:
    """Do not let it be cancelled."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        try:
            await asyncio.sleep(until - time.monotonic())
        except asyncio.CancelledError:
            DONE.append("stubborn")
    return "late"


class Search(BaseTool):
    """A class of its own, that says its arguments as a JSON schema and takes others too."""

    name: str = "Search-The.Web"
    description: str = "Search\u200b it."
    args_schema: Any = {
        "type": "object",
        "properties": {"q": {"type": "string"}},
        "required": ["q"],
    }

    def _run(self, q: str, **more: Any) -> str:
        DONE.append(("search", q, more))
        return f"found {q}"


plain = Tool("plain", lambda text: text.upper(), "One text in, one text out.")
tools = [
    order, look, both, pictures, keyed, misnamed, optional_state, stateful, with_callable,
    fails, fails_async, handled, command, slow, stubborn, Search(), plain,
]  # fmt: skip


class Kit(BaseToolkit):
    """Its tools say who made them."""

    owner: str
    key: str = ""

    def get_tools(self) -> list[BaseTool]:
        def whose() -> str:
            """Say whose."""
            return f"{self.owner} with {self.key}"

        def betrays(before: int) -> str:
            """Fail with the key so many letters after the beginning."""
            raise ToolException("x" * before + self.key)

        return [StructuredTool.from_function(whose), StructuredTool.from_function(betrays)]


kit = Kit(owner="nobody")


async def kits(owner: str) -> list[BaseToolkit]:
    """What has to be waited for."""
    await asyncio.sleep(0)
    return [Kit(owner=owner)]


def broken() -> list[BaseTool]:
    """The service that it asks is not there."""
    raise ConnectionError("no route")


number = 7
