"""Marks of texts: equal exactly where nothing that a result depends on was changed."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

_LENGTH = 12


@cache
def mark_of(path: Path) -> str:
    """The mark of one file."""
    return _mark(path.read_bytes())


def mark_of_case(case: Any) -> str:
    """The mark of one case of the suite."""
    return _mark(json.dumps([case.name, case.content]).encode())


def mark_of_test(test: Any) -> str:
    """The mark of one test: of its name, and of the text that it stands in."""
    return _mark(f"{test.mark} {test.name}".encode())


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_LENGTH]
