"""Many large answers that are there at once are read one after the other, and all else goes on."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connector_cases import Outside

from connectors.exchange import HttpRequest
from connectors.http import LARGE_BYTES

MANY = 12
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


@dataclass
class Together:
    """A service that keeps the last byte of each answer back until all have been asked for."""

    size: int
    asked: list[StreamWriter] = field(default_factory=list)

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD % self.size)
        writer.write(b"x" * (self.size - 1))
        await writer.drain()
        self.asked.append(writer)
        if len(self.asked) == MANY:
            await asyncio.sleep(0.2)  # for whoever reads to have read the rest
            for each in self.asked:
                each.write(b"x")
                each.close()


@asynccontextmanager
async def together(size: int) -> AsyncIterator[int]:
    """Its port."""
    server = await asyncio.start_server(Together(size).answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def turns_of(size: int, outside: Outside) -> list[int]:
    """In which turn of the event loop each of many answers was handed on."""
    turns, loop = 0, asyncio.get_running_loop()

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def one(port: int) -> int:
        request = HttpRequest("GET", f"http://127.0.0.1:{port}/", {})
        ends = loop.time() + 20.0
        answer = await way.send(request, deadline=ends, send_before=ends)
        assert len(answer.body) == size
        return turns

    async with together(size) as port:
        way = outside.to(f"127.0.0.1:{port}")
        counting = asyncio.ensure_future(count())
        found = await asyncio.gather(*(one(port) for _ in range(MANY)))
        counting.cancel()
    return found


async def test_each_large_answer_has_a_turn_of_the_event_loop_for_itself(
    outside: Outside,
) -> None:
    found = await turns_of(LARGE_BYTES + 1, outside)

    assert len({*found}) == MANY, found


async def test_small_answers_wait_for_no_turn(outside: Outside) -> None:
    found = await turns_of(100, outside)

    assert len({*found}) < MANY, found


async def test_a_large_answer_that_is_there_is_handed_on_at_its_deadline_whoever_is_before_it(
    outside: Outside,
) -> None:
    server = await asyncio.start_server(_large, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        way, ends = outside.to(f"127.0.0.1:{port}"), asyncio.get_running_loop().time() + 1.0
        async with way.turn:  # somebody else has it, and keeps it
            answer = await way.send(
                HttpRequest("GET", f"http://127.0.0.1:{port}/", {}), deadline=ends, send_before=ends
            )

    assert len(answer.body) == 2 * LARGE_BYTES


async def _large(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD % (2 * LARGE_BYTES))
    writer.write(b"x" * 2 * LARGE_BYTES)
    await writer.drain()
    writer.close()
