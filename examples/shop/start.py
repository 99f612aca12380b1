"""Starts the shop's services as processes of their own, and stops them again."""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).parent
SERVICES = ("orders", "pay_minor", "pay_decimal", "mail")
FIXED_PORTS = {"orders": 8711, "pay_minor": 8712, "pay_decimal": 8713, "mail": 8714}
FIXED_SMTP_PORT = 8715
READY_WITHIN_S = 60.0


class ShopError(Exception):
    """A service did not come up; carries what it said."""


@dataclass
class Shop:
    """The running services: `urls` by name, and `smtp` as host:port."""

    urls: dict[str, str]
    smtp: str
    processes: dict[str, "subprocess.Popen[str]"]

    def __enter__(self) -> "Shop":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every service."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def start_shop(
    data: Path, *, which: tuple[str, ...] = SERVICES, fixed_ports: bool = False
) -> Shop:
    """Start services side by side and wait until each is ready; raises `ShopError`."""
    data.mkdir(parents=True, exist_ok=True)
    processes = {
        name: subprocess.Popen(
            [sys.executable, str(HERE / f"{name}.py"), "--data", str(data / f"{name}.db")]
            + (_fixed(name) if fixed_ports else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in which
    }
    shop = Shop({}, "", processes)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        for name, process in processes.items():
            words = _ready_line(name, process, deadline).split()
            shop.urls[name] = words[1]
            if len(words) > 2:
                shop.smtp = words[2].removeprefix("smtp://")
    except ShopError:
        shop.stop()
        raise
    return shop


def _fixed(name: str) -> list[str]:
    smtp = ["--smtp-port", str(FIXED_SMTP_PORT)] if name == "mail" else []
    return ["--port", str(FIXED_PORTS[name]), *smtp]


def _ready_line(name: str, process: "subprocess.Popen[str]", deadline: float) -> str:
    lines: list[str] = []
    output = process.stdout
    assert output is not None
    reader = threading.Thread(target=lambda: lines.append(output.readline()), daemon=True)
    reader.start()
    reader.join(max(0.1, deadline - time.monotonic()))
    if not lines or not lines[0].startswith("ready "):
        process.kill()
        said = process.stderr.read() if process.stderr else ""
        raise ShopError(f"{name} did not start: {said.strip() or 'no answer'}")
    return lines[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Start the shop until Ctrl-C.")
    parser.add_argument("--data", type=Path, default=None)
    chosen = parser.parse_args().data or Path(tempfile.mkdtemp(prefix="shop-"))
    with start_shop(chosen, fixed_ports=True) as running:
        for service, url in running.urls.items():
            print(f"{service:<12} {url}   {url}/docs")
        print(f"{'smtp':<12} {running.smtp}\ndata in {chosen}; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()
