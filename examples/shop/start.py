"""Starts the shop's services as processes of their own, and stops them again."""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).resolve().parent
SERVICES = ("orders", "pay_minor", "pay_decimal", "mail")
FIXED_PORTS = {"orders": 8711, "pay_minor": 8712, "pay_decimal": 8713, "mail": 8714}
FIXED_SMTP_PORT = 8715
READY_WITHIN_S = 60.0
SAID_CHARACTERS = 2000


class ShopError(Exception):
    """A service did not come up; carries what it said."""


@dataclass
class Shop:
    """The running services: `urls` by name, and `smtp` as host:port."""

    data: Path
    python: str
    urls: dict[str, str] = field(default_factory=dict)
    smtp: str = ""
    processes: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)

    def __enter__(self) -> "Shop":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def kill(self, name: str) -> None:
        """Kill one service at once, as `kill -9` does; its file is whole at any moment."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def stop(self) -> None:
        """End every service; ending twice is no mistake."""
        for process in self.processes.values():
            process.kill()
        for name in tuple(self.processes):
            self.kill(name)

    def restart(self, name: str) -> None:
        """Start a killed service again, on its file and its ports; raises `ShopError`."""
        if name in self.processes:
            self.kill(name)
        ports = ["--port", _port(self.urls[name])]
        self._start({name: ports + (["--smtp-port", _port(self.smtp)] if name == "mail" else [])})

    def _start(self, wanted: dict[str, list[str]]) -> None:
        """Start services side by side, and wait until each is ready."""
        for name, ports in wanted.items():
            self.processes[name] = self._process(name, ports)
        deadline = time.monotonic() + READY_WITHIN_S
        lines = {name: _first_line(self.processes[name]) for name in wanted}
        for name, (reader, said) in lines.items():
            reader.join(max(0.0, deadline - time.monotonic()))
            words = said[0].split() if said else []
            if words[:1] != ["ready"]:
                raise ShopError(f"{name} did not start: {self._log_of(name)}")
            self.urls[name] = words[1]
            if len(words) > 2:
                self.smtp = words[2].removeprefix("smtp://")

    def _process(self, name: str, ports: list[str]) -> "subprocess.Popen[str]":
        command = [self.python, str(HERE / f"{name}.py"), "--data", str(self.data / f"{name}.db")]
        # A file takes what they complain of: a pipe that nobody reads would fill and block them.
        with (self.data / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [*command, "--parent", str(os.getpid()), *ports],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _log_of(self, name: str) -> str:
        process = self.processes[name]
        silent = f"no ready line within {READY_WITHIN_S:g} s"
        ended = silent if process.poll() is None else f"it ended with {process.returncode}"
        said = (self.data / f"{name}.log").read_text(errors="replace").strip()
        return said[-SAID_CHARACTERS:] or ended


def start_shop(
    data: Path,
    *,
    which: Sequence[str] = SERVICES,
    fixed_ports: bool = False,
    python: str = sys.executable,
) -> Shop:
    """Start services side by side and wait until each is ready; raises `ShopError`.

    They end with `stop`, and by themselves when this process ends, however it ends.
    """
    unknown = sorted(set(which) - set(SERVICES))
    if unknown:
        raise ShopError(f"no such service: {', '.join(unknown)}; there are {', '.join(SERVICES)}")
    data.mkdir(parents=True, exist_ok=True)
    shop = Shop(data, python)
    try:
        shop._start({name: _fixed(name) if fixed_ports else [] for name in which})
    except BaseException:
        shop.stop()
        raise
    return shop


def _fixed(name: str) -> list[str]:
    smtp = ["--smtp-port", str(FIXED_SMTP_PORT)] if name == "mail" else []
    return ["--port", str(FIXED_PORTS[name]), *smtp]


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _first_line(process: "subprocess.Popen[str]") -> tuple[threading.Thread, list[str]]:
    """Read a process's first line in a thread, for reading knows no deadline."""
    said: list[str] = []
    output = process.stdout

    def read() -> None:
        if output is not None:
            said.append(output.readline())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return reader, said


def main() -> None:
    """Run the shop until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Start the shop until Ctrl-C.")
    parser.add_argument("--data", type=Path, help="where the services keep their files")
    parser.add_argument("--free-ports", action="store_true", help="instead of 8711 to 8715")
    options = parser.parse_args()
    data = options.data or Path(tempfile.mkdtemp(prefix="shop-"))
    try:
        with start_shop(data, fixed_ports=not options.free_ports) as shop:
            for name, url in shop.urls.items():
                print(f"{name:<12} {url}   {url}/docs")
            print(f"{'smtp':<12} {shop.smtp}\ndata in {data}; Ctrl-C ends it", flush=True)
            threading.Event().wait()
    except ShopError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
