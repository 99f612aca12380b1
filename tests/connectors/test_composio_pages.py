"""A project that lists tools without end is listened to for so long and no longer."""

import pytest
from composio_world import tool
from connector_cases import Outside, answer, raw_server

from connectors.composio.rest import Rest
from connectors.errors import Refused, Unavailable
from connectors.spec import JsonObject


async def listed(outside: Outside, page: JsonObject, most_bytes: int) -> int:
    """How many pages of this kind were asked for."""
    async with raw_server(answer(200, page)) as raw:
        rest = Rest(raw.url, outside.to(raw.host), lambda: "key", most_bytes)
        with pytest.raises((Unavailable, Refused)):
            await rest.tools("notes", "1")
        return len(raw.received)


async def test_pages_are_read_up_to_so_many_bytes_together(outside: Outside) -> None:
    page: JsonObject = {"items": [tool("NOTES_ADD")], "next_cursor": "again"}
    size = len(answer(200, page).partition(b"\r\n\r\n")[2])

    assert await listed(outside, page, 3 * size + 1) == 4
    assert await listed(outside, page, size - 1) == 1


async def test_pages_are_read_up_to_so_many_however_small(outside: Outside) -> None:
    assert await listed(outside, {"items": [], "next_cursor": "again"}, 10**9) == 50
