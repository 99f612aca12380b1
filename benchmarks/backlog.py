"""What a look for what is due and a permit of a rate cost where many runs wait, and where few do.

    python -m benchmarks.backlog [--few N] [--many N] [--database own|postgresql://...]

So many runs of one tenant are queued, and as many have reserved a time for one rate, half of them
of a lower priority. Each line is the median of several transactions, on a file in memory or on a
server that has counted its rows (`ANALYZE`). What does not depend on how many wait has a ratio of
about 1; of all that is due at most a thousand are told.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, insert, text

from benchmarks.throughput import a_server, accepted, create, new_database
from connectors.spec import Limits
from executor.store import limits, ready, tables
from executor.store.limits import Limit
from executor.store.permits import Need, Permits
from executor.store.store import Store

TENANT, CONNECTION = "main", "payments"
HIGH, NORMAL, LOW = 0, 1, 2
RATE = Limits(rate=10, per_s=1)
TOGETHER = 5000  # rows that are written in a transaction
TIMES = 15
Work = Callable[[int, Connection], object]


def reserve(c: Connection, numbers: range, now: float) -> None:
    """Each comes a tenth of a second after the one before."""
    rows = [
        {"tenant": TENANT, "key": CONNECTION, "run": f"waits_{number}",
         "rank": NORMAL + number % 2, "turn": now + 0.1 * number, "at": now + 0.1 * number}
        for number in numbers
    ]  # fmt: skip
    c.execute(insert(tables.reservations), rows)


def settled(c: Connection, count: int, now: float) -> None:
    """What is free now goes to the first of those that wait; the database counts its rows."""
    limits.lock(c, TENANT, CONNECTION)
    limits.put(c, TENANT, CONNECTION, Limit(arrival=now, queue_end=now + 0.1 * count))
    c.execute(text("ANALYZE"))


def permit(number: int, c: Connection, run: str, rank: int, now: float) -> None:
    """A run asks for its call."""
    permits = Permits(c, TENANT)
    permits.lock([Need(CONNECTION, limit=True)])
    permits.take(CONNECTION, RATE, now + 0.1 * number, 1.0, f"{run}_{number}", rank)
    permits.close()


def works(now: float) -> dict[str, Work]:
    """What is timed; the number says how often it was done before."""
    return {
        "all that is due": lambda _, c: ready.due(c, now),
        "what was passed over longest": lambda _, c: ready.passed_over(c, TENANT, now, 3),
        "a permit at its time": partial(permit, run="waits", rank=NORMAL, now=now),
        "one more that waits": partial(permit, run="new", rank=LOW, now=now),
        "one that comes before others": partial(permit, run="urgent", rank=HIGH, now=now),
    }


async def timed(url: str, count: int) -> dict[str, float]:
    """Milliseconds of each, where so many wait."""
    store, plan = await Store.open(url), accepted()
    now = store.clock()
    for first in range(0, count, TOGETHER):
        numbers = range(first, min(first + TOGETHER, count))
        await store.write(partial(create, plan=plan, count=len(numbers), now=now))
        await store.write(partial(reserve, numbers=numbers, now=now))
    await store.write(partial(settled, count=count, now=now))
    found = {}
    for name, work in works(now).items():
        took = []
        for number in range(TIMES):
            begun = time.perf_counter()
            await store.write(partial(work, number))
            took.append(time.perf_counter() - begun)
        found[name] = statistics.median(took) * 1e3
    await store.close()
    return found


@contextmanager
def databases(given: str | None) -> Iterator[Callable[[], str]]:
    """Makes an empty database each time it is asked."""
    if given is None:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            names = iter(range(99))
            yield lambda: f"sqlite:///{folder}/{next(names)}.db"
        return
    with a_server(None if given == "own" else given) as server:
        yield lambda: new_database(server)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--few", type=int, default=100, help="that wait")
    parser.add_argument("--many", type=int, default=100_000, help="that wait")
    parser.add_argument("--database", help="own, or a server's address; without it, a file")
    said = parser.parse_args()
    with databases(said.database) as database:
        few, many = (asyncio.run(timed(database(), each)) for each in (said.few, said.many))
    print(f"{'ms':<32}{said.few:>12,}{said.many:>12,}{'ratio':>8}")
    for name, took in few.items():
        print(f"{name:<32}{took:>12.2f}{many[name]:>12.2f}{many[name] / took:>8.1f}")


if __name__ == "__main__":
    main()
