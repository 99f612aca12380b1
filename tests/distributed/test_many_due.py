"""However many runs are due at once, a process keeps its lease, and remembers little."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
from line import Line, add
from servers import Server

from executor.dispatch import asking, distributed
from executor.dispatch.base import MOST_ASKING
from executor.dispatch.distributed import DistributedDispatcher
from executor.dispatch.lease import LEASE_S
from executor.dispatch.queue import Job
from executor.store import tables, waking
from executor.store.store import Store

PATIENCE_S = 30.0


@pytest.fixture
async def store(postgres: Server) -> AsyncIterator[Store]:
    opened = await Store.open(postgres.new_database())
    yield opened
    await opened.close()


async def test_the_lease_lasts_while_hundreds_of_jobs_are_asked_for_and_the_queue_is_swept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "SWEEP_S", 0.1)
    names = [f"run_{number}" for number in range(150)]
    await store.write(lambda c: add(c, names))
    line = Line(takes_s=1.5 * LEASE_S / len(names), sweeps_s=2 * LEASE_S)
    dispatcher = DistributedDispatcher(store, lambda _: line)
    await dispatcher.start()
    deadline, left = time.monotonic() + PATIENCE_S, list[float]()
    while len(line.jobs) < len(names):
        left.append(dispatcher.lease_ends() - time.monotonic())
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await dispatcher.stop()

    assert min(left) > 0


async def test_of_very_many_wakes_few_are_seen_to_at_once_and_all_are_asked_for(
    store: Store,
) -> None:
    names = [f"run_{number}" for number in range(900)]
    woken = await store.write(lambda c: add(c, names))
    line = Line()
    dispatcher = DistributedDispatcher(store, lambda _: line)
    await dispatcher.start()
    before = len(asyncio.all_tasks())
    for due in woken:
        dispatcher.submit(due)
    at_once = len(asyncio.all_tasks()) - before
    deadline = time.monotonic() + PATIENCE_S
    while len(line.jobs) < len(names):
        assert time.monotonic() < deadline, len(line.jobs)
        await asyncio.sleep(0.05)
    await dispatcher.stop()

    assert at_once <= MOST_ASKING


async def test_a_gateway_that_drives_nothing_forgets_what_it_has_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ASKED_AGAIN_S", 0.1)
    monkeypatch.setattr(distributed, "BEAT_S", 0.1)
    woken = await store.write(lambda c: add(c, ["run_a", "run_b"]))
    line = Line()
    gc.collect()  # what other tests have left
    gateway = DistributedDispatcher(store, lambda _: line, drives_here=False)
    await gateway.start()
    for due in woken:
        gateway.submit(due)
    deadline = time.monotonic() + PATIENCE_S
    while len(line.jobs) < len(woken) or any(isinstance(each, Job) for each in gc.get_objects()):
        assert time.monotonic() < deadline
        await store.write(lambda c: None)  # the writer remembers what it did last
        await asyncio.sleep(0.05)
    await gateway.stop()

    assert len(line.jobs) == len(woken)


async def test_what_is_to_be_woken_bit_by_bit_is_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "AT_ONCE", 7)
    names = [f"run_{number}" for number in range(40)]
    await store.write(lambda c: add(c, names))
    asleep = tables.runs.update().values(status="waiting", waiting_for="stop")
    await store.write(lambda c: c.execute(asleep).close())
    line = Line()
    dispatcher = DistributedDispatcher(store, lambda _: line)
    await dispatcher.start()
    woken = await store.write(partial(waking.wake_waiting, waiting_for="stop", now=store.clock()))
    deadline = time.monotonic() + PATIENCE_S
    while len(line.jobs) < len(names):
        assert time.monotonic() < deadline, len(line.jobs)
        await asyncio.sleep(0.05)
    await dispatcher.stop()

    assert len(woken) == 7
