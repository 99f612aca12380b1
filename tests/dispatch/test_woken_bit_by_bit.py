"""What is to be woken bit by bit, or was driven by the process before, is driven by the next."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from executor.dispatch.local import LocalDispatcher
from executor.store import drives, plans, recovery, runs, tables, waking
from executor.store.drives import Due
from executor.store.store import Store

COUNT, AT_ONCE, PATIENCE_S = 40, 7, 30.0


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    for each in (waking, recovery):
        monkeypatch.setattr(each, "AT_ONCE", AT_ONCE)
    opened = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    yield opened
    await opened.close()


def _add(c: Connection, **stand: object) -> None:
    now = time.time()
    plans.add(c, plans.PlanRow("main", "pln_a", "sha256:0", "asker", None, {"language": 1}, now))
    for number in range(COUNT):
        name = f"run_{number}"
        runs.create(c, tenant="main", run=name, plan="pln_a", requester="asker", now=now)
    c.execute(tables.runs.update().values(**stand))


async def _driven(store: Store, *, wakes: bool = False) -> set[str]:
    """What a dispatcher has driven once that is all of it."""
    driven = set[str]()

    async def drive(due: Due, driver: str) -> None:
        now = time.time()
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
        assert claim is not None
        await store.write(partial(drives.end_drive, claim=claim, status="succeeded", now=now))
        driven.add(due.id)

    async def park(due: Due, *_: object) -> None:
        raise AssertionError(f"{due} was to be driven")

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, park)
    await dispatcher.start()
    if wakes:
        woken = partial(waking.wake_waiting, waiting_for="credentials", now=time.time())
        for due in await store.write(woken):
            dispatcher.submit(due)
    deadline = time.monotonic() + PATIENCE_S
    while len(driven) < COUNT:
        assert time.monotonic() < deadline, len(driven)
        await asyncio.sleep(0.02)
    await dispatcher.stop()
    return driven


async def test_all_that_waits_is_driven_though_few_are_woken_at_once(store: Store) -> None:
    await store.write(partial(_add, status="waiting", waiting_for="credentials"))

    assert len(await _driven(store, wakes=True)) == COUNT


async def test_what_a_process_was_to_wake_that_has_died_is_driven_by_the_next(
    store: Store,
) -> None:
    await store.write(partial(_add, status="waiting", waiting_for="credentials"))
    woken = partial(waking.wake_waiting, waiting_for="credentials", now=time.time())

    assert len(await store.write(woken)) == AT_ONCE
    assert len(await _driven(store)) == COUNT


async def test_all_that_a_dead_process_drove_is_driven_though_few_are_handed_back_at_once(
    store: Store,
) -> None:
    await store.write(partial(_add, status="running", driver="dead", epoch=1))

    assert len(await _driven(store)) == COUNT
