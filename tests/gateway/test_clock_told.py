"""A machine's clock that is set after the start, or was wrong at it, is told of."""

import logging
import time
from functools import partial
from pathlib import Path

import pytest
from served import Running, serving, until

from executor.run import planning_events as e
from executor.run.perform import new_event
from executor.store import journal
from executor.store.store import Store
from gateway import clock_told
from gateway.clock_told import telling

YEAR_S = 365 * 86400.0


async def test_health_says_what_time_the_gateway_goes_by(running: Running) -> None:
    nobody = await running.person("nobody")
    before = time.time()
    told = (await nobody.get("/v1/health")).json()["time"]

    assert before - 2.0 < told < time.time() + 2.0


async def test_a_clock_that_is_set_after_the_start_is_told_once_for_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clock_told, "EVERY_S", 0.01)
    ahead_s = 0.0
    store = await Store.open(f"sqlite:///{tmp_path}/lamgate.db")

    async def count_is(count: int) -> bool:
        return len(caplog.records) == count

    with caplog.at_level(logging.WARNING, "lamgate.clock"):
        async with telling(store, lambda: time.time() + ahead_s):
            await until(partial(count_is, 0), "nothing is told of a clock that is right")
            ahead_s = YEAR_S
            await until(partial(count_is, 1), "it was set forward")
            ahead_s = -YEAR_S
            await until(partial(count_is, 2), "it was set back")
            ahead_s = 0.0
            await until(partial(count_is, 3), "it is right again")
    await store.close()

    first, then, right = (each.getMessage() for each in caplog.records)
    assert "365 days ahead of the time that the gateway goes by" in first
    assert "start it again if the machine's clock is right" in first
    assert "365 days behind" in then
    assert "agrees again" in right


async def test_a_start_by_a_clock_that_is_behind_the_journal_is_told(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    event = new_event(e.RequestReceived(text="later"))
    async with serving(config) as running:
        later = time.time() + YEAR_S
        await running.gateway.store.write(
            lambda c: journal.append(c, "main", "req_1", [event], later)
        )
    with caplog.at_level(logging.WARNING, "lamgate.clock"):
        async with serving(config):
            pass

    (told,) = [each.getMessage() for each in caplog.records]
    assert "the journal's newest event is 365 days ahead of this machine's clock" in told
