"""One shop for a process; what a test spoiled is mended after it."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

for room in ("cli", "shop", "store"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))

from connector_cases import Outside, Raw, answer, raw_server  # noqa: E402
from openapi_wire import Sent  # noqa: E402
from servers import missing, server  # noqa: E402
from sql_world import Stock, fill  # noqa: E402
from the_shop import SERVICES, Service  # noqa: E402
from till_cases import VENDORS, Till, till_of  # noqa: E402


@pytest.fixture(scope="module")
def running(shop: Any) -> Any:
    return shop


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


@pytest.fixture(scope="session")
def sql_server() -> Iterator[str]:
    """A database on a PostgreSQL server; skips where none can be."""
    if why := missing():
        pytest.skip(why)
    with server() as running:
        yield running.new_database()


@pytest.fixture
async def served_stock(sql_server: str, tmp_path: Path) -> AsyncIterator[Stock]:
    """A fresh stock on a server."""
    fill(sql_server)
    found = Stock(sql_server, tmp_path, Outside())
    yield found
    await found.close()


@pytest.fixture
async def file_stock(tmp_path: Path) -> AsyncIterator[Stock]:
    """A fresh stock in a file."""
    url = f"sqlite:///{tmp_path / 'stock.db'}"
    fill(url)
    found = Stock(url, tmp_path, Outside())
    yield found
    await found.close()


@pytest.fixture(params=["file_stock", "served_stock"])
def stock(request: pytest.FixtureRequest) -> Stock:
    """A fresh stock in a file, and one on a server."""
    found: Stock = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    """A server that answers anything, and keeps the bytes of every request."""
    async with raw_server(answer(200, {})) as found:
        yield found


@pytest.fixture
def sent(raw: Raw, tmp_path: Path, outside: Outside) -> Sent:
    """Calls of an operation there."""
    return Sent(raw, tmp_path, outside)


@pytest.fixture(params=VENDORS)
async def till(
    request: pytest.FixtureRequest, services: dict[str, Service], outside: Outside
) -> Till:
    """The model over one provider of the shop, and then over the other."""
    vendor: str = request.param
    service = services[f"pay_{vendor}"]
    return Till(vendor, service, *await till_of(vendor, service.url, outside))


@pytest.fixture
async def tills(services: dict[str, Service], outside: Outside) -> list[Till]:
    """The model over both."""
    found = []
    for vendor in VENDORS:
        service = services[f"pay_{vendor}"]
        found.append(Till(vendor, service, *await till_of(vendor, service.url, outside)))
    return found
