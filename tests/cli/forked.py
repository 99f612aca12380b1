"""Processes that load nothing: each is a fork of one that has loaded what it needs.

It runs a script, as `python SCRIPT WORDS` does, in a process of its own, with words, folder,
environment and streams of its own. It is killed like any other; where it ends by itself, its
threads are waited for and what it registered is done, but what is loaded is not cleared.
What a command loads is test_cli_imports.py's claim. That `python -m gateway` finds it all is shown
by the commands of test_cli_gateway.py, the gateways and workers of test_gateways.py, and the demo.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
LAMGATE = ROOT / "gateway" / "__main__.py"
_DIGITS = 12  # of a process and of an exit code, as they are told


def lamgate(
    words: Sequence[str],
    *,
    given: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
) -> "subprocess.CompletedProcess[str]":
    """Say a command and wait for its end, as `subprocess.run` does."""
    with _file(given) as stdin, _file() as out, _file() as err:
        command = Forked(LAMGATE, *words, cwd=cwd, env=env, stdin=stdin, stdout=out, stderr=err)
        with closing(command):
            code = command.wait(timeout_s)
        return subprocess.CompletedProcess(command.args, code, _content(out), _content(err))


class Forked:
    """A process as `subprocess.Popen` gives one, with streams of text.

    It is forked from one that has loaded all that commands load, or else these modules.
    """

    def __init__(
        self,
        script: Path,
        *words: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        modules: tuple[str, ...] = (),
    ) -> None:
        self.args = [str(script), *words]  # as `python -m` has it, too
        self.returncode: int | None = None
        environment = dict(os.environ if env is None else env)
        told = {"argv": self.args, "cwd": str(cwd or Path.cwd()), "env": environment}
        with ExitStack() as theirs:
            self.stdin, own_in = _stream(stdin, 0, theirs)
            self.stdout, own_out = _stream(stdout, 1, theirs)
            self.stderr, own_err = _stream(stderr, 2, theirs)
            self._told, own_told = os.pipe()
            theirs.callback(os.close, own_told)
            file = theirs.enter_context(_file(json.dumps(told))).fileno()
            streams = [own_in, own_out, own_err, file, own_told]
            socket.send_fds(_loaded(modules), [b"!"], streams)
            self.pid = int(os.read(self._told, _DIGITS))

    def poll(self) -> int | None:
        """How it ended, or None: an exit code, or minus a signal."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; raises `subprocess.TimeoutExpired`."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _ended(self, within_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], within_s)[0]:
            self.returncode = int(os.read(self._told, _DIGITS))
            os.close(self._told)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both streams to their end, and wait; who is too late is killed."""
        with ThreadPoolExecutor() as readers, closing(self):
            told = [
                None if each is None or each.closed else readers.submit(each.read)
                for each in (self.stdout, self.stderr)
            ]
            if self.stdin is not None:
                self.stdin.close()
            try:
                self.wait(timeout)
            finally:
                self.kill()  # before the readers are waited for
            out, err = ("" if each is None else each.result() for each in told)
            return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill it, if it is there, and close what leads to it."""
        self.kill()
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def _stream(given: Any, number: int, theirs: ExitStack) -> tuple[IO[str] | None, int]:
    """Our end and theirs."""
    if given is None:
        return None, number
    if given != subprocess.PIPE:
        return None, given if isinstance(given, int) else given.fileno()
    read, write = os.pipe()
    ours, own, mode = (write, read, "w") if number == 0 else (read, write, "r")
    theirs.callback(os.close, own)
    return open(ours, mode, encoding="utf-8"), own


@contextmanager
def _file(text: str = "") -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        file.write(text.encode("utf-8"))
        file.seek(0)
        yield file


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8")


@cache
def _loaded(modules: tuple[str, ...]) -> socket.socket:
    """The way to the process that forks; it ends, and all its forks, when this one closes it."""
    ours, theirs = socket.socketpair()
    with theirs:
        columns = {"COLUMNS": "100"}  # read while it loads
        process = subprocess.Popen(
            [sys.executable, __file__, *modules], stdin=theirs, env={**os.environ, **columns}
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _load(modules: Sequence[str]) -> None:
    """Load these, or what commands load; what is loaded here by name, they load when needed."""
    if not modules:
        from connectors.built_in import BUILT_IN
        from gateway.cli.main import WORDS

        modules = [f"gateway.{place.partition(':')[0]}" for place, _ in WORDS.values()]
        modules += ["gateway.cli.garbage", "gateway.cli.server", "connectors.testing"]
        modules += ["anyio._backends._asyncio", "executor.store.upgrade"]
        modules += [
            BUILT_IN[each].partition(":")[0] for each in ("openapi", "payments-minor", "smtp")
        ]
    for each in modules:
        import_module(each)


def _fork_for_each() -> dict[str, Any]:
    """Returns in a fork, with what it is to be."""
    assert threading.active_count() == 1
    heard, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # heard by the pipe
    signal.set_wakeup_fd(wake)
    living: dict[int, int] = {}  # and where their ends are told
    with socket.socket(fileno=os.dup(0)) as way:
        while True:
            ready, _, _ = select.select([way, heard], [], [])
            if heard in ready:
                os.read(heard, 4096)
                _tell_ends(living)
            if way not in ready:
                continue
            _, streams, _, _ = socket.recv_fds(way, 1, 5)
            if not streams:
                for pid in living:
                    os.kill(pid, signal.SIGKILL)
                os._exit(0)
            pid = os.fork()
            if not pid:
                break
            os.write(streams[-1], b"%*d" % (_DIGITS, pid))
            living[pid] = streams.pop()
            for each in streams:
                os.close(each)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for each in (heard, wake, streams.pop(), *living.values()):
        os.close(each)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(streams[number], number)
        os.close(streams[number])
        mode, buffering = "w" if number else "r", 1 if number == 2 else -1
        setattr(sys, name, open(number, mode, buffering, encoding="utf-8", closefd=False))  # noqa: SIM115
    with open(streams[3], encoding="utf-8") as file:
        told: dict[str, Any] = json.load(file)
        return told


def _tell_ends(living: dict[int, int]) -> None:
    while living:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        told = living.pop(pid)
        os.write(told, b"%*d" % (_DIGITS, os.waitstatus_to_exitcode(status)))
        os.close(told)


def _become(told: dict[str, Any], ended: list[int]) -> None:
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"])
    sys.argv = told["argv"]
    sys.path[0] = told["cwd"]  # as `python -m` has it
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as exit_:
        if exit_.code is not None and not isinstance(exit_.code, int):
            raise
        ended.append(exit_.code or 0)
    else:
        ended.append(0)


def _leave(ended: list[int]) -> None:
    """The last that the interpreter does before it would clear what is loaded, which is shared."""
    if ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended[0])


if __name__ == "__main__":
    sys.path[0] = ""
    ended: list[int] = []
    atexit.register(_leave, ended)
    _load(sys.argv[1:])
    gc.freeze()
    _become(_fork_for_each(), ended)
