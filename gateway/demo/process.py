"""A program of ours as a process of the demonstration: it says `ready`, and it never stays."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from gateway.cli.problem import NO, CliError

READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 20.0
SAID_CHARACTERS = 2000
SHOP_KEYS = {"SHOP_MINOR_KEY": "sk_shop_minor", "SHOP_DECIMAL_KEY": "shop-decimal-key"}


class Program:
    """A module of ours that runs; it ends with this process, for its standard input is a pipe."""

    def __init__(self, words: list[str], log: Path, more: Mapping[str, str] | None = None) -> None:
        self._log = log
        # A session of its own: Ctrl-C is for the demonstration, which then ends everything.
        with log.open("a", encoding="utf-8") as complaints:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                env=environment(os.environ) | dict(more or {}),
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def address(self) -> str:
        """Wait for its line `ready ADDRESS`; raises `CliError` with what it said instead."""
        lines: list[str] = []
        output = self._process.stdout
        assert output is not None  # noqa: S101 - it was opened as a pipe
        reader = threading.Thread(target=lambda: lines.append(output.readline()), daemon=True)
        reader.start()
        reader.join(READY_WITHIN_S)
        words = lines[0].split() if lines else []
        if words[:1] == ["ready"]:
            return words[1]
        self.kill()
        said = self._log.read_text(encoding="utf-8", errors="replace").strip()
        what = said[-SAID_CHARACTERS:] or f"no ready line within {READY_WITHIN_S:g} s"
        raise failed(what, self._log)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self._process.kill()
        self._leave()

    def stop(self) -> None:
        """End it politely; ending twice is no mistake."""
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._leave()

    def _leave(self) -> None:
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What the processes are told: nothing of another gateway's settings, and no proxy."""
    kept = {name: value for name, value in given.items() if not name.startswith("LAMGATE_")}
    loopback = "127.0.0.1,localhost"
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = f"{kept[name]},{loopback}" if kept.get(name) else loopback
    return kept | SHOP_KEYS


def failed(what: str, where: Path) -> CliError:
    """The demonstration cannot go on."""
    fix = "What its processes said is in this folder's *.log."
    return CliError("demo-failed", what, str(where), fix, NO)
