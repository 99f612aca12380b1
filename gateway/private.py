"""Files that only their owner may read: written whole or not at all, whenever the process dies."""

import os
import secrets
from pathlib import Path

from connectors.errors import ConfigurationError


def operator_key_file(database: Path) -> Path:
    """Where the key of whoever owns the machine is kept."""
    return database.with_name(database.name + ".operator-key")


def read_private(file: Path) -> str | None:
    """The text of a file, or None if there is none; raises `ConfigurationError`."""
    try:
        return file.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error


def write_private(file: Path, text: str, *, replace: bool) -> None:
    """Put a file in place with mode 0600, durably; without `replace`, the first one stays.

    Raises `ConfigurationError`.
    """
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_new(fresh, text)
            if replace:
                fresh.replace(file)
            else:
                file.hardlink_to(fresh)
            _sync(file.parent)
        except FileExistsError:
            return  # another process was first
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error


def _write_new(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(text + "\n")
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    """Have it be known after a loss of power, too, which files are in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
