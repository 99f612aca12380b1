"""Whose run is driven next: one tenant's thousand never keep another's one waiting."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from executor.dispatch.base import MOST_CRASHES
from executor.dispatch.local import LocalDispatcher
from executor.store import drives, plans, ready, runs, tables
from executor.store.drives import RANKS, Due, Priority
from executor.store.store import Store

MANY = 1000
PATIENCE_S = 30.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    yield opened
    await opened.close()


def add(c: Connection, tenant: str, run: str, priority: Priority = "normal") -> Due:
    now = time.time()
    if plans.get(c, tenant, "pln_a") is None:
        row = plans.PlanRow(tenant, "pln_a", "sha256:0", "requester", None, {"language": 1}, now)
        plans.add(c, row)
    return runs.create(
        c, tenant=tenant, run=run, plan="pln_a", requester="requester", now=now, priority=priority
    )


class Driven:
    """Ends every run at once, and notes in which order their turns came."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.order: list[Due] = []

    async def drive(self, due: Due, driver: str) -> None:
        now = time.time()
        claim = await self.store.write(partial(drives.claim, due=due, driver=driver, now=now))
        if claim is None:
            return  # it was found as due in the moment in which it was driven
        self.order.append(due)
        await self.store.write(partial(drives.end_drive, claim=claim, status="succeeded", now=now))

    async def until(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.order) < count:
            assert time.monotonic() < deadline, len(self.order)
            await asyncio.sleep(0.01)

    async def nothing(self, due: Due, driver: str, error: Exception) -> None:
        raise AssertionError(f"{due} was to be driven: {error}")


def dispatcher(driven: Driven) -> LocalDispatcher:
    made = LocalDispatcher(driven.store, concurrency=4)
    made.register("run", driven.drive, driven.nothing)
    return made


async def test_after_a_start_a_tenant_with_one_run_waits_for_none_of_another_s_thousand(
    store: Store,
) -> None:
    def fill(c: Connection) -> None:
        for number in range(MANY + 200):  # more than are looked at together
            add(c, "many", f"run_{number}")
        add(c, "one", "run_one")

    await store.write(fill)
    driven = Driven(store)
    found = dispatcher(driven)
    await found.start()
    await driven.until(10)
    await found.stop()

    assert "one" in [due.tenant for due in driven.order[:2]]


async def test_a_tenant_that_comes_later_is_next(store: Store) -> None:
    def fill(c: Connection) -> None:
        for number in range(MANY):
            add(c, "many", f"run_{number}")

    await store.write(fill)
    driven = Driven(store)
    found = dispatcher(driven)
    await found.start()
    await driven.until(5)
    due = await store.write(partial(add, tenant="one", run="run_one"))
    before = len(driven.order)
    found.submit(due)
    await driven.until(before + 10)
    await found.stop()

    assert "one" in [due.tenant for due in driven.order[before : before + 6]]


class Held:
    """Drives that hold their places until it is all over, and what has begun."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.going: set[str] = set()
        self.over = asyncio.Event()
        self.found = LocalDispatcher(store, concurrency=4)
        self.found.register("run", self._hold, Driven(store).nothing)

    async def _hold(self, due: Due, driver: str) -> None:
        self.going.add(due.id)
        await self.over.wait()

    async def begins(self, run: str, tenant: str = "main", priority: Priority = "normal") -> None:
        """A run is asked for."""
        made = partial(add, tenant=tenant, run=run, priority=priority)
        self.found.submit(await self.store.write(made))

    async def until(self, *wanted: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self.going >= {*wanted}:
            assert time.monotonic() < deadline, self.going
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.over.set()
        await self.found.stop()


@pytest.fixture
async def held(store: Store) -> AsyncIterator[Held]:
    made = Held(store)
    await made.found.start()
    yield made
    await made.stop()


async def test_a_tenant_that_drives_nothing_waits_for_no_drive_of_those_that_fill_all_places(
    held: Held,
) -> None:
    for number in range(20):
        await held.begins(f"run_{number}", "many")
    await held.until(*(f"run_{number}" for number in range(4)))
    for tenant in ("one", "two"):
        for run in ("first", "second"):
            await held.begins(f"run_{tenant}_{run}", tenant)
    await held.until("run_one_first", "run_two_first")

    assert len(held.going) == 6, "the others have filled their places, and have one each besides"


async def test_what_is_more_urgent_than_all_that_fill_the_places_waits_for_none_of_them(
    held: Held,
) -> None:
    for number in range(20):
        await held.begins(f"run_low_{number}", priority="low")
    await held.until(*(f"run_low_{number}" for number in range(4)))
    await held.begins("run_urgent", priority="high")
    await held.until("run_urgent")
    for priority in RANKS:
        await held.begins(f"run_{priority}_later", priority=priority)
    await asyncio.sleep(0.1)

    assert len(held.going) == 5, "of what is as urgent as the fifth, or less, none has a place more"


async def test_what_was_woken_and_nobody_has_ranked_keeps_nothing_that_is_urgent_waiting(
    held: Held,
) -> None:
    for number in range(4):
        await held.store.write(partial(add, tenant="main", run=f"run_{number}", priority="low"))
        held.found.submit(Due("run", "main", f"run_{number}"))  # as whoever approves says it
    await held.until(*(f"run_{number}" for number in range(4)))
    await held.begins("run_normal")
    await held.begins("run_high", priority="high")
    await held.until("run_normal", "run_high")
    for priority in RANKS:
        await held.begins(f"run_{priority}_more", priority=priority)
    await asyncio.sleep(0.1)

    assert len(held.going) == 6


async def test_priorities_order_the_runs_of_one_tenant_and_never_those_of_two(
    store: Store,
) -> None:
    def fill(c: Connection) -> None:
        for priority in ("low", "normal", "high"):
            for number in range(3):
                add(c, "urgent", f"run_{priority}_{number}", priority)
        add(c, "calm", "run_calm", "low")

    await store.write(fill)
    found = await store.read(partial(ready.due, now=time.time()))
    urgent = [due.id for due in found if due.tenant == "urgent"]

    assert urgent == [f"run_{name}_{number}" for name in RANKS for number in range(3)]
    assert "calm" in [due.tenant for due in found[:2]]


async def test_what_is_low_has_a_turn_while_more_comes_that_is_high_than_can_be_driven(
    store: Store,
) -> None:
    driven = Driven(store)
    found = LocalDispatcher(store, concurrency=1)
    count = 0

    async def drive(due: Due, driver: str) -> None:
        nonlocal count
        for _ in range(2):
            count += 1
            made = partial(add, tenant="main", run=f"run_{count}", priority="high")
            found.submit(await store.write(made))
        await driven.drive(due, driver)

    def fill(c: Connection) -> None:
        add(c, "main", "run_first", "high")
        for number in range(3):
            add(c, "main", f"run_low_{number}", "low")

    await store.write(fill)
    found.register("run", drive, driven.nothing)
    await found.start()
    await driven.until(40)
    await found.stop()

    low = [place for place, due in enumerate(driven.order) if "low" in due.id]
    assert low == [10, 20, 30]


async def test_the_first_of_each_priority_is_found_however_much_there_is_of_another(
    store: Store,
) -> None:
    def fill(c: Connection) -> None:
        add(c, "main", "run_low", "low")
        for number in range(MANY + 200):  # more than are looked at together
            add(c, "main", f"run_{number}", "high")

    await store.write(fill)
    found = await store.read(partial(ready.due, now=time.time()))

    assert "run_low" in [due.id for due in found]


async def test_a_run_that_is_woken_keeps_its_priority(store: Store) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()
    driven = Driven(store)

    async def drive(due: Due, driver: str) -> None:
        if due.id == "run_long":
            begun.set()
            await goes_on.wait()
        await driven.drive(due, driver)

    found = LocalDispatcher(store, concurrency=1)
    found.register("run", drive, driven.nothing)
    await store.write(partial(add, tenant="main", run="run_long", priority="high"))
    await found.start()
    await begun.wait()
    for name in ("low", "normal", "high"):
        await store.write(partial(add, tenant="main", run=f"run_{name}", priority=name))
        found.submit(Due("run", "main", f"run_{name}"))  # as whoever approves, or cancels, says it
    await asyncio.sleep(0.1)
    goes_on.set()
    await driven.until(4)
    await found.stop()

    assert [due.id for due in driven.order] == ["run_long", "run_high", "run_normal", "run_low"]


async def test_what_is_woken_before_anything_is_driven_keeps_its_priority(store: Store) -> None:
    driven = Driven(store)
    found = LocalDispatcher(store, concurrency=1)
    found.register("run", driven.drive, driven.nothing)
    for name in ("low", "normal", "high"):
        await store.write(partial(add, tenant="main", run=f"run_{name}", priority=name))
        found.submit(Due("run", "main", f"run_{name}"))
    await found.start()
    await driven.until(3)
    await found.stop()

    assert [due.id for due in driven.order] == ["run_high", "run_normal", "run_low"]


async def test_a_new_run_waits_for_one_of_those_that_go_on_of_its_tenant_and_each_other_new_one(
    store: Store,
) -> None:
    begun, goes_on, driven = asyncio.Event(), asyncio.Event(), Driven(store)

    async def drive(due: Due, driver: str) -> None:
        begun.set()
        await goes_on.wait()
        await driven.drive(due, driver)

    def fill(c: Connection) -> None:
        for number in range(6):
            add(c, "main", f"run_old_{number}")
        c.execute(update(tables.runs).values(epoch=3))

    await store.write(fill)
    found = LocalDispatcher(store, concurrency=1)
    found.register("run", drive, driven.nothing)
    await found.start()
    await begun.wait()
    for name in ("run_new_0", "run_new_1"):
        found.submit(await store.write(partial(add, tenant="main", run=name)))
    goes_on.set()
    await driven.until(8)
    await found.stop()

    order = [due.id for due in driven.order]
    assert (order.index("run_new_0"), order.index("run_new_1")) in ((1, 3), (2, 4))
    assert [each for each in order if "old" in each] == [f"run_old_{n}" for n in range(6)]


async def test_a_suspect_has_its_turn_however_much_there_is_that_is_none(store: Store) -> None:
    driven = Driven(store)

    def fill(c: Connection) -> None:
        for number in range(20):
            add(c, "many", f"run_{number}")
        add(c, "one", "run_suspect")
        suspect = tables.runs.c.id == "run_suspect"
        c.execute(update(tables.runs).where(suspect).values(crashes=MOST_CRASHES - 1))

    await store.write(fill)
    found = LocalDispatcher(store, concurrency=1)
    found.register("run", driven.drive, driven.nothing)
    await found.start()
    await driven.until(21)
    await found.stop()

    assert "run_suspect" in [due.id for due in driven.order[:2]]


async def test_a_suspect_that_is_woken_before_it_is_found_is_not_driven_beside_another_one(
    store: Store,
) -> None:
    at_once, most = set[str](), list[int]()
    driven = Driven(store)

    async def drive(due: Due, driver: str) -> None:
        at_once.add(due.id)
        most.append(len(at_once))
        await asyncio.sleep(0.02)
        at_once.remove(due.id)
        await driven.drive(due, driver)

    def fill(c: Connection) -> None:
        for number in range(3):
            add(c, "main", f"run_{number}")
        c.execute(update(tables.runs).values(crashes=MOST_CRASHES - 1))

    await store.write(fill)
    found = LocalDispatcher(store, concurrency=4)
    found.register("run", drive, driven.nothing)
    await found.start()
    for number in range(3):
        found.submit(Due("run", "main", f"run_{number}"))  # as whoever approves, or cancels
    await driven.until(3)
    await found.stop()

    assert max(most) == 1
