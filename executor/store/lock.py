"""One process a database file: an exclusive lock that also says where the gateway listens."""

import fcntl
import json
import os
from pathlib import Path

from executor.store.errors import StoreLockedError


class FileLock:
    """An exclusive lock on `<database>.lock`, held until `release` or the end of the process."""

    def __init__(self, database: Path) -> None:
        self._path = lock_path(database)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            holder = _read(self._path)
            raise StoreLockedError(
                f"{database} is used by process {holder.get('pid', '?')}; one process a database "
                "file. Talk to that gateway, stop it, or use another database.",
                # One that says no address has only begun: nobody knows yet for how long.
                is_passing=holder.get("address") is None or holder.get("passing") is True,
            ) from error
        try:
            self.describe(None)
        except OSError:
            os.close(self._descriptor)
            raise

    def describe(self, address: str | None, *, is_passing: bool = False) -> None:
        """Write who holds the lock, where it can be reached, and whether it will soon let go."""
        told = {"pid": os.getpid(), "address": address, "passing": is_passing}
        text = json.dumps(told).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        """Let others have the database."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def lock_path(database: Path) -> Path:
    """Where the lock of a database file stands."""
    return database.with_name(database.name + ".lock")


def address_in_lock(database: Path) -> str | None:
    """Where the gateway that holds this database listens, or None if nobody serves it."""
    if not is_locked(database):
        return None
    address = _read(lock_path(database)).get("address")
    return address if isinstance(address, str) else None


def is_locked(database: Path) -> bool:
    """Whether a process has this database."""
    path = lock_path(database)
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text() or "{}")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
