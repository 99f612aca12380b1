"""A database that nobody else uses meanwhile: for what cannot be done while a gateway works."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from executor.store.backend import Backend
from executor.store.errors import NoDatabaseError, StoreLockedError
from executor.store.migrate import require_here, require_newest, require_readable
from executor.store.postgres import others, take_whole
from executor.store.store import backend_of, database_path
from executor.store.tables import metadata


@contextmanager
def alone(url: str) -> Iterator[Connection]:
    """The database, which goes on here and is of this version; raises `StoreError`.

    A file is locked. On a server there is no other session, and none gets at a table.
    """
    with opened(url) as (connection, backend):
        require_newest(connection)
        require_readable(connection)
        require_here(connection)
        if backend.is_shared:
            _require_alone(connection)
            take_whole(connection, metadata.sorted_tables)
            _require_alone(connection)  # who came since waits for a table, but may know the old
        yield connection


def _require_alone(c: Connection) -> None:
    if count := others(c):
        raise StoreLockedError(
            f"{count} other sessions use this database: end every gateway and worker first"
        )


@contextmanager
def opened(url: str) -> Iterator[tuple[Connection, Backend]]:
    """A connection that writes; a file has to be there, and is locked."""
    path, backend = database_path(url), backend_of(url)
    if path is not None and not path.is_file():
        raise NoDatabaseError(f"there is no database {path}")
    backend.take()
    try:
        engine = backend.engine(writer=True)
        try:
            with engine.connect() as connection:
                yield connection, backend
        except DBAPIError as error:
            raise backend.error(error) from error
        finally:
            engine.dispose()
    finally:
        backend.release()
