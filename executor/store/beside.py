"""One short write, or a look, beside a gateway that may be running, wedged, or not there at all.

The write is for what must not depend on anybody's answer: the kill switch. Its rules:

- the database is there, goes on here, and its schema is the one that this version knows: it is
  never migrated;
- one transaction, which waits for its turn like every other writer of the database;
- it takes no lock of the gateway's, claims nothing and drives nothing;
- of a file, who does it is the owner: another user's journal files would lock the gateway out.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from executor.store import workers
from executor.store.errors import NoDatabaseError, StoreError
from executor.store.lock import is_locked
from executor.store.migrate import require_here, require_newest
from executor.store.store import backend_of, database_path

T = TypeVar("T")


def write_beside(url: str, work: Callable[[Connection, float], T]) -> T:
    """Do `work`, told the time, in one transaction of its own; raises `StoreError`."""
    database = database_path(url)
    if database is not None and not database.is_file():
        raise NoDatabaseError(f"there is no database {database}, and nothing is done")
    if database is not None and os.geteuid() != (owner := database.stat().st_uid):
        raise StoreError(f"{database} belongs to user {owner}: do this as that user")
    backend = backend_of(url)
    engine = backend.engine(writer=True)
    try:
        with engine.connect() as connection:
            require_newest(connection)
            with connection.begin():
                require_here(connection)
                return work(connection, backend.now(connection).time)
    except DBAPIError as error:
        raise backend.error(error) from error
    finally:
        engine.dispose()


def is_at_work(c: Connection, url: str, now: float) -> bool:
    """Whether a gateway or a worker uses the database at this moment."""
    database = database_path(url)
    return bool(workers.living(c, now)) if database is None else is_locked(database)


def read_beside(url: str, work: Callable[[Connection], T]) -> T | None:
    """Do `work`, which only looks; None where there is no database yet; raises `StoreError`."""
    database = database_path(url)
    if database is not None and not database.is_file():
        return None
    backend = backend_of(url)
    engine = backend.engine(writer=False)
    try:
        with engine.connect() as connection:
            require_newest(connection)
            require_here(connection)
            return work(connection)
    except DBAPIError as error:
        raise backend.error(error) from error
    finally:
        engine.dispose()
