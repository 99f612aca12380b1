"""A drive whose end the server has lost: the row is said to be driven, and is not."""

import asyncio
import time
from functools import partial

import pytest
from line import Line, add
from servers import Server

from executor.dispatch import distributed
from executor.dispatch.distributed import DistributedDispatcher
from executor.store import drives, ready
from executor.store.drives import Due
from executor.store.store import Store

PATIENCE_S = 30.0


async def test_what_a_living_process_is_said_to_drive_and_does_not_is_driven_again(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "SWEEP_S", 0.2)
    store, line = await Store.open(postgres.new_database()), Line()
    await store.write(lambda c: add(c, ["run_lost", "run_driven"]))
    worker = DistributedDispatcher(store, lambda _: line)
    goes_on = asyncio.Event()

    async def drive(due: Due, driver: str) -> None:
        await store.write(partial(drives.claim, due=due, driver=driver, now=store.clock()))
        await goes_on.wait()

    async def nothing(due: Due, driver: str, error: Exception) -> None:
        raise AssertionError(f"{due} was to be driven: {error}")

    worker.register("run", drive, nothing, goes_on.set)
    await worker.start()
    driven = asyncio.create_task(line.takes(Due("run", "main", "run_driven")))
    lost = partial(drives.claim, due=Due("run", "main", "run_lost"), driver=worker.worker, now=1.0)
    claim = await store.write(lost)
    deadline = time.monotonic() + PATIENCE_S
    while "run:main:run_lost:2" not in line.jobs:
        assert time.monotonic() < deadline, line.jobs
        await asyncio.sleep(0.05)
    still = await store.read(lambda c: ready.generation(c, Due("run", "main", "run_driven"), 9e9))
    over = None if claim is None else await store.read(partial(drives.standing, claim=claim))
    await worker.stop()
    await driven
    await store.close()

    assert (claim is not None, over, still) == (True, None, None)
