"""When the local dispatcher drives a thing again: asked for meanwhile, after failures, and not."""

import asyncio
import logging
import time
from functools import partial

import pytest
from sqlalchemy import Connection, update
from test_local import add_run, nothing, status_is, store, until

from executor.dispatch import base
from executor.dispatch.local import LocalDispatcher
from executor.store import drives, ready, runs, tables
from executor.store.drives import Due
from executor.store.store import Store

__all__ = ["store"]  # the fixture


async def lets_go(store: Store, due: Due, driver: str, wake_in_s: float | None = None) -> None:
    """Claim it, and end it or let it wait a moment."""
    now = time.time()
    claim = await store.write(partial(drives.claim, due=due, driver=driver, now=now))
    assert claim is not None
    end = partial(drives.end_drive, claim=claim, now=now)
    if wake_in_s is None:
        assert await store.write(partial(end, status="succeeded"))
    else:
        waiting = partial(end, status="waiting", waiting_for="retry", wake_at=now + wake_in_s)
        assert await store.write(waiting)


async def test_what_is_asked_for_while_it_is_driven_is_driven_once_more(store: Store) -> None:
    goes_on, calls = asyncio.Event(), list[Due]()

    async def drive(due: Due, driver: str) -> None:
        calls.append(due)
        if len(calls) == 1:
            await lets_go(store, due, driver)
            await goes_on.wait()

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, nothing)
    await store.write(partial(add_run, run="run_a"))
    await dispatcher.start()
    await until(store, status_is("run_a", "succeeded"))
    dispatcher.submit(Due("run", "main", "run_a"))
    dispatcher.submit(Due("run", "main", "run_a"))
    goes_on.set()
    await until(store, lambda _: len(calls) > 1)
    await dispatcher.stop()

    assert len(calls) == 2


async def test_a_drive_that_comes_back_is_forgiven_what_broke_it_before(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    course = ["breaks", "waits"] * (base.MOST_FAILURES + 1) + ["ends"]

    async def drive(due: Due, driver: str) -> None:
        match course.pop(0):
            case "breaks":
                raise ZeroDivisionError
            case "waits":
                await lets_go(store, due, driver, 0.02)
            case _:
                await lets_go(store, due, driver)

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, nothing)
    await store.write(partial(add_run, run="run_a"))
    with caplog.at_level(logging.CRITICAL):
        await dispatcher.start()
        await until(store, status_is("run_a", "succeeded"))
    await dispatcher.stop()

    assert course == []


async def test_what_pauses_after_a_failure_is_not_driven_sooner_because_others_are(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "AGAIN_S", (60.0, 60.0))
    calls: list[str] = []

    async def drive(due: Due, driver: str) -> None:
        calls.append(due.id)
        if due.id == "run_bad":
            raise ZeroDivisionError
        await lets_go(store, due, driver)

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, nothing)
    await store.write(partial(add_run, run="run_bad"))
    with caplog.at_level(logging.CRITICAL):
        await dispatcher.start()
        await until(store, lambda _: bool(calls))
        for number in range(4):
            await store.write(partial(add_run, run=f"run_{number}"))
            dispatcher.submit(Due("run", "main", f"run_{number}"))
            await until(store, status_is(f"run_{number}", "succeeded"))
    await dispatcher.stop()

    assert calls == ["run_bad", *(f"run_{number}" for number in range(4))]


async def test_what_is_cut_off_by_an_orderly_end_is_free_at_once_and_counts_as_no_crash(
    store: Store,
) -> None:
    begun = asyncio.Event()

    async def drive(due: Due, driver: str) -> None:
        await store.write(partial(drives.claim, due=due, driver=driver, now=time.time()))
        begun.set()
        await asyncio.Event().wait()

    dispatcher = LocalDispatcher(store, drain_s=0.01)
    dispatcher.register("run", drive, nothing)
    await store.write(partial(add_run, run="run_a"))
    await dispatcher.start()
    await begun.wait()
    await dispatcher.stop()
    row = await store.read(partial(runs.get, tenant="main", run="run_a"))
    due = await store.read(partial(ready.due, now=time.time()))

    assert row is not None
    assert (row.status, row.recoveries, [each.crashes for each in due]) == ("queued", 0, [0])


async def test_suspects_are_driven_one_after_the_other_and_others_beside_them(
    store: Store,
) -> None:
    suspects, names = ("run_s0", "run_s1", "run_s2"), ("run_a", "run_b")
    driven, together = set[str](), list[frozenset[str]]()

    async def drive(due: Due, driver: str) -> None:
        driven.add(due.id)
        together.append(frozenset(driven))
        await asyncio.sleep(0.02)
        driven.remove(due.id)
        await lets_go(store, due, driver)

    def crashed(c: Connection) -> None:
        for run in (*suspects, *names):
            add_run(c, run)
        two = tables.runs.c.id.in_(suspects)
        c.execute(update(tables.runs).where(two).values(crashes=base.MOST_CRASHES - 1))

    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", drive, nothing)
    await store.write(crashed)
    await dispatcher.start()
    for run in (*suspects, *names):
        await until(store, status_is(run, "succeeded"))
    await dispatcher.stop()

    assert max(len(each & {*suspects}) for each in together) == 1
    assert max(len(each) for each in together) == 3
