"""The demonstration as a process: started in an empty environment, read, answered, looked after."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = [sys.executable, "-m", "gateway"]
PATIENCE_S = 90.0
MARK = "DEMONSTRATION_OF_A_TEST"


def empty_environment(mark: str) -> dict[str, str]:
    """Nothing but what `env -i` would leave, and a proxy that leads nowhere."""
    trap = "http://127.0.0.1:9"
    kept = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", MARK: mark}
    return kept | {"http_proxy": trap, "HTTPS_PROXY": trap, "ALL_PROXY": trap}


# Of somebody's own gateway: the demonstration has nothing to do with it.
OTHER_SETTINGS = {
    "LAMGATE_DATABASE__URL": "sqlite:////nonexistent/lamgate.db",
    "LAMGATE_SERVER__HOST": "192.0.2.1",
}


def new_mark() -> str:
    """What tells the processes of one test from all others."""
    return uuid.uuid4().hex


def processes(mark: str) -> list[str]:
    """The processes that still carry a mark, by their command lines."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (each / "environ").read_bytes():
                command = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(f"{each.name} {command}")
        except OSError:
            continue  # it ended, or is somebody else's
    return [each for each in found if each.split()[1:]]


def until(claim: Callable[[], bool], what: str) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline, f"it took too long until {what}"
        time.sleep(0.02)


def nothing_is_left(mark: str) -> None:
    """Fail unless every process of a test ends by itself."""
    deadline = time.monotonic() + 15
    while left := processes(mark):
        assert time.monotonic() < deadline, f"these were left behind: {left}"
        time.sleep(0.05)


@dataclass
class Terminal:
    """A program on a terminal of its own: what it says is read, what it asks is answered."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    said: str = ""
    _seen: int = field(default=0)

    def until(self, text: str) -> None:
        """Read on until something is said that was not waited for before."""
        deadline = time.monotonic() + PATIENCE_S
        while (place := self.said.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"it never said {text!r}, but: {self.said}"
            assert self._read(), f"it ended without saying {text!r}: {self.said}"
        self._seen = place + len(text)

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self.descriptor, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Type Ctrl-C: all of the terminal's processes hear it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Read the rest; the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], PATIENCE_S)
        assert ready, f"it fell silent after: {self.said}"
        try:
            content = os.read(self.descriptor, 65536)
        except OSError:  # what Linux says once the other side is closed
            return False
        self.said += content.decode(errors="replace")
        return bool(content)


@contextmanager
def terminal(words: list[str], mark: str) -> Iterator[Terminal]:
    """Run the program on a terminal; it is gone at the end, whatever happens."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=empty_environment(mark) | {"TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
