"""The head of a request needs no key, so whoever can connect may send only so much, and so long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bounded_world import HEALTH, Address, address_of, answered, bounded, said

from gateway.cli.bounded import MOST_BYTES, MOST_MEMBERS, BoundedHttp


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[Address]:
    async with bounded(tmp_path) as running:
        yield address_of(running)


@pytest.mark.parametrize(
    "piece",
    [b"X-A: " + b"a" * 100_000, b"X-A: a\r\n" * 12_500, b"a" * 100_000],
    ids=["one-member", "many-members", "no-end-of-a-name"],
)
async def test_a_head_without_an_end_is_let_go_of(address: Address, piece: bytes) -> None:
    answer = await said(address, HEALTH, *[piece] * 20)

    # A client that goes on sending may lose the answer, but not its connection's end.
    assert answer == b"" or b'"code":"malformed-http"' in answer


@pytest.mark.parametrize(("count", "status"), [(MOST_MEMBERS, b"200"), (MOST_MEMBERS + 1, b"400")])
async def test_a_head_has_so_many_members(address: Address, count: int, status: bytes) -> None:
    members = b"Connection: close\r\n" + b"X-A: a\r\n" * (count - 2)

    assert (await said(address, HEALTH + members + b"\r\n")).startswith(b"HTTP/1.1 " + status)


async def test_a_head_of_too_many_bytes_is_told_how_many_it_may_have(address: Address) -> None:
    head = HEALTH + b"X-A: "
    answer = await said(address, head + b"a" * (MOST_BYTES + 1 - len(head)))

    assert f"at most {MOST_BYTES} bytes".encode() in answer


async def test_an_address_without_an_end_is_let_go_of(address: Address) -> None:
    answer = await said(address, b"GET /", *[b"a" * 100_000] * 20)

    assert answer == b"" or b'"code":"malformed-http"' in answer


async def test_what_is_no_http_is_answered_with_a_problem(address: Address) -> None:
    answer = await said(address, b"\x16\x03\x01 garbage\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"code":"malformed-http"' in answer


@pytest.mark.parametrize("begun", [b"", b"GET /v1/hea", HEALTH], ids=["nothing", "line", "member"])
async def test_whoever_does_not_end_a_head_in_time_is_let_go_of(
    address: Address, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "head_s", 0.1)

    assert await said(address, begun) == b""


async def test_a_long_answer_and_further_requests_have_all_the_time(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "head_s", 0.2)
    reader, writer = await asyncio.open_connection(*address)
    answers = []
    for _ in range(3):
        writer.write(HEALTH + b"\r\n")
        answers.append(await answered(reader))
        await asyncio.sleep(0.25)  # between heads the connection is only kept alive
    writer.close()

    assert all(each.startswith(b"HTTP/1.1 200 ") for each in answers)
