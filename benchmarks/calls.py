"""What stands around every call, beside the yardstick of one bare intent.

    .venv/bin/python -m benchmarks.calls

The yardstick is an intent that is written without asking for a permit: the fence, the open
attempt, the row and the event. Everything happens in one transaction of a SQLite file, so no
figure holds an fsync; the last line says what one is on this disk, for intents that each wait for
their own commit. Medians of interleaved rounds; ratios hold on other machines, times do not.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from connectors.spec import JsonObject, Limits
from executor.breaker import Breaker
from executor.store import attempts, breakers, drives, plans, runs, stops
from executor.store.attempts import AttemptRow, Place
from executor.store.drives import Claim, Due
from executor.store.journal import NewEvent, Seen
from executor.store.open_journal import OpenJournal, Turn, written
from executor.store.permits import Need, Permits, Told
from executor.store.stops import StopRow
from executor.store.store import Store

TENANT, RUN, CONNECTION = "main", "run_a", "payments"
ROUNDS, CALLS = 9, 400
WIDE = Limits(rate=1e6, per_s=1, burst=1_000_000)
_numbers = itertools.count(1)


def bare(c: Connection, claim: Claim, now: float) -> None:
    """An intent as it is written, without its permit."""
    n = next(_numbers)
    row = AttemptRow(
        "pay", str(n), 1, claim.epoch, f"{CONNECTION}.charge", "keyed", "KEY", "sha256:0", (),
        "intent", now + 30, now, None, "sha256:0", "v1",
    )  # fmt: skip
    told: JsonObject = {
        "step": "pay",
        "iteration": str(n),
        "n": 1,
        "arguments": {"amount": "18.50"},
    }
    written(c, [Turn(claim, (Bare(row, NewEvent("intent.recorded", told)),), lambda: Seen(n - 1))])


@dataclass(frozen=True)
class Bare:
    """An attempt and its event."""

    row: AttemptRow
    event: NewEvent
    needs: Need | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """Whose attempts are looked at."""
        return ((self.row.step, self.row.iteration),)

    def __call__(self, journal: OpenJournal) -> None:
        """Write both, unless an attempt stands in the way."""
        states = journal.attempts_at(self.places[0])
        assert not attempts.stand_in_the_way(states, self.row.n, self.row.effect)
        journal.begin(self.row)
        journal.add([self.event], self.row.started_at)

    def forget(self) -> None:
        """Nothing is remembered of it."""


def permit(allowed: Limits | None) -> Callable[[Connection, Claim, float], None]:
    """What is asked before each of them."""

    def ask(c: Connection, _: Claim, now: float) -> None:
        permits = Permits(c, TENANT)
        blocked = permits.take(CONNECTION, allowed, now, 30.0, "run_a")
        assert blocked is None
        permits.close()

    return ask


def told(c: Connection, _: Claim, now: float) -> None:
    """What is kept after a call that was answered."""
    Permits(c, TENANT).tell(Told(CONNECTION, "answered", now), now)


async def main() -> None:
    """Measure in rounds, one of each kind after the other."""
    kinds = {
        "bare intent": bare,
        "permit, no limits": permit(None),
        "permit, with a rate": permit(WIDE),
        "outcome told to the breaker": told,
    }
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{Path(folder) / 'bench.db'}")
        claim = await store.write(_fill)
        found: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(ROUNDS):
            for name, work in kinds.items():
                found[name].append(await store.write(partial(_cpu_s, claim=claim, work=work)))
        synced = await _synced(store, claim)
        await store.close()
    yardstick = statistics.median(found["bare intent"])
    for name, times in found.items():
        middle = statistics.median(times)
        print(f"{name:<30} {middle * 1e6:8.1f} us  {middle / yardstick:5.2f} of a bare intent")
    print(f"{'bare intent with its commit':<30} {synced * 1e6:8.1f} us  wall, one at a time")


def _fill(c: Connection) -> Claim:
    """A run that is being driven, and rows of other tenants that have to be passed by."""
    now = time.time()
    plans.add(c, plans.PlanRow(TENANT, "pln_a", "sha256:0", "r", None, {"language": 1}, now))
    runs.create(c, tenant=TENANT, run=RUN, plan="pln_a", requester="r", now=now)
    for number in range(100):
        stops.add(c, StopRow(f"other_{number}", f"stop_{number}", "", "r", "x", now))
        breakers.put(c, f"other_{number}", CONNECTION, Breaker("open", 5, now + 60))
    breakers.put(c, TENANT, CONNECTION, Breaker())
    claim = drives.claim(c, Due("run", TENANT, RUN), "bench", now)
    assert claim is not None
    return claim


def _cpu_s(c: Connection, claim: Claim, work: Callable[[Connection, Claim, float], None]) -> float:
    now, began = time.time(), time.thread_time()
    for _ in range(CALLS):
        work(c, claim, now)
    return (time.thread_time() - began) / CALLS


async def _synced(store: Store, claim: Claim) -> float:
    times = []
    for _ in range(50):
        began = time.perf_counter()
        await store.write(lambda c: bare(c, claim, time.time()))
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    asyncio.run(main())
