"""The store: one writer that commits many writes together, and a few readers."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from executor.store.errors import StoreClosedError, StoreError
from executor.store.lock import FileLock
from executor.store.migrate import migrate
from executor.store.sqlite import OLDEST, file_error, open_engine, store_error
from executor.store.writer import Writer

T = TypeVar("T")
READERS = 3


class Store:
    """Opened with `Store.open(url)`; `write` and `read` take functions of a connection."""

    def __init__(self, database: Path, lock: FileLock) -> None:
        self._lock = lock
        self._engine = open_engine(database, writer=True)
        self._read_engine = open_engine(database, writer=False)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._writer = Writer(self._engine)
        self._closed = False

    @classmethod
    async def open(cls, url: str) -> "Store":
        """Open `sqlite:///path`, create and migrate it; raises `StoreError`."""
        return await asyncio.to_thread(cls._open, database_path(url))

    @classmethod
    def _open(cls, database: Path) -> "Store":
        try:
            database.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(database)
        except OSError as error:
            raise file_error(database, error) from error
        try:
            database.touch(mode=0o600)  # its owner's alone, and so its journal files
            engine = open_engine(database, writer=True)
            with engine.connect() as connection:
                migrate(connection)
            engine.dispose()
            return cls(database, lock)
        except BaseException as error:
            lock.release()
            if isinstance(error, DBAPIError):
                raise store_error(error) from error
            if isinstance(error, OSError):
                raise file_error(database, error) from error
            raise

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in the next commit; its result is durable. Raises what `work` raises.

        `work` may be run twice where the first time was undone, so it acts on the database
        alone. A caller that is cancelled does not learn whether the write was made.
        """
        if self._closed:
            raise StoreClosedError("the store is closed")
        return await asyncio.wrap_future(self._writer.submit(work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` on a reader's connection, which sees all that was committed."""
        if self._closed:
            raise StoreClosedError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_now, work)

    def publish_address(self, address: str) -> None:
        """Let the command line find the gateway that holds this database."""
        self._lock.describe(address)

    async def close(self) -> None:
        """Finish what is queued and let go of the database."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._writer.stop)
            self._readers.shutdown()
            self._read_engine.dispose()
            self._engine.dispose()
            self._lock.release()

    def _read_now(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._read_engine.connect() as connection:
                return work(connection)
        except DBAPIError as error:
            raise store_error(error) from error


def database_path(url: str) -> Path:
    """The file behind `sqlite:///path`; raises `StoreError` for another kind of database."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"{url!r} is no address of a database; write sqlite:///path") from None
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise StoreError(f"{url!r} is no sqlite:///path; only SQLite files are known so far")
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed")
    # One file has one lock, whatever links lead to it.
    return Path(str(parsed.database)).resolve()
