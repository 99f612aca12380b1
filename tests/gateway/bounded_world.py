"""A gateway as `lamgate serve` serves it, and clients that speak HTTP as badly as they like."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from served import until

from gateway.cli.server import Running, run_gateway
from gateway.settings import Settings

Address = tuple[str, int]
HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def bounded(folder: Path, **said: Any) -> AsyncIterator[Running]:
    """Serve under these settings until the block ends."""
    running = Running()
    settings = Settings(base_dir=folder, **said)
    serving = asyncio.create_task(run_gateway(settings, running, host="127.0.0.1", port=0))

    async def is_ready() -> bool:
        return running.ready.is_set()

    await until(is_ready, "it serves")
    assert running.error is None
    try:
        yield running
    finally:
        running.stop()
        await serving


def address_of(running: Running) -> Address:
    """Where it listens."""
    host, _, port = running.address.removeprefix("http://").rpartition(":")
    return host, int(port)


async def answered(reader: asyncio.StreamReader) -> bytes:
    """One whole answer, of a connection that may go on."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = re.findall(rb"(?im)^content-length: (\d+)", head)
    return head + await reader.readexactly(int(length))


async def said(address: Address, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Everything that is answered to these pieces, until the gateway hangs up."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()
