"""A connection whose other end is gone without a word is let go of, and others are made."""

from collections.abc import Iterator

import pytest
from partition import Network, network
from servers import Server
from sqlalchemy import text
from sqlalchemy.engine import make_url

from executor.store import facts, store
from executor.store.errors import StoreUnavailableError
from executor.store.patience import impatient
from executor.store.store import Store


@pytest.fixture
def way(postgres: Server) -> Iterator[Network]:
    with network(postgres.port) as found:
        yield found


async def test_reads_and_writes_get_new_connections_once_the_old_ones_are_overdue(
    postgres: Server, way: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "OVERDUE_S", 0.3)
    url = make_url(postgres.new_database()).set(port=way.port)
    opened = await Store.open(url.render_as_string(hide_password=False))

    async def read() -> int:
        return await opened.read(lambda c: int(c.execute(text("SELECT 1")).scalar_one()))

    async def write() -> None:
        await opened.write(lambda c: facts.note(c, "seen", "yes"))

    await read()
    await write()
    way.swallow()
    refused, answered = 0, 0
    with impatient(0.2):
        for ask in (read, write) * 10:
            try:
                await ask()
            except StoreUnavailableError:
                refused += 1
            else:
                answered += 1
    await read()
    await write()
    await opened.close()

    assert refused >= 2  # what was on its way is lost, and said to be
    assert answered >= 10
