"""The store: one writer that commits many writes together, and a few readers."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from executor.store import clock, facts
from executor.store.backend import Backend
from executor.store.clock import Clock, steady
from executor.store.errors import StoreClosedError, StoreError, StoreUnavailableError
from executor.store.hiding import hide_in_writes
from executor.store.migrate import migrate
from executor.store.patience import give_up_at
from executor.store.postgres import PostgresDatabase
from executor.store.sqlite import SqliteFile, sqlite_path
from executor.store.writer import Writer

T = TypeVar("T")
READERS = 3
WRITES_WITHIN_S = 20.0
OVERDUE_S = 10.0  # of a read or a batch: then its connection is taken for lost


class Store:
    """Opened with `Store.open(url)`; `write` and `read` take functions of a connection."""

    def __init__(self, backend: Backend, hide: Callable[[str], str] | None = None) -> None:
        self._backend = backend
        self._engine = backend.engine(writer=True)
        if hide is not None:
            hide_in_writes(self._engine, hide)
        self._read_engine = backend.engine(writer=False)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._writer = Writer(self._engine, backend)
        # What others hold rows for must not keep a process from its lease.
        self._at_once = Writer(self._engine, backend) if backend.is_shared else self._writer
        self._reading: dict[Connection, float] = {}  # since when, for those under way
        self._answered_at = 0.0  # a reading of the monotonic clock
        self._clock = Clock()
        self._closed = False

    @classmethod
    async def open(cls, url: str, hide: Callable[[str], str] | None = None) -> "Store":
        """Open `sqlite:///path` or `postgresql://...` and migrate it; raises `StoreError`.

        Every text goes through `hide` before it is written.
        """
        backend = backend_of(url)
        opened = await asyncio.to_thread(cls._open, backend, hide)
        await opened.set_clock()
        return opened

    @classmethod
    def _open(cls, backend: Backend, hide: Callable[[str], str] | None) -> "Store":
        backend.take()
        try:
            engine = backend.engine(writer=True)
            with engine.connect() as connection, backend.migrating(connection):
                migrate(connection)
            engine.dispose()
            return cls(backend, hide)
        except BaseException as error:
            backend.release()
            if isinstance(error, DBAPIError):
                raise backend.error(error) from error
            raise

    @property
    def is_shared(self) -> bool:
        """Whether other processes may write at the same time."""
        return self._backend.is_shared

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in the next commit; its result is durable. Raises what `work` raises.

        `work` may be run twice where the first time was undone, so it acts on the database
        alone. A caller that is cancelled does not learn whether the write was made, nor one that
        is told that the database is unavailable.
        """
        return await self._written(self._writer, work)

    def submit(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """As `write`, for whoever asks and goes on: it is queued at once."""
        done = self._queued(self._writer, work)
        return (
            asyncio.ensure_future(self._answered(done, WRITES_WITHIN_S)) if self.is_shared else done
        )

    async def write_at_once(self, work: Callable[[Connection], T]) -> T:
        """As `write`, but on a shared database not behind writes that wait for others' rows."""
        return await self._written(self._at_once, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` on a reader's connection, which sees all that was committed."""
        if self._closed:
            raise StoreClosedError("the store is closed")
        done = asyncio.get_running_loop().run_in_executor(self._readers, self._read_now, work)
        return await self._answered(done, self._backend.answers_within_s)

    def clock(self) -> float:
        """What time it is for everybody who uses this database, in seconds since the epoch.

        It goes on evenly from what the database said, whatever becomes of the machine's clock.
        """
        return self._clock.now()

    async def set_clock(self) -> None:
        """Ask the database what time it is."""
        asked_at = steady()
        found = await self.read(self._backend.now)
        now = found.time
        if self._clock.disagrees(asked_at, steady(), found):
            asked_at, now = steady(), await self.write_at_once(self.database_now)
        self.note_time(asked_at, now)

    def note_time(self, asked_at: float, told: float) -> None:
        """Set the clock: `told` is the database's time, asked for at a reading of `steady`."""
        self._clock.set(asked_at, steady(), told)

    def database_now(self, c: Connection) -> float:
        """The database's time in a transaction that writes; where it was set back, it goes on."""
        asked_at, found = steady(), self._backend.now(c)
        if not self._clock.disagrees(asked_at, steady(), found):
            return found.time
        now = max(self.clock(), found.server)
        facts.note(c, facts.CLOCK, clock.note(found.server, now))
        return now

    def server_up_since(self, c: Connection) -> float:
        """When the server was started that answers: another time is another server, or life."""
        return self._backend.up_since(c)

    def publish_address(self, address: str, *, is_passing: bool = False) -> None:
        """Let the command line find the gateway that holds this database."""
        self._backend.publish_address(address, is_passing=is_passing)

    async def close(self) -> None:
        """Finish what is queued and let go of the database."""
        if not self._closed:
            self._closed = True
            for writer in {self._writer, self._at_once}:
                await asyncio.to_thread(writer.stop)
            self._readers.shutdown()
            self._read_engine.dispose()
            self._engine.dispose()
            self._backend.release()

    async def _written(self, writer: Writer, work: Callable[[Connection], T]) -> T:
        done = self._queued(writer, work)
        return await self._answered(done, WRITES_WITHIN_S if self.is_shared else None)

    def _queued(self, writer: Writer, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        if self._closed:
            raise StoreClosedError("the store is closed")
        return writer.submit(work)

    async def _answered(self, done: "asyncio.Future[T]", within_s: float | None) -> T:
        if within_s is None:
            return await done
        asked_at, looked_until = time.monotonic(), 0.0
        try:
            while not done.done():
                wrote_at = max(self._writer.answered_at, self._at_once.answered_at)
                answered_at = max(self._answered_at, wrote_at)
                until = give_up_at(asked_at, answered_at, within_s)
                if until == looked_until:
                    raise self._silent(until - asked_at)
                looked_until = until
                await asyncio.wait((done,), timeout=max(0.0, until - time.monotonic()))
        finally:
            done.cancel()  # no more than a word to a write that is not begun
        return done.result()

    def _silent(self, seconds: float) -> StoreUnavailableError:
        """Let go of connections that nobody is at the other end of, and say that it is silent."""
        overdue = time.monotonic() - OVERDUE_S
        for writer in {self._writer, self._at_once}:
            writer.break_off(overdue)
        for connection, since in [*self._reading.items()]:
            if since < overdue:
                self._backend.break_off(connection)
        return StoreUnavailableError(
            f"the database has not answered within {seconds:.1f} s; "
            "work goes on by itself once it does"
        )

    def _read_now(self, work: Callable[[Connection], T]) -> T:
        is_again = False
        while True:
            try:
                with self._read_engine.connect() as connection:
                    return self._read_on(connection, work)
            except DBAPIError as error:
                # A connection that was kept for later may be gone without anybody being down. The
                # pool opens those anew that are as old, once they are not in use.
                if is_again or not error.connection_invalidated:
                    raise self._backend.error(error) from error
            is_again = True

    def _read_on(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        self._reading[connection] = time.monotonic()
        try:
            with connection.begin():  # what is read is of one moment
                found = work(connection)
        finally:
            del self._reading[connection]
        self._answered_at = time.monotonic()
        return found


def backend_of(url: str) -> Backend:
    """The kind of database that an address names; raises `StoreError`."""
    parsed = _parsed(url)
    match parsed.get_backend_name():
        case "sqlite":
            return SqliteFile(sqlite_path(parsed))
        case "postgresql":
            return PostgresDatabase(parsed)
        case other:
            raise StoreError(
                f"{other} is not known; write sqlite:///path or postgresql://user@host/database"
            )


def database_path(url: str) -> Path | None:
    """The file behind `sqlite:///path`, or None for a server; raises `StoreError`."""
    parsed = _parsed(url)
    return sqlite_path(parsed) if parsed.get_backend_name() == "sqlite" else None


def told_of(url: str) -> str:
    """How people are told of a database: its file, or the address without the password."""
    path = database_path(url)
    return str(path) if path is not None else _parsed(url).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # the second of a port that is no number
        raise StoreError(
            "this is no address of a database; write sqlite:///path or "
            "postgresql://user@host/database"
        ) from None
