"""A stream that is not read costs what was on its way, however long its journal is."""

import asyncio
import re
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from bounded_world import address_of, bounded
from sqlalchemy import Connection, Engine, event

from executor.store import journal, plans, runs
from executor.store.journal import NewEvent
from executor.store.store import Store
from gateway.auth import TENANT
from gateway.cli.server import Running
from gateway.routes.events import PIECE

EVENTS, CHARACTERS = 1500, 20_000
RUN = "run_long"


def a_long_run(c: Connection) -> None:
    plans.add(c, plans.PlanRow(TENANT, "pln_a", "sha256:0", "asker", None, {"language": 1}, 0.0))
    runs.create(c, tenant=TENANT, run=RUN, plan="pln_a", requester="asker", now=0.0)
    said = [NewEvent("step.skipped", {"because": "x" * CHARACTERS})] * EVENTS
    journal.append(c, TENANT, RUN, said, 0.0)
    c.exec_driver_sql("UPDATE runs SET status = 'waiting'").close()


@contextmanager
def counting() -> Iterator[list[int]]:
    """The numbers of the events that are read from journals meanwhile."""
    found: list[int] = []

    def row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if [each[0] for each in cursor.description[:3]] == ["seq", "at", "type"]:
            found.append(values[0])
        return values

    def connected(raw: sqlite3.Connection, _: Any) -> None:
        raw.row_factory = row

    event.listen(Engine, "connect", connected)
    try:
        yield found
    finally:
        event.remove(Engine, "connect", connected)


async def opened(running: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream of which nothing was read yet, and of which a socket takes little by itself."""
    taking = socket.socket()
    taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    taking.setblocking(False)
    await asyncio.get_running_loop().sock_connect(taking, address_of(running))
    reader, writer = await asyncio.open_connection(sock=taking, limit=2 * CHARACTERS)
    head = f"GET /v1/runs/{RUN}/events HTTP/1.1\r\nHost: x\r\n"
    writer.write(f"{head}Authorization: Bearer {running.operator_key}\r\n\r\n".encode())
    return reader, writer


async def begun(running: Running) -> asyncio.StreamWriter:
    """A stream of which the first event was read, and nothing more is."""
    reader, writer = await opened(running)
    await reader.readuntil(b"event: step.skipped")
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket, it can
    return writer


@asynccontextmanager
async def with_a_long_run(folder: Path) -> AsyncIterator[Running]:
    """A gateway whose file holds it."""
    async with bounded(folder):
        pass  # it has made the secret that belongs to its file
    store = await Store.open(f"sqlite:///{folder}/var/lamgate.db")
    await store.write(a_long_run)
    await store.close()
    async with bounded(folder) as running:
        yield running


async def test_what_is_sent_at_once_is_bounded_though_each_event_is_large_and_nothing_is_left_out(
    tmp_path: Path,
) -> None:
    async with with_a_long_run(tmp_path) as running:
        reader, writer = await opened(running)
        await reader.readuntil(b"\r\n\r\n")
        sizes, told = list[int](), list[int]()
        while len(told) < EVENTS:
            sizes.append(int(await reader.readuntil(b"\r\n"), 16))
            piece = await reader.readexactly(sizes[-1] + len(b"\r\n"))
            told += map(int, re.findall(rb"^id: (\d+)$", piece, re.M))
        writer.close()

    assert max(sizes) <= PIECE + 2 * CHARACTERS
    assert told == [*range(1, EVENTS + 1)]


async def test_who_reads_the_first_event_alone_has_few_of_them_read_from_the_journal(
    tmp_path: Path,
) -> None:
    with counting() as read:
        async with with_a_long_run(tmp_path) as running:
            writer = await begun(running)
            count = len(read)
            writer.close()

    assert 0 < count <= 500  # some have gone as far as the buffers of a socket
