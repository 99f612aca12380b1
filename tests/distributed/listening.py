"""A service of a test that listens on loopback, in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Service(Protocol):
    """What answers one connection after the other; `port` is where it listens, once it does."""

    port: int

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer whatever comes over one connection."""


S = TypeVar("S", bound=Service)


@contextmanager
def listening(service: S) -> Iterator[S]:
    """The service, which listens until it is left."""
    is_over, listens = asyncio.Event(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def listen() -> None:
        loops.append(asyncio.get_running_loop())
        async with await asyncio.start_server(service.serve, "127.0.0.1", 0) as server:
            service.port = server.sockets[0].getsockname()[1]
            listens.set()
            await is_over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    listens.wait()
    try:
        yield service
    finally:
        loops[0].call_soon_threadsafe(is_over.set)
        thread.join()
