"""A server has taken over that lacks what a process has seen: it looks for that by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
from line import Line
from run_bench import Bench, once
from run_cases import accept, step
from servers import Server
from sqlalchemy import Connection, delete, update

from connectors.connector import Pending
from executor.dispatch import distributed
from executor.dispatch.distributed import DistributedDispatcher
from executor.store import tables
from executor.store.drives import Due
from executor.store.errors import StoreError
from executor.store.store import Store

WITHIN_S = 30.0
PLAN = accept(step("a", "blind"), step("b", "blind", after=["a"]))


@pytest.fixture
async def at_work(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Bench, Line]]:
    monkeypatch.setattr(distributed, "BEAT_S", 0.1)
    store = await Store.open(postgres.new_database())
    found, line = Bench(store), Line()
    found.service.handlers["b"] = once(Pending("job-1"), Pending("job-2"))
    worker, machine = DistributedDispatcher(store, lambda _: line), found.machine
    worker.register("run", machine.drive, machine.put_aside, machine.halt, machine.look_back)
    await worker.start()
    yield found, line
    await worker.stop()
    await found.close()
    await store.close()


def lose(c: Connection, due: Due) -> None:
    """As a standby would hold it that lacks the last commits."""
    c.execute(
        delete(tables.events).where(tables.events.c.subject == due.id, tables.events.c.seq > 1)
    )
    c.execute(delete(tables.attempts).where(tables.attempts.c.run == due.id))


async def has_ended(bench: Bench, due: Due) -> None:
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            if (await bench.row(due)).has_ended:
                return
        except StoreError:
            assert time.monotonic() < deadline
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("another_answers", [False, True], ids=["an older lease", "another server"])
async def test_what_waits_and_was_lost_in_part_is_put_aside_before_anybody_drives_it_again(
    at_work: tuple[Bench, Line], postgres: Server, another_answers: bool
) -> None:
    bench, line = at_work
    lost, kept = await bench.add(PLAN), await bench.add(PLAN)
    for due in (lost, kept):
        await line.takes(due)
    await bench.store.write(partial(lose, due=lost))
    if another_answers:
        await asyncio.to_thread(postgres.stop)
        await asyncio.to_thread(postgres.start)
    else:
        lease = tables.workers.c.lease_until
        earlier = update(tables.workers).values(lease_until=lease - 2.0)
        await bench.store.write(lambda c: c.execute(earlier))
    await has_ended(bench, lost)
    row, end, other = await bench.row(lost), await bench.finished(lost), await bench.row(kept)

    assert (row.status, row.code) == ("quarantined", "journal-lost")
    assert (end.standing, end.uncertain) == (["a"], ["b"])
    assert other.status == "waiting"
    assert [bench.service.calls(each) for each in "ab"] == [2, 2]
