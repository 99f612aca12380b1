"""One shop for a process; what a test spoiled is mended after it."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "shop"))

from connector_cases import Outside
from the_shop import SERVICES, Service, load_start


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with load_start().start_shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
def services(running: Any) -> Iterator[dict[str, Service]]:
    data: Path = running.data
    found = {name: Service(name, running.urls[name], data / f"{name}.db") for name in SERVICES}
    yield found
    for service in found.values():
        service.call("DELETE", "/faults")


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    """Ways out to what a test allows, closed after it."""
    found = Outside()
    yield found
    await found.close()
