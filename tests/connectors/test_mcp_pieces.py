"""What an MCP server sends over HTTP comes in pieces, and a secret in it is found across them."""

import asyncio

import httpx2
import pytest
from connector_cases import Outside, raw_server

from connectors.credentials import HIDDEN, Vault
from connectors.mcp.over_http import CheckedTransport

SECRET = "a-token-of-nobody-else"


async def read(pieces: list[bytes], outside: Outside) -> list[bytes]:
    """What is read of an answer that comes in these pieces, each by itself."""

    async def said(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        for each in (*pieces, b""):
            writer.write(b"%x\r\n%s\r\n" % (len(each), each))
        await writer.drain()

    vault = Vault(lambda _: SECRET)
    vault.secret_of("env:TOKEN")
    async with raw_server(said) as raw:
        way = CheckedTransport(outside.to(raw.host), raw.url, dict, vault.redactor.hide_bytes)
        client = httpx2.AsyncClient(transport=way)
        async with client, client.stream("POST", raw.url, content=b"{}") as answer:
            return [each async for each in answer.aiter_raw()]


@pytest.mark.parametrize("at", [1, 10, len(SECRET) - 1])
async def test_a_secret_in_two_pieces_is_taken_out(at: int, outside: Outside) -> None:
    pieces = [b"data: " + SECRET[:at].encode(), SECRET[at:].encode() + b"\n\n", b"data: end"]
    found = await read(pieces, outside)

    assert b"".join(found) == f"data: {HIDDEN}\n\ndata: end".encode()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
async def test_a_line_is_read_as_soon_as_it_is_whole(end: bytes, outside: Outside) -> None:
    found = await read([b"data: 1" + end, b"da", b"ta: 2" + end + b"data: 3"], outside)

    assert found == [b"data: 1" + end, b"data: 2" + end, b"data: 3"]
