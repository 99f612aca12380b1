"""What the gateway's tests stand on: a served gateway, its people, and how they wait."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI
from forked import LAMGATE, ROOT, Forked
from published import Published

from connectors.spec import Principal
from gateway.app import create_app
from gateway.auth import TENANT, create_key
from gateway.settings import load_settings
from gateway.wiring import Gateway, build

SHOP = Path(__file__).parents[2] / "examples" / "shop"
PATIENCE_S = 30.0
MUG = "A mug from order 1042 arrived broken. Please make it right and let the customer know."
STATUS = "What is the status of order 1043?"


def write_config(folder: Path, shop: Any, more: str = "") -> Path:
    orders, payments = shop.urls["orders"], shop.urls["pay_minor"]
    mail = shop.urls["mail"]
    file = folder / "lamgate.toml"
    file.write_text(
        f"""
[database]
url = "sqlite:///var/lamgate.db"

[server]
heartbeat_s = 0.05

[connections.orders]
connector = "openapi"
base_url = "{orders}"
overlay = "{SHOP}/overlays/orders.yaml"
allow_hosts = ["{_host(orders)}"]

[connections.payments]
connector = "payments-minor"
base_url = "{payments}"
credential = "env:SHOP_PAYMENTS_KEY"
allow_hosts = ["{_host(payments)}"]

[connections.mail]
connector = "smtp"
server = "{shop.smtp}"
sender = "shop@example.com"
mailbox_url = "{mail}"
allow_hosts = ["{shop.smtp}", "{_host(mail)}"]

[policy]
path = "{SHOP}/policies"

[playbooks]
path = "{SHOP}/playbooks"
{more}
""",
        encoding="utf-8",
    )
    return file


def model_lines(name: str, url: str) -> str:
    """A model behind an OpenAI-compatible address."""
    return f"""
[models.{name}]
adapter = "openai-compatible"
model = "scripted"
base_url = "{url}"
timeout_s = 20
"""


@dataclass
class Running:
    """A gateway that serves, and its people; each of their answers is held to the document."""

    gateway: Gateway
    url: str
    people: list[httpx2.AsyncClient]
    published: Published

    async def person(
        self, name: str, *roles: str, tenant: str = TENANT, key: str | None = None
    ) -> httpx2.AsyncClient:
        """Somebody with a key, on a connection of their own."""
        if key is None:
            principal = Principal(name, tenant, frozenset(roles))
            _, key = await create_key(self.gateway.store, principal, time.time())
        client = httpx2.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {key}"},
            timeout=PATIENCE_S,
            trust_env=False,
            verify=False,  # every client would read all certificates anew
            event_hooks={"response": [self.published.check]},
        )
        self.people.append(client)
        return client


_once: list[Published] = []


def _published(app: FastAPI) -> Published:
    """The document is the same for every gateway, and is made once."""
    if not _once:
        _once.append(Published(app.openapi()))
    return _once[0]


@asynccontextmanager
async def serving(config: Path) -> AsyncIterator[Running]:
    """Build the gateway and serve it on a free port, until the block ends."""
    async with build(load_settings(config)) as gateway:
        app = create_app(gateway)
        options = uvicorn.Config(
            app,
            port=0,
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(options)
        task = asyncio.create_task(server.serve())
        await until(lambda: _true(server.started), "the server has started")
        port = server.servers[0].sockets[0].getsockname()[1]
        running = Running(gateway, f"http://127.0.0.1:{port}", [], _published(app))
        try:
            yield running
        finally:
            for person in running.people:
                await person.aclose()
            server.should_exit = True
            await task


async def until(claim: Callable[[], Awaitable[bool]], what: str) -> None:
    """Look until something is so; fails after `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not await claim():
        assert time.monotonic() < deadline, f"it took too long until {what}"
        await asyncio.sleep(0.02)


async def until_status(client: httpx2.AsyncClient, path: str, *wanted: str) -> Any:
    """Read something until its status is one of these."""
    found: Any = {}

    async def is_there() -> bool:
        nonlocal found
        found = (await client.get(path)).json()
        return found.get("status") in wanted

    await until(is_there, f"{path} is {' or '.join(wanted)}")
    return found


async def until_open(approver: httpx2.AsyncClient, run: str) -> list[Any]:
    """Wait until a run asks for an approval; returns what it asks."""
    found: list[Any] = []

    async def asked() -> bool:
        nonlocal found
        found = (await approver.get(f"/v1/approvals?state=open&run={run}")).json()
        return bool(found)

    await until(asked, "an approval is open")
    return found


async def ask(client: httpx2.AsyncClient, text: str, **more: Any) -> Any:
    """Send a request and wait until it is planned, or not."""
    answer = await client.post(
        "/v1/requests", json={"text": text, **more}, headers={"prefer": "wait=30"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def answered(client: httpx2.AsyncClient, request: str, **answers: str) -> Any:
    """Answer what a request asked and wait."""
    answer = await client.post(
        f"/v1/requests/{request}/answers",
        json={"answers": answers},
        headers={"prefer": "wait=30"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def approve(approver: httpx2.AsyncClient, run: str) -> None:
    """Approve everything that a run asks for now."""
    for each in await until_open(approver, run):
        answer = await approver.post(
            f"/v1/approvals/{each['id']}/decision",
            json={"decision": "approve", "reason": "checked"},
        )
        assert answer.status_code == 200, answer.text


def plan(*steps: dict[str, Any], answer: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A plan written by hand."""
    return {"understanding": "by hand", "steps": [*steps], "answer": answer or []}


def step(name: str, action: str, **values: Any) -> dict[str, Any]:
    """A step with constant arguments."""
    args = [{"value": value, "to": to} for to, value in values.items()]
    return {"id": name, "why": "a test", "action": action, "args": args}


READ_ORDER = plan(
    step("order", "orders.get_order", order_id="1042"),
    answer=[{"ref": "order/status", "to": "status"}],
)
TAG_ORDER = plan(step("tag", "orders.add_tag", order_id="1043", tag="looked-at"))


@asynccontextmanager
async def scripted(folder: Path, *replies: dict[str, Any]) -> AsyncIterator[str]:
    """A model that plays a script, in a process of its own; gives its address."""
    script = folder / "replies.json"
    script.write_text(json.dumps(replies), encoding="utf-8")
    process = start_model(script)
    try:
        yield await asyncio.to_thread(ready_line, process)
    finally:
        end(process)


def start_model(script: Path) -> Forked:
    """A model that plays a script, as a process of its own."""
    pipe = subprocess.PIPE
    words = ("--replies", str(script), "--port", "0")
    return Forked(ROOT / "planner" / "scripted.py", *words, stdin=pipe, stdout=pipe)


def ready_line(process: "Forked | subprocess.Popen[str]") -> str:
    """The address that a process says it is ready at."""
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert line[:1] == ["ready"], f"it did not start: {line}"
    return line[1]


def end(process: "Forked | subprocess.Popen[str]") -> None:
    """Kill a process and close what leads to it."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def start_process(config: Path) -> Forked:
    """The gateway as a process of its own."""
    pipe = subprocess.PIPE
    return Forked(LAMGATE, "serve", "-c", str(config), "--port", "0", stdout=pipe, stderr=pipe)


def _host(url: str) -> str:
    return url.removeprefix("http://")


async def _true(value: bool) -> bool:
    return value
