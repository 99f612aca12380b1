"""However many runs wait for a service: the call that finds it back is written, and wakes many.

All of them together took a server longer than a statement may take, and then none was woken.
"""

from dataclasses import replace

from sqlalchemy import Connection, func, insert, literal, select
from store_cases import NOW, TENANT, add_run

from executor.breaker import Breaker
from executor.store import breakers, tables
from executor.store.breakers import MOST_WOKEN
from executor.store.drives import RANKS
from executor.store.store import Store

DOUBLED = 14  # times: more runs than one transaction wakes

HIGH, NORMAL = RANKS["high"], RANKS["normal"]


def _add_waiting(c: Connection) -> int:
    """Runs that wait for a service, as many as 2 to the power of that."""
    add_run(c)
    runs = tables.runs
    c.execute(runs.update().values(status="waiting", waiting_for="service", wake_at=NOW + 3600.0))
    last = runs.update().values(priority=HIGH, updated_at=NOW + 1.0)
    names = [each.name for each in runs.c]
    for number in range(DOUBLED):
        other = runs.c.id + literal(f"-{number}")
        row = [other if name == "id" else runs.c[name] for name in names]
        c.execute(insert(runs).from_select(names, select(*row)))
    c.execute(last.where(runs.c.id == select(func.max(runs.c.id)).scalar_subquery()))
    return c.execute(select(func.count()).select_from(runs)).scalar_one()


async def test_of_tens_of_thousands_of_runs_the_first_go_on_at_once_the_others_in_their_time(
    store: Store,
) -> None:
    trial = Breaker("half_open", failures=5, until=NOW + 20.0, pause_s=10.0, changed_at=NOW)
    await store.write(lambda c: breakers.put(c, TENANT, "shop", trial))
    waiting = await store.write(_add_waiting)

    def answered(c: Connection) -> Breaker:
        breakers.tell(c, TENANT, "shop", "answered", NOW + 1.0, NOW + 2.0, "")
        return breakers.read(c, TENANT, "shop")

    found = await store.write(answered)
    runs = tables.runs
    times = select(runs.c.priority, runs.c.wake_at, func.count()).group_by("priority", "wake_at")
    woken = await store.read(lambda c: {(*row,) for row in c.execute(times)})

    assert replace(found, changed_at=0.0) == Breaker()
    assert waiting == 2**DOUBLED
    assert woken == {
        (HIGH, NOW + 2.0, 1),
        (NORMAL, NOW + 2.0, MOST_WOKEN - 1),
        (NORMAL, NOW + 3600.0, waiting - MOST_WOKEN),
    }
