"""A local server as a process: no shell, its own group, directory and environment, all bounded.

What it writes is read line by line, and a line, or how much it says without being asked, has a
limit. Whatever it leaves behind in its process group is killed with it.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from connectors.body import MOST_BYTES
from connectors.mcp.wire import LostError
from connectors.text import visible

_LAUNCH = Path(__file__).with_name("launch.py")
_MOST_FILES = 1024
_MOST_UNASKED = 1000  # lines after the last thing that it was sent
_MOST_STDERR = 4096
_ENDS_WITHIN_S = 1.0
_LOOK_S = 0.01


@dataclass(frozen=True)
class Command:
    """What is started: the whole command, and all of the environment that it gets."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None  # else one of its own that is gone afterwards
    memory_bytes: int = 0  # of address space; 0: no limit


class LocalServer:
    """The process, for as long as `started` is entered."""

    def __init__(
        self,
        transport: asyncio.SubprocessTransport,
        streams: asyncio.subprocess.Process,
        hide: Callable[[bytes], bytes],
    ) -> None:
        self._hide = hide
        self._transport = transport
        self._process = streams
        self._unasked = 0
        self._stderr = b""
        self._listening = asyncio.create_task(self._keep_stderr())

    @property
    def pid(self) -> int:
        """Its id, which is also that of its group."""
        return self._process.pid

    @property
    def told(self) -> str:
        """How it ended and the last of what it wrote to standard error, for people."""
        said = visible(self._hide(self._stderr).decode(errors="replace")[-500:], 300)
        code = self._process.returncode
        how = "it hung up" if code is None else f"it ended with {code}"
        return f"{how}: {said}" if said else how

    async def send(self, line: bytes) -> None:
        """Write one line; raises `LostError`."""
        self._unasked = 0
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it is started with pipes
        try:
            stdin.write(line + b"\n")
            await stdin.drain()
        except OSError as error:
            raise LostError(self.told) from error

    async def line(self) -> bytes:
        """The next line; raises `LostError` where there is none, or too much."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it is started with pipes
        try:
            found = await stdout.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            raise LostError(f"a message is larger than {MOST_BYTES} bytes") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise LostError(self.told) from error
        self._unasked += 1
        if self._unasked > _MOST_UNASKED:
            raise LostError(f"it sent more than {_MOST_UNASKED} messages that nobody asked for")
        return self._hide(found)

    async def stop(self) -> None:
        """Let it end, then make it; nothing of its group is left."""
        stdin = self._process.stdin
        if stdin is not None:
            stdin.close()
        for number in (None, signal.SIGTERM):
            if number is not None:
                self._signal(number)
            if await self._has_ended():
                break
        self._signal(signal.SIGKILL)
        await self._has_ended()
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        with suppress(PermissionError):
            self._transport.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def _has_ended(self) -> bool:
        """Not by waiting for the pipes: a child of the server may hold them open."""
        until = asyncio.get_running_loop().time() + _ENDS_WITHIN_S
        while self._process.returncode is None:
            if asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    async def _keep_stderr(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101 - it is started with pipes
        with suppress(OSError):
            while chunk := await stderr.read(_MOST_STDERR):
                self._stderr = (self._stderr + chunk)[-_MOST_STDERR:]


@asynccontextmanager
async def started(
    command: Command, hide: Callable[[bytes], bytes] = bytes
) -> AsyncIterator[LocalServer]:
    """Start it, and stop it in the end; `hide` takes secrets out of what it says.

    Raises `LostError`.
    """
    own = None
    if command.directory is None:
        own = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="lamgate-server-"))
    try:
        server = await _start(command, own or command.directory, hide)
        try:
            yield server
        finally:
            # Also where whoever wanted it has been cancelled: a process must not be left behind.
            await asyncio.shield(asyncio.ensure_future(server.stop()))
    finally:
        if own is not None:
            await asyncio.to_thread(shutil.rmtree, own, ignore_errors=True)


async def _start(
    command: Command, directory: Path | None, hide: Callable[[bytes], bytes]
) -> LocalServer:
    loop = asyncio.get_running_loop()
    limits = (str(os.getpid()), ",".join(command.env), str(command.memory_bytes), str(_MOST_FILES))
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: asyncio.subprocess.SubprocessStreamProtocol(MOST_BYTES, loop),
            *(sys.executable, "-I", "-S", str(_LAUNCH), *limits, *command.argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(command.env),
            cwd=directory,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise LostError(f"{command.argv[0]} cannot be started: {error}") from error
    return LocalServer(transport, asyncio.subprocess.Process(transport, protocol, loop), hide)
