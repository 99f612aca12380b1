"""The local dispatcher goes on, also where putting something aside or a look at all breaks."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text, update

from executor.dispatch import base, local
from executor.dispatch.base import MOST_CRASHES
from executor.dispatch.local import LocalDispatcher
from executor.store import drives, plans, runs, tables
from executor.store.drives import Due
from executor.store.store import Store

PATIENCE_S = 10.0


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setattr(base, "AGAIN_S", (0.01, 0.02))
    monkeypatch.setattr(local, "LONGEST_SLEEP_S", 0.05)
    opened = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    yield opened
    await opened.close()


def _add(c: Connection, tenant: str = "main") -> None:
    now = time.time()
    plans.add(c, plans.PlanRow(tenant, "pln_a", "sha256:0", "asker", None, {"language": 1}, now))
    runs.create(c, tenant=tenant, run="run_a", plan="pln_a", requester="asker", now=now)


async def _until(claim: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("crashes", [0, MOST_CRASHES])
async def test_what_could_not_be_put_aside_is_put_aside_later_and_not_driven_meanwhile(
    crashes: int, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    driven, parked = list[Due](), list[Due]()
    troubles = [ZeroDivisionError(), ZeroDivisionError()]

    async def drive(due: Due, driver: str) -> None:
        driven.append(due)
        raise ValueError("it breaks")

    async def park(due: Due, driver: str, error: Exception) -> None:
        if troubles:
            raise troubles.pop()
        now = time.time()
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
        assert claim is not None
        await store.write(partial(drives.end_drive, claim=claim, status="quarantined", now=now))
        parked.append(due)

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, park)
    await store.write(_add)
    await store.write(lambda c: c.execute(update(tables.runs).values(crashes=crashes)))
    with caplog.at_level(logging.CRITICAL):
        await dispatcher.start()
        await _until(lambda: parked)
        await dispatcher.stop()

    assert parked == [Due("run", "main", "run_a")]
    assert (crashes > 0) == (driven == [])


async def test_a_look_for_what_is_due_that_breaks_is_told_and_the_next_one_finds_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    driven = list[str]()

    async def drive(due: Due, driver: str) -> None:
        now = time.time()
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
        if claim is not None:
            driven.append(due.tenant)
            await store.write(partial(drives.end_drive, claim=claim, status="succeeded", now=now))

    async def nothing(due: Due, *_: object) -> None:
        raise AssertionError(f"{due} was to be driven")

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, nothing)
    await store.write(_add)
    await store.write(partial(_add, tenant="other"))
    spoil = text("UPDATE runs SET updated_at = 'no time' WHERE tenant = 'other'")
    await store.write(lambda c: c.execute(spoil))
    await dispatcher.start()
    await _until(lambda: "TypeError" in caplog.text)
    mend = text("UPDATE runs SET updated_at = 0.0 WHERE tenant = 'other'")
    await store.write(lambda c: c.execute(mend))
    await _until(lambda: sorted(driven) == ["main", "other"])
    await dispatcher.stop()

    assert "cannot look for what is due" in caplog.text
