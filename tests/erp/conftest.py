"""One Tryton for all tests of a process, and the connector over it."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

for room in ("cli", "gateway", "connectors", "erp"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))
from connector_cases import Outside  # noqa: E402
from tryton_cases import Desk, connected  # noqa: E402
from tryton_server import Erp, serving  # noqa: E402


@pytest.fixture(scope="session")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    """A running Tryton; skips where none can be."""
    with serving(tmp_path_factory.mktemp("tryton")) as running:
        yield running


@pytest.fixture
async def desk(erp: Erp) -> AsyncIterator[Desk]:
    """The connector as an operator configures it."""
    outside = Outside()
    yield Desk(connected(erp.url, erp.key, outside))
    await outside.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test may have to wait until a database is filled."""
    for each in items:
        if "erp" in getattr(each, "fixturenames", ()):
            each.add_marker(pytest.mark.timeout(900))
