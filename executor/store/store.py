"""The store: one writer thread that commits many writes together, and a few readers.

Every write goes through the one writer. It drains what is queued into one transaction, each
write in a savepoint of its own, so that a failing write fails alone and hundreds of writes
share one fsync. A write is durable when its future resolves. If the commit itself fails, all
writes of that batch fail; nothing of them was kept.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool, QueuePool

from executor.store.errors import StoreClosedError, StoreError, StoreFullError
from executor.store.lock import FileLock
from executor.store.migrate import migrate

T = TypeVar("T")
BATCH = 128
READERS = 3
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC)


@dataclass
class _Write:
    work: Callable[[Connection], object]
    done: "Future[object]"


class Store:
    """Opened with `Store.open(url)`; `write` and `read` take functions of a connection."""

    def __init__(self, database: Path, lock: FileLock) -> None:
        self._lock = lock
        self._engine = _engine(database, writer=True)
        self._read_engine = _engine(database, writer=False)
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._writer = threading.Thread(target=self._drain, name="store-writer", daemon=True)
        self._closed = False
        self._writer.start()

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
            raise StoreError(f"{database}: {error.strerror or error}") from error
        try:
            engine = _engine(database, writer=True)
            with engine.connect() as connection:
                migrate(connection)
            engine.dispose()
            return cls(database, lock)
        except DatabaseError as error:
            lock.release()
            raise _store_error(error) from error
        except BaseException:
            lock.release()
            raise

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in the next commit; its result is durable. Raises what `work` raises."""
        if self._closed:
            raise StoreClosedError("the store is closed")
        done: Future[T] = Future()
        # The queue holds writes of every result type; the future keeps this one's.
        self._queue.put(_Write(work, done))  # type: ignore[arg-type]  # see the line above
        return await asyncio.wrap_future(done)

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
            self._queue.put(None)
            await asyncio.to_thread(self._writer.join)
            self._readers.shutdown()
            self._read_engine.dispose()
            self._engine.dispose()
            self._lock.release()

    def _read_now(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._read_engine.connect() as connection:
                return work(connection)
        except DatabaseError as error:
            raise _store_error(error) from error

    def _drain(self) -> None:
        with self._engine.connect() as connection:
            while (first := self._queue.get()) is not None:
                batch, ended = [first], False
                while len(batch) < BATCH and not self._queue.empty():
                    following = self._queue.get()
                    if following is None:
                        ended = True
                        break
                    batch.append(following)
                _commit(connection, batch)
                if ended:
                    return


def _commit(connection: Connection, batch: list[_Write]) -> None:
    results: list[tuple[_Write, object]] = []
    failed: list[tuple[_Write, BaseException]] = []
    try:
        with connection.begin():
            for write in batch:
                try:
                    with connection.begin_nested():
                        results.append((write, write.work(connection)))
                except DatabaseError as error:
                    if not connection.in_transaction() or not connection.in_nested_transaction():
                        _ping(connection)
                    failed.append((write, _store_error(error)))
                except Exception as error:  # noqa: BLE001 - handed to whoever asked for the write
                    failed.append((write, error))
    except DatabaseError as error:
        if connection.in_transaction():
            connection.rollback()
        # The commit did not happen, so none of the batch did.
        failed += [(write, _store_error(error)) for write, _ in results]
        lost = {id(write) for write, _ in failed}
        failed += [(write, _store_error(error)) for write in batch if id(write) not in lost]
        results = []
    for write, reason in failed:
        if not write.done.done():
            write.done.set_exception(reason)
    for write, result in results:
        write.done.set_result(result)


def _ping(connection: Connection) -> None:
    """Fail the batch if SQLite has rolled the whole transaction back by itself."""
    raw = connection.connection.dbapi_connection
    if isinstance(raw, sqlite3.Connection) and not raw.in_transaction:
        raise DatabaseError("BEGIN", None, sqlite3.OperationalError("transaction was rolled back"))


def _store_error(error: DatabaseError) -> StoreError:
    original = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    if code in _FULL or "disk is full" in str(original) or "rolled back" in str(original):
        return StoreFullError(
            "the disk of the database is full: nothing of this was kept. Free some space; "
            "work goes on by itself."
        )
    return StoreError(f"the database said: {original}")


def database_path(url: str) -> Path:
    """The file behind `sqlite:///path`; raises `StoreError` for another kind of database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise StoreError(f"{url!r} is no sqlite:///path; only SQLite files are known so far")
    return Path(parsed.database)


def _engine(database: Path, *, writer: bool) -> Engine:
    engine = create_engine(
        f"sqlite:///{database}",
        poolclass=NullPool if writer else QueuePool,
        connect_args={"check_same_thread": False, "timeout": 30},
    )

    # The driver would begin transactions lazily; savepoints need them begun for real.
    @event.listens_for(engine, "connect")
    def _connect(raw: sqlite3.Connection, _: object) -> None:
        raw.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=30000",
        ):
            raw.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine
