"""Who waits for a rate comes by its rank, of one rank in its turn, and no rank waits for ever."""

import asyncio
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from store_cases import NOW, TENANT, permit_tables, take

from connectors.spec import Limits
from executor.store import limits, reservations
from executor.store.store import Store
from executor.turns import PASSED

HIGH, NORMAL, LOW = 0, 1, 2
HOUR_S = 3600.0
HOURLY = Limits(rate=1, per_s=HOUR_S)


def ask(c: Connection, run: object, rank: int, after_h: float) -> float | None:
    """A run wants a permit; when it is to come again, in hours from the beginning."""
    told = asked(c, run, rank, NOW + after_h * HOUR_S)
    return None if told is None else (told - NOW) / HOUR_S


def asked(
    c: Connection, run: object, rank: int, now: float, allowed: Limits = HOURLY
) -> float | None:
    """The same in seconds."""
    blocked = take(c, "payments", allowed, now, 1.0, f"run_{run}", rank)
    return None if blocked is None else blocked.retry_at


async def test_a_run_of_a_higher_rank_is_next_and_those_that_waited_come_one_turn_later(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        first = [ask(c, run, LOW, 0) for run in ("a", "b", "c")]
        higher = [ask(c, "urgent", HIGH, 0.5), ask(c, "usual", NORMAL, 0.5)]
        at_one = [ask(c, "b", LOW, 1), ask(c, "usual", NORMAL, 1), ask(c, "urgent", HIGH, 1)]
        return [*first, *higher, *at_one, ask(c, "c", LOW, 2), ask(c, "d", LOW, 2)]

    assert await store.write(work) == [None, 1, 2, 1, 2, 3, 2, None, 4, 5]


async def test_a_permit_that_is_free_is_taken_by_a_higher_rank_before_who_is_late(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        told = [ask(c, run, LOW, 0) for run in ("a", "b", "c")]
        late = 1 + 1 / HOUR_S
        urgent, low = ask(c, "urgent", HIGH, late), ask(c, "d", LOW, late)
        return [*told, urgent, *(ask(c, run, LOW, late) for run in "bc"), low]

    late = 1 + 1 / HOUR_S
    assert await store.write(work) == [None, 1, 2, None, 1 + late, 2 + late, 3]


def hold(c: Connection, until_h: float) -> None:
    """The service says Retry-After."""
    held = limits.held_until(limits.lock(c, TENANT, "payments"), NOW + until_h * HOUR_S)
    limits.put(c, TENANT, "payments", held)


async def test_after_a_retry_after_they_come_by_rank_and_of_one_rank_in_their_turn(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        for run, rank in (("x", LOW), ("a", LOW), ("b", LOW), ("urgent", HIGH)):
            ask(c, run, rank, 0)
        hold(c, 9)
        return [ask(c, "b", LOW, 0.5), ask(c, "a", LOW, 0.5), ask(c, "urgent", HIGH, 0.5)]

    assert await store.write(work) == [11, 10, 9]


async def test_a_run_of_a_higher_rank_that_is_woken_again_and_again_passes_nobody_once_more(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        for run, rank in (("x", LOW), ("a", NORMAL), ("urgent", HIGH)):
            ask(c, run, rank, 0)
        hold(c, 9)
        woken = {ask(c, "urgent", HIGH, 0.5) for _ in range(30)}
        return [*woken, ask(c, "two", HIGH, 0.5), ask(c, "a", NORMAL, 0.5)]

    assert await store.write(work) == [9, 10, 11]


async def test_who_was_put_off_past_all_that_was_reserved_is_still_waited_for(
    store: Store,
) -> None:
    def work(c: Connection) -> list[float | None]:
        told = [ask(c, "x", LOW, 0), ask(c, "a", LOW, 0), ask(c, "urgent", HIGH, 0.5)]
        return [*told, ask(c, "urgent", HIGH, 1), ask(c, "d", LOW, 1.01), ask(c, "a", LOW, 2)]

    assert await store.write(work) == [None, 1, 1, None, 3, None]


async def test_who_is_raised_is_the_last_of_the_higher_rank(store: Store) -> None:
    def work(c: Connection) -> list[float | None]:
        for run, rank in (("x", LOW), ("a", LOW), ("b", LOW), ("one", HIGH), ("two", HIGH)):
            ask(c, run, rank, 0)
        for _ in range(2):
            put_off = limits.lock(c, TENANT, "payments").put_off
            reservations.raise_first(c, TENANT, "payments", put_off, NOW)
        three = ask(c, "three", HIGH, 0)
        hold(c, 9)
        again = [ask(c, "one", HIGH, 0.5), ask(c, "two", HIGH, 0.5), ask(c, "a", LOW, 0.5)]
        return [three, *again, ask(c, "three", HIGH, 0.5), ask(c, "b", LOW, 0.5)]

    assert await store.write(work) == [4, 9, 10, 11, 12, 13]


async def test_of_a_thousand_that_wait_none_comes_before_one_of_a_higher_rank_and_none_together(
    store: Store,
) -> None:
    async def asked_of(runs: range, at_h: float) -> list[float | None]:
        """A hundred in each write: a server has to answer one in its time."""
        told = []
        for first in runs[::100]:
            some = range(first, min(first + 100, runs.stop))
            told += await store.write(lambda c, some=some: [ask(c, run, LOW, at_h) for run in some])
        return told

    await asked_of(range(1000), 0)
    urgent = await store.write(partial(ask, run="urgent", rank=HIGH, after_h=0.9))
    told = [urgent, *await asked_of(range(1, 1000), 1)]

    assert told == [float(1 + n) for n in range(1000)]


@dataclass
class Played:
    """Runs of ranks that come when they are told to, and when each began, in hours."""

    allowed: Limits = HOURLY
    began: dict[int, float] = field(default_factory=dict)
    came: dict[int, float] = field(default_factory=dict)
    ranks: dict[int, int] = field(default_factory=dict)

    def play(self, c: Connection, new: list[tuple[float, int]], late_h: float = 0.0) -> None:
        """New ones come at times, each of a rank, until all have begun."""
        told: float | None = None
        coming = self.questions(new, late_h)
        with suppress(StopIteration):
            while True:
                told = asked(c, *coming.send(told), self.allowed)

    async def play_on(self, store: Store, new: list[tuple[float, int]]) -> None:
        """The same, each question in a write of its own."""
        told: float | None = None
        coming = self.questions(new, 0.0)
        with suppress(StopIteration):
            while True:
                run, rank, now = coming.send(told)
                ask = partial(asked, run=run, rank=rank, now=now, allowed=self.allowed)
                told = await store.write(ask)

    def questions(
        self, new: list[tuple[float, int]], late_h: float
    ) -> Generator[tuple[int, int, float], float | None, None]:
        """Who asks next, its rank and when; it is sent what that was told."""
        coming = [(NOW + at * HOUR_S, number) for number, (at, _) in enumerate(new)]
        self.ranks = {number: rank for number, (_, rank) in enumerate(new)}
        while coming:
            at, run = min(coming)
            coming.remove((at, run))
            self.came.setdefault(run, (at - NOW) / HOUR_S)
            told = yield run, self.ranks[run], at
            if told is None:
                self.began[run] = (at - NOW) / HOUR_S
            else:
                assert told > at, "who is to come at once is asked for again and again"
                coming.append((told + late_h * HOUR_S * (run % 2), run))


COMING = st.lists(st.tuples(st.floats(0.05, 1.5), st.integers(HIGH, LOW)), min_size=1, max_size=30)


def _times(coming: list[tuple[float, int]]) -> list[tuple[float, int]]:
    at, found = 0.0, []
    for pause, rank in coming:
        at += pause
        found.append((at, rank))
    return found


@settings(max_examples=60, deadline=None)
@given(COMING, st.sampled_from([0.0, 0.001]), st.integers(1, 3))
def test_all_begin_at_the_rate_and_who_is_on_time_in_the_order_of_its_rank(
    coming: list[tuple[float, int]], late_h: float, burst: int
) -> None:
    found = Played(Limits(rate=1, per_s=HOUR_S, burst=burst))
    with permit_tables() as c:
        found.play(c, _times(coming), late_h)
    begun = sorted(found.began.values())

    assert len(begun) == len(coming)
    for first, earlier in enumerate(begun):
        for count, later in enumerate(begun[first:], start=1):
            assert count <= burst + (later - earlier) + 1e-6
    assert begun[-1] <= found.came[0] + len(coming) * (1 + 2 * late_h) + sum(p for p, _ in coming)
    if not late_h:
        for rank in (HIGH, NORMAL, LOW):
            own = [run for run in sorted(found.began) if found.ranks[run] == rank]
            assert own == sorted(own, key=found.began.__getitem__)


@settings(max_examples=30, deadline=None)
@given(COMING)
def test_who_is_of_the_highest_rank_waits_for_those_of_its_rank_and_one_in_ten_others(
    coming: list[tuple[float, int]],
) -> None:
    found = Played()
    with permit_tables() as c:
        found.play(c, _times(coming))
    for run, began in found.began.items():
        if found.ranks[run] == HIGH:
            before = [
                other
                for other, at in found.began.items()
                if found.came[run] <= at < began and found.ranks[other] != HIGH
            ]
            assert len(before) <= 1 + len(coming) // PASSED


async def test_while_more_is_of_a_higher_rank_than_the_rate_allows_one_in_ten_is_of_a_lower_one(
    store: Store,
) -> None:
    found = Played()
    low = [(0.01 * n, LOW) for n in range(5)]
    new = sorted([*low, *((0.1 + 0.9 * n, HIGH) for n in range(150))])
    await found.play_on(store, new)
    begun = sorted(found.began, key=found.began.__getitem__)
    low_at = [place for place, run in enumerate(begun) if found.ranks[run] == LOW]

    assert low_at[0] == 0, "it came first of all"
    assert low_at[1] <= 2 * (PASSED + 1) + 1, "it is raised twice"
    assert all(later - earlier <= PASSED + 2 for earlier, later in pairwise(low_at[1:]))


async def test_processes_that_ask_at_once_never_wait_for_each_other_crosswise_and_keep_the_rate(
    empty_url: str,
) -> None:
    stores = [await Store.open(empty_url) for _ in range(2)]
    comes, begun = dict.fromkeys(range(30), NOW), list[float]()
    while comes:
        now = min(comes.values())
        here = [run for run, at in comes.items() if at <= now]
        asks = [partial(asked, run=run, rank=run % 3, now=now) for run in here]
        told = await asyncio.gather(*(stores[n % 2].write(ask) for n, ask in enumerate(asks)))
        comes |= {run: at for run, at in zip(here, told, strict=True) if at is not None}
        for run, at in zip(here, told, strict=True):
            if at is None:
                begun.append(now)
                del comes[run]
    for store in stores:
        await store.close()

    assert len(begun) == 30
    assert all(later - earlier > HOUR_S - 0.001 for earlier, later in pairwise(begun))
