"""Commits that are answered by no word of their own, and databases with several addresses."""

import asyncio
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest
from connector_cases import listening
from lossy_way import Way
from sql_world import Stock, call
from sqlalchemy.engine import make_url

from connectors.connector import Applied
from connectors.errors import Uncertain
from connectors.spec import JsonObject

MOVE: JsonObject = {"sku": "BOWL", "quantity": 3}


@dataclass
class Garbling(Way):
    """The commit arrives and is done, and something else comes in the place of its answer."""

    instead: bytes = b""

    async def serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        garbles = asyncio.Event()

        async def answers() -> None:
            while piece := await reader.read(65536):
                back.write(self.instead if garbles.is_set() else piece)
                await back.drain()
                if garbles.is_set():
                    back.close()
                    return

        passing = asyncio.create_task(answers())
        try:
            while piece := await near.read(65536):
                if self.cut and self.mark in piece:
                    self.cut, self.cuts = "", self.cuts + 1
                    garbles.set()
                writer.write(piece)
                await writer.drain()
        finally:
            passing.cancel()
            back.transport.abort()
            writer.transport.abort()


def said(severity: bytes, code: bytes, words: bytes) -> bytes:
    """An ErrorResponse."""
    fields = b"S%s\0V%s\0C%s\0M%s\0\0" % (severity, severity, code, words)
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


ENDS = {
    "panic, no room for the log": said(b"PANIC", b"53100", b"could not write to file pg_wal/x"),
    "panic, the log is not on disk": said(b"PANIC", b"58030", b"could not fsync file pg_wal/x"),
    "a pooler lost its server": said(b"FATAL", b"58000", b"unable to read data from DB node 0"),
    "the result is ambiguous": said(b"ERROR", b"40003", b"result is ambiguous"),
    "nonsense": b"\0" * 40,
    "a web page": b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    "a message cut short": b"C\0\0\0\2",
    "what was said": b"Q\0\0\0\x0bCOMMIT\0",
}


@pytest.mark.parametrize("instead", ENDS.values(), ids=ENDS)
async def test_a_commit_that_is_answered_by_no_word_of_its_own_is_uncertain(
    served_stock: Stock, instead: bytes
) -> None:
    address = make_url(served_stock.url)
    way = Garbling(address.port or 5432, instead=instead)
    async with listening(way.serve) as port:
        url = address.set(port=port).render_as_string(hide_password=False)
        connector = served_stock.connector(url)
        await call(connector, "shelf_get", {"sku": "BOWL"})
        way.cut = "after"
        found = await call(connector, "move_blindly", MOVE, seconds=3)

    assert (way.cuts, served_stock.moves()) == (1, 1)  # it was committed
    assert isinstance(found, Uncertain)


@pytest.mark.parametrize("last", [["1"], ["1", "9"], ["9", "1"]])
async def test_a_database_is_reached_at_the_first_of_its_addresses_that_answers(
    served_stock: Stock, last: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = served_stock.connector()

    async def addresses(_: str, __: int) -> list[IPv4Address]:
        return [IPv4Address(f"127.0.0.{each}") for each in last]

    monkeypatch.setattr(connector._database._transport, "addresses", addresses)

    assert isinstance(await call(connector, "shelf_get", {"sku": "BOWL"}), Applied)
