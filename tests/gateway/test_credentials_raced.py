"""Credentials that are set while runs come to wait for them, in another process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
from servers import Server, missing, server
from store_cases import NOW, TENANT, add_run

from connectors.http import Transport
from connectors.redact import Redactor
from executor.store import drives, ready
from executor.store.drives import Due, LetGo
from executor.store.store import Store
from gateway.cipher import KeyRing
from gateway.credentials import Credentials, NewCredential
from gateway.material import Seals

NEW = NewCredential(TENANT, "things", "bearer", {}, "the-new-one-of-the-operator")
FIRST, SECOND = (Due("run", TENANT, f"run_{each}") for each in "ab")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    if why := missing():
        pytest.skip(why)
    with server() as running:
        yield running


@pytest.fixture
async def stores(postgres: Server) -> AsyncIterator[tuple[Store, Store]]:
    """Two processes' on one database."""
    url = postgres.new_database()
    mine, other = await Store.open(url), await Store.open(url)
    yield mine, other
    for each in (mine, other):
        await each.close()


async def come_to_wait(store: Store, due: Due) -> None:
    claim = await store.write(partial(drives.claim, due=due, driver="elsewhere", now=NOW))
    assert claim is not None
    end = LetGo(claim, "credentials", None, NOW)
    await store.write(lambda c: drives.let_go(c, [end]))


async def test_a_run_that_is_refused_for_the_old_ones_while_the_new_ones_are_kept_is_woken(
    stores: tuple[Store, Store],
) -> None:
    mine, other = stores
    transport = Transport()
    seals = Seals(KeyRing({"a": b"a" * 32}, "a"), Redactor())
    credentials = Credentials(mine, seals, transport, lambda: NOW + 1)
    for due in (FIRST, SECOND):
        await mine.write(partial(add_run, run=due.id))
    await come_to_wait(other, SECOND)
    with other._backend.engine(writer=True).connect() as held, held.begin():
        drives.hold_row(held, SECOND)  # as who decides on one of its approvals, say
        keeping = asyncio.create_task(credentials.set(NEW, "ann"))
        await asyncio.sleep(0.3)
        await come_to_wait(other, FIRST)
    woken = await keeping
    await transport.aclose()

    assert {each.id for each in woken} == {"run_a", "run_b"}
    assert {each.id for each in await mine.read(partial(ready.due, now=NOW + 1))} == {
        "run_a",
        "run_b",
    }
