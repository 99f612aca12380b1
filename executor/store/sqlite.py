"""SQLite as the store uses it: how a file is taken and opened, and what its errors mean to us."""

import errno
import logging
import sqlite3
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from executor.store.clock import Moment, apart
from executor.store.errors import (
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
)
from executor.store.lock import FileLock
from executor.store.statement import NOTHING, Change
from executor.store.tables import events

MOST_BEHIND_S = 48 * 3600.0  # a journal that is farther ahead was written by a wrong clock
OLDEST = (3, 35)  # the first with RETURNING
_BUSY_MS = 30_000
_log = logging.getLogger("lamgate.clock")
_FULL = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_NO_ROOM = (
    "the disk of the database is full: nothing of this was kept. Free some space; "
    "work goes on by itself."
)


class SqliteFile:
    """One file, held by one process."""

    is_shared = False
    answers_within_s: float | None = None

    def __init__(self, database: Path) -> None:
        self._database = database
        self._lock: FileLock | None = None

    def take(self) -> None:
        """Lock the file, and make it its owner's alone; raises `StoreError`."""
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._database)
            self._database.touch(mode=0o600)  # its owner's alone, and so its journal files
        except OSError as error:
            raise _file_error(self._database, error) from error

    def engine(self, *, writer: bool) -> Engine:
        """Make an engine whose transactions are begun for real; readers cannot write."""
        engine = create_engine(
            f"sqlite:///{self._database}",
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

        begin = Change(text("BEGIN IMMEDIATE" if writer else "BEGIN"))

        # The driver would begin transactions lazily and lose savepoints: we begin them ourselves.
        @event.listens_for(engine, "connect")
        def _connect(raw: sqlite3.Connection, _: object) -> None:
            raw.isolation_level = None
            for pragma in pragmas:
                raw.execute(f"PRAGMA {pragma}").close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            begin.once(connection, NOTHING)

        return engine

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """The file's lock does."""
        return nullcontext()

    def error(self, error: DBAPIError) -> StoreError:
        """What the database said, for the person who must act; its own words are the cause."""
        ours: StoreError
        if self.may_repeat(error):
            ours = StoreFullError(_NO_ROOM)
        elif _code(error) & 0xFF in _BUSY:
            ours = StoreUnavailableError(f"the database is busy: {error.orig}")
        elif _code(error) & 0xFF in _DAMAGED:
            ours = StoreDamagedError(f"{self._database}: {error.orig}")
        else:
            ours = StoreError(f"SQLite: {error.orig}")
        ours.__cause__ = error
        return ours

    def has_undone(self, connection: Connection, error: Exception) -> bool:
        """Whether SQLite has rolled the transaction back by itself."""
        raw = connection.connection.dbapi_connection
        return getattr(raw, "in_transaction", True) is False

    def is_gone(self, error: BaseException) -> bool:
        """Never: there is no server."""
        return False

    def may_repeat(self, error: BaseException) -> bool:
        """Whether there was no room: SQLite keeps nothing of a transaction that ends so."""
        return _code(error) in _FULL

    def has_collided(self, error: BaseException) -> bool:
        """Never: one process a file, and one writer in it."""
        return False

    def break_off(self, connection: Connection) -> None:
        """Never: a file always answers."""

    def now(self, connection: Connection) -> Moment:
        """The machine's clock, but never before what the journal says: a clock was set back."""
        wall = time.time()
        newest = connection.execute(
            select(events.c.at).order_by(text("rowid DESC")).limit(1)
        ).scalar_one_or_none()
        now = wall if newest is None else _time_of(wall, newest)
        return Moment(now, now)

    def up_since(self, connection: Connection) -> float:
        """There is no server."""
        return 0.0

    def publish_address(self, address: str, *, is_passing: bool = False) -> None:
        """Write it into the lock file."""
        if self._lock is not None:
            self._lock.describe(address, is_passing=is_passing)

    def release(self) -> None:
        """Unlock the file."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _time_of(wall: float, newest: float) -> float:
    if newest < wall:
        return wall
    if newest < wall + MOST_BEHIND_S:
        return newest
    # One of the two is wrong, and only people can say which.
    _log.warning(
        "the journal's newest event is %s this machine's clock, by which the time goes on: if the "
        "clock is wrong, set it right and start again",
        apart(newest - wall),
    )
    return wall


def sqlite_path(url: URL) -> Path:
    """The file of a `sqlite:///path`; raises `StoreError`."""
    if url.database in (None, "", ":memory:"):
        raise StoreError(f"{str(url)!r} names no file; write sqlite:///path")
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed")
    # One file has one lock, whatever links lead to it.
    return Path(str(url.database)).resolve()


def _code(error: BaseException) -> int:
    original = error.orig if isinstance(error, DBAPIError) else error
    code: object = getattr(original, "sqlite_errorcode", 0)
    return code if isinstance(code, int) else 0


def _file_error(database: Path, error: OSError) -> StoreError:
    """Why the database's files cannot be opened."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFullError(_NO_ROOM)
    return StoreError(f"{database} cannot be opened: {error.strerror or error}")
