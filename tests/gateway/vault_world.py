"""A gateway whose one connection signs in with a stored credential, over a real OAuth server."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authorization_server import CLIENT, SECRET
from served import Running, end, plan, ready_line, serving, step, until

HERE = Path(__file__).parent
LIST_THINGS = plan(
    step("things", "things.list_things"), answer=[{"ref": "things/things", "to": "things"}]
)


@contextmanager
def authorization_server() -> Iterator[str]:
    """The server as a process of its own; gives its address."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "authorization_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield ready_line(process)
    finally:
        end(process)


def write_things(folder: Path, url: str, more: str = "", database: str = "") -> Path:
    """An operator's file over it."""
    host = urlsplit(url).netloc
    file = folder / "lamgate.toml"
    file.write_text(
        f"""
[database]
url = "{database or "sqlite:///var/lamgate.db"}"

[server]
heartbeat_s = 0.05

[connections.things]
connector = "openapi"
base_url = "{url}"
credential = "store:things"
allow_hosts = ["{host}"]

[credentials]
allow_hosts = ["{host}"]
{more}
""",
        encoding="utf-8",
    )
    return file


@dataclass
class Things:
    """A gateway over the guarded API, and an operator."""

    running: Running
    operator: httpx2.AsyncClient
    requester: httpx2.AsyncClient
    url: str

    async def control(self, **knobs: Any) -> Any:
        """Set what the server does wrong; gives what it has seen."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, verify=False) as client:
            await client.post("/control", json=knobs)
            return (await client.get("/control")).json()["seen"]

    async def set(self, kind: str, secret: str | None = SECRET, **oauth: Any) -> httpx2.Response:
        """Set the credential of the connection."""
        body: dict[str, Any] = {"kind": kind}
        if secret is not None:
            body["secret"] = secret
        if kind.startswith("oauth"):
            body["oauth"] = {"client_id": CLIENT, "issuer": self.url, **oauth}
        return await self.operator.put("/v1/credentials/things", json=body)

    async def begin(self) -> str:
        """Ask for a link to connect it."""
        answer = await self.operator.post("/v1/credentials/things/connect")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["link"])

    async def connect(self) -> httpx2.Response:
        """Give the consent in a browser of one's own."""
        link = await self.begin()
        async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
            return await browser.get(link)

    async def standing(self) -> str:
        """How the credential stands."""
        return str((await self.operator.get("/v1/credentials/things")).json()["standing"])

    async def run(self) -> str:
        """Start a run that reads the things."""
        made = await self.requester.post("/v1/plans", json={"plan": LIST_THINGS})
        assert made.status_code == 201, made.text
        begun = await self.requester.post(f"/v1/plans/{made.json()['id']}/runs")
        return str(begun.json()["id"])

    async def until(self, run: str, *stands: str) -> Any:
        """Wait until a run stands so, or waits for that."""
        found: Any = {}

        async def is_there() -> bool:
            nonlocal found
            found = (await self.requester.get(f"/v1/runs/{run}")).json()
            return found["status"] in stands or found.get("waiting_for") in stands

        await until(is_there, f"{run} is {stands}")
        return found


@asynccontextmanager
async def things_over(config: Path, url: str) -> AsyncIterator[Things]:
    """Serve a gateway over it."""
    async with serving(config) as running:
        operator = await running.person("operator", key=running.gateway.operator_key)
        requester = await running.person("requester-1", "requester")
        yield Things(running, operator, requester, url)


async def secret_now(things: Things) -> str:
    """What would go with a request now."""
    return await things.running.gateway.credentials.secret("main", "things")


async def together(things: Things, count: int) -> list[str]:
    """The same asked many times at once."""
    return await asyncio.gather(*(secret_now(things) for _ in range(count)))
