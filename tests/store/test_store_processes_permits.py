"""Two processes on one server ask for permits: stops, breakers and quotas are of both of them."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from store_cases import (
    NOW,
    TENANT,
    add_run,
    claimed,
    intent,
    new_run,
    take,
    tell,
    written,
)  # fmt: skip

from connectors.quota import Quota
from executor.breaker import FAILURES, PAUSE_S
from executor.store import (
    breakers,
    calls,
    drives,
    ready,
    stops,
)
from executor.store.drives import Due
from executor.store.permits import Blocked, Told
from executor.store.stops import StopRow
from executor.store.store import Store

T = TypeVar("T")


STOP = StopRow(TENANT, "stp_a", stops.ALL, "operator", "something is wrong", NOW)


RUN_C = drives.Due("run", TENANT, "run_c")


FAILED = Told("payments", "down", NOW)


@asynccontextmanager
async def in_mid_write(
    store: Store, work: Callable[[Connection], T]
) -> AsyncIterator["asyncio.Task[T]"]:
    """Inside, the work is done and not committed; its result is there afterwards."""
    is_done, may_end = threading.Event(), threading.Event()

    def held(c: Connection) -> T:
        found = work(c)
        is_done.set()
        may_end.wait(2.5)
        return found

    writing = asyncio.create_task(store.write(held))
    await asyncio.to_thread(is_done.wait, 10)
    try:
        yield writing
    finally:
        may_end.set()
        await writing


async def soon(task: "asyncio.Task[T]") -> bool:
    """Whether it ends while others are still in the middle of a write."""
    await asyncio.wait([task], timeout=0.5)
    return task.done()


async def test_a_stop_waits_for_the_intents_that_other_processes_are_just_writing(
    server_store: Store, other: Store
) -> None:
    claim = await server_store.write(new_run)

    def begin(c: Connection, step: str = "refund") -> Blocked | float:
        return written(c, claim, calls.record_intent, intent(step=step), NOW)

    async with in_mid_write(other, begin):
        stopping = asyncio.create_task(server_store.write(partial(stops.add, row=STOP)))
        went_ahead = await soon(stopping)

    assert not went_ahead
    assert await stopping == 1  # the call that is under way is counted
    assert await other.write(partial(begin, step="other")) == Blocked("stop")


async def test_no_run_goes_to_wait_for_a_stop_that_is_just_being_lifted(
    server_store: Store, other: Store
) -> None:
    await server_store.write(add_run)
    await server_store.write(partial(stops.add, row=STOP))

    def claim_and_begin(c: Connection) -> Blocked | float:
        return written(c, claimed(c), calls.record_intent, intent(), NOW)

    lift = partial(
        stops.lift, tenant=TENANT, stop=STOP.id, by="operator", reason="all is well", now=NOW
    )
    async with in_mid_write(server_store, lift):
        beginning = asyncio.create_task(other.write(claim_and_begin))
        await soon(beginning)

    assert isinstance(await beginning, float)


async def test_the_first_failures_that_two_processes_tell_at_once_are_both_counted(
    server_store: Store, other: Store
) -> None:
    failing = partial(tell, what=FAILED, now=NOW)
    async with in_mid_write(other, failing):
        telling = asyncio.create_task(server_store.write(failing))
        await soon(telling)
    await telling
    found = await server_store.read(lambda c: breakers.listed(c, TENANT))

    assert found["payments"].failures == 2


async def test_of_two_processes_that_would_try_a_service_again_one_does(
    server_store: Store, other: Store
) -> None:
    for number in range(FAILURES):
        what = Told("payments", "down", NOW + number / 100)
        await server_store.write(partial(tell, what=what, now=NOW))
    again = NOW + PAUSE_S
    trying = partial(take, connection="payments", allowed=None, now=again, trial_s=30.0)
    async with in_mid_write(other, trying):
        second = asyncio.create_task(server_store.write(trying))
        await soon(second)

    assert await second == Blocked("service", again + 30.0)


async def test_the_last_call_of_a_quota_is_begun_by_one_of_two_processes(
    server_store: Store, other: Store
) -> None:
    told = Told("payments", "answered", NOW, quota=Quota(1, 60.0))
    await server_store.write(partial(tell, what=told, now=NOW))
    taking = partial(take, connection="payments", allowed=None, now=NOW + 1, trial_s=1)
    async with in_mid_write(other, taking):
        beginning = asyncio.create_task(server_store.write(taking))
        await soon(beginning)

    assert await beginning == Blocked("rate_limit", NOW + 60)


async def test_who_finds_a_service_well_again_waits_for_no_other_run(
    server_store: Store, other: Store
) -> None:
    await server_store.write(new_run)
    held = await server_store.write(lambda c: new_run(c, "run_b"))
    waits = await server_store.write(lambda c: new_run(c, "run_c"))
    for number in range(20):
        what = Told("payments", "down", NOW + number / 100)
        await server_store.write(partial(tell, what=what, now=NOW))
    await server_store.write(
        partial(
            drives.end_drive, claim=waits, status="waiting", now=NOW, waiting_for="service",
            wake_at=NOW + 60,
        )
    )  # fmt: skip
    opened = (await server_store.read(lambda c: breakers.listed(c, TENANT)))["payments"]
    async with in_mid_write(other, partial(drives.hold, claim=held)):
        at = opened.until + 2
        well = Told("payments", "answered", at)
        taking = partial(take, connection="payments", allowed=None, now=at, trial_s=1)
        assert await server_store.write(taking) is None
        telling = asyncio.create_task(server_store.write(partial(tell, what=well, now=at)))
        went_ahead = await soon(telling)
    await telling
    after = (await server_store.read(lambda c: breakers.listed(c, TENANT)))["payments"]

    assert (opened.state, after.state) == ("open", "closed")
    assert went_ahead
    assert RUN_C in await server_store.read(partial(ready.due, now=at))


async def test_who_lifts_a_stop_and_who_drives_do_not_wait_for_each_other_crosswise(
    server_store: Store, other: Store
) -> None:
    claim = await other.write(new_run)
    await server_store.write(partial(stops.add, row=STOP))
    holds, lifting = threading.Event(), threading.Event()

    def drive(c: Connection) -> Blocked | None:
        drives.hold(c, claim)
        holds.set()
        assert lifting.wait(10.0)
        time.sleep(0.3)  # until it waits for this transaction, whatever for
        return take(c, "shop", None, NOW, 5.0)

    driving = asyncio.create_task(other.write(drive))
    await asyncio.to_thread(holds.wait)
    tries = 0

    def lift(c: Connection) -> list[Due] | None:
        nonlocal tries
        tries += 1
        lifting.set()
        return stops.lift(c, TENANT, STOP.id, "operator", "all is well", NOW)

    woken, blocked = await asyncio.gather(server_store.write(lift), driving)

    assert tries == 1  # the server had nothing to break off
    assert blocked == Blocked("stop")
    assert [due.id for due in woken or ()] == [claim.id]
