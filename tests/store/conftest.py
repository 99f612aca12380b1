"""A real store on a SQLite file of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor.store.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where the test's database is."""
    return f"sqlite:///{tmp_path / 'lamgate.db'}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store, closed after the test."""
    opened = await Store.open(url)
    yield opened
    await opened.close()
