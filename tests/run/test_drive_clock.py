"""Clock jumps of a day: waits stay as long as they were, and no key or approval is any older."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from run_bench import Bench, once
from run_cases import accept, step

from connectors.connector import Applied
from connectors.errors import Kind, Unavailable
from connectors.http import HttpRequest, NotSentError, Transport
from executor.store.store import Store

pytestmark = pytest.mark.timeout(60)
DAY_S = 24 * 3600.0


@pytest.fixture
async def steady(tmp_path: Path) -> AsyncIterator[Bench]:
    """Runs by the store's clock, as the gateway drives them."""
    store = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    bench = Bench(store)
    bench.clock = store.clock
    bench.machine = bench.new_machine()
    yield bench
    await bench.close()
    await store.close()


@pytest.mark.parametrize("by_s", [DAY_S, -DAY_S])
async def test_a_wait_is_as_long_as_it_was_when_the_clock_jumps(
    steady: Bench, monkeypatch: pytest.MonkeyPatch, by_s: float
) -> None:
    asked = Unavailable("slow down", kind=Kind.RATE_LIMITED, retry_after_s=0.4, sent=True)
    steady.service.handlers["a"] = once(asked, Applied({"id": 1}))
    due = await steady.add(accept(step("a", "keyed")))
    real = time.time
    began = time.monotonic()
    drive = steady.start(due)
    while not steady.service.calls("a"):
        await asyncio.sleep(0.005)
    monkeypatch.setattr(time, "time", lambda: real() + by_s)
    await asyncio.wait_for(drive, 20)
    lasted = time.monotonic() - began
    first, second = await steady.attempts(due)

    assert (await steady.row(due)).status == "succeeded"
    assert lasted >= 0.4
    assert first.ended_at is not None
    assert 0.4 <= second.started_at - first.ended_at < 15
    assert first.key == second.key


async def test_no_byte_leaves_after_send_before_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the monotonic clock, right before the first byte, on a connection that is there."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await reader.read()
        writer.close()
        await writer.wait_closed()
        heard.set_result(found)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = Transport(frozenset({f"127.0.0.1:{port}"}))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - DAY_S)
    request = HttpRequest("POST", f"http://127.0.0.1:{port}/pay", body=b"{}")
    with pytest.raises(NotSentError, match="in time") as late:
        await transport.send(
            request, deadline=time.monotonic() + 10, send_before=time.monotonic() - 0.001
        )
    await transport.aclose()
    found = await asyncio.wait_for(heard, 20)
    server.close()
    await server.wait_closed()

    assert late.value.is_late
    assert found == b""
