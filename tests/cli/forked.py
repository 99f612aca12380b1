"""Commands as processes, none of which loads the command line: forks of one that has loaded it.

What runs is `gateway.__main__.main` in a process of its own, with words, folder, environment and
streams of its own, to the interpreter's usual end. What a command loads is test_cli_imports.py's
claim; that `python -m gateway` finds it all is shown by every gateway that is served.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
_ONE_AT_A_TIME = threading.Lock()
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
    argv = [str(ROOT / "gateway" / "__main__.py"), *words]  # as `python -m` has it
    own = dict(os.environ if env is None else env)
    told = {"argv": argv, "cwd": str(cwd or Path.cwd()), "env": own}
    with _file(json.dumps(told)) as file, _file(given) as stdin, _file() as out, _file() as err:
        streams = [each.fileno() for each in (stdin, out, err, file)]
        with _ONE_AT_A_TIME:
            code = _said(streams, argv, timeout_s)
        return subprocess.CompletedProcess(argv, code, _content(out), _content(err))


def _said(streams: list[int], argv: list[str], timeout_s: float) -> int:
    way = _loaded()
    socket.send_fds(way, [b"!"], streams)
    pid = _number(way)
    way.settimeout(timeout_s)
    try:
        return _number(way)
    except TimeoutError:
        way.settimeout(None)
        os.kill(pid, signal.SIGKILL)
        _number(way)
        raise subprocess.TimeoutExpired(argv, timeout_s) from None
    finally:
        way.settimeout(None)


def _number(way: socket.socket) -> int:
    return int(way.recv(_DIGITS, socket.MSG_WAITALL))


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
def _loaded() -> socket.socket:
    """The way to the process that forks; it ends when this one closes it."""
    ours, theirs = socket.socketpair()
    with theirs:
        columns = {"COLUMNS": "100"}  # read while it loads
        process = subprocess.Popen(
            [sys.executable, __file__], stdin=theirs, env={**os.environ, **columns}
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _load() -> None:
    """Load what commands load; what is loaded here by name, they load when they need it."""
    from gateway.cli.main import WORDS

    for place, _ in WORDS.values():
        import_module(f"gateway.{place.partition(':')[0]}")
    for module in ("gateway.cli.garbage", "gateway.cli.server", "connectors.testing"):
        import_module(module)


def _fork_for_each() -> None:
    """Returns in a fork, which has become the command that was said."""
    assert threading.active_count() == 1
    with socket.socket(fileno=os.dup(0)) as way:
        while True:
            _, streams, _, _ = socket.recv_fds(way, 1, 4)
            if not streams:
                os._exit(0)
            pid = os.fork()
            if not pid:
                break
            for each in streams:
                os.close(each)
            way.send(b"%*d" % (_DIGITS, pid))
            _, status = os.waitpid(pid, 0)
            way.send(b"%*d" % (_DIGITS, os.waitstatus_to_exitcode(status)))
    for number, each in enumerate(streams[:3]):
        os.dup2(each, number)
        os.close(each)
    with open(streams[3], encoding="utf-8") as file:
        told = json.load(file)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"])
    sys.argv = told["argv"]
    sys.path[0] = told["cwd"]  # as `python -m` has it


if __name__ == "__main__":
    sys.path[0] = ""
    _load()
    gc.freeze()  # a fork's end would look through it all
    _fork_for_each()
    from gateway.__main__ import main

    main()
