"""However many runs wait for the same, they are woken bit by bit, and all of them.

All of a hundred thousand in one transaction took a server longer than a statement may take.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from sqlalchemy import Connection, func, select, update
from store_cases import NOW, TENANT, add_run, claimed

from executor.store import drives, stops, waking
from executor.store.drives import RANKS, Due, LetGo
from executor.store.stops import ALL, StopRow
from executor.store.store import Store
from executor.store.tables import runs, wakes
from executor.store.waking import AT_ONCE

COUNT = 3 * AT_ONCE + 100
OTHER = "other"
LATER = NOW + 60.0


def add_waiting(c: Connection, waiting_for: str, count: int = COUNT, tenant: str = TENANT) -> None:
    """Runs that wait for something, the last the oldest, and one of the highest priority."""
    add_run(c, f"run_of_{tenant}", tenant=tenant)
    c.execute(update(runs).where(runs.c.tenant == tenant)
              .values(status="waiting", waiting_for=waiting_for))  # fmt: skip
    row = c.execute(select(runs).where(runs.c.tenant == tenant)).mappings().one()
    names = [f"run_{number:05}" for number in range(count - 1)]
    rows = [{**row, "id": each, "updated_at": NOW - at} for at, each in enumerate(names)]
    rows[0]["priority"] = RANKS["high"]
    c.execute(runs.insert(), rows)


def add_and_lift(c: Connection, tenant: str = TENANT) -> list[Due]:
    """A stop that is over."""
    stops.add(c, StopRow(tenant, "stp_a", ALL, "operator", "something is wrong", NOW))
    return stops.lift(c, tenant, "stp_a", "operator", "all is well", LATER) or []


def has_credentials(c: Connection) -> list[Due]:
    """Somebody has set a credential."""
    return waking.wake_waiting(c, "credentials", LATER, TENANT)


def asleep(c: Connection, tenant: str = TENANT) -> int:
    """How many runs were not woken."""
    mine = select(func.count()).select_from(runs).where(runs.c.tenant == tenant)
    return c.execute(mine.where(runs.c.wake_at.is_(None))).scalar_one()


def how_often(c: Connection) -> dict[int, int]:
    """How many runs were woken so often."""
    each = select(runs.c.wake_seq, func.count()).group_by(runs.c.wake_seq)
    return {row[0]: row[1] for row in c.execute(each)}


async def wake_on(store: Store, now: float = LATER) -> list[int]:
    """Go on until none is left; how many were asleep after each piece."""
    left = []
    while await store.write(partial(waking.wake_on, now=now)):
        left.append(await store.read(asleep))
    return left


@pytest.mark.parametrize(
    ("waiting_for", "wakes_them"), [("stop", add_and_lift), ("credentials", has_credentials)]
)
async def test_the_first_go_on_at_once_and_all_the_others_bit_by_bit(
    store: Store, waiting_for: str, wakes_them: Callable[[Connection], list[Due]]
) -> None:
    await store.write(partial(add_waiting, waiting_for=waiting_for))
    woken = await store.write(wakes_them)
    left = [await store.read(asleep), *await wake_on(store)]

    assert len(woken) == AT_ONCE
    assert Due("run", TENANT, "run_00000") in woken  # the highest
    assert Due("run", TENANT, f"run_{COUNT - 2:05}") in woken  # the oldest
    assert left[0] == COUNT - AT_ONCE
    assert left[-1] == 0
    assert max(before - after for before, after in pairwise(left)) <= AT_ONCE
    assert await store.read(how_often) == {1: COUNT}
    assert not await store.read(waking.is_to_wake_on)


async def test_as_many_as_are_woken_at_once_leave_nothing_to_do(store: Store) -> None:
    await store.write(partial(add_waiting, waiting_for="stop", count=AT_ONCE))
    await store.write(add_and_lift)

    assert await store.read(asleep) == 0
    assert not await store.read(waking.is_to_wake_on)
    assert not await store.write(partial(waking.wake_on, now=LATER))


async def test_whoever_opens_the_database_next_goes_on_with_what_is_to_be_woken(
    store: Store, url: str
) -> None:
    await store.write(partial(add_waiting, waiting_for="stop"))
    await store.write(add_and_lift)
    await store.write(partial(waking.wake_on, now=LATER))
    await store.close()
    again = await Store.open(url)

    assert await again.read(waking.is_to_wake_on)
    await wake_on(again)
    assert await again.read(asleep) == 0
    await again.close()


async def test_a_stop_of_all_tenants_wakes_the_runs_of_each_and_one_of_a_tenant_no_others(
    store: Store,
) -> None:
    for tenant in (TENANT, OTHER):
        await store.write(partial(add_waiting, waiting_for="stop", tenant=tenant))
    await store.write(add_and_lift)
    await wake_on(store)
    of_one = [await store.read(partial(asleep, tenant=each)) for each in (TENANT, OTHER)]
    await store.write(partial(stops.add, row=StopRow(ALL, "stp_b", ALL, "op", "again", NOW)))
    lift = partial(stops.lift, tenant=ALL, stop="stp_b", by="op", reason="over", now=LATER)
    await store.write(lift)
    await wake_on(store)

    assert of_one == [0, COUNT]
    assert await store.read(partial(asleep, tenant=OTHER)) == 0


async def test_what_is_said_to_wait_for_what_comes_before_is_woken_too_but_not_what_is_left(
    store: Store,
) -> None:
    await store.write(partial(add_waiting, waiting_for="reconcile"))
    left = Due("run", TENANT, "run_00001")
    claim = await store.write(partial(claimed, due=left))
    await store.write(lambda c: drives.let_go(c, [LetGo(claim, "reconcile", None, NOW, left=True)]))
    await store.write(add_and_lift)
    await wake_on(store)

    assert await store.read(asleep) == 1


async def test_what_waits_anew_since_it_was_woken_is_not_woken_again(store: Store) -> None:
    await store.write(partial(add_waiting, waiting_for="stop"))
    first = (await store.write(add_and_lift))[0]
    claim = await store.write(partial(claimed, due=first))
    await store.write(partial(waking.wake_on, now=LATER))
    page = await store.read(lambda c: c.execute(select(wakes.c.after_id)).scalar_one())
    again = LetGo(claim, "stop", None, LATER + 1)
    await store.write(partial(drives.let_go, ends=[again]))
    await wake_on(store)
    sleeps = await store.read(asleep)

    assert sleeps == (1 if first.id <= page else 0)
    assert not await store.read(waking.is_to_wake_on)


async def test_who_lifts_another_stop_meanwhile_wakes_what_was_passed_already(
    store: Store,
) -> None:
    await store.write(partial(add_waiting, waiting_for="stop"))
    await store.write(add_and_lift)
    for _ in range(4):  # of two reasons that nothing waits for, and then runs
        await store.write(partial(waking.wake_on, now=LATER))
    stop = StopRow(TENANT, "stp_b", ALL, "operator", "once more", NOW)
    await store.write(partial(stops.add, row=stop))
    to_sleep = update(runs).where(runs.c.tenant == TENANT).values(wake_at=None)
    await store.write(lambda c: c.execute(to_sleep).close())
    lift = partial(stops.lift, tenant=TENANT, stop="stp_b", by="op", reason="over", now=LATER)
    await store.write(lift)
    await wake_on(store)

    assert await store.read(asleep) == 0


async def test_a_run_that_another_process_holds_and_does_nothing_with_is_woken_all_the_same(
    server_store: Store, other: Store
) -> None:
    await server_store.write(partial(add_waiting, waiting_for="stop"))
    await server_store.write(add_and_lift)
    holds, is_over = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold_all(c: Connection) -> None:
        c.execute(select(runs.c.id).with_for_update()).all()
        loop.call_soon_threadsafe(holds.set)
        asyncio.run_coroutine_threadsafe(is_over.wait(), loop).result()
        raise ValueError("nothing comes of it")

    holding = asyncio.create_task(other.write(hold_all))
    await holds.wait()
    waking_on = asyncio.create_task(wake_on(server_store))
    await asyncio.sleep(0.2)
    is_over.set()
    with pytest.raises(ValueError, match="nothing comes"):
        await holding
    await waking_on

    assert await server_store.read(asleep) == 0


async def test_of_two_processes_one_wakes_at_a_time(server_store: Store, other: Store) -> None:
    await server_store.write(partial(add_waiting, waiting_for="stop"))
    await server_store.write(add_and_lift)
    await asyncio.gather(*(wake_on(each) for each in (server_store, other)))
    await wake_on(server_store)

    assert await server_store.read(how_often) == {1: COUNT}
