"""Finds the gateway that is meant: by `--url`, by the lock of the database, or in this process."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from executor.store.lock import address_in_lock
from executor.store.store import database_path
from gateway.auth import read_key_file
from gateway.cli.client import Client
from gateway.cli.problem import CliError
from gateway.settings import FILE, Settings, load_settings
from gateway.wiring import operator_key_file

KEY = "LAMGATE_KEY"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Target:
    """Which gateway is meant, as the options say."""

    config: Path | None = None
    url: str | None = None
    key: str | None = None

    @property
    def said(self) -> tuple[str, ...]:
        """The options as they were said; a key is told to nobody."""
        config = ("--config", str(self.config)) if self.config else ()
        return (*config, *(("--url", self.url) if self.url else ()))


@contextmanager
def connect(target: Target) -> Iterator[Client]:
    """The gateway that is meant; where none is running, one in this process, under the lock."""
    with ExitStack() as stack:
        client = _client(target, stack)
        stack.callback(client.close)
        yield client


def _client(target: Target, stack: ExitStack) -> Client:
    if target.url is not None:
        return Client(target.url, _key(target), said=target.said)
    settings = settings_of(target.config)
    database = database_path(settings.database_url)
    address = address_in_lock(database)
    if address is not None:
        key = _key(target, read_key_file(operator_key_file(database)))
        return Client(address, key, said=target.said)
    own = OwnGateway(settings)
    own.start()
    stack.callback(own.stop)
    key = _key(target, own.operator_key)
    return Client(own.address, key, is_own=True, said=target.said)


def settings_of(config: Path | None) -> Settings:
    """The operator's settings; without a file that is said or stands here, there are none."""
    if config is None and not Path(FILE).exists() and "LAMGATE_DATABASE__URL" not in os.environ:
        raise CliError(
            "no-configuration",
            f"there is no {FILE} here",
            str(Path.cwd()),
            "Say --config FILE, or --url and --key of a gateway.",
        )
    return load_settings(config)


def _key(target: Target, default: str | None = None) -> str:
    key = target.key or os.environ.get(KEY) or default
    if key is None:
        raise CliError("no-key", "there is no API key", fix=f"Say --key, or set {KEY}.")
    return key


class OwnGateway:
    """A whole gateway in a thread of this process."""

    def __init__(self, settings: Settings) -> None:
        from gateway.cli.server import Running, run_gateway

        self._running = Running()
        # Whatever the settings say: it is for this process alone, not for the network.
        serving = run_gateway(settings, self._running, host=LOOPBACK, port=0)
        self._thread = threading.Thread(target=lambda: asyncio.run(serving), daemon=True)

    @property
    def address(self) -> str:
        """Where it listens, once it has started."""
        return self._running.address

    @property
    def operator_key(self) -> str:
        """The key of whoever owns the machine."""
        return self._running.operator_key

    def start(self) -> None:
        """Start it and wait until it serves; raises what it could not start for."""
        self._thread.start()
        self._running.ready.wait()
        if self._running.error is not None:
            raise self._running.error

    def stop(self) -> None:
        """Have it finish what is in flight, and end."""
        self._running.stop()
        self._thread.join()
