"""A gateway on a real socket over the shop's real services, and people with keys of their own."""

import importlib.util
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from served import SHOP, Running, serving, write_config


@pytest.fixture(scope="session")
def opened_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The services, each a process of its own."""
    spec = importlib.util.spec_from_file_location("shop_start", SHOP / "start.py")
    assert spec is not None
    assert spec.loader is not None
    start = importlib.util.module_from_spec(spec)
    sys.modules["shop_start"] = start
    spec.loader.exec_module(start)
    with start.start_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(scope="module")
def shop(opened_shop: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same services for every file of tests, which leaves them as it found them."""
    kept = tmp_path_factory.mktemp("kept")
    for name in opened_shop.urls:
        _copy(opened_shop.data / f"{name}.db", kept / name)
    yield opened_shop
    for name in opened_shop.urls:
        _copy(kept / name, opened_shop.data / f"{name}.db")


def _copy(source: Path, target: Path) -> None:
    """Copy a database that is in use: SQLite's own backup, in one transaction."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


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
