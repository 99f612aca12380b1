"""What a call costs beside its bare HTTP request: `python -m benchmarks.call_overhead`.

A service on loopback, in a process of its own, answers one JSON object at once. It is asked bare,
by httpx2, and through a connection of a gateway: arguments checked, the request written from the
document, its credential put in place, egress checked, the answer read, redacted of every secret
that is known, and checked. Seconds of this process's CPU a call, medians of rounds in turns; the
goal is 1 ms more than bare. A write goes over a connection of its own each time, so it stands
beside a bare request that does so too; what keeping the connection would save is a line of its own.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2

from connectors.connector import Applied
from connectors.credentials import Vault
from connectors.factories import ConnectionSettings
from connectors.opening import open_registry
from connectors.registry import Registry
from connectors.testing import call_context

ANSWER = {
    "id": "1043", "customer": {"name": "Ada Example", "email": "ada@example.com"}, "status": "paid",
    "lines": [
        {"sku": f"SKU-{n}", "count": n, "price": {"amount": f"{n}.50", "currency": "EUR"}}
        for n in range(1, 11)
    ],
}  # fmt: skip
SECRET = "sk_of_the_benchmark_0123456789"
OVERLAY = """
credential: {header: Authorization, form: "Bearer {secret}"}
actions:
  get_order: {reads_as: trusted}
  create_order: {effect: idempotent, approval: null}
"""
GOAL_S = 0.001


def document() -> dict[str, object]:
    """A service with a read and a write whose answers are typed."""
    text: dict[str, object] = {"type": "string"}
    money = {"type": "object", "properties": {"amount": text, "currency": text}}
    line = {
        "type": "object",
        "properties": {"sku": text, "count": {"type": "integer"}, "price": money},
    }
    person = {"type": "object", "properties": {"name": text, "email": text}}
    order = {
        "type": "object",
        "required": ["id", "status"],
        "properties": {
            "id": text, "status": text, "customer": person,
            "lines": {"type": "array", "items": line},
        },
    }  # fmt: skip
    answer = {"200": {"description": "", "content": {"application/json": {"schema": order}}}}
    wanted = {
        "type": "object",
        "required": ["note"],
        "properties": {"note": text, "lines": order["properties"]},
    }
    order_id = {"name": "order_id", "in": "path", "required": True, "schema": text}
    fields = {"name": "fields", "in": "query", "schema": text}
    body = {"required": True, "content": {"application/json": {"schema": wanted}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "orders", "version": "1"},
        "paths": {
            "/orders/{order_id}": {
                "get": {
                    "operationId": "get_order",
                    "parameters": [order_id, fields],
                    "responses": answer,
                }
            },
            "/orders": {
                "post": {"operationId": "create_order", "requestBody": body, "responses": answer}
            },
        },
    }


def serve(ready: Connection) -> None:
    """Answer every request alike, until this process is ended."""
    body = json.dumps(ANSWER).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )

    class Service(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.had = transport, b""

        def data_received(self, data: bytes) -> None:
            self.had += data
            while b"\r\n\r\n" in self.had:
                top, _, rest = self.had.partition(b"\r\n\r\n")
                lengths = [
                    line.split(b":")[1]
                    for line in top.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ]
                length = int(lengths[0]) if lengths else 0
                if len(rest) < length:
                    return
                self.had = rest[length:]
                self.transport.write(head.encode() + body)  # type: ignore[attr-defined]

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def measure(url: str, rounds: int, calls: int, secrets: int) -> dict[str, list[float]]:
    """CPU seconds of each kind, a round."""
    host = url.removeprefix("http://")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "orders.json").write_text(json.dumps(document()), "utf-8")
        (folder / "overlay.yaml").write_text(OVERLAY, "utf-8")
        files = {"document": "orders.json", "overlay": "overlay.yaml"}
        settings = ConnectionSettings(
            "orders", "openapi", url, "env:ORDERS_KEY", {**files}, folder, (host,)
        )
        vault = Vault({"env:ORDERS_KEY": SECRET}.__getitem__)
        for number in range(secrets):
            vault.redactor.learn(f"sk_of_somebody_else_{number:08}")
        headers = {"authorization": f"Bearer {SECRET}"}
        client = partial(httpx2.AsyncClient, base_url=url, headers=headers, trust_env=False)
        once = httpx2.Limits(max_keepalive_connections=0)
        async with (
            client() as kept,
            client(limits=once) as fresh,
            open_registry([settings], vault) as registry,
        ):
            await registry.load()
            kinds = _kinds(kept, fresh, registry)
            for work in kinds.values():
                await _cpu_s(work, calls)  # warm
            found: dict[str, list[float]] = {name: [] for name in kinds}
            for _ in range(rounds):
                for kind, work in kinds.items():
                    found[kind].append(await _cpu_s(work, calls))
            return found


def _kinds(
    kept: httpx2.AsyncClient, fresh: httpx2.AsyncClient, registry: Registry
) -> dict[str, Callable[[], Awaitable[None]]]:
    note = {"note": "a parcel for the third floor"}

    async def bare_read() -> None:
        answer = await kept.get("/orders/1043", params={"fields": "all"})
        assert answer.json()["status"] == "paid"

    async def bare_write() -> None:
        answer = await kept.post("/orders", json=note)
        assert answer.json()["status"] == "paid"

    async def bare_fresh() -> None:
        answer = await fresh.post("/orders", json=note)
        assert answer.json()["status"] == "paid"

    async def call(name: str, **arguments: str) -> None:
        action = registry.catalog.get(f"orders.{name}")
        assert action is not None
        outcome = await registry.call(action, arguments, call_context())
        assert isinstance(outcome, Applied)

    return {
        "bare read": bare_read,
        "read": lambda: call("get_order", order_id="1043", fields="all"),
        "bare write, kept connection": bare_write,
        "bare write": bare_fresh,
        "write": lambda: call("create_order", **note),
    }


async def _cpu_s(work: Callable[[], Awaitable[None]], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        await work()
    return (time.process_time() - began) / calls


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.call_overhead")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument(
        "--secrets", type=int, default=100, help="known beside the one that is used"
    )
    given = parser.parse_args(argv)
    ours, theirs = multiprocessing.Pipe()
    service = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs,), daemon=True
    )
    service.start()
    found = asyncio.run(
        measure(f"http://127.0.0.1:{ours.recv()}", given.rounds, given.calls, given.secrets)
    )
    service.terminate()
    middle = {kind: statistics.median(times) for kind, times in found.items()}
    missed = False
    print(f"{'':<30}  CPU us  x bare   more than bare, us")
    for kind, seconds in middle.items():
        bare = middle[kind if kind.startswith("bare") else f"bare {kind}"]
        line = f"{kind:<30} {seconds * 1e6:7.0f} {seconds / bare:7.2f}"
        if not kind.startswith("bare"):
            more = seconds - bare
            missed = missed or more > GOAL_S
            line += f" {more * 1e6:10.0f} (goal {GOAL_S * 1e6:.0f})"
        print(line)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
