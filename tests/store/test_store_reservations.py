"""Who waits for a rate comes when it was told to: nobody is pushed back or waits for ever."""

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from store_cases import NOW, TENANT, add_run, permit_tables, take

from connectors.spec import Limits
from executor.store import drives, limits
from executor.store.drives import Due
from executor.store.permits import Permits
from executor.store.reservations import KEPT_S, LATE_S
from executor.store.store import Store

HOUR_S = 3600.0
HOURLY = Limits(rate=1, per_s=HOUR_S)


def ask(c: Connection, run: object, after: float, allowed: Limits = HOURLY) -> float | None:
    """A run wants a permit; when it is to come again, in seconds from the beginning."""
    blocked = take(c, "payments", allowed, NOW + after, 1.0, f"run_{run}")
    return None if blocked is None else (blocked.retry_at or 0.0) - NOW


async def test_a_run_that_is_woken_early_keeps_its_time_and_so_does_whoever_comes_after_it(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        first = [ask(c, run, 0) for run in ("a", "b", "c")]
        woken = [ask(c, "b", after) for after in (1, 60, 1800, 3599)]
        return [*first, *woken, ask(c, "d", 3599), ask(c, "b", HOUR_S), ask(c, "c", 2 * HOUR_S)]

    found = await store.write(work)

    assert found == [None, HOUR_S, 2 * HOUR_S, *[HOUR_S] * 4, 3 * HOUR_S, None, None]


async def test_calls_of_a_run_that_ask_together_reserve_once(store: Store) -> None:
    def work(c: Connection) -> list[float | None]:
        permits = Permits(c, TENANT)
        blocked = [permits.take("payments", HOURLY, NOW, 1.0, "run_a") for _ in range(9)]
        permits.close()
        told = [each and (each.retry_at or 0) - NOW for each in blocked]
        return [*told, ask(c, "b", 1)]

    assert await store.write(work) == [None, *[HOUR_S] * 8, 2 * HOUR_S]


async def test_nobody_slips_in_before_who_was_told_to_come_and_is_a_little_late(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        told = [ask(c, "a", 0), ask(c, "b", 0)]
        slipping = ask(c, "c", HOUR_S + 1)
        return [*told, slipping, ask(c, "b", HOUR_S + 2), ask(c, "c", HOUR_S + 6)]

    soon = HOUR_S + 1 + LATE_S
    assert await store.write(work) == [None, HOUR_S, soon, None, 2 * HOUR_S + 2]


async def test_who_does_not_come_loses_its_turn_and_who_has_ended_holds_nobody_up(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        for run in ("run_b", "run_c"):
            add_run(c, run)
        told = [ask(c, run, 0) for run in ("a", "b", "c")]
        claim = drives.claim(c, Due("run", TENANT, "run_c"), "me", NOW)
        assert claim is not None
        drives.end_drive(c, claim, status="cancelled", now=NOW)
        return [*told, ask(c, "d", HOUR_S + LATE_S + 1), ask(c, "b", HOUR_S + LATE_S + 2)]

    given_again = 2 * HOUR_S + LATE_S + 1
    assert await store.write(work) == [None, HOUR_S, 2 * HOUR_S, None, given_again]


async def test_after_a_retry_after_those_that_waited_come_one_after_the_other(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        told = [ask(c, run, 0) for run in range(4)]
        limits.put(c, TENANT, "payments", limits.held_until(
            limits.lock(c, TENANT, "payments"), NOW + 5 * HOUR_S
        ))  # fmt: skip
        again = [ask(c, run, run * HOUR_S) for run in range(1, 4)]
        return [*told, *again, *(ask(c, run, (4 + run) * HOUR_S) for run in range(1, 4))]

    held = [each * HOUR_S for each in (5, 6, 7)]
    assert await store.write(work) == [
        None,
        HOUR_S,
        2 * HOUR_S,
        3 * HOUR_S,
        *held,
        None,
        None,
        None,
    ]


@dataclass
class Queue:
    """Runs that come when they are told to, or a little later; others that come at any time."""

    allowed: Limits
    rng: random.Random
    comes_at: dict[int, float] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    late_s: float = 3.0
    at_least_late_s: float = 0.0
    early: float = 0.0  # how likely a run that waits is woken early
    asks: int = 0

    def play(self, c: Connection, runs: int, every_s: float) -> None:
        """New ones come, `every_s` one after the other, until all have begun."""
        new = [(n * every_s * self.rng.uniform(0.5, 1.5), n) for n in range(runs)]
        now = 0.0
        while (new or self.comes_at) and self.asks < 100 * runs:
            following = min([*new[:1], *((at, run) for run, at in self.comes_at.items())])
            now, run = max(now, following[0]), following[1]
            if new and new[0][1] == run:
                new.pop(0)
                self.asked_at[run] = now
            self._asks(c, run, now)
            for other in [*self.comes_at]:
                if self.rng.random() < self.early:
                    self._asks(c, other, now)

    def _asks(self, c: Connection, run: int, now: float) -> None:
        self.asks += 1
        told = ask(c, run, now, self.allowed)
        if told is None:
            self.began[run] = now
            self.comes_at.pop(run, None)
        else:
            self.comes_at[run] = told + self.rng.uniform(self.at_least_late_s, self.late_s)


def _at_best(queue: Queue) -> dict[int, float]:
    """When each would begin if nobody was ever late."""
    interval, free_at, began = queue.allowed.per_s / queue.allowed.rate, 0.0, {}
    for run in sorted(queue.asked_at):
        began[run] = max(queue.asked_at[run], free_at - (queue.allowed.burst - 1) * interval)
        free_at = max(free_at, began[run]) + interval
    return began


LIMITS = st.builds(
    Limits, rate=st.just(1), per_s=st.sampled_from([60.0, HOUR_S]), burst=st.integers(1, 3)
)


@settings(max_examples=40)
@given(LIMITS, st.integers(0, 2**32), st.floats(0.2, 3.0), st.sampled_from([0.0, 0.3]))
def test_each_begins_in_its_turn_however_many_come_and_however_often_those_that_wait_are_woken(
    allowed: Limits, seed: int, crowding: float, early: float
) -> None:
    queue = Queue(allowed, random.Random(seed), early=early)
    with permit_tables() as c:
        queue.play(c, 15, allowed.per_s / crowding)
    best = _at_best(queue)

    assert sorted(queue.began, key=queue.began.__getitem__) == sorted(queue.asked_at)
    late = [began - best[run] for run, began in queue.began.items()]
    assert min(late) > -0.001
    assert max(late) <= 15 * queue.late_s


def test_at_high_rates_most_of_the_rate_is_used_though_many_come_late() -> None:
    queue = Queue(Limits(rate=1, per_s=1), random.Random(1), late_s=1.0, early=0.01)
    with permit_tables() as c:
        queue.play(c, 200, 0.5)

    assert max(queue.began.values()) <= 1.35 * 200  # it was 1.6 before anybody could reserve


def test_runs_that_are_always_too_late_for_their_time_take_turns_all_the_same() -> None:
    queue = Queue(
        Limits(rate=1, per_s=1), random.Random(1), at_least_late_s=LATE_S + 1, late_s=6 * LATE_S
    )
    with permit_tables() as c:
        queue.play(c, 60, 0.5)

    assert set(queue.began) == set(queue.asked_at), f"not all began after {queue.asks} questions"
    waited = [began - queue.asked_at[run] for run, began in queue.began.items()]
    assert max(waited) <= 60 + 2 * queue.late_s


async def test_who_was_too_late_has_its_turn_still_and_has_it_once(store: Store) -> None:
    minutely, late = Limits(rate=1, per_s=60), 120 + LATE_S + 1  # for b's time, and for c's

    def work(c: Connection) -> list[float | None]:
        told = [ask(c, run, 0, minutely) for run in ("a", "b", "c", "d")]
        came = [("c", late), ("b", late + 1), ("c", late + 2)]
        return [*told, *(ask(c, run, after, minutely) for run, after in came)]

    next_one = late + 60
    assert await store.write(work) == [None, 60, 120, 180, None, next_one, next_one + 60]


async def test_a_turn_that_nobody_came_for_in_ten_minutes_is_lost(store: Store) -> None:
    def work(c: Connection) -> list[float | None]:
        told = [ask(c, run, 0) for run in ("a", "b", "c")]
        return [*told, ask(c, "b", HOUR_S + KEPT_S + 1), ask(c, "c", 2 * HOUR_S)]

    assert await store.write(work) == [None, HOUR_S, 2 * HOUR_S, 3 * HOUR_S, None]
