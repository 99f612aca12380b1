"""A client may be slow, but not for ever: a byte now and then keeps no connection."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from bounded_world import HEALTH, Address, address_of, answered, bounded, said
from served import until

from gateway.cli.bounded import MOST_AHEAD, BoundedHttp
from gateway.cli.server import Running
from gateway.settings import Allowance, ModelEntry, Server


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Running]:
    async with bounded(tmp_path) as running:
        yield running


@pytest.fixture
def address(served: Running) -> Address:
    return address_of(served)


def posted(running: Running, length: int, key: str | None = None) -> bytes:
    """The head of a request whose body has so many bytes."""
    head = f"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
    return f"{head}Authorization: Bearer {key or running.operator_key}\r\n\r\n".encode()


@pytest.mark.parametrize("begun", [b"", b'{"text": '], ids=["nothing", "a part"])
async def test_a_body_that_does_not_arrive_in_time_is_a_problem_and_the_end(
    served: Running, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "body_s", 0.1)
    head, _, body = (await said(address_of(served), posted(served, 30), begun)).partition(
        b"\r\n\r\n"
    )

    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    assert b'"code":"too-slow"' in body


async def test_a_byte_now_and_then_does_not_prolong_the_time(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "body_s", 0.3)
    began = time.monotonic()
    answer = await said(address_of(served), posted(served, 1000), *[b" "] * 100, pause_s=0.02)

    assert answer == b"" or b'"code":"too-slow"' in answer  # who goes on sending may lose it
    assert time.monotonic() - began < 5


async def test_who_was_answered_before_the_body_came_is_not_waited_for_either(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "body_s", 0.3)
    answer = await said(address_of(served), posted(served, 1000, "lam_unknown"))

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"HTTP/1.1 408 " not in answer


async def test_a_body_that_comes_in_time_in_pieces_is_taken(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "body_s", 2.0)
    text = b'{"text": "What is the status of order 1043?"}'
    reader, writer = await asyncio.open_connection(*address_of(served))
    writer.write(posted(served, len(text)))
    for at in range(0, len(text), 9):
        writer.write(text[at : at + 9])
        await asyncio.sleep(0.01)
    answer = await answered(reader)
    writer.close()

    assert answer.startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("stray", [b"\r\n", b"\r\n\r\n"], ids=["one", "two"])
async def test_a_line_that_begins_no_request_keeps_no_connection(
    address: Address, stray: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttp, "head_s", 0.2)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(HEALTH + b"\r\n")
    await answered(reader)
    writer.write(stray)
    rest = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert rest == b""


async def test_whoever_asks_on_behind_a_stream_and_goes_is_not_answered_for_ever(
    tmp_path: Path,
) -> None:
    asking: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: asking.append(writer), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    model = ModelEntry(adapter="openai-compatible", model="silent", base_url=url)
    async with bounded(tmp_path, models={"silent": model}) as running:
        key = {"authorization": f"Bearer {running.operator_key}"}
        client = httpx2.AsyncClient(base_url=running.address, headers=key, trust_env=False)
        async with client as person:
            body = {"text": "x", "model": "silent"}
            asked = (await person.post("/v1/requests", json=body)).json()["id"]
            reader, writer = await asyncio.open_connection(*address_of(running))
            line = f"GET /v1/requests/{asked}/events HTTP/1.1\r\nHost: x\r\n"
            writer.write(f"{line}Authorization: {key['authorization']}\r\n\r\n".encode())
            await reader.readuntil(b"request.received")
            writer.write(HEALTH + b"\r\n")
            await asyncio.sleep(0.05)
            writer.close()

            async def is_over() -> bool:
                told = (await person.get("/v1/requests")).headers["ratelimit"]
                return f"r={Allowance().concurrency - 1}" in told

            await until(is_over, "nothing else is under way")
        silent.close()
        for each in asking:
            each.close()


async def test_members_after_a_body_are_kept_nowhere(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    ended = BoundedHttp.on_message_complete

    def noted(self: BoundedHttp) -> None:
        kept.append(len(self.headers))
        ended(self)

    monkeypatch.setattr(BoundedHttp, "on_message_complete", noted)
    chunked = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    members = b"0\r\n" + b"a: b\r\n" * 10_000 + b"\r\n"
    last = HEALTH + b"Connection: close\r\n\r\n"
    answer = await said(address_of(served), chunked, members, last)

    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert kept == [2, 2]


async def test_requests_without_end_that_wait_for_no_answer_are_let_go_of(address: Address) -> None:
    answer = await said(address, (HEALTH + b"\r\n") * (MOST_AHEAD + 2))

    assert b'"code":"malformed-http"' in answer


async def test_a_few_requests_that_wait_for_no_answer_are_answered_in_turn(
    address: Address,
) -> None:
    answer = await said(address, (HEALTH + b"\r\n") * 3 + HEALTH + b"Connection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 ") == 4


async def test_an_answer_that_nobody_reads_is_given_up(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = asyncio.Event()
    given_up = BoundedHttp.connection_lost

    def noted(self: BoundedHttp, exc: Exception | None) -> None:
        given_up(self, exc)
        lost.set()

    monkeypatch.setattr(BoundedHttp, "reading_s", 0.2)
    monkeypatch.setattr(BoundedHttp, "connection_lost", noted)
    reader, writer = await asyncio.open_connection(*address, limit=1)
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with pytest.raises(ConnectionError):  # noqa: PT012 - one of many times
        for _ in range(1000):
            writer.write(asked)
            await asyncio.wait_for(writer.drain(), 5)
            await asyncio.sleep(0.01)
    await asyncio.wait_for(lost.wait(), 5)
    writer.close()
    del reader


async def test_who_comes_when_there_are_too_many_connections_is_told_when_to_come(
    tmp_path: Path,
) -> None:
    async with bounded(tmp_path, server=Server(connections=2)) as running:
        address = address_of(running)
        others = [await asyncio.open_connection(*address) for _ in range(2)]
        head, _, body = (await said(address, HEALTH + b"\r\n")).partition(b"\r\n\r\n")
        for _, writer in others:
            writer.close()

        async def is_answered() -> bool:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(HEALTH + b"\r\n")
            line = await reader.readline()
            writer.close()
            return line.startswith(b"HTTP/1.1 200 ")

        await until(is_answered, "there is room again")

    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in head
    assert b'"code":"temporary-reduced-capacity"' in body


async def test_a_client_that_goes_away_in_the_middle_is_no_mistake_of_ours(
    served: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, writer = await asyncio.open_connection(*address_of(served))
        writer.write(posted(served, 1000) + b'{"text": ')
        await writer.drain()
        await asyncio.sleep(0.1)  # until the body is waited for
        writer.close()
        await asyncio.sleep(0.1)
        async with httpx2.AsyncClient(base_url=served.address, trust_env=False) as client:
            assert (await client.get("/v1/health")).status_code == 200

    assert [each.getMessage() for each in caplog.records] == []
