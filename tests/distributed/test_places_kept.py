"""A drive that breaks, of something that cannot be put aside either, keeps no place from others."""

import asyncio
import logging
import time
from functools import partial

import pytest
from line import Line, add
from servers import Server
from sqlalchemy import update

from executor.dispatch import base, distributed
from executor.dispatch.base import MOST_CRASHES
from executor.dispatch.distributed import DistributedDispatcher
from executor.store import drives, ready, runs, tables
from executor.store.drives import Due
from executor.store.errors import NewerSchemaError, StoreError
from executor.store.runs import RunRow
from executor.store.store import Store

WITHIN_S = 20.0
WHAT = Due("run", "main", "run_a")


async def _until(line: Line, job: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while job not in line.jobs:
        assert time.monotonic() < deadline, line.jobs
        await asyncio.sleep(0.02)


async def _until_stuck(line: Line, store: Store) -> RunRow:
    """The row, once it says so; a database that is slow to answer is asked again."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        await asyncio.wait_for(line.takes(WHAT), WITHIN_S)
        row = await store.read(lambda c: runs.get(c, "main", WHAT.id))
        assert row is not None
        if row.code == "drive-stuck":
            return row
        assert time.monotonic() < deadline, row


@pytest.mark.parametrize("breaks_before_it_has_claimed", [False, True])
@pytest.mark.parametrize("error", [ValueError("a mistake of ours"), StoreError("no such column")])
async def test_what_breaks_and_cannot_be_put_aside_is_given_back_and_tried_again(
    error: Exception,
    breaks_before_it_has_claimed: bool,
    postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(base, "AGAIN_S", (0.01, 0.05))
    monkeypatch.setattr(distributed, "SWEEP_S", 0.2)
    store, line, is_well = await Store.open(postgres.new_database()), Line(), False
    await store.write(lambda c: add(c, [WHAT.id]))
    worker = DistributedDispatcher(store, lambda _: line)

    async def drive(due: Due, driver: str) -> None:
        if breaks_before_it_has_claimed and not is_well:
            raise error
        ask = partial(drives.claim, due=due, driver=driver, now=store.clock())
        claim = await store.write(ask)
        if not is_well:
            raise error
        assert claim is not None
        end = partial(drives.end_drive, claim=claim, status="succeeded", now=store.clock())
        await store.write(end)

    async def park(due: Due, driver: str, error: Exception) -> None:
        raise ValueError("what breaks the drive breaks this as well")

    worker.register("run", drive, park)
    with caplog.at_level(logging.ERROR, "lamgate.dispatch"):
        await worker.start()
        row = await _until_stuck(line, store)
        stuck = await store.read(partial(ready.stuck, now=store.clock()))
        await _until(line, f"run:main:run_a:{row.epoch + 1}")
    is_well = True
    await asyncio.wait_for(line.takes(WHAT), WITHIN_S)
    after = await store.read(lambda c: runs.get(c, "main", WHAT.id))
    await worker.stop()
    await store.close()

    said = [each.getMessage() for each in caplog.records if "aside" in each.getMessage()]
    told = "drive-stuck: run run_a cannot be driven and could not be put aside: it is tried again"
    assert {*said} == {told}
    assert stuck == 1
    assert after is not None
    assert (after.status, after.recoveries, after.code) == ("succeeded", 0, None)


async def test_what_has_killed_three_and_cannot_be_put_aside_is_not_tried_without_a_pause(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "SWEEP_S", 0.5)
    store, line, tries = await Store.open(postgres.new_database()), Line(), list[float]()
    await store.write(lambda c: add(c, [WHAT.id]))
    await store.write(lambda c: c.execute(update(tables.runs).values(crashes=MOST_CRASHES)))
    worker = DistributedDispatcher(store, lambda _: line)

    async def drive(due: Due, driver: str) -> None:
        raise AssertionError(f"{due} has killed three")

    async def park(due: Due, driver: str, error: Exception) -> None:
        tries.append(time.monotonic())
        raise ValueError("it breaks this as well")

    worker.register("run", drive, park)
    await worker.start()
    jobs = {*line.jobs}
    await line.takes(WHAT)
    asked_at_once = line.jobs - jobs
    await _until(line, "run:main:run_a:2")
    await line.takes(WHAT)
    row = await store.read(lambda c: runs.get(c, "main", WHAT.id))
    await worker.stop()
    await store.close()

    assert asked_at_once <= {"run:main:run_a:0"}
    assert len(tries) == 2
    assert row is not None
    assert row.status == "running"  # as far as others can see


async def test_what_only_a_newer_version_can_read_is_not_put_aside_by_an_older_one(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "AGAIN_S", (0.01, 0.05))
    store, line, parked = await Store.open(postgres.new_database()), Line(), list[Due]()
    await store.write(lambda c: add(c, [WHAT.id]))
    worker = DistributedDispatcher(store, lambda _: line)

    async def drive(due: Due, driver: str) -> None:
        raise NewerSchemaError("the journal tells of what this version does not know")

    async def park(due: Due, driver: str, error: Exception) -> None:
        parked.append(due)

    worker.register("run", drive, park)
    await worker.start()
    row = await _until_stuck(line, store)
    await worker.stop()
    await store.close()

    assert parked == []
    assert not row.has_ended
