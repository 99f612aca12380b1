"""A server that nobody calls for long is let go of, and there again for the next call."""

import asyncio
import json
import os

import pytest
from mcp_world import Server, Tools, server, tool

from connectors.connector import Applied
from connectors.mcp import connector, link


@pytest.fixture
def tools(tmp_path: "os.PathLike[str]", monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setattr(link, "IDLE_S", 0.5)
    monkeypatch.setattr(connector, "_FRESH_S", 0.0)
    found = Tools(tmp_path)  # type: ignore[arg-type]
    found.has(tool("look"), tool("nap"))
    return found


async def _pid(found: Server) -> int:
    looked = await found.call("look")
    assert isinstance(looked, Applied)
    assert isinstance(looked.output, dict)
    pid: int = json.loads(str(looked.output["text"]))["pid"]
    return pid


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def _until_gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while _is_alive(pid):
            await asyncio.sleep(0.02)


async def test_the_process_of_a_server_ends_while_nobody_calls_and_is_started_for_a_call(
    tools: Tools,
) -> None:
    async with server(tools.lines) as found:
        first = await _pid(found)
        async with asyncio.timeout(20):
            while _is_alive(first):  # looks of the gateway do not keep it
                await found.registry.ask_again(lambda _: None)
                await asyncio.sleep(0.05)
        looks = len(tools.lists())
        for _ in range(3):
            await found.registry.ask_again(lambda _: None)
        (stands,) = found.registry.connections()
        second = await _pid(found)

        assert (stands.actions, stands.stale, stands.absent) == (2, None, None)
        assert len(tools.lists()) == looks + 1, "it is looked at before the call, and not before"
        assert first != second


async def test_a_call_that_takes_longer_is_not_cut_off(tools: Tools) -> None:
    async with server(tools.lines) as found:
        first = await _pid(found)
        ended = await found.call("nap")
        second = await _pid(found)

    assert isinstance(ended, Applied)
    assert first == second


async def test_calls_that_come_as_it_ends_are_all_made(tools: Tools) -> None:
    async with server(tools.lines) as found:
        for _ in range(6):
            pid = await _pid(found)
            await asyncio.sleep(0.5)
            ends = await asyncio.gather(*(found.call("look") for _ in range(5)))
            assert all(isinstance(each, Applied) for each in ends), ends
            await _until_gone(pid)
