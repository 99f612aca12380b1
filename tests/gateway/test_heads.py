"""The head of a request needs no key, so whoever can connect may send only so much, and so long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from served import until

from gateway.cli.heads import MOST_BYTES, BoundedHttp
from gateway.cli.server import Running, run_gateway
from gateway.settings import Settings

HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    """A gateway as `lamgate serve` serves it."""
    running = Running()
    settings = Settings(base_dir=tmp_path)
    serving = asyncio.create_task(run_gateway(settings, running, host="127.0.0.1", port=0))

    async def is_ready() -> bool:
        return running.ready.is_set()

    await until(is_ready, "it serves")
    assert running.error is None
    host, _, port = running.address.removeprefix("http://").rpartition(":")
    yield host, int(port)
    running.stop()
    await serving


async def said(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Everything that is answered to these pieces, until the gateway hangs up."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "piece",
    [b"X-A: " + b"a" * 100_000, b"X-A: a\r\n" * 12_500, b"a" * 100_000],
    ids=["one-member", "many-members", "no-end-of-a-name"],
)
async def test_a_head_without_an_end_is_let_go_of(address: tuple[str, int], piece: bytes) -> None:
    answer = await said(address, HEALTH, *[piece] * 20)

    # A client that goes on sending may lose the answer, but not its connection's end.
    assert answer == b"" or f"at most {MOST_BYTES} bytes".encode() in answer


async def test_an_address_without_an_end_is_let_go_of(address: tuple[str, int]) -> None:
    answer = await said(address, b"GET /", *[b"a" * 100_000] * 20)

    assert answer == b"" or b'"code":"malformed-http"' in answer


async def test_what_is_no_http_is_answered_with_a_problem(address: tuple[str, int]) -> None:
    answer = await said(address, b"\x16\x03\x01 garbage\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"code":"malformed-http"' in answer


@pytest.mark.parametrize("begun", [b"", b"GET /v1/hea", HEALTH], ids=["nothing", "line", "member"])
async def test_whoever_does_not_end_a_head_in_time_is_let_go_of(
    address: tuple[str, int], begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "within_s", 0.1)

    assert await said(address, begun) == b""


async def test_a_long_answer_and_further_requests_have_all_the_time(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "within_s", 0.2)
    reader, writer = await asyncio.open_connection(*address)
    answers = []
    for _ in range(3):
        writer.write(HEALTH + b"\r\n")
        answers.append(await reader.readuntil(b"}}"))
        await asyncio.sleep(0.25)  # between heads the connection is only kept alive
    writer.close()

    assert all(each.startswith(b"HTTP/1.1 200 ") for each in answers)
