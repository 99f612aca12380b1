"""The databases that statements are said to; what differs between them is in a file of each."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, CursorResult
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from connectors.builtin.sql.postgres import Postgres
from connectors.builtin.sql.sqlite import Sqlite
from connectors.builtin.sql.statements import Statement
from connectors.builtin.sql.turn import Turn
from connectors.errors import ConfigurationError, ConnectorError
from connectors.http import Transport

Reveal = Callable[[], Awaitable[str | None]]
"""Asked for the password before a connection is opened; None where there is none."""


class Database(Protocol):
    """One database: how it is opened, and what its errors mean."""

    @property
    def is_typed(self) -> bool:
        """Whether its driver has more types than texts and numbers."""

    async def ready(self) -> None:
        """Find out where it is and how to sign in; raises `ConnectorError`."""

    def transaction(self, turn: Turn, *, is_write: bool) -> AbstractContextManager[Connection]:
        """Open a transaction, which ends at the deadline; without a commit nothing is kept."""

    def rows(
        self, connection: Connection, said: Statement, values: Mapping[str, object], most: int
    ) -> CursorResult[tuple[object]]:
        """Say a read; no more than `most` rows come over the wire."""

    def affected(self, connection: Connection, result: CursorResult[tuple[object]]) -> int:
        """How many rows a write has touched."""

    def meaning(self, error: DBAPIError, turn: Turn) -> ConnectorError:
        """What an error of its driver means."""

    def close(self) -> None:
        """Close what is open."""


def database_at(
    where: str, url: str, base_dir: Path, transport: Transport, reveal: Reveal
) -> Database:
    """The database at an address; raises `ConfigurationError`, which begins with `where`."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:  # the second of a port that is no number
        raise ConfigurationError(f"{where}: this is no address of a database") from error
    if address.password is not None:
        raise ConfigurationError(f'{where}: a password is no part of it; say credential = "env:…"')
    options: Mapping[str, object] = address.query
    if address.drivername == "sqlite":
        if not address.database or address.database == ":memory:" or options or address.host:
            raise ConfigurationError(f"{where}: write sqlite:///FILE")
        return Sqlite(base_dir / address.database)
    if address.drivername == "postgresql":
        return Postgres(where, address, transport, reveal)
    raise ConfigurationError(f"{where}: write postgresql://user@host/database or sqlite:///FILE")
