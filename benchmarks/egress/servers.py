"""Raw servers on loopback: canaries that count who comes, and services that answer with bytes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

Answer = Callable[[bytes], bytes | Iterator[bytes]]


@dataclass
class Server:
    """Where it listens, and how many connections it has had."""

    port: int = 0
    heard: int = 0


def said(status: int, body: bytes, headers: tuple[bytes, ...] = ()) -> bytes:
    """A whole answer, after which the server hangs up."""
    given = (b"content-type: application/json", b"content-length: %d" % len(body), *headers)
    return (
        b"HTTP/1.1 %d Said\r\n%s\r\nconnection: close\r\n\r\n" % (status, b"\r\n".join(given))
        + body
    )


@asynccontextmanager
async def listening(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Answer each request; `host` "*" is every address of the machine, of both kinds."""
    found, tasks = Server(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.heard += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                told = answer(head)
                for piece in (told,) if isinstance(told, bytes) else told:
                    writer.write(piece)
                    await writer.drain()
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)

    sockets = [_bound(socket.AF_INET, "0.0.0.0" if host == "*" else host, 0)]
    found.port = sockets[0].getsockname()[1]
    if host == "*" and socket.has_ipv6:
        with contextlib.suppress(OSError):
            sockets.append(_bound(socket.AF_INET6, "::", found.port))
    servers = [await asyncio.start_server(serve, sock=each) for each in sockets]
    try:
        yield found
    finally:
        for server in servers:
            server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((host, port))
    return made
