"""No rate is ever exceeded, nobody who may call is held back, and Retry-After is never undercut."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection
from store_cases import NOW, TENANT, permit_tables, take, tell

from connectors.quota import Quota
from connectors.spec import Limits
from executor.breaker import FAILURES, PAUSE_S
from executor.store import limits
from executor.store.limits import quotas
from executor.store.pace import FIRST_PER_S, SLOW_S
from executor.store.permits import PLENTY, Blocked, Permits, Told
from executor.store.store import Store

TINY = 1e-3  # seconds; more than what a double loses near NOW


def acquire(
    c: Connection, tenant: str, key: str, allowed: Limits | None, now: float, run: object = 0
) -> float | None:
    """Take a permit, or be told when to ask again."""
    permits = Permits(c, tenant)
    blocked = permits.take(key, allowed, now, 1.0, f"run_{run}")
    permits.close()
    return None if blocked is None else blocked.retry_at


def hold(c: Connection, tenant: str, key: str, until: float) -> None:
    """Hear a Retry-After."""
    limits.put(c, tenant, key, limits.held_until(limits.lock(c, tenant, key), until))


@dataclass(frozen=True)
class Model:
    """The rule itself: in any stretch of `t` seconds at most `burst + rate * t / per_s` calls."""

    limits: Limits

    def allows(self, times: list[float]) -> bool:
        """Whether these calls keep to the rule."""
        per_second = self.limits.rate / self.limits.per_s
        return all(
            later - earlier + 1
            <= self.limits.burst + (times[later] - times[earlier] + TINY) * per_second
            for earlier in range(len(times))
            for later in range(earlier, len(times))
        )


_LIMITS = st.builds(
    Limits,
    rate=st.sampled_from([0.1, 1.0, 3.0, 7.5, 20.0]),
    per_s=st.sampled_from([1.0, 10.0, 60.0]),
    burst=st.integers(1, 6),
)
_PAUSES = st.lists(st.sampled_from([0.0, 0.001, 0.05, 0.3, 1.0, 7.0, 60.0]), max_size=60)


@given(allowed=_LIMITS, pauses=_PAUSES)
def test_the_rate_is_never_exceeded(allowed: Limits, pauses: list[float]) -> None:
    now, taken = NOW, []
    with permit_tables() as c:
        for run, pause in enumerate(pauses):
            now += pause
            if acquire(c, TENANT, "payments", allowed, now, run % 5) is None:
                taken.append(now)

    assert Model(allowed).allows(taken)


@given(allowed=_LIMITS, pauses=_PAUSES)
def test_who_asks_again_when_told_to_gets_a_permit_and_not_a_moment_earlier(
    allowed: Limits, pauses: list[float]
) -> None:
    now = NOW
    with permit_tables() as c:
        for run, pause in enumerate(pauses):
            now += pause
            retry_at = acquire(c, TENANT, "payments", allowed, now, run)
            if retry_at is not None:
                assert retry_at > now
                early = max(now, retry_at - TINY)
                assert acquire(c, TENANT, "payments", allowed, early, run) == retry_at
                now = retry_at
                assert acquire(c, TENANT, "payments", allowed, now, run) is None


def test_those_that_wait_are_told_to_come_one_after_the_other() -> None:
    allowed = Limits(rate=2, per_s=10, burst=2)
    with permit_tables() as c:
        told = [acquire(c, TENANT, "payments", allowed, NOW, run) for run in range(5)]
        came = [acquire(c, TENANT, "payments", allowed, at, run)
                for run, at in enumerate(told) if at is not None]  # fmt: skip

    assert told == [None, None, NOW + 5, NOW + 10, NOW + 15]
    assert came == [None, None, None]


@given(
    holds=st.lists(st.floats(0, 100), min_size=1, max_size=5),
    asked=st.lists(st.floats(0, 120), min_size=1, max_size=20),
)
def test_nothing_passes_before_the_latest_retry_after(
    holds: list[float], asked: list[float]
) -> None:
    latest = NOW + max(holds)
    with permit_tables() as c:
        for after in holds:
            hold(c, TENANT, "payments", NOW + after)
        for run, after in enumerate(sorted(asked)):
            retry_at = acquire(c, TENANT, "payments", None, NOW + after, run)
            assert NOW + after >= latest if retry_at is None else retry_at >= latest
            assert retry_at is None or NOW + after < latest + SLOW_S


def test_what_waited_while_a_service_was_left_alone_comes_faster_and_faster() -> None:
    runs = range(1000)
    with permit_tables() as c:
        hold(c, TENANT, "payments", NOW + 60)
        asked = [acquire(c, TENANT, "payments", None, NOW + run / 100, run) for run in runs]
        told = [each for each in asked if each is not None]
        came = [acquire(c, TENANT, "payments", None, at, run) for run, at in enumerate(told)]
    in_second = Counter(int(at - NOW - 60) for at in told)

    assert told == sorted(told)
    assert came == [None] * len(runs)
    assert FIRST_PER_S <= in_second[0] <= 2 * FIRST_PER_S
    assert [in_second[n] / in_second[n - 1] for n in (1, 2, 3, 4)] == [
        pytest.approx(2, rel=0.1)
    ] * 4
    assert told[-1] < NOW + 60 + SLOW_S


def test_what_is_used_up_of_a_quota_is_waited_for_in_order_and_then_it_is_as_before() -> None:
    with permit_tables() as c:
        permits = Permits(c, TENANT)
        permits.tell(Told("payments", "answered", NOW, quota=Quota(0, 30.0)), NOW)
        permits.close()
        asked = [acquire(c, TENANT, "payments", None, NOW + 1, run) for run in range(3)]
        again = [acquire(c, TENANT, "payments", None, NOW + 2, run) for run in (2, 1, 0)]
        first = acquire(c, TENANT, "payments", None, NOW + 30, 0)
        later = NOW + 30 + SLOW_S
        at_once = [acquire(c, TENANT, "payments", None, later, run) for run in range(5)]

    told = [each for each in asked if each is not None]
    assert told[0] == NOW + 30
    assert told == sorted({*told})
    assert again == [*reversed(told)]
    assert [first, *at_once] == [None] * 6


def test_a_hold_does_not_forget_the_rate_nor_the_rate_the_hold() -> None:
    allowed = Limits(rate=1, per_s=10)
    with permit_tables() as c:
        first = acquire(c, TENANT, "payments", allowed, NOW)
        hold(c, TENANT, "payments", NOW + 3)
        held = acquire(c, TENANT, "payments", allowed, NOW + 1, 1)
        limited = acquire(c, TENANT, "payments", allowed, NOW + 4, 2)
        free = acquire(c, TENANT, "payments", allowed, NOW + 10, 1)

    assert (first, held, limited, free) == (None, NOW + 10, NOW + 20, None)


def test_an_idle_connection_gathers_no_more_than_its_burst() -> None:
    allowed = Limits(rate=10, per_s=1, burst=3)
    with permit_tables() as c:
        acquire(c, TENANT, "payments", allowed, NOW)
        later = [acquire(c, TENANT, "payments", allowed, NOW + 3600, run) for run in range(5)]

    assert [each is None for each in later] == [True, True, True, False, False]


async def test_connections_and_tenants_do_not_share_permits(store: Store) -> None:
    once = Limits(rate=1, per_s=60)
    keys = [(TENANT, "payments"), (TENANT, "mail"), ("other", "payments")]
    taken = [
        await store.write(lambda c, tenant=tenant, key=key: acquire(c, tenant, key, once, NOW))
        for tenant, key in keys
    ]

    assert taken == [None, None, None]
    assert await store.write(lambda c: acquire(c, TENANT, "mail", once, NOW)) == NOW + 60


async def test_who_asks_is_told_of_the_limits_of_one_tenant_alone(store: Store) -> None:
    def both(c: Connection) -> None:
        for tenant, until in ((TENANT, NOW + 60), ("other", NOW + 90)):
            permits = Permits(c, tenant)
            what = Told("payments", None, NOW, hold_until=until, quota=Quota(3, until - NOW))
            permits.tell(what, NOW)
            permits.close()

    await store.write(both)
    held = await store.read(partial(limits.held, tenant=TENANT, now=NOW))
    left = await store.read(partial(quotas, tenant=TENANT, now=NOW))

    assert (held, left) == ({"payments": NOW + 60}, {"payments": (3, NOW + 60)})


def test_what_was_just_told_of_a_service_counts_for_what_begins_in_the_same_transaction() -> None:
    with permit_tables() as c:
        permits = Permits(c, TENANT)
        before = permits.take("payments", None, NOW, 1.0, "run_0")
        for number in range(FAILURES):
            permits.tell(Told("payments", "down", NOW + number / 100), NOW + 1)
        after = permits.take("payments", None, NOW + 1, 1.0, "run_1")

    assert (before, after) == (None, Blocked("service", NOW + 1 + PAUSE_S))


def begin(c: Connection, after: float, allowed: Limits | None = None) -> Blocked | None:
    """A call that wants to begin."""
    return take(c, "payments", allowed, NOW + after, 30.0)


def told(c: Connection, left: int, renews_in_s: float, after: float = 0.0) -> None:
    """The end of a call that was told so."""
    what = Told("payments", "answered", NOW, quota=Quota(left, renews_in_s))
    tell(c, what, NOW + after)


def test_what_a_service_still_takes_is_counted_down_and_then_waited_for() -> None:
    with permit_tables() as c:
        before = begin(c, 0)
        told(c, 2, 30)
        begun = [begin(c, after) for after in (1, 2, 3, 29.9)]
        renewed = [begin(c, after) for after in (30, 31, 32)]

    blocked = Blocked("rate_limit", NOW + 30)
    assert before is None
    assert begun == [None, None, blocked, blocked]
    assert renewed == [None, None, None], "nothing is known of it any more"


_TOLD = st.tuples(st.just("told"), st.integers(0, 5), st.sampled_from([1.0, 10.0, 60.0]))
_STEPS = st.lists(_TOLD | st.tuples(st.just("begin"), st.integers(1, 4), st.just(0.0)), max_size=25)


@given(_STEPS, st.sampled_from([0.0, 0.3, 2.0]))
def test_no_more_calls_begin_than_the_service_said_whatever_else_it_says(
    steps: list[tuple[str, int, float]], pause: float
) -> None:
    after, budgets = 0.0, list[list[float]]()  # of each thing said: how many more, until when
    with permit_tables() as c:
        for kind, number, seconds in steps:
            after += pause
            if kind == "told":
                told(c, number, seconds, after)
                tightest = min([b for b in budgets if b[1] > after], default=None)
                if tightest is None or number < tightest[0]:
                    budgets = [[number, after + seconds]]
                elif number == tightest[0]:
                    budgets = [[number, max(tightest[1], after + seconds)]]
                continue
            for _ in range(number):
                open_ones = [b for b in budgets if b[1] > after]
                blocked = begin(c, after)
                if any(b[0] <= 0 for b in open_ones):
                    assert blocked is not None
                    assert blocked.reason == "rate_limit"
                else:  # one after the other, for a while after it took no more
                    used_up = max((b[1] for b in budgets if b[0] <= 0), default=-inf)
                    assert blocked is None or after < used_up + SLOW_S
                for b in open_ones:
                    b[0] -= blocked is None


def test_until_it_renews_what_is_left_only_goes_down() -> None:
    with permit_tables() as c:
        told(c, 3, 30)
        begin(c, 1)
        told(c, 5, 60, 2)  # the answer to a call that began before
        kept = quotas(c, TENANT, NOW + 2)
        told(c, 1, 10, 3)
        tighter = quotas(c, TENANT, NOW + 3)
        told(c, 50, 60, 14)
        anew = quotas(c, TENANT, NOW + 14)

    assert kept == {"payments": (2, NOW + 30)}
    assert tighter == {"payments": (1, NOW + 13)}
    assert anew == {"payments": (50, NOW + 74)}


def test_a_service_that_takes_no_more_is_left_alone_as_long_as_it_said_last() -> None:
    with permit_tables() as c:
        told(c, 0, 5)
        told(c, 0, 30, 3)
        told(c, 0, 1, 4)
        blocked = begin(c, 6)

    assert blocked == Blocked("rate_limit", NOW + 33)


def test_what_is_plenty_is_not_counted_and_a_rate_holds_beside_what_is() -> None:
    slow = Limits(rate=1, per_s=10)
    with permit_tables() as c:
        told(c, PLENTY + 1, 30)
        plenty = quotas(c, TENANT, NOW)
        told(c, 2, 30)
        begun = [begin(c, after, slow) for after in (0, 1, 10, 20)]
        left = quotas(c, TENANT, NOW + 20)

    assert plenty == {}
    assert [each and each.retry_at for each in begun] == [None, NOW + 10, None, NOW + 30]
    assert left == {"payments": (0, NOW + 30)}
