"""Answers that are meant to fill the memory or take for ever, and what each costs.

Memory is the peak of the process above what it had before, as the kernel counts it; where that
peak cannot be reset (`/proc/self/clear_refs`), it is the peak of the whole process.
"""

import asyncio
import gc
import itertools
import json
import multiprocessing
import resource
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.egress.servers import listening, said
from connectors.credentials import Vault
from connectors.errors import ConfigurationError, ConnectorError
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.opening import build
from connectors.registry import Registry
from connectors.spec import JsonObject
from connectors.testing import call_context

MEGABYTE = 1024 * 1024
MOST_BYTES = 64 * MEGABYTE
MOST_CPU_S = 1.0
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_CHUNKED = _HEAD + b"transfer-encoding: chunked\r\n\r\n"
_GZIPPED = (b"content-encoding: gzip",)
Bomb = Callable[[], bytes | Iterator[bytes]]


def packed(content: Iterator[bytes]) -> bytes:
    """Gzip of something large, made piece by piece."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(packer.compress(each) for each in content) + packer.flush()


def _zeros(megabytes: int) -> Iterator[bytes]:
    return itertools.repeat(bytes(MEGABYTE), megabytes)


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield _CHUNKED
    for each in pieces:
        yield b"%x\r\n%s\r\n" % (len(each), each)


def _after(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _deflated() -> bytes:
    return said(200, zlib.compress(bytes(64 * MEGABYTE), 9), (b"content-encoding: deflate",))


def _aliases() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return said(200, "\n".join(lines).encode(), (b"content-type: application/yaml",))


BOMBS: dict[str, Bomb] = {
    "gzip of 1 GiB of zeros": lambda: said(200, packed(_zeros(1024)), _GZIPPED),
    "gzip of a nest": lambda: said(200, packed(itertools.repeat(b"[" * MEGABYTE, 100)), _GZIPPED),
    "gzip inside gzip": lambda: said(200, packed(iter([packed(_zeros(200))])), _GZIPPED),
    "gzip of 100,000 members": lambda: said(200, packed(iter([b" "])) * 100_000, _GZIPPED),
    "gzip without an end": lambda: _after(
        _HEAD + b"content-encoding: gzip\r\n\r\n", itertools.repeat(packed(_zeros(1)))
    ),
    "deflate": _deflated,
    "a nest of lists": lambda: said(200, b"[" * 5_000_000),
    "a nest of objects": lambda: said(200, b'{"a":' * 1_000_000),
    "a million objects": lambda: said(200, b"[" + b"{}," * 1_000_000 + b"{}]"),
    "400,000 objects": lambda: said(200, b"[" + b"{}," * 399_000 + b"{}]"),
    "three million numbers": lambda: said(200, b"[" + b"1," * 3_000_000 + b"1]"),
    "a million strings": lambda: said(
        200, b"[" + b",".join(b'"%d"' % each for each in range(1_000_000)) + b"]"
    ),
    "400,000 members": lambda: said(
        200, b"{" + b",".join(b'"k%d":0' % each for each in range(400_000)) + b"}"
    ),
    "a number of a million digits": lambda: said(200, b"1" * 1_000_000),
    "one text of 10 MB": lambda: said(200, json.dumps("x" * 10_000_000).encode()),
    "a body that does not end": lambda: _chunks(itertools.repeat(b" " * 65_536)),
    "a body without a length": lambda: _after(_HEAD + b"\r\n", itertools.repeat(b" " * 65_536)),
    "a length of a terabyte": lambda: _after(
        _HEAD + b"content-length: 1099511627776\r\n\r\n", itertools.repeat(b" " * 65_536)
    ),
    "a header of 100 MB": lambda: _after(_HEAD + b"x: ", itertools.repeat(b"x" * 65_536, 1600)),
    "headers that do not end": lambda: _after(_HEAD, itertools.repeat(b"x: y\r\n" * 10_000)),
    "a status line that does not end": lambda: itertools.repeat(b"HTTP/1.1 200 " + b"x" * 65_536),
    "a chunk whose size does not end": lambda: _after(_CHUNKED, itertools.repeat(b"0" * 65_536)),
    "100 answers before the answer": lambda: _after(
        b"", itertools.repeat(b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 1000)
    ),
    "trailers that do not end": lambda: _after(
        _CHUNKED + b"0\r\n", itertools.repeat(b"x: y\r\n" * 10_000)
    ),
    "YAML aliases": _aliases,
}


@dataclass(frozen=True)
class Cost:
    """What one of them cost us."""

    name: str
    end: str  # how the call or the reading of the document ended
    bytes: int
    cpu_s: float
    wall_s: float


def yardstick() -> float:
    """Seconds of the processor for reading 10 MB of plain JSON."""
    text = json.dumps([{"id": each, "name": f"name {each}"} for each in range(250_000)])
    times = []
    for _ in range(3):
        begun = time.process_time()
        json.loads(text)
        times.append(time.process_time() - begun)
    return min(times)


async def costs(folder: Path) -> AsyncIterator[Cost]:
    """Let each go off: as an answer to a call, the last one as a document."""
    async with _called(folder) as warm:
        await _end(*warm, said(200, b"{}"))
        for name, bomb in BOMBS.items():
            content = bomb()  # made before we count: it is the server's
            gc.collect()
            before = _reset_peak()
            cpu, wall = time.process_time(), time.monotonic()
            end = await _end(*warm, content, is_document=name.startswith("YAML"))
            yield Cost(
                name, end, max(0, _peak() - before), time.process_time() - cpu,
                time.monotonic() - wall,
            )  # fmt: skip


def costs_alone() -> list[Cost]:
    """The same in a process of its own, whose memory holds nothing of what came before."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_all_costs).result()


def _all_costs() -> list[Cost]:
    async def all_of(folder: Path) -> list[Cost]:
        return [each async for each in costs(folder)]

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(all_of(Path(folder)))


_Warm = tuple[dict[str, bytes | Iterator[bytes]], Registry, Registry]


@asynccontextmanager
async def _called(folder: Path) -> AsyncIterator[_Warm]:
    told: dict[str, bytes | Iterator[bytes]] = {}
    async with listening(lambda _: told["answer"]) as server:
        url = f"http://127.0.0.1:{server.port}"
        operation = {"operationId": "read_it", "responses": {"200": {"description": "ok"}}}
        found = {"openapi": "3.1.0", "paths": {"/it": {"get": operation}}}
        (folder / "document.json").write_text(json.dumps(found), encoding="utf-8")
        way = Transport(frozenset([f"127.0.0.1:{server.port}"]))
        named: JsonObject = {"document": "document.json"}
        api = ConnectionSettings("api", "openapi", url, options=named, base_dir=folder)
        far = ConnectionSettings("far", "openapi", url, base_dir=folder)
        registry, documents = (build([each], Vault(), lambda _: way) for each in (api, far))
        await registry.load()
        try:
            yield told, registry, documents
        finally:
            await way.aclose()


async def _end(
    told: dict[str, bytes | Iterator[bytes]],
    registry: Registry,
    documents: Registry,
    content: bytes | Iterator[bytes],
    *,
    is_document: bool = False,
) -> str:
    told["answer"] = content
    try:
        if is_document:
            return f"{len(await documents.load())} actions"
        (action,) = registry.catalog
        return type(await registry.call(action, {}, call_context(seconds=5.0))).__name__
    except (ConnectorError, ConfigurationError) as error:
        return f"{type(error).__name__}: {error}"


def _reset_peak() -> int:
    """Begin to count anew; returns what is used now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak()
    return _status("VmRSS")


def _peak() -> int:
    if Path("/proc/self/status").exists():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(each.split()[1]) * 1024 for each in lines if each.startswith(name + ":"))
