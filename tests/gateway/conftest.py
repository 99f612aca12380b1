"""A gateway on a real socket over the shop's real services, and people with keys of their own."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from approval_desk import PERMIT, Ruled
from sent import judged, noted
from served import SHOP, Running, serving, write_config


@pytest.fixture(autouse=True)
def nothing_looks_through_a_table_that_grows() -> Iterator[None]:
    """What a gateway sends to its database, in whatever test, finds its rows by an index."""
    with noted() as sent:
        yield
    assert judged(sent) == []


@pytest.fixture
def mended(shop: Any) -> Iterator[Any]:
    """The shop, without any fault before and after."""
    yield shop
    for url in shop.urls.values():
        httpx2.delete(f"{url}/faults", trust_env=False, verify=False)


@pytest.fixture
def config(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's file over the shop."""
    monkeypatch.setenv("SHOP_PAYMENTS_KEY", "sk_shop_minor")
    return write_config(tmp_path, shop)


@pytest.fixture
def ruled(config: Path) -> Ruled:
    """An operator's file whose policies are these texts."""

    def write(*texts: str) -> Path:
        folder = config.parent / "policies"
        folder.mkdir(exist_ok=True)
        (folder / "all.cedar").write_text("\n".join([PERMIT, *texts]), encoding="utf-8")
        own = config.read_text(encoding="utf-8").replace(f"{SHOP}/policies", str(folder))
        config.write_text(own, encoding="utf-8")
        return config

    return write


@pytest.fixture
async def running(config: Path) -> AsyncIterator[Running]:
    """A fresh gateway over the shop."""
    async with serving(config) as found:
        yield found


@pytest.fixture
async def requester(running: Running) -> httpx2.AsyncClient:
    return await running.person("requester-1", "requester")


@pytest.fixture
async def approver(running: Running) -> httpx2.AsyncClient:
    return await running.person("approver-1", "approver")


@pytest.fixture
async def operator(running: Running) -> httpx2.AsyncClient:
    return await running.person("operator", key=running.gateway.operator_key)
