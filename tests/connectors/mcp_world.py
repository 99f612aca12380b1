"""What tests of MCP stand on: real servers in processes of their own, and who reviews them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import Forked
from pydantic import JsonValue
from reviewed import Pins, Reviewed

from connectors.connector import Outcome
from connectors.credentials import Vault
from connectors.errors import ConnectorError
from connectors.factories import ConnectionSettings
from connectors.opening import open_registry
from connectors.spec import JsonObject
from connectors.testing import call_context

HERE = Path(__file__).parent
PYTHON = sys.executable
SDK = HERE / "mcp_process.py"
SDK_LOADS = ("mcp.server.stdio", "mcp.server.subscriptions", "uvicorn")


def tool(name: str, *arguments: str, **more: Any) -> JsonObject:
    """A plain definition with texts for arguments."""
    properties: JsonObject = {each: {"type": "string"} for each in arguments}
    schema: JsonObject = {"type": "object", "properties": properties, "required": [*arguments]}
    return {"name": name, "description": f"It does {name}.", "inputSchema": schema, **more}


NOTED: JsonObject = {
    "type": "object",
    "properties": {"noted": {"type": "string"}},
    "required": ["noted"],
}


@dataclass
class Tools:
    """What a server has: a file that it reads at each listing, and the log of what it did."""

    folder: Path
    process: Forked | None = None  # at the address that was given last

    @property
    def definitions(self) -> Path:
        """The file."""
        return self.folder / "definitions.json"

    @property
    def log(self) -> Path:
        """The log."""
        return self.folder / "calls.log"

    def has(self, *definitions: JsonObject) -> None:
        """From now on it has these."""
        self.definitions.write_text(json.dumps(definitions), "utf-8")

    def calls(self) -> list[Any]:
        """What it did."""
        return _lines(self.log)

    def lists(self) -> list[Any]:
        """The pages that were asked for."""
        return _lines(self.log.with_suffix(".lists"))

    def headers(self) -> list[Any]:
        """What came with each HTTP request."""
        return _lines(self.log.with_suffix(".headers"))

    @property
    def lines(self) -> tuple[str, ...]:
        """The command of the server of the standard library."""
        return (PYTHON, "-I", str(HERE / "mcp_lines.py"), str(self.definitions), str(self.log))

    @property
    def sdk(self) -> tuple[str, ...]:
        """The command of the SDK's server, over lines."""
        return (
            PYTHON,
            str(SDK),
            str(self.definitions),
            str(self.log),
            "stdio",
        )

    @contextmanager
    def over_http(self, key: str = "") -> Iterator[str]:
        """The SDK's server at an address, which is given."""
        words = (str(self.definitions), str(self.log), "http")
        env = {**os.environ, "TOOLS_KEY": key}
        process = Forked(SDK, *words, env=env, stdout=subprocess.PIPE, modules=SDK_LOADS)
        self.process = process
        with closing(process):
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"

    async def ended(self) -> int:
        """Wait until the process at the address is dead, and with it all its connections."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, 20.0)


def _lines(file: Path) -> list[Any]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


class Server(Reviewed):
    """The connection `tools`."""

    def held(self) -> dict[str, str]:
        """What waits for a review, and why."""
        return {each.tool: each.kind for each in self.review().changes}

    async def call(
        self, name: str, arguments: Mapping[str, JsonValue] | None = None, seconds: float = 10.0
    ) -> Outcome | ConnectorError:
        """Call once; an error is given, not raised."""
        action = self.action(name)
        try:
            return await self.registry.call(
                action, dict(arguments or {}), call_context(seconds=seconds)
            )
        except ConnectorError as error:
            return error


@asynccontextmanager
async def server(
    command: tuple[str, ...] = (),
    url: str = "",
    *,
    options: JsonObject | None = None,
    secrets: Mapping[str, str] | None = None,
    accepts: bool = True,
    pins: Pins | None = None,
    **more: Any,
) -> AsyncIterator[Server]:
    """A connection to a server; with `accepts` everything that it has is accepted at once."""
    given: JsonObject = {**({"command": [*command]} if command else {}), **(options or {})}
    hosts = (url.split("/")[2],) if url else ()
    settings = ConnectionSettings(
        "tools", "mcp", url, options=given, **{"allow_hosts": hosts, **more}
    )
    memory = pins or Pins()
    known = secrets or {}
    async with open_registry([settings], Vault(known.__getitem__), None, memory) as registry:
        found = Server(registry, memory)
        found.catalog = await registry.load()
        if accepts:
            await found.accept()
        yield found


def overlay(folder: Path, text: str) -> JsonObject:
    """Options that name an overlay of this text."""
    file = folder / "overlay.yaml"
    file.write_text(text, "utf-8")
    return {"overlay": str(file)}
