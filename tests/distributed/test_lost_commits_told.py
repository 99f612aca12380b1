"""What a server has lost, though it had said to be kept: whoever lives through it says so."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from line import Line
from servers import Server
from sqlalchemy import delete, update

from executor.dispatch import distributed
from executor.dispatch.distributed import DistributedDispatcher
from executor.dispatch.lease import LOST_COMMITS
from executor.store import tables
from executor.store.store import Store

WITHIN_S = 20.0
AtWork = tuple[Store, DistributedDispatcher]


@pytest.fixture
async def at_work(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[AtWork]:
    monkeypatch.setattr(distributed, "BEAT_S", 0.1)
    store = await Store.open(postgres.new_database())
    worker = DistributedDispatcher(store, lambda _: Line())
    with caplog.at_level(logging.ERROR, "lamgate.dispatch"):
        await worker.start()
        yield store, worker
    await worker.stop()
    await store.close()


async def _beats(worker: DistributedDispatcher, count: int) -> None:
    """Wait until the process has renewed its lease so often."""
    deadline = time.monotonic() + WITHIN_S
    while count:
        before = worker.lease_ends()
        while worker.lease_ends() == before:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        count -= 1


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if LOST_COMMITS in each.getMessage()]


async def test_a_server_that_has_lost_a_renewed_lease_is_told_of_once_and_what_to_do(
    at_work: AtWork, caplog: pytest.LogCaptureFixture
) -> None:
    store, worker = at_work
    await _beats(worker, 5)
    before = _told(caplog)
    # As a standby would hold it that lacks the last commits.
    earlier = update(tables.workers).values(lease_until=tables.workers.c.lease_until - 2.0)
    await store.write(lambda c: c.execute(earlier))
    await _beats(worker, 5)
    told = _told(caplog)

    assert before == []
    assert len(told) == 1
    assert "lamgate stop --all-tenants" in told[0]


async def test_a_process_that_was_buried_and_goes_on_tells_of_no_lost_commits(
    at_work: AtWork, caplog: pytest.LogCaptureFixture
) -> None:
    store, worker = at_work
    await _beats(worker, 2)
    await store.write(lambda c: c.execute(delete(tables.workers)))
    await _beats(worker, 5)

    assert _told(caplog) == []
