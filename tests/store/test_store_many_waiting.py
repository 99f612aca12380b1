"""However many runs wait for a service: the call that finds it back is written, and wakes them."""

from dataclasses import replace

from sqlalchemy import Connection, func, insert, literal, select
from store_cases import NOW, TENANT, add_run

from executor.breaker import Breaker
from executor.store import breakers, tables
from executor.store.store import Store

DOUBLED = 16  # times: more runs than a statement of PostgreSQL may have values


def _add_waiting(c: Connection) -> int:
    """Runs that wait for a service, as many as 2 to the power of that."""
    add_run(c)
    runs = tables.runs
    c.execute(runs.update().values(status="waiting", waiting_for="service", wake_at=NOW + 3600.0))
    names = [each.name for each in runs.c]
    for number in range(DOUBLED):
        other = runs.c.id + literal(f"-{number}")
        row = [other if name == "id" else runs.c[name] for name in names]
        c.execute(insert(runs).from_select(names, select(*row)))
    return c.execute(select(func.count()).select_from(runs)).scalar_one()


async def test_tens_of_thousands_of_runs_go_on_once_their_service_answers(store: Store) -> None:
    trial = Breaker("half_open", failures=5, until=NOW + 20.0, pause_s=10.0, changed_at=NOW)
    await store.write(lambda c: breakers.put(c, TENANT, "shop", trial))
    waiting = await store.write(_add_waiting)

    def answered(c: Connection) -> Breaker:
        breakers.tell(c, TENANT, "shop", "answered", NOW + 1.0, NOW + 2.0, "")
        return breakers.read(c, TENANT, "shop")

    found = await store.write(answered)
    due = tables.runs.c.wake_at == NOW + 2.0
    woken = await store.read(lambda c: c.execute(select(func.count()).where(due)).scalar_one())

    assert waiting == 2**DOUBLED
    assert replace(found, changed_at=0.0) == Breaker()
    assert woken == waiting
