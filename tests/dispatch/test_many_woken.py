"""Of thousands of runs that are woken together few are seen to at once, and all are driven."""

import asyncio
import time
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from executor.dispatch.base import MOST_ASKING
from executor.dispatch.local import LocalDispatcher
from executor.store import drives, plans, runs
from executor.store.drives import Due
from executor.store.store import Store

COUNT, PLACES = 2_000, 8


def _add(c: Connection) -> list[Due]:
    now = time.time()
    plans.add(c, plans.PlanRow("main", "pln_a", "sha256:0", "asker", None, {"language": 1}, now))
    names = [f"run_{number}" for number in range(COUNT)]
    made = [
        runs.create(c, tenant="main", run=each, plan="pln_a", requester="asker", now=now)
        for each in names
    ]
    return [Due(each.kind, each.tenant, each.id) for each in made]  # as one that was woken


async def test_a_burst_of_wakes_is_a_few_questions_to_the_store(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    driven = set[str]()

    async def drive(due: Due, driver: str) -> None:
        now = time.time()
        claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
        if claim is not None:
            await store.write(partial(drives.end_drive, claim=claim, status="succeeded", now=now))
            driven.add(due.id)

    async def nothing(due: Due, *_: object) -> None:
        raise AssertionError(f"{due} was to be driven")

    dispatcher = LocalDispatcher(store, concurrency=PLACES)
    dispatcher.register("run", drive, nothing)
    woken = await store.write(_add)
    await dispatcher.start()
    before = len(asyncio.all_tasks())
    for due in woken:
        dispatcher.submit(due)
    at_once = len(asyncio.all_tasks()) - before
    deadline = time.monotonic() + 60.0
    while len(driven) < COUNT:
        assert time.monotonic() < deadline, len(driven)
        await asyncio.sleep(0.05)
    await dispatcher.stop()
    await store.close()

    assert at_once <= MOST_ASKING + PLACES
