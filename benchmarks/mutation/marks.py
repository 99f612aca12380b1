"""Marks of texts: equal exactly where nothing that a result depends on was changed."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

_LENGTH = 12


@cache
def mark_of(path: Path) -> str:
    """The mark of one file."""
    return _mark(path.read_bytes())


def mark_of_all(folders: Iterable[Path], *suffixes: str) -> str:
    """The mark of everything in some folders."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*"))]
    chosen = [path for path in paths if path.suffix in suffixes]
    return _mark("\n".join(f"{path.name} {mark_of(path)}" for path in chosen).encode())


def mark_of_case(case: Any) -> str:
    """The mark of one case of the suite."""
    return _mark(json.dumps([case.name, case.content]).encode())


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_LENGTH]
