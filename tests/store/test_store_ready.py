"""What is ready to be driven is found by turns, at the same price however much of it there is."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert
from store_cases import NOW, TENANT

from executor.store import ready, tables
from executor.store.drives import Due

HIGH, NORMAL, LOW = 0, 1, 2
STATUSES = ("queued", "cancelling", "waiting", "running", "succeeded")


@contextmanager
def run_tables() -> Iterator[Connection]:
    """A file in memory with what is looked at."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine, tables=(tables.requests, tables.runs))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@dataclass(frozen=True)
class Row:
    """A run as it stands; both times are seconds from the beginning."""

    tenant: str = TENANT
    priority: int = NORMAL
    crashes: int = 0
    status: str = "queued"
    age: int = 0
    wakes: int | None = None
    is_driven: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it wants to be driven now, and nobody drives it."""
        is_woken = self.status == "waiting" and self.wakes is not None and self.wakes <= 0
        return not self.is_driven and (self.status in ("queued", "cancelling") or is_woken)


def add(c: Connection, rows: list[Row]) -> None:
    """Each run is named by its place."""
    if not rows:
        return
    c.execute(
        insert(tables.runs),
        [{"tenant": row.tenant, "id": f"run_{number:06}", "plan": "pln_a", "requester": "asker",
          "priority": row.priority, "status": row.status, "crashes": row.crashes,
          "wake_at": None if row.wakes is None else NOW + row.wakes,
          "driver": "somebody" if row.is_driven else None,
          "created_at": NOW, "updated_at": NOW - row.age} for number, row in enumerate(rows)],
    )  # fmt: skip


def by_turns(rows: list[Row], most: int) -> list[str]:
    """What is told, said plainly: the first of each group, then the second; then by turns."""
    among: dict[tuple[str, int, int], list[int]] = {}
    for number in sorted(range(len(rows)), key=lambda number: -rows[number].age):
        row = rows[number]
        if row.is_ready:
            among.setdefault((row.tenant, row.priority, row.crashes), []).append(number)
    places = [(place, number) for group in among.values() for place, number in enumerate(group)]
    told = sorted(places, key=lambda one: (one[0], -rows[one[1]].age))[:most]
    of_tenant: dict[str, list[int]] = {}
    for _, number in told:
        of_tenant.setdefault(rows[number].tenant, []).append(number)
    turns = [
        (turn, -rows[number].age, f"run_{number:06}")
        for mine in of_tenant.values()
        for turn, number in enumerate(
            sorted(mine, key=lambda number: (rows[number].priority, -rows[number].age))
        )
    ]
    return [name for _, _, name in sorted(turns)]


ROWS = st.lists(
    st.builds(
        Row, tenant=st.sampled_from(["a", "b", "c"]), priority=st.integers(HIGH, LOW),
        crashes=st.integers(0, 2), status=st.sampled_from(STATUSES),
        wakes=st.sampled_from([None, -1, 0, 1]), is_driven=st.booleans(),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=150)
@given(ROWS, st.permutations(range(40)), st.sampled_from([3, 1000]), st.sampled_from([0, 4, 100]))
def test_the_first_of_each_group_is_found_whichever_way_it_is_looked_for(
    rows: list[Row], ages: list[int], most: int, compared: int
) -> None:
    aged = [Row(**{**vars(row), "age": age}) for row, age in zip(rows, ages, strict=False)]
    few = {"MOST_DUE": most, "MOST_GROUPS": compared, "MOST_WOKEN": compared}
    with run_tables() as c, mock.patch.multiple(ready, **few):
        add(c, aged)
        found = [each.id for each in ready.due(c, NOW)]

    assert found == by_turns(aged, most)


@settings(max_examples=100)
@given(ROWS, st.permutations(range(40)))
def test_what_has_waited_longest_is_found_where_it_comes_after_what_has_not(
    rows: list[Row], ages: list[int]
) -> None:
    aged = [Row(**{**vars(row), "age": age}) for row, age in zip(rows, ages, strict=False)]
    mine = {
        f"run_{number:06}": row
        for number, row in enumerate(aged)
        if row.is_ready and row.tenant == "a" and row.crashes < 2
    }
    with run_tables() as c:
        add(c, aged)
        found = ready.passed_over(c, "a", NOW, 2)

    longest = max(mine, key=lambda name: mine[name].age, default=None)
    if longest is None or mine[longest].priority == min(row.priority for row in mine.values()):
        assert found is None
    else:
        assert found == Due("run", "a", longest)


def steps_of_a_look(waiting: int) -> dict[str, int]:
    """How many instructions the database takes where so many runs of a tenant are ready."""
    many = [Row(priority=number % 3, age=number) for number in range(waiting)]
    with run_tables() as c:
        add(c, [*many, Row(tenant="other")])
        raw, steps = c.connection.dbapi_connection, list[None]()
        assert isinstance(raw, sqlite3.Connection)
        raw.set_progress_handler(lambda: steps.append(None), 1)
        found = ready.due(c, NOW)
        all_due = len(steps)
        longest = ready.passed_over(c, TENANT, NOW, 3)
        raw.set_progress_handler(None, 0)

    assert len(found) == ready.MOST_DUE
    assert longest is not None
    return {"all that is due": all_due, "what was passed over": len(steps) - all_due}


def test_a_look_is_as_much_work_where_thirty_thousand_runs_are_ready_as_where_three_are() -> None:
    few, many = steps_of_a_look(3_000), steps_of_a_look(30_000)

    assert {what for what in few if many[what] > 1.5 * few[what]} == set(), (few, many)
