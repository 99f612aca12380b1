"""However many suspects are due, what is none is found beside them."""

import asyncio
import time
from pathlib import Path

from line import Line, add
from servers import Server
from sqlalchemy import Connection, update

from executor.dispatch.base import MOST_CRASHES
from executor.dispatch.distributed import DistributedDispatcher
from executor.dispatch.local import LocalDispatcher
from executor.store import tables
from executor.store.drives import Due
from executor.store.ready import MOST_DUE
from executor.store.store import Store

WITHIN_S = 20.0
LATER = "run_later"


def _suspects_and_one_more(c: Connection) -> None:
    """More suspects than are looked at together, and a run whose time comes after them."""
    add(c, [*(f"run_suspect_{number}" for number in range(MOST_DUE + 1)), LATER])
    runs = tables.runs
    c.execute(update(runs).where(runs.c.id != LATER).values(crashes=MOST_CRASHES - 1))
    now = time.time()
    late = {"status": "waiting", "wake_at": now, "updated_at": now + 1}
    c.execute(update(runs).where(runs.c.id == LATER).values(**late))


async def test_more_suspects_than_are_looked_at_together_keep_no_other_run_from_being_asked_for(
    postgres: Server,
) -> None:
    store, line = await Store.open(postgres.new_database()), Line()
    await store.write(_suspects_and_one_more)
    worker = DistributedDispatcher(store, lambda _: line)
    await worker.start()
    deadline = time.monotonic() + WITHIN_S
    while f"run:main:{LATER}:0" not in line.jobs:  # nobody takes the suspects' jobs
        assert time.monotonic() < deadline, len(line.jobs)
        await asyncio.sleep(0.05)
    await worker.stop()
    await store.close()

    assert len([each for each in line.jobs if "suspect" in each]) >= 1


async def test_in_one_process_a_suspect_that_takes_long_keeps_no_other_run_from_being_driven(
    tmp_path: Path,
) -> None:
    store = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    await store.write(_suspects_and_one_more)
    suspects, later, over = list[str](), asyncio.Event(), asyncio.Event()

    async def drive(due: Due, driver: str) -> None:
        if due.id == LATER:
            later.set()
        else:
            suspects.append(due.id)
            await over.wait()

    async def nothing(due: Due, *_: object) -> None:
        raise AssertionError(f"{due} was to be driven")

    dispatcher = LocalDispatcher(store, concurrency=4)
    dispatcher.register("run", drive, nothing, over.set)
    await dispatcher.start()
    await asyncio.wait_for(later.wait(), WITHIN_S)
    await dispatcher.stop()
    await store.close()

    assert len(suspects) == 1
