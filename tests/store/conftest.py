"""A real store for each test: on a SQLite file of its own, and on a PostgreSQL database of its own.

Every statement that a test has the store send is looked at (`sent.py`).

A test that asks for `url` or `store` runs on both; one that asks for `file_url` or `file_store` is
about files.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sent import judged, noted
from servers import Cleared, Server, missing, server

from executor.store.store import Store


@pytest.fixture(autouse=True)
def nothing_looks_through_a_table_that_grows() -> Iterator[None]:
    """What the store sends, in whatever test, finds its rows by an index."""
    with noted() as sent:
        yield
    assert judged(sent) == []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of a process; skips where none can be."""
    why = missing()
    if why:
        pytest.skip(why)
    with server() as running:
        yield running


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """Where the test's file is."""
    return f"sqlite:///{tmp_path / 'lamgate.db'}"


@pytest.fixture(scope="session")
def migrated(postgres: Server) -> Cleared:
    """One database for all tests, for a new one costs more than most tests do."""
    url = postgres.new_database()

    async def open_once() -> None:
        await (await Store.open(url)).close()

    asyncio.run(open_once())
    return Cleared(url)


@pytest.fixture
def server_url(migrated: Cleared) -> str:
    """Where a database on a server is that holds nothing yet."""
    migrated.clear()
    return migrated.url


@pytest.fixture
def empty_url(postgres: Server) -> str:
    """Where an empty database on a server is."""
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the test's database is, of either kind."""
    name = "file_url" if request.param == "sqlite" else "server_url"
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store, closed after the test."""
    opened = await Store.open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def server_store(server_url: str) -> AsyncIterator[Store]:
    """An open store on a server."""
    opened = await Store.open(server_url)
    yield opened
    await opened.close()


@pytest.fixture
async def file_store(file_url: str) -> AsyncIterator[Store]:
    """An open store on a file."""
    opened = await Store.open(file_url)
    yield opened
    await opened.close()


@pytest.fixture
async def other(server_store: Store, server_url: str) -> AsyncIterator[Store]:
    """The store of another process."""
    opened = await Store.open(server_url)
    yield opened
    await opened.close()
