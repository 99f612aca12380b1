"""Counts the round trips to a PostgreSQL server, from between it and whoever asks it.

Each time that it has answered and is ready for what comes next, a server says so, in one message:
of any client, and of many statements that are sent as one. So these messages are what is counted.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.engine import make_url

_READY = b"Z"
_HEAD = 5  # bytes: a message's kind, and its length without that


@dataclass
class Between:
    """Passes everything on, and counts; connections must not be encrypted."""

    host: str
    port: int
    trips: int = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        answers, asks = await asyncio.open_connection(self.host, self.port)
        with contextlib.suppress(
            OSError, asyncio.CancelledError
        ):  # one end has gone, or all is over
            await asyncio.gather(_pass_on(reader, asks), self._count(answers, writer))

    async def _count(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await answers.readexactly(_HEAD)
                rest = int.from_bytes(head[1:], "big") - (_HEAD - 1)
                writer.write(head + await answers.readexactly(rest))
                self.trips += head[:1] == _READY
        except (OSError, asyncio.IncompleteReadError):
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
    finally:
        writer.close()


@contextmanager
def counted(url: str) -> Iterator[tuple[str, Between]]:
    """An address that leads to the same database, and what is counted on the way."""
    parsed = make_url(url)
    between = Between(parsed.host or "127.0.0.1", parsed.port or 5432)
    port: queue.SimpleQueue[int] = queue.SimpleQueue()
    is_over = asyncio.Event()

    async def serve() -> None:
        async with await asyncio.start_server(between.accept, "127.0.0.1", 0) as server:
            loops.append(asyncio.get_running_loop())
            port.put(server.sockets[0].getsockname()[1])
            await is_over.wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    plain = {"sslmode": "disable", "gssencmode": "disable"}
    through = parsed.set(host="127.0.0.1", port=port.get()).update_query_dict(plain)
    try:
        yield through.render_as_string(hide_password=False), between
    finally:
        loops[0].call_soon_threadsafe(is_over.set)
        thread.join()
