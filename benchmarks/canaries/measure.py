"""Runs a gateway over services that quote secrets, and looks for them in everything it left."""

import asyncio
import io
import json
import logging
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import uvicorn

from benchmarks.canaries.echo import READS
from benchmarks.canaries.forms import forms
from connectors.spec import Principal
from gateway.app import create_app
from gateway.auth import create_key
from gateway.settings import load_settings
from gateway.wiring import Gateway, build

LANES = 8  # connections, each with a credential that is replaced again and again
PATIENCE_S = 120.0
ENDED = ("succeeded", "failed", "waiting", "quarantined", "cancelled")


@dataclass
class Found:
    """What was looked through, and what was found there."""

    canaries: int = 0
    travelled: int = 0  # canaries that a service was really sent
    bytes: dict[str, int] = field(default_factory=dict)  # by sink
    hits: dict[str, int] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)  # how often something was taken out
    where: list[str] = field(default_factory=list)

    @property
    def all_hits(self) -> int:
        """Over all sinks."""
        return sum(self.hits.values())


def new_canary(at: int) -> str:
    """A secret with everything in it that is written differently elsewhere."""
    return f"cnry{at:03d}-" + secrets.token_urlsafe(12) + "+/=&%\"'\\<~ >" + secrets.token_hex(4)


async def measure(count: int, folder: Path) -> Found:
    """Send `count` secrets through everything; `folder` gets the gateway's files."""
    found, sinks = Found(canaries=count), Sinks()
    canaries = [new_canary(at) for at in range(count)]
    with _echo() as url, sinks.logs_kept():
        async with _served(_config(folder, url)) as (gateway, address):
            people = await _people(gateway, address, sinks)
            lanes = [canaries[lane::LANES] for lane in range(LANES)]
            await asyncio.gather(
                *(_lane(people, f"echo{lane}", its) for lane, its in enumerate(lanes))
            )
            await _ask_models(people, canaries)
            await _look_around(people)
            await _terminal(address, people, sinks)
            sinks.add("database", _files(folder))
            async with httpx2.AsyncClient(trust_env=False) as outside:
                record = (await outside.get(f"{url}/record")).json()
            for client in (people.operator, people.requester):
                await client.aclose()
        sinks.add("database", _files(folder))  # after the end, without what was only in memory
    sinks.add("prompts", "\n".join(record["prompts"]).encode())
    sinks.add("logs", sinks.log.getvalue().encode("utf-8", "surrogatepass"))
    keys = [each.headers["authorization"] for each in (people.operator, people.requester)]
    forwarded = [key for key in keys if key.partition(" ")[2] in "\n".join(record["inbound"])]
    found.travelled = len(set(record["secrets"]) & set(canaries))
    found.where += [f"an inbound key was forwarded {len(forwarded)} times"] if forwarded else []
    _search(found, sinks, canaries)
    return found


class Sinks:
    """Everything that came out, by where."""

    def __init__(self) -> None:
        self.content: dict[str, list[bytes]] = {}
        self.log = io.StringIO()

    def add(self, sink: str, content: bytes) -> None:
        """Keep it for the search."""
        self.content.setdefault(sink, []).append(content)

    async def keep_answer(self, answer: httpx2.Response) -> None:
        """Keep an answer of the gateway's, head and body."""
        await answer.aread()
        sink = "streams" if "event-stream" in answer.headers.get("content-type", "") else "answers"
        self.add(sink, repr(answer.headers.raw).encode() + answer.content)

    @contextmanager
    def logs_kept(self) -> Iterator[None]:
        """Meanwhile keep everything that any library logs, down to the wire."""
        handler, root = logging.StreamHandler(self.log), logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)


@dataclass
class _People:
    operator: httpx2.AsyncClient
    requester: httpx2.AsyncClient
    runs: list[str] = field(default_factory=list)


async def _people(gateway: Gateway, address: str, sinks: Sinks) -> _People:
    principal = Principal("asker", "main", frozenset({"requester"}))
    _, key = await create_key(gateway.store, principal, gateway.clock())
    operator, requester = [
        httpx2.AsyncClient(
            base_url=address,
            headers={"authorization": f"Bearer {each}"},
            timeout=PATIENCE_S,
            trust_env=False,
            event_hooks={"response": [sinks.keep_answer]},
        )
        for each in (gateway.operator_key, key)
    ]
    return _People(operator, requester)


async def _lane(people: _People, connection: str, canaries: list[str]) -> None:
    """One credential, replaced again and again, each time used in every way."""
    plan = json.dumps(_plan(connection))
    for at, canary in enumerate(canaries):
        # What a service is sent is the value itself, or with a user before it.
        body = {"kind": "api-key", "secret": canary}
        set_ = await people.operator.put(f"/v1/credentials/{connection}", json=body)
        assert set_.status_code == 200, set_.text
        made = await people.requester.post("/v1/plans", content=f'{{"plan": {plan}}}')
        assert made.status_code == 201, made.text
        begun = await people.requester.post(f"/v1/plans/{made.json()['id']}/runs")
        run = str(begun.json()["id"])
        people.runs.append(run)
        while (await people.requester.get(f"/v1/runs/{run}")).json()["status"] not in ENDED:
            await asyncio.sleep(0.05)
        await people.requester.get(f"/v1/runs/{run}/trace")
        await people.requester.get(f"/v1/runs/{run}/trace", headers={"accept": "text/plain"})
        await people.requester.get(f"/v1/runs/{run}/events", headers={"accept": "application/json"})
        if at == 0:
            cancelled = await people.requester.post(f"/v1/runs/{run}/cancel", json={"mode": "stop"})
            assert cancelled.is_success, cancelled.text
            await _stream(people, run)


async def _stream(people: _People, run: str) -> None:
    """The journal as it is streamed, for a moment: a run that waits never ends its stream."""
    headers = {"accept": "text/event-stream"}
    try:
        async with asyncio.timeout(3):
            await people.requester.get(f"/v1/runs/{run}/events", headers=headers)
    except TimeoutError:
        return


def _plan(connection: str) -> dict[str, Any]:
    names = (*READS, "down")
    steps = [
        {"id": name, "why": "a canary", "action": f"{connection}.{name}", "args": []}
        for name in names
    ]
    return {
        "understanding": "by hand",
        "steps": steps,
        "answer": [{"ref": "body", "to": "all"}, {"ref": "text", "to": "text"}],
    }


async def _ask_models(people: _People, canaries: list[str]) -> None:
    """Somebody pastes secrets into requests; the model hears them not, and says what it knows."""
    for at in range(0, len(canaries), 10):
        some = [form for each in canaries[at : at + 10] for form in list(forms(each).values())[:6]]
        words = {"text": "why does this fail: " + " ".join(some), "model": "echo"}
        await people.requester.post("/v1/requests", json=words, headers={"prefer": "wait=30"})
    plan = _plan("echo0")
    plan["understanding"] = f"use {canaries[0]} for it"
    await people.requester.post("/v1/plans", json={"plan": plan, "request": canaries[0]})
    await people.requester.post("/v1/plans", json={"plan": {**plan, canaries[0]: 1}})


async def _look_around(people: _People) -> None:
    for path in (
        "/v1/runs?limit=100", "/v1/requests?limit=100", "/v1/connections", "/v1/credentials",
        "/v1/actions", "/v1/approvals?state=open", "/v1/keys", "/v1/stops", "/v1/health",
    ):  # fmt: skip
        await people.operator.get(path)
    for each in (await people.requester.get("/v1/requests?limit=100")).json():
        await people.requester.get(f"/v1/requests/{each['id']}")
    for name in range(LANES):
        await people.operator.get(f"/v1/credentials/echo{name}")


async def _terminal(address: str, people: _People, sinks: Sinks) -> None:
    """What a person at a terminal sees."""
    key = people.operator.headers["authorization"].partition(" ")[2]
    for words in (("trace", people.runs[0]), ("runs",), ("credentials", "list"), ("connections",)):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "gateway", *words, "--url", address, "--key", key],
            capture_output=True,
            timeout=PATIENCE_S,
        )
        sinks.add("terminal", done.stdout + done.stderr)


def _search(found: Found, sinks: Sinks, canaries: list[str]) -> None:
    """Look for each form of each canary in each sink, byte by byte."""
    needles = {
        form.encode("utf-8", "surrogatepass"): f"{name} of {canary[:7]}"
        for canary in canaries
        for name, form in forms(canary).items()
    }
    for sink, pieces in sinks.content.items():
        content = b"\n".join(pieces)
        found.bytes[sink] = len(content)
        found.hidden[sink] = content.count(b"[secret]")
        hits = [what for needle, what in needles.items() if needle in content]
        # Also the random middle of each alone: half a secret is a hit too.
        hits += [
            f"the middle of {each[:7]}: {_around(content, each[8:22].encode())}"
            for each in canaries
            if each[8:22].encode() in content
        ]
        found.hits[sink] = len(hits)
        found.where += [f"{sink}: {each}" for each in hits[:20]]


def _around(content: bytes, needle: bytes) -> str:
    at = content.index(needle)
    return repr(content[max(0, at - 60) : at + 60])


def _files(folder: Path) -> bytes:
    return b"\n".join(each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file())


def _config(folder: Path, url: str) -> Path:
    host = urlsplit(url).netloc
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "all.cedar").write_text("permit (principal, action, resource);")
    (folder / "echo.yaml").write_text(
        "version: 1\nerrors: {code_at: [code], message_at: [detail]}\nactions:\n"
        "  down: {effect: blind, approval: null, egress: false}\n"
    )
    lanes = "".join(
        f'\n[connections.echo{lane}]\nconnector = "openapi"\nbase_url = "{url}"\n'
        f'overlay = "echo.yaml"\ncredential = "store:echo{lane}"\nallow_hosts = ["{host}"]\n'
        for lane in range(LANES)
    )
    file = folder / "lamgate.toml"
    file.write_text(
        f'[database]\nurl = "sqlite:///var/lamgate.db"\n[policy]\npath = "policies"\n'
        f'[runs]\non_failure = "continue"\non_uncertain = "continue"\n'
        f'[models.echo]\nadapter = "openai-compatible"\nmodel = "echo"\nbase_url = "{url}"\n{lanes}'
    )
    return file


@contextmanager
def _echo() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.canaries.echo"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@asynccontextmanager
async def _served(config: Path) -> AsyncIterator[tuple[Gateway, str]]:
    async with build(load_settings(config)) as gateway:
        # All of it is one process, which a busy machine stops for seconds: it hangs up on nobody.
        options = uvicorn.Config(
            create_app(gateway), port=0, log_config=None, lifespan="off", timeout_keep_alive=600
        )
        server = uvicorn.Server(options)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield gateway, f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task
