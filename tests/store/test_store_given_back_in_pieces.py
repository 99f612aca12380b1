"""However much a process was driving, it is given back bit by bit, each run once, and all of it.

All that is driven on a file may be one run of each of thousands of tenants: in one statement that
was more than a statement may name.
"""

from functools import partial

from sqlalchemy import Connection, func, select
from store_cases import NOW, TENANT, add_run

from executor.store import recovery, workers
from executor.store.drives import Claim, Due, standing
from executor.store.recovery import AT_ONCE
from executor.store.store import Store
from executor.store.tables import runs

COUNT = 2 * AT_ONCE + 100
Told = set[tuple[str, str | None, int, int, int]]


def add_driven(c: Connection, count: int = COUNT) -> None:
    """Runs that one process drives."""
    add_run(c)
    row = c.execute(select(runs)).mappings().one()
    driven = {**row, "status": "running", "driver": "dead", "epoch": 1}
    c.execute(runs.insert(), [{**driven, "id": f"run_{number}"} for number in range(count - 1)])
    c.execute(runs.update().values(status="running", driver="dead", epoch=1))


def told(c: Connection) -> Told:
    """How the runs stand."""
    columns = (runs.c.status, runs.c.driver, runs.c.epoch, runs.c.recoveries, runs.c.crashes)
    return {(*row,) for row in c.execute(select(*columns).distinct())}


def driven(c: Connection) -> int:
    """How many are driven."""
    return c.execute(select(func.count()).where(runs.c.driver.is_not(None))).scalar_one()


async def test_what_a_dead_process_drove_is_handed_back_bit_by_bit(store: Store) -> None:
    await store.write(add_driven)
    counts = []
    while count := await store.write(partial(recovery.hand_back, now=NOW)):
        counts.append(count)

    assert counts == [AT_ONCE, AT_ONCE, COUNT - 2 * AT_ONCE]
    assert await store.read(told) == {("queued", None, 2, 1, 1)}
    claim = Claim("run", TENANT, "run_1", 1, 0, driver="dead")
    assert await store.read(partial(standing, claim=claim)) is None


async def test_what_a_process_leaves_behind_is_free_bit_by_bit(store: Store) -> None:
    await store.write(add_driven)
    counts = []
    while count := await store.write(partial(recovery.release, driver="dead", now=NOW)):
        counts.append(count)

    assert counts == [AT_ONCE, AT_ONCE, COUNT - 2 * AT_ONCE]
    assert await store.read(told) == {("queued", None, 2, 0, 0)}


async def test_one_row_is_given_back_by_its_name_and_only_to_its_driver(store: Store) -> None:
    await store.write(partial(add_driven, count=2))
    one = Due("run", TENANT, "run_0")
    release = partial(recovery.release, now=NOW, only=one)
    counts = [await store.write(partial(release, driver=each)) for each in ("other", "dead")]

    assert counts == [0, 1]
    assert await store.read(driven) == 1


async def test_whoever_looks_after_everything_hands_back_bit_by_bit_and_comes_to_an_end(
    server_store: Store,
) -> None:
    await server_store.write(add_driven)
    await server_store.write(lambda c: workers.renew(c, "dead", "here", 1.0, NOW))
    left = []
    while await server_store.read(driven):
        seen = await server_store.write(partial(workers.watch, now=NOW + 9))
        assert seen is not None
        assert list(seen.dead) == ["dead"]
        await server_store.write(partial(workers.bury, worker="dead", now=NOW + 9))
        left.append(await server_store.read(driven))
    seen = await server_store.write(partial(workers.watch, now=NOW + 9))

    assert left == [COUNT - AT_ONCE, COUNT - 2 * AT_ONCE, 0]
    assert seen is not None
    assert list(seen.dead) == []
    assert await server_store.read(told) == {("queued", None, 2, 1, 1)}


async def test_a_process_that_takes_leave_is_known_until_all_it_left_is_free(
    server_store: Store,
) -> None:
    await server_store.write(partial(add_driven, count=AT_ONCE + 1))
    await server_store.write(lambda c: workers.renew(c, "dead", "here", 1.0, NOW))
    seen = []
    while count := await server_store.write(partial(workers.forget, worker="dead", now=NOW)):
        seen.append((count, await server_store.read(workers.known)))

    assert seen == [(AT_ONCE, {"dead"}), (1, {"dead"})]
    assert await server_store.read(workers.known) == set()
