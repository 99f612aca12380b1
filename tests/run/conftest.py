"""A real store, a service that answers as it is told, and runs between them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from run_bench import Bench, opened


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Where runs are really driven."""
    async with opened(tmp_path) as found:
        yield found
