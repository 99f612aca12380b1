"""However many wait for the rate of a connection, a permit looks at a few of them."""

import sqlite3

from sqlalchemy import Connection, insert
from store_cases import NOW, TENANT, permit_tables, take

from connectors.spec import Limits
from executor.store import limits
from executor.store.limits import Limit
from executor.store.tables import reservations
from executor.turns import PASSED

HIGH, NORMAL, LOW = 0, 1, 2
EACH_SECOND = Limits(rate=1, per_s=1)


def reserve(c: Connection, count: int) -> None:
    """So many wait, every second one of a low rank, each a second after the one before."""
    turns = [NOW + number for number in range(1, count + 1)]
    c.execute(
        insert(reservations),
        [{"tenant": TENANT, "key": "payments", "run": f"run_{number}", "turn": turn, "at": turn,
          "rank": NORMAL + number % 2} for number, turn in enumerate(turns)],
    )  # fmt: skip
    limits.lock(c, TENANT, "payments")
    limits.put(c, TENANT, "payments", Limit(arrival=NOW + 1, queue_end=turns[-1]))


def steps_of(c: Connection, run: str, rank: int, now: float, count: int = 1) -> int:
    """How many instructions the database takes to answer so many that want a permit."""
    raw, steps = c.connection.dbapi_connection, list[None]()
    assert isinstance(raw, sqlite3.Connection)
    raw.set_progress_handler(lambda: steps.append(None), 1)
    for number in range(count):
        take(c, "payments", EACH_SECOND, now, 1.0, f"{run}{number or ''}", rank)
    raw.set_progress_handler(None, 0)
    return len(steps)


def steps(waiting: int) -> dict[str, int]:
    """The same of each way to come, where so many wait."""
    with permit_tables() as c:
        reserve(c, waiting)
        return {
            "the first at its time": steps_of(c, "run_0", NORMAL, NOW + 1),
            "one more": steps_of(c, "new", LOW, NOW + 1),
            "more that come before the others, until some are raised": steps_of(
                c, "urgent", HIGH, NOW + 1, PASSED
            ),
            "the second, which was put off": steps_of(c, "run_1", LOW, NOW + 2),
        }


def test_a_permit_is_as_much_work_with_ten_thousand_that_wait_as_with_a_hundred() -> None:
    few, many = steps(100), steps(10_000)

    assert {way for way in few if many[way] > 1.5 * few[way]} == set(), (few, many)
