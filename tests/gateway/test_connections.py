"""A gateway over a document that comes and goes: what is on offer, and what is said of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from served import SHOP, plan, serving, step, until

STOCK = {
    "openapi": "3.0.3",
    "paths": {
        "/stock": {"get": {"operationId": "get_stock", "responses": {}}},
        "/photo": {
            "post": {
                "operationId": "add_photo",
                "requestBody": {"required": True, "content": {"application/xml": {}}},
                "responses": {},
            }
        },
    },
}


@dataclass
class Stock:
    """A service that may be down."""

    port: int = 0
    is_up: bool = True


@asynccontextmanager
async def service() -> AsyncIterator[Stock]:
    stock, busy = Stock(), set[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        busy.add(writer)
        await reader.readuntil(b"\r\n\r\n")
        status = "200 OK" if stock.is_up else "503 Down"
        body = json.dumps(STOCK).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stock.port = server.sockets[0].getsockname()[1]
    try:
        yield stock
    finally:
        server.close()
        for each in busy:
            each.close()


def with_stock(config: Path, stock: Stock) -> Path:
    host = f"127.0.0.1:{stock.port}"
    with config.open("a", encoding="utf-8") as file:
        file.write(f"""
[catalog]
retry_s = 0.05

[connections.stock]
connector = "openapi"
base_url = "http://{host}"
allow_hosts = ["{host}"]
""")
    return config


def with_policy(config: Path, text: str) -> None:
    """This policy alone, instead of the shop's."""
    own = config.parent / "policies"
    own.mkdir()
    (own / "a.cedar").write_text(text, encoding="utf-8")
    given = config.read_text(encoding="utf-8")
    config.write_text(given.replace(f'path = "{SHOP}/policies"', f'path = "{own}"'), "utf-8")


READ_STOCK = plan(step("stock", "stock.get_stock"))


async def said(person: Any, name: str = "stock") -> Any:
    return (await person.get(f"/v1/connections/{name}")).json()


async def test_a_gateway_starts_without_a_connection_that_does_not_answer_and_offers_it_later(
    config: Path,
) -> None:
    async with service() as stock:
        stock.is_up = False
        async with serving(with_stock(config, stock)) as running:
            person = await running.person("requester-1", "requester")
            before = running.gateway.catalog
            absent = await said(person)
            refused = await person.post("/v1/plans", json={"plan": READ_STOCK})
            health = (await person.get("/v1/health")).json()
            stock.is_up = True

            async def is_there() -> bool:
                return bool((await said(person))["standing"] == "ready")

            await until(is_there, "the stock is there")
            made = await person.post("/v1/plans", json={"plan": READ_STOCK})
            ready = await said(person)
            listed = (await person.get("/v1/connections")).json()

    assert absent["standing"] == "absent"
    assert "status 503" in absent["reason"]
    assert [each["code"] for each in refused.json()["violations"]] == ["unknown-action"]
    assert health["connections"] == {"absent": 1, "ready": 3}
    assert made.status_code == 201, made.text
    assert before.get("stock.get_stock") is None, "the old catalogue is not touched"
    assert ready["skipped"] == [{"name": "add_photo", "reason": "it takes XML: application/xml"}]
    assert {each["name"]: each["standing"] for each in listed} == dict.fromkeys(
        ("orders", "payments", "mail", "stock"), "ready"
    )


async def test_a_gateway_offers_what_it_kept_of_a_document_and_says_since_when(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with service() as stock:
        with_stock(config, stock)
        async with serving(config):
            pass
        stock.is_up = False
        async with serving(config) as running:
            person = await running.person("requester-1", "requester")
            stale = await said(person)
            made = await person.post("/v1/plans", json={"plan": READ_STOCK})
            nothing = await person.get("/v1/connections/none")

    kept = config.parent / "var" / "lamgate.db.catalog" / "stock.json"
    assert kept.is_file()
    assert (stale["standing"], stale["actions"]) == ("stale", 1)
    assert stale["stale_since"].endswith("+00:00")
    assert made.status_code == 201, made.text
    assert f"connections.stock offers what it did at {stale['stale_since']}" in caplog.text
    assert (nothing.status_code, nothing.json()["code"]) == (404, "unknown-connection")


async def test_a_document_that_comes_and_does_not_fit_the_policies_is_not_offered(
    config: Path,
) -> None:
    with_policy(
        config,
        'forbid (principal, action, resource in Connection::"stock")\n'
        "when { context.args.amount > 1 };",
    )
    async with service() as stock:
        stock.is_up = False
        async with serving(with_stock(config, stock)) as running:
            person = await running.person("requester-1", "requester")
            stock.is_up = True

            async def is_told() -> bool:
                return "do not fit" in str((await said(person))["reason"])

            await until(is_told, "the policies are said not to fit")
            absent = await said(person)

    assert (absent["standing"], absent["actions"]) == ("absent", 0)
    assert "amount" in absent["reason"]
