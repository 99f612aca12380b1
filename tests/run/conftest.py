"""A real store, a service that answers as it is told, and runs between them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from run_bench import Bench

from executor.store.store import Store


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Where runs are really driven."""
    store = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    found = Bench(store)
    yield found
    await found.close()
    await store.close()
