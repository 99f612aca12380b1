"""The shop's real services, a gateway over them as a process, and people with keys of their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Lamgate, in_the_shop, new_key, served


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory, shop: Any) -> Iterator[Lamgate]:
    """The operator's command line; the gateway is found by the lock of its database."""
    lamgate = in_the_shop(tmp_path_factory.mktemp("gateway"), shop)
    with served(lamgate):
        yield lamgate


@pytest.fixture(scope="module")
def requester(operator: Lamgate) -> Lamgate:
    return operator.under(new_key(operator, "requester-1", "requester"))


@pytest.fixture(scope="module")
def approver(operator: Lamgate) -> Lamgate:
    return operator.under(new_key(operator, "approver-1", "approver"))


@pytest.fixture
def alone(tmp_path: Path, shop: Any) -> Lamgate:
    """The command line where no gateway is running."""
    return in_the_shop(tmp_path, shop)
