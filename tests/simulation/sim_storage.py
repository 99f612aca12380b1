"""The production store's statements on a real SQLite database, at virtual times.

Only the writer thread is replaced: a write is one transaction, made at once, between two points
at which its process may stand still, die, or lose the database. Where a process has several runs
to drive, what they write while it makes another write is made together, as the writer does.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sim_process import Process
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from executor.store import ready, recovery
from executor.store.drives import Due
from executor.store.errors import FencedError, StoreFullError, StoreUnavailableError
from executor.store.plans import PlanRow, add
from executor.store.sqlite import SqliteFile
from executor.store.store import Store
from executor.store.tables import metadata
from executor.store.writer import Joint, made

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
        self.hangs_up: Callable[[], bool]  # amid the next commit
        self.makes_it: Callable[[], bool]  # all the same
        self._connection.begin()  # as far as SQLAlchemy knows it never ends
        raw.execute("BEGIN")
        self.clear()

    def clear(self) -> None:
        """Forget everything but the plans."""
        self.is_lost = False
        self.is_full = False
        self.hangs_up = self.makes_it = lambda: False
        self.newer: set[int] | None = None  # the rows of a newer version's events, if it began
        self._raw.execute("ROLLBACK")
        self._raw.execute("BEGIN")

    def fall_behind(self) -> None:
        """What is kept from now on a standby will not have."""
        self._raw.execute("SAVEPOINT standby")

    def take_over(self) -> None:
        """The standby is the database from now on."""
        self._raw.execute("ROLLBACK TO standby")
        self._raw.execute("RELEASE standby")

    def ask(self, query: str, *of: str) -> list[tuple[Any, ...]]:
        """Look without disturbing anybody."""
        return self._raw.execute(query, of).fetchall()

    def ask_newer(self) -> list[tuple[str, int]]:
        """Which events a newer version has written."""
        return self.ask("SELECT subject, seq FROM events WHERE v > 1")

    def look(self, work: Callable[[Connection], T], *, is_older: bool = False) -> T:
        """The same by the store's own statements."""
        with self._as_read(is_older=is_older):
            return work(self._connection)

    @contextmanager
    def _as_read(self, *, is_older: bool) -> Iterator[None]:
        """What a newer version wrote it also reads; meanwhile nobody else looks."""
        if self.newer is None or is_older:
            yield
            return
        execute = self._raw.execute
        execute("UPDATE events SET v = 1 WHERE v > 1")
        ((last,),) = execute("SELECT coalesce(max(rowid), 0) FROM events")
        try:
            yield
        finally:
            self.newer.update(row for (row,) in execute(
                "SELECT rowid FROM events WHERE rowid > ?", (last,)
            ))  # fmt: skip
            marked = ((row,) for row in self.newer)
            self._raw.executemany("UPDATE events SET v = 2 WHERE rowid = ?", marked)

    def do_all(
        self, works: Sequence[Callable[[Connection], object]], *, is_older: bool = False
    ) -> list[object]:
        """Together in one transaction, or each in its own where one of them fails."""
        if len(works) == 1:
            return [self._tried(works[0], is_older=is_older)]
        try:
            return self.do(lambda c: made(c, works), is_older=is_older)
        except Exception:  # noqa: BLE001 - it is found out whose it is
            for each in works:
                if isinstance(each, Joint):
                    each.undone()
        return [self._tried(each, is_older=is_older) for each in works]

    def _tried(self, work: Callable[[Connection], object], *, is_older: bool) -> object:
        try:
            return self.do(work, is_older=is_older)
        except Exception as error:  # noqa: BLE001 - it is raised where it belongs
            return Failed(error)

    def do(self, work: Callable[[Connection], T], *, is_older: bool = False) -> T:
        """One transaction."""
        execute = self._raw.execute
        execute("SAVEPOINT one")
        try:
            with self._as_read(is_older=is_older):
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


@dataclass(frozen=True)
class Failed:
    """What became of one of several writes."""

    error: Exception


@dataclass(eq=False)
class _Asked:
    """One write, and what became of it."""

    work: Callable[[Connection], object]
    made: list[object] = field(default_factory=list)


class ProcessStore(Store):
    """The store as one process sees it; with `joins`, writes that wait are made together."""

    def __init__(
        self, database: Database, process: Process, reached: Counter[str], *, joins: bool = False
    ) -> None:
        self._database = database
        self._process = process
        self._reached = reached
        self._joins = joins
        self._turn = asyncio.Lock()  # one writer makes the writes of a process in their order
        self._asked: list[_Asked] = []
        self.looked: Callable[[list[Due]], None] = lambda _: None  # told what was found to be due
        self.counted: Callable[[], None] = lambda: None  # told that it knows who has killed

    async def write(self, work: Callable[[Connection], T]) -> T:
        """One transaction; where the database is lost, nobody learns whether it was made."""
        asked = _Asked(work)
        self._asked.append(asked)
        try:
            async with self._turn:
                if not asked.made:
                    await self._make(asked)
        finally:
            if asked in self._asked:
                self._asked.remove(asked)  # it is not begun any more
        given = self._given(asked)
        await self._process.point("after the write")
        if self._is_lost:
            self._reached["written, and nobody learnt it"] += 1
        self._check()
        return given  # type: ignore[return-value]  # it is what the work gave

    def _given(self, asked: _Asked) -> object:
        (result,) = asked.made
        if isinstance(result, Failed):
            self._reached["fenced"] += isinstance(result.error, FencedError)
            raise result.error
        return result

    async def _make(self, asked: _Asked) -> None:
        await self._process.point("before the write")
        self._check()
        if self._database.is_full:
            self._reached["full"] += 1
            raise StoreFullError("no space is left")
        batch, self._asked = (self._asked, []) if self._joins else ([asked], self._asked)
        works = [each.work for each in batch]
        if self._database.hangs_up():
            results = self._unanswered(works)
        else:
            results = self._database.do_all(works, is_older=self._process.is_older)
        self._reached["written together"] += len(batch) > 1
        for each, result in zip(batch, results, strict=True):
            each.made.append(result)

    def _unanswered(self, works: list[Callable[[Connection], object]]) -> list[object]:
        """The connection ends at the commit, which may have been made; the next one is there."""
        is_made = self._database.makes_it()
        if is_made:
            self._database.do_all(works, is_older=self._process.is_older)
        for each in works:
            if isinstance(each, Joint):
                each.undone()
        self._reached[f"a commit is not answered, and {'' if is_made else 'not '}made"] += 1
        return [Failed(StoreUnavailableError("the commit is not answered"))] * len(works)

    def submit(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """The same, begun at once."""
        return asyncio.ensure_future(self.write(work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What is committed."""
        await self._process.point("read")
        self._check()
        found = self._database.look(work, is_older=self._process.is_older)
        if isinstance(work, partial) and work.func is ready.due:
            self.looked(found)  # type: ignore[arg-type]  # it is what that gives
        if isinstance(work, partial) and work.func is recovery.crashed:
            self.counted()
        return found

    @property
    def _is_lost(self) -> bool:
        return self._database.is_lost or self._process.is_cut_off

    def _check(self) -> None:
        if self._is_lost:
            self._reached["lost" if self._database.is_lost else "cut off"] += 1
            raise StoreUnavailableError("the database cannot be reached")
