"""SQLite as the store uses it: how a file is opened, and what its errors mean to us."""

import errno
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from executor.store.errors import StoreError, StoreFullError

OLDEST = (3, 35)  # the first with RETURNING
_BUSY_MS = 30_000
_FULL = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)
_NO_ROOM = (
    "the disk of the database is full: nothing of this was kept. Free some space; "
    "work goes on by itself."
)


def open_engine(database: Path, *, writer: bool) -> Engine:
    """Make an engine whose transactions are begun for real; readers cannot write."""
    engine = create_engine(
        f"sqlite:///{database}",
        poolclass=NullPool if writer else QueuePool,
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000},
    )
    pragmas = [
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_MS}",
    ]
    if not writer:
        pragmas.append("query_only=ON")

    # The driver would begin transactions lazily and lose savepoints: we begin them ourselves.
    @event.listens_for(engine, "connect")
    def _connect(raw: sqlite3.Connection, _: object) -> None:
        raw.isolation_level = None
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def is_full(error: BaseException) -> bool:
    """Whether there was no room: SQLite keeps nothing of a transaction that ends so."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlite_errorcode", None) in _FULL


def store_error(error: DBAPIError) -> StoreError:
    """What the database said, for the person who must act; its own words are the cause."""
    ours = StoreFullError(_NO_ROOM) if is_full(error) else StoreError(f"SQLite: {error.orig}")
    ours.__cause__ = error
    return ours


def file_error(database: Path, error: OSError) -> StoreError:
    """Why the database's files cannot be opened."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFullError(_NO_ROOM)
    return StoreError(f"{database} cannot be opened: {error.strerror or error}")
