"""The store's statements without the engine around them: compiled once, sent to the driver.

Most of a history's time would else be SQLAlchemy's own bookkeeping of each execution. A statement
that comes a second time is taken for one of those that are built once: from then on its text is
sent as it is. The others, built anew for each call, are SQLAlchemy's to execute.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

MOST_SEEN = 200  # statements that were seen once


class Found:
    """What a statement found: as much of a result as the store asks for."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Any:
        return iter(self._rows)

    def first(self) -> Any:
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Any:
        assert len(self._rows) <= 1
        return self.first()

    def one(self) -> Any:
        (row,) = self._rows
        return row

    def scalars(self) -> list[Any]:
        return [row[0] for row in self._rows]

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        row = self.one_or_none()
        return None if row is None else row[0]


class _Prepared:
    """One statement as the driver takes it."""

    def __init__(self, compiled: SQLCompiler, inserted: list[str] | None) -> None:
        self.text = compiled.string
        self._own = {each.key: each.default.arg for each in compiled.insert_prefetch}
        self._inserted = None if inserted is None else {*inserted}
        order: list[str] = []
        for name in compiled.positiontup or ():
            bind = compiled.binds[name]
            own = {name: bind.value}
            if bind.expanding:
                own = {f"{name}/{number}": each for number, each in enumerate(bind.value)}
                marks = ", ".join("?" * len(own))
                self.text = self.text.replace(f"__[POSTCOMPILE_{name}]", marks)
            order += own
            self._own = self._own if bind.required else own | self._own
        self._in_order: Callable[[Mapping[str, Any]], Any] = itemgetter(*order, order[0])
        self._row: Callable[..., Any] | None = None

    def values(self, named: Mapping[str, Any]) -> tuple[Any, ...]:
        """What stands in the places of the text; raises `KeyError` where one is missing."""
        if self._inserted is not None and named.keys() != self._inserted:
            raise KeyError(f"{[*named]} instead of {self._inserted}")
        found: tuple[Any, ...] = self._in_order({**self._own, **named} if self._own else named)
        return found[:-1]

    def found(self, cursor: sqlite3.Cursor) -> Found:
        """The rows, by the names of their columns."""
        if cursor.description is None:
            return Found([], cursor.rowcount)
        if self._row is None:
            names = [each[0] for each in cursor.description]
            self._row = namedtuple("Row", names, rename=True)._make  # type: ignore[misc]
        return Found([*map(self._row, cursor)], cursor.rowcount)


class Statements:
    """Executes what the store asks a connection for."""

    def __init__(self, connection: Connection, raw: sqlite3.Connection) -> None:
        self._connection = connection
        self.dialect: Dialect = connection.dialect
        self._raw = raw
        self._seen: dict[int, Executable] = {}
        self._prepared: dict[int, tuple[Executable, _Prepared]] = {}

    def execute(
        self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] = {}
    ) -> Any:
        """Do it; a list of values is one execution for each."""
        known = self._prepared.get(id(statement))
        if known is None:
            if id(statement) not in self._seen:
                self._see(statement)
                return self._connection.execute(statement, values or None)
            known = self._prepare(statement, values)
        prepared = known[1]
        if isinstance(values, list):
            cursor = self._raw.executemany(prepared.text, [*map(prepared.values, values)])
            return Found([], cursor.rowcount)
        return prepared.found(self._raw.execute(prepared.text, prepared.values(values)))

    def __getattr__(self, name: str) -> Any:
        """Whatever else a connection is asked for."""
        return getattr(self._connection, name)

    def _see(self, statement: Executable) -> None:
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen[id(statement)] = statement  # held, so that no other one gets its id

    def _prepare(self, statement: Executable, values: Any) -> tuple[Executable, _Prepared]:
        names = [*(values[0] if isinstance(values, list) else values)]
        keys = names if statement.is_insert else None  # type: ignore[attr-defined]  # of all statements
        compiled = statement.compile(  # type: ignore[attr-defined]  # of all statements that are executed
            dialect=self.dialect, column_keys=keys
        )
        del self._seen[id(statement)]
        self._prepared[id(statement)] = statement, _Prepared(compiled, keys)
        return self._prepared[id(statement)]
