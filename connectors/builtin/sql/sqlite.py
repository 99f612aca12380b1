"""SQLite as statements use it: a file that is there already, one connection a call."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, CursorResult, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from connectors.builtin.sql.errors import SQLITE, meaning
from connectors.builtin.sql.statements import Statement
from connectors.builtin.sql.turn import Turn
from connectors.errors import ConnectorError

_LOOK_EACH = 10_000  # instructions of its machine, between two looks at the clock


class Sqlite:
    """One file; it is never made here."""

    is_typed = False

    def __init__(self, file: Path) -> None:
        self._address = f"{file.resolve().as_uri()}?mode=rw"
        self._engine = create_engine("sqlite://", creator=self._opened, poolclass=NullPool)

    async def ready(self) -> None:
        """A file is where it is."""

    @contextmanager
    def transaction(self, turn: Turn, *, is_write: bool) -> Iterator[Connection]:
        """Open a transaction; a read cannot write, and each ends at the deadline."""
        turn.opens()
        with self._engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            if isinstance(raw, sqlite3.Connection):
                until = time.monotonic() + turn.left_s
                raw.set_progress_handler(lambda: time.monotonic() >= until, _LOOK_EACH)
            for pragma in (
                "foreign_keys = ON",
                f"query_only = {'OFF' if is_write else 'ON'}",
                f"busy_timeout = {int(turn.left_s * 1000)}",
            ):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")
            turn.works()
            yield connection

    def rows(
        self, connection: Connection, said: Statement, values: Mapping[str, object], most: int
    ) -> CursorResult[tuple[object]]:
        """Say a read; rows are worked out as they are fetched."""
        return connection.execute(said.clause, values)

    def affected(self, connection: Connection, result: CursorResult[tuple[object]]) -> int:
        """How many rows a write touched; the driver does not count where it begins with WITH."""
        if result.rowcount >= 0:
            return result.rowcount
        return int(connection.exec_driver_sql("SELECT changes()").scalar_one())

    def meaning(self, error: DBAPIError, turn: Turn) -> ConnectorError:
        """What an error means, by its code."""
        name: object = getattr(error.orig, "sqlite_errorname", "SQLITE_ERROR")
        return meaning(str(name), str(error.orig), SQLITE, turn)

    def close(self) -> None:
        """Nothing is open between two calls."""
        self._engine.dispose()

    def _opened(self) -> sqlite3.Connection:
        # The driver would begin transactions by itself, and not for every statement.
        return sqlite3.connect(
            self._address, uri=True, isolation_level=None, check_same_thread=False
        )
