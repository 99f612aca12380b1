"""A copy of a database's file as it was at one moment, made while a process works with it.

By SQLite's own online backup, in one step: one transaction reads all of it, and no writer waits
for that. It is written beside its place and put there whole: who dies on the way leaves a `.part`.
What happened after that moment is not in the copy, so going on from one has an order of
its own: see docs/how-to/operate.md.
"""

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from errno import EEXIST
from pathlib import Path
from urllib.parse import quote

from executor.store.errors import NoDatabaseError, StoreError
from executor.store.facts import MOVED_TO
from executor.store.migrate import moved


def copy(database: Path, to: Path) -> int:
    """Copy it to a file that is not there yet; its bytes. Raises `StoreError` or `OSError`."""
    if not database.is_file():
        raise NoDatabaseError(f"there is no database {database}")
    if os.path.lexists(to):
        raise FileExistsError(EEXIST, os.strerror(EEXIST), str(to))
    part = to.with_name(f"backup-{secrets.token_hex(8)}.part")  # a name may be as long as it can
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(database, part)
        _put(part, to)
    except sqlite3.Error as error:
        raise StoreError(f"{database} cannot be copied: {error}") from error
    except OSError as error:
        error.filename = str(to)  # nobody asked for the other
        raise
    finally:
        part.unlink(missing_ok=True)
    return to.stat().st_size


def _put(part: Path, to: Path) -> None:
    """Give it its name, unless something else has that by now."""
    try:
        to.hardlink_to(part)
    except OSError:  # not every file system has links
        if os.path.lexists(to):
            raise
        part.rename(to)


def _copy(database: Path, to: Path) -> None:
    source = f"file:{quote(str(database.resolve()))}?mode=ro"
    with closing(sqlite3.connect(source, uri=True)) as one, closing(sqlite3.connect(to)) as copied:
        one.backup(copied)
        copied.execute("PRAGMA journal_mode=DELETE").close()  # one file, nothing beside it
        told = copied.execute("PRAGMA quick_check(1)").fetchone()
        if told != ("ok",):
            raise StoreError(f"the copy of {database} is damaged: {told[0]}")
        with suppress(sqlite3.OperationalError):  # no such table: it is somebody else's
            asked = copied.execute("SELECT value FROM facts WHERE name = ?", (MOVED_TO,))
            if (found := asked.fetchone()) is not None:
                raise moved(found[0])
    with to.open("rb") as written:
        os.fsync(written.fileno())
