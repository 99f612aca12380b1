"""One shop for all of its tests; what a test spoiled is mended after it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from the_shop import SERVICES, Service


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
def orders(services: dict[str, Service]) -> Service:
    return services["orders"]


@pytest.fixture
def minor(services: dict[str, Service]) -> Service:
    return services["pay_minor"]


@pytest.fixture
def decimal(services: dict[str, Service]) -> Service:
    return services["pay_decimal"]


@pytest.fixture
def mail(services: dict[str, Service]) -> Service:
    return services["mail"]
