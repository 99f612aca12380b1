"""A stop is of whom and of what it says: whose calls it counts, keeps back, and lets go on."""

from dataclasses import replace
from functools import partial

from sqlalchemy import Connection
from store_cases import NOW, TENANT, add_run, claimed, intent, take, written

from executor.store import calls, drives, ready, stops
from executor.store.drives import Due
from executor.store.permits import Blocked
from executor.store.stops import ALL, StopRow
from executor.store.store import Store

RUNS = [Due("run", tenant, f"run_{tenant}") for tenant in (TENANT, "other")]


def stop(tenant: str = TENANT, connection: str = ALL, name: str = "stp_a") -> StopRow:
    return StopRow(tenant, name, connection, "operator", "something is wrong", NOW)


async def test_a_stop_counts_the_calls_under_way_that_it_is_about(store: Store) -> None:
    def begin(c: Connection) -> None:
        for due in RUNS:
            add_run(c, due.id, tenant=due.tenant)
            claim = claimed(c, due)
            for step in ("refund", "again"):
                written(c, claim, calls.record_intent, intent(step), NOW)

    await store.write(begin)
    counts = [
        await store.write(partial(stops.add, row=each))
        for each in (
            stop(name="1"), stop(ALL, name="2"), stop(connection="payments", name="3"),
            stop(connection="mail", name="4"),
        )
    ]  # fmt: skip

    assert counts == [2, 4, 2, 0]


async def test_who_lifts_a_stop_wakes_those_that_it_was_about(store: Store) -> None:
    def wait(c: Connection) -> None:
        for due in RUNS:
            add_run(c, due.id, tenant=due.tenant)
            drives.end_drive(c, claimed(c, due), status="waiting", now=NOW, waiting_for="stop")

    await store.write(wait)
    woken = []
    for tenant in (TENANT, ALL):
        await store.write(partial(stops.add, row=stop(tenant, name=f"stp_{tenant}")))
        lift = partial(stops.lift, tenant=tenant, stop=f"stp_{tenant}", by="ann", reason="over")
        woken += [await store.write(partial(lift, now=NOW + n)) for n in (1, 2)]
    due = await store.read(lambda c: ready.due(c, NOW + 1))
    blocked = await store.write(partial(take, connection="x", allowed=None, now=NOW, trial_s=1.0))
    kept = await store.read(partial(stops.listed, tenant=TENANT, lifted=True))

    assert woken[0] == RUNS[:1]
    assert blocked is None
    assert {each.id for each in woken[2] or ()} == {each.id for each in RUNS}
    assert woken[1::2] == [None, None]
    assert {each.id for each in due} == {each.id for each in RUNS}
    assert [(each.lifted_at, each.lifted_by) for each in kept] == [(NOW + 1, "ann")] * 2


async def test_a_tenant_sees_and_is_kept_back_by_its_own_stops_and_those_of_all(
    store: Store,
) -> None:
    may = partial(take, connection="payments", allowed=None, now=NOW, trial_s=1.0)
    told = []
    for row in (stop("other"), stop(connection="mail", name="2"), stop(ALL, name="3")):
        await store.write(partial(stops.add, row=row))
        seen = await store.read(partial(stops.listed, tenant=TENANT))
        told.append(({each.id for each in seen}, await store.write(may)))

    assert told == [(set(), None), ({"2"}, None), ({"2", "3"}, Blocked("stop"))]


async def test_a_list_of_stops_goes_on_with_those_that_are_older(store: Store) -> None:
    rows = [replace(stop(name=name), at=NOW + at) for name, at in (("a", 1), ("b", 1), ("c", 2))]
    for row in rows:
        await store.write(partial(stops.add, row=row))
    seen: list[StopRow] = []
    before: StopRow | None = None
    while found := await store.read(partial(stops.listed, tenant=TENANT, before=before, limit=1)):
        seen, before = [*seen, *found], found[-1]

    assert [each.id for each in seen] == ["c", "b", "a"]
    assert await store.read(partial(stops.get, tenant="other", stop="a")) is None
