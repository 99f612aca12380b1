"""Finds the gateway that is meant: by its address, by the lock of the database, or in this process.

A client needs little; what only a gateway in this process needs is imported for it alone.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.client import Client
from gateway.cli.problem import CliError
from gateway.private import operator_key_file, read_private

if TYPE_CHECKING:
    from gateway.settings import Settings

URL = "LAMGATE_URL"
KEY = "LAMGATE_KEY"
LOOPBACK = "127.0.0.1"
STARTS_WITHIN_S = 5.0
LOOK_S = 0.2
OR_ASK = "--url and --key of a gateway"
_OR_WRITE = "write one: an empty one is enough to begin with"


@dataclass(frozen=True)
class Target:
    """Which gateway is meant, as the options say."""

    config: Path | None = None
    url: str | None = None
    key: str | None = None

    @property
    def address(self) -> str | None:
        """Where it is; what the environment says counts less than a file that was named."""
        if self.url is not None or self.config is not None:
            return self.url
        return os.environ.get(URL) or None

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
    if target.address is not None:
        return Client(target.address, _key(target), said=target.said)
    from executor.store.errors import StoreLockedError
    from executor.store.lock import address_in_lock

    settings = settings_of(target.config, or_say=OR_ASK)
    database = _database(settings.database_url)
    deadline = time.monotonic() + STARTS_WITHIN_S
    while (address := address_in_lock(database)) is None:
        own = OwnGateway(settings)
        try:
            own.start()
        except StoreLockedError:
            # Whoever has it only starts, and will say where it is; or it has ended by now.
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_S)
            continue
        stack.callback(own.stop)
        key = _key(target, own.operator_key)
        return Client(own.address, key, is_own=True, said=target.said)
    key = _key(target, read_private(operator_key_file(database)))
    return Client(address, key, said=target.said)


def _database(url: str) -> Path:
    """The database's file; the store knows all forms of the address, but is dear to import."""
    path = url.removeprefix("sqlite:///")
    if path != url and path and not set(path) & set("?%:"):
        return Path(path).resolve()
    from executor.store.store import database_path

    found = database_path(url)
    if found is None:
        raise CliError(
            "no-gateway", "a database on a server does not say which gateway serves it",
            "database.url", "Say --url and --key of a gateway.",
        )  # fmt: skip
    return found


def settings_of(
    config: Path | None, database: str | None = None, *, or_say: str = _OR_WRITE
) -> "Settings":
    """The operator's settings; without a file that is said or stands here, there are none.

    `or_say` is what would do in place of a file.
    """
    from gateway.settings import FILE, load_settings, require_known

    is_said = database is not None or "LAMGATE_DATABASE__URL" in os.environ
    if config is None and not Path(FILE).exists() and not is_said:
        raise CliError(
            "no-configuration",
            f"there is no {FILE} here",
            str(Path.cwd()),
            f"Say --config FILE, or {or_say}.",
        )
    if config is not None and not config.is_file():
        # A folder for its database would be made up beside it.
        what = "this is no file" if config.exists() else "there is no such file"
        raise CliError("configuration-error", what, str(config), "Say --config FILE.")
    settings = load_settings(config)
    if database is None:
        return settings
    require_known(database, "--database")
    place = settings.database.model_copy(update={"url": database})
    return settings.model_copy(update={"database": place})


def _key(target: Target, default: str | None = None) -> str:
    if target.key is not None and not target.key.strip():
        # A variable that is not set must not become the operator's own key.
        raise CliError("no-key", "--key is empty", fix="Is the variable set?")
    key = target.key or os.environ.get(KEY) or default
    if key is None:
        raise CliError("no-key", "there is no API key", fix=f"Say --key, or set {KEY}.")
    return key.strip()


class OwnGateway:
    """A whole gateway in a thread of this process."""

    def __init__(self, settings: "Settings") -> None:
        from gateway.cli.server import Running, run_gateway

        self._running = Running(is_passing=True)
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
