"""What connections keep between two starts: a file each, put in place whole or not at all.

It is a cache: what cannot be read is as good as not there, and what cannot be written is only
missing at the next start.
"""

import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger("lamgate.catalog")


@dataclass(frozen=True)
class Shelf:
    """A folder with a file for each connection, for its owner's eyes alone."""

    folder: Path

    def read(self, connection: str) -> bytes | None:
        """What was kept; None where nothing was, or nobody can read it."""
        try:
            return self._file(connection).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("%s cannot be read: %s", self._file(connection), error.strerror)
            return None

    def write(self, connection: str, body: bytes) -> None:
        """Keep this instead of what was kept."""
        file = self._file(connection)
        fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                _write_new(fresh, body)
                fresh.replace(file)
            finally:
                fresh.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be kept: %s", file, error.strerror)

    def _file(self, connection: str) -> Path:
        return self.folder / f"{connection}.json"


def _write_new(file: Path, body: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(body)
        opened.flush()
        os.fsync(opened.fileno())
