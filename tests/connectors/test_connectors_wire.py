"""Oddities of the wire: each is told apart by whether something may have happened."""

import asyncio
import gzip
import resource
import socket
import time
import zlib
from pathlib import Path

import pytest
from connector_cases import (
    Outside,
    Raw,
    action_of,
    answer,
    described,
    document,
    end_of,
    listening,
    operation,
    raw_server,
)

from connectors.body import MOST_BYTES, Body, BodyError, json_flaw, read_json
from connectors.connector import Applied, Outcome, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.spec import JsonObject

PATHS: JsonObject = {
    "/it": {"get": operation("read_it"), "post": operation("do_it"), "put": operation("set_it")}
}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def packed(content: bytes) -> bytes:
    return answer(200, gzip.compress(content), {"content-encoding": "gzip"})


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    zeros = bytes(1024 * 1024)
    return b"".join(packer.compress(zeros) for _ in range(size)) + packer.flush()


async def both(
    raw: Raw, folder: Path, outside: Outside, seconds: float = 5.0
) -> tuple[Outcome | ConnectorError, Outcome | ConnectorError]:
    """How a read and a blind write end at this server."""
    api = described(folder, document(PATHS), outside.to(raw.host), raw.url)
    read, write = await action_of(api, "api.read_it"), await action_of(api, "api.do_it")
    return await end_of(api, read, {}, seconds=seconds), await end_of(
        api, write, {}, seconds=seconds
    )


CASES: dict[str, tuple[bytes, type, type]] = {
    "nothing at all": (b"", Unavailable, Uncertain),
    "half a status line": (b"HTTP/1.1 2", Unavailable, Uncertain),
    "no http": (b"SSH-2.0-server\r\n\r\n", Unavailable, Uncertain),
    "half the headers": (HEAD + b"content-len", Unavailable, Uncertain),
    "half the body": (HEAD + b"content-length: 100\r\n\r\n{", Unavailable, Uncertain),
    "half a chunk": (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{", Unavailable, Uncertain),
    "no last chunk": (
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        Unavailable,
        Uncertain,
    ),
    "a body longer than it says": (HEAD + b"content-length: 2\r\n\r\n{}{}", Applied, Applied),
    "half a refusal": (
        b"HTTP/1.1 404 No\r\ncontent-length: 100\r\n\r\n{",
        Refused,
        Refused,
    ),
    "half a failure": (b"HTTP/1.1 500 No\r\ncontent-length: 100\r\n\r\n{", Unavailable, Uncertain),
    "no json": (answer(200, b"<html>not what you asked for"), Refused, Unreadable),
    "a number that is none": (answer(200, b'{"a": NaN}'), Refused, Unreadable),
    "an infinite number": (answer(200, b'{"a": -Infinity}'), Refused, Unreadable),
    "a key twice": (answer(200, b'{"a": 1, "a": 2}'), Refused, Unreadable),
    "no utf-8": (answer(200, b'"\xff"'), Refused, Unreadable),
    "a deep nest": (answer(200, b"[" * 100_000), Refused, Unreadable),
    "too large": (answer(200, b" " * (MOST_BYTES + 1)), Refused, Unreadable),
    "gzip": (packed(b'{"a": 1}'), Applied, Applied),
    "gzip in two members": (
        answer(200, gzip.compress(b'{"a"') + gzip.compress(b": 1}"), {"content-encoding": "gzip"}),
        Applied,
        Applied,
    ),
    "gzip without its end": (
        answer(200, gzip.compress(b'{"a": 1}')[:-9], {"content-encoding": "gzip"}),
        Refused,
        Unreadable,
    ),
    "gzip that is none": (answer(200, b"{}", {"content-encoding": "gzip"}), Refused, Unreadable),
    "an encoding not asked for": (
        answer(200, b"{}", {"content-encoding": "br"}),
        Refused,
        Unreadable,
    ),
    "a wrong content type": (
        answer(200, b'{"a": 1}', {"content-type": "image/png"}),
        Applied,
        Applied,
    ),
    "a redirect": (answer(307, b"", {"location": "/other"}), Refused, Refused),
    "a redirect after a post": (answer(303, b"", {"location": "/other"}), Refused, Uncertain),
}


@pytest.mark.parametrize("name", CASES)
async def test_an_odd_answer_means_what_it_says_of_the_effect(
    name: str, tmp_path: Path, outside: Outside
) -> None:
    said, read_end, write_end = CASES[name]
    async with raw_server(said) as raw:
        read, write = await both(raw, tmp_path, outside)

    assert isinstance(read, read_end)
    assert isinstance(write, write_end)
    assert len(raw.received) == 2
    if isinstance(read, Unavailable):
        assert read.sent


async def test_a_gzip_bomb_takes_neither_memory_nor_time(tmp_path: Path, outside: Outside) -> None:
    said = answer(200, bomb(200), {"content-encoding": "gzip"})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    async with raw_server(said) as raw:
        read, write = await both(raw, tmp_path, outside)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert isinstance(read, Refused)
    assert isinstance(write, Unreadable)
    assert time.monotonic() - began < 5.0
    assert grown_kib < 64 * 1024


async def test_a_refused_connection_has_no_effect(tmp_path: Path, outside: Outside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        raw = Raw(taken.getsockname()[1])
    read, write = await both(raw, tmp_path, outside)

    for each in (read, write):
        assert isinstance(each, Unavailable)
        assert not each.sent
        assert each.kind is Kind.UNAVAILABLE


async def test_a_name_that_nobody_knows_has_no_effect(tmp_path: Path, outside: Outside) -> None:
    api = described(tmp_path, document(PATHS), outside.to(), "http://nobody.invalid")

    write = await end_of(api, await action_of(api, "api.do_it"), {})

    assert isinstance(write, Unavailable)
    assert not write.sent
    assert "nobody.invalid" in write.message


async def test_a_server_without_tls_gets_no_byte_of_the_request(
    tmp_path: Path, outside: Outside
) -> None:
    async with raw_server(answer(200, {})) as raw:
        url = raw.url.replace("http:", "https:")
        api = described(tmp_path, document(PATHS), outside.to(raw.host), url)
        write = await end_of(api, await action_of(api, "api.do_it"), {}, seconds=0.5)

    assert isinstance(write, Unavailable)
    assert not write.sent
    assert b"POST" not in b"".join(raw.received)


async def test_a_handshake_that_the_deadline_ends_leaves_no_socket_open(
    tmp_path: Path, outside: Outside
) -> None:
    hung_up = asyncio.Event()

    async def never_greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass
        hung_up.set()
        writer.close()

    async with listening(never_greet) as port:
        api = described(
            tmp_path,
            document(PATHS),
            outside.to(f"127.0.0.1:{port}"),
            f"https://127.0.0.1:{port}",
        )
        write = await end_of(api, await action_of(api, "api.do_it"), {}, seconds=0.3)
        await asyncio.wait_for(hung_up.wait(), 5)

    assert isinstance(write, Unavailable)
    assert not write.sent


async def _silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"content-length: 1000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _dripping_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while not writer.is_closing():
        writer.write(b"x-more: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("handler", [_silent, _dripping, _dripping_headers])
async def test_the_deadline_is_of_the_whole_call(
    handler: object, tmp_path: Path, outside: Outside
) -> None:
    assert callable(handler)
    async with raw_server(handler) as raw:
        began = time.monotonic()
        read, write = await both(raw, tmp_path, outside, seconds=0.4)
        took = time.monotonic() - began

    assert isinstance(read, Unavailable)
    assert isinstance(write, Uncertain)
    assert (read.kind, write.kind) == (Kind.TIMEOUT, Kind.TIMEOUT)
    assert took < 2.0


async def test_after_its_time_no_byte_leaves(tmp_path: Path, outside: Outside) -> None:
    async with raw_server(answer(200, {})) as raw:
        read, write = await both(raw, tmp_path, outside, seconds=-1.0)

    for each in (read, write):
        assert isinstance(each, Unavailable)
        assert not each.sent
    assert raw.received == []


async def test_a_write_never_goes_over_a_connection_that_was_idle(
    tmp_path: Path, outside: Outside
) -> None:
    connections: set[object] = set()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            connections.add(writer.get_extra_info("peername"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")

    async with raw_server(keep) as raw:
        api = described(tmp_path, document(PATHS), outside.to(raw.host), raw.url)
        read, write = await action_of(api, "api.read_it"), await action_of(api, "api.do_it")
        for _ in range(3):
            assert isinstance(await end_of(api, read, {}), Applied)
        reads = len(connections)
        for _ in range(3):
            assert isinstance(await end_of(api, write, {}), Applied)

    assert reads == 1
    assert len(connections) == 4


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_an_encoding_that_was_not_asked_for_is_not_decoded(encoding: str) -> None:
    with pytest.raises(BodyError, match="not asked for"):
        Body(encoding)


def test_a_body_is_counted_on_both_sides_of_the_decoder() -> None:
    with pytest.raises(BodyError, match="larger than 10"):
        Body("", most=10).feed(b"x" * 11)
    with pytest.raises(BodyError, match="larger than 1000"):
        Body("gzip", most=1000).feed(gzip.compress(bytes(2000)))


@pytest.mark.parametrize("body", [b"[" * 500_000, b"," * 3_000_000, b"1" * 5000, b"[]x", b"'a'"])
def test_json_with_too_much_in_it_is_refused_before_it_is_built(body: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(BodyError):
        read_json(body)

    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    ("value", "flaw"),
    [
        (2**53, "2^53"),
        (float("nan"), "finite"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ([[[2**60]]], "2^53"),
    ],
)
def test_what_readers_would_take_differently_is_no_output(value: object, flaw: str) -> None:
    assert flaw in str(json_flaw(value))  # type: ignore[arg-type]  # what no annotation keeps out
