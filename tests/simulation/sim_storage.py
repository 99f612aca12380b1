"""The production store's statements on a real SQLite database, at virtual times.

Only the writer thread is replaced: a write is one transaction, made at once, between two points
at which its process may stand still, die, or lose the database.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sim_process import Process
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from executor.store.errors import FencedError, StoreFullError, StoreUnavailableError
from executor.store.plans import PlanRow, add
from executor.store.sqlite import SqliteFile
from executor.store.store import Store
from executor.store.tables import metadata
from executor.store.writer import Joint

T = TypeVar("T")
_BACKEND = SqliteFile(Path("in memory"))  # for what its errors mean; no file is opened


class Database:
    """One SQLite database in memory; a history is a transaction in it that is never kept."""

    def __init__(self, plans: Iterable[PlanRow]) -> None:
        engine = create_engine("sqlite://", poolclass=StaticPool)

        @event.listens_for(engine, "connect")
        def _connect(raw: object, _: object) -> None:
            raw.execute("PRAGMA page_size = 1024")  # type: ignore[attr-defined]  # see below
            raw.isolation_level = None  # type: ignore[attr-defined]  # a sqlite3 connection

        self._connection = engine.connect()
        with self._connection.begin():
            metadata.create_all(self._connection)
            for each in plans:
                add(self._connection, each)
        raw = self._connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        self._raw = raw
        self._connection.begin()  # as far as SQLAlchemy knows it never ends
        raw.execute("BEGIN")
        self.clear()

    def clear(self) -> None:
        """Forget everything but the plans."""
        self.is_lost = False
        self.is_full = False
        self._raw.execute("ROLLBACK")
        self._raw.execute("BEGIN")

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Look without disturbing anybody."""
        return self._raw.execute(query).fetchall()

    def look(self, work: Callable[[Connection], T]) -> T:
        """The same by the store's own statements."""
        return work(self._connection)

    def do(self, work: Callable[[Connection], T]) -> T:
        """One transaction."""
        execute = self._raw.execute
        execute("SAVEPOINT one")
        try:
            result = work(self._connection)
        except BaseException as error:
            execute("ROLLBACK TO one")
            execute("RELEASE one")
            if isinstance(work, Joint):
                work.undone()
            if isinstance(error, DBAPIError):
                raise _BACKEND.error(error) from error
            raise
        execute("RELEASE one")
        return result


class ProcessStore(Store):
    """The store as one process sees it."""

    def __init__(self, database: Database, process: Process, reached: Counter[str]) -> None:
        self._database = database
        self._process = process
        self._reached = reached
        self._turn = asyncio.Lock()  # one writer makes the writes of a process in their order

    async def write(self, work: Callable[[Connection], T]) -> T:
        """One transaction; where the database is lost, nobody learns whether it was made."""
        async with self._turn:
            await self._process.point("before the write")
            self._check()
            if self._database.is_full:
                self._reached["full"] += 1
                raise StoreFullError("no space is left")
            try:
                result = self._database.do(work)
            except FencedError:
                self._reached["fenced"] += 1
                raise
        await self._process.point("after the write")
        if self._is_lost:
            self._reached["written, and nobody learnt it"] += 1
        self._check()
        return result

    def submit(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """The same, begun at once."""
        return asyncio.ensure_future(self.write(work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What is committed."""
        await self._process.point("read")
        self._check()
        return self._database.look(work)

    @property
    def _is_lost(self) -> bool:
        return self._database.is_lost or self._process.is_cut_off

    def _check(self) -> None:
        if self._is_lost:
            self._reached["lost" if self._database.is_lost else "cut off"] += 1
            raise StoreUnavailableError("the database cannot be reached")
