"""One short write beside a gateway that may be running, wedged, or not there at all.

It is for what must not depend on anybody's answer: the kill switch. Its rules:

- the database is there, and its schema is the one that this version knows; it is never migrated;
- one transaction, which waits for its turn like every other writer of the database;
- it takes no lock of the gateway's, claims nothing and drives nothing;
- who does it is the owner of the file: another user's journal files would lock the gateway out.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from executor.store.errors import StoreError
from executor.store.migrate import require_newest
from executor.store.sqlite import open_engine, store_error

T = TypeVar("T")


def write_beside(database: Path, work: Callable[[Connection], T]) -> T:
    """Do `work` in one transaction of its own; raises `StoreError`."""
    if not database.is_file():
        raise StoreError(f"there is no database {database}: nothing runs, and nothing is stopped")
    owner = database.stat().st_uid
    if os.geteuid() != owner:
        raise StoreError(f"{database} belongs to user {owner}: do this as that user")
    engine = open_engine(database, writer=True)
    try:
        with engine.connect() as connection:
            require_newest(connection)
            with connection.begin():
                return work(connection)
    except DBAPIError as error:
        raise store_error(error) from error
    finally:
        engine.dispose()
