"""Servers of npm packages, installed at pinned versions into a cache outside the repository."""

import asyncio
import contextlib
import json
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

PACKAGES = {
    "@scalar/mock-server": "0.14.4",
    "@hono/node-server": "1.19.19",
    "stripe-stateful-mock": "0.0.16",
}
_START_S = 300.0


class NoNodeError(Exception):
    """There is no node, or its packages cannot be installed; says why."""


def cache() -> Path:
    """Where the packages are: `LAMGATE_NODE`, or a folder of the user's cache."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lamgate" / "node"
    return Path(os.environ.get("LAMGATE_NODE") or usual)


async def installed(package: str) -> Path:
    """The folder with a package, installed if it is not there; raises `NoNodeError`."""
    folder = cache()
    if not shutil.which("node") or not shutil.which("npm"):
        raise NoNodeError("there is no node or npm here")
    if not (folder / "node_modules" / package).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {"private": True, "dependencies": PACKAGES}
        (folder / "package.json").write_text(json.dumps(wanted), encoding="utf-8")
        arguments = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
        process = await asyncio.create_subprocess_exec(
            *arguments, cwd=folder, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
        _, told = await process.communicate()
        if process.returncode != 0:
            raise NoNodeError(f"npm cannot install {package}: {told.decode()[-300:]}")
    return folder


@asynccontextmanager
async def serving(
    script: Path, folder: Path, arguments: Sequence[str | Path] = ()
) -> AsyncIterator[int]:
    """A script that says `port N` once it listens on loopback; ended when nobody needs it.

    It is run from the folder with the packages, where its imports are looked for.
    """
    there = folder / script.name
    await asyncio.to_thread(shutil.copyfile, script, there)
    process = await asyncio.create_subprocess_exec(
        "node", str(there), *map(str, arguments), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    try:
        yield await asyncio.wait_for(_port(process), _START_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    while process.stdout is not None and (line := await process.stdout.readline()):
        if line.startswith(b"port "):
            return int(line[5:])
    raise NoNodeError("the server ended before it listened")
