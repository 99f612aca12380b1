"""What a benchmark is given on its command line, looked at before it is used."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

DOCUMENTS = ("openapi/specs.tar.xz", "**/*.json", "**/*.yaml", "**/*.yml")


def folder_with(*patterns: str) -> Callable[[str], Path]:
    """A folder in which one of these is to be found; a sentence where it is not."""

    def read(text: str) -> Path:
        found = Path(text)
        if not found.is_dir():
            raise ArgumentTypeError(f"{text!r} is {'a file' if found.is_file() else 'not there'}")
        if not any(next(found.glob(each), None) for each in patterns):
            raise ArgumentTypeError(f"there is no {' or '.join(patterns)} in {text!r}")
        return found

    return read
