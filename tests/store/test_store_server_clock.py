"""A server's clock that is set back: the time goes on for all, and nothing stands still."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Server
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from store_cases import take

from connectors.spec import Limits
from executor.store import clock, facts, workers
from executor.store.clock import BACK_S, PACE, Clock, Moment, moment
from executor.store.store import Store

HOUR_S = 3600.0
NOW = 1_700_000_000.0
LEASE_S = 4.0
# The server's own function is found behind this one.
_SETTABLE = (
    "CREATE SCHEMA settable",
    "CREATE TABLE settable.clock AS SELECT 0::float8 AS ahead_s",
    """
    CREATE FUNCTION settable.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS
    'SELECT pg_catalog.clock_timestamp() + make_interval(secs => ahead_s) FROM settable.clock'
    """,
)


@pytest.fixture
def settable(postgres: Server, empty_url: str) -> Callable[[float], None]:
    """A database whose clock can be set: so many seconds ahead of the server's."""
    engine = create_engine(make_url(empty_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as c:
        for statement in _SETTABLE:
            c.execute(text(statement))
    postgres.sql(
        f"ALTER DATABASE {make_url(empty_url).database}"
        " SET search_path = public, settable, pg_catalog"
    )
    engine.dispose()

    def set_clock(ahead_s: float) -> None:
        with engine.begin() as c:
            c.execute(text("UPDATE settable.clock SET ahead_s = :s"), {"s": ahead_s})
        engine.dispose()

    return set_clock


async def renewed(store: Store, worker: str) -> float:
    """A process says that it lives, as its dispatcher does once a second."""
    asked_at = clock.steady()

    def renew(c: object) -> float:
        now = store.database_now(c)  # type: ignore[arg-type]  # any connection
        workers.renew(c, worker, "here", LEASE_S, now)  # type: ignore[arg-type]  # the same
        return now

    now = await store.write_at_once(renew)
    store.note_time(asked_at, now)
    return now


async def test_a_server_s_clock_that_is_set_back_by_hours_and_right_again_is_not_followed(
    settable: Callable[[float], None], empty_url: str
) -> None:
    once = Limits(rate=1, per_s=60)
    first, second = await Store.open(empty_url), await Store.open(empty_url)
    began = first.clock()  # as exactly as the time is known: an answer may come late
    for store, name in ((first, "one"), (second, "two")):
        await renewed(store, name)
    await first.write(lambda c: take(c, "payments", once, first.clock(), 1.0, "run_a"))
    settable(-3 * HOUR_S)
    back = [await renewed(second, "two"), await renewed(first, "one")]
    await second.set_clock()
    seen = await second.write_at_once(partial(workers.watch, now=second.clock()))
    third = await Store.open(empty_url)
    blocked = await third.write(lambda c: take(c, "payments", once, third.clock(), 1.0, "run_b"))
    times = [*back, *(each.clock() for each in (first, second, third))]
    noted = await third.read(partial(facts.fact, name=facts.CLOCK))
    settable(0.0)
    right = [await renewed(first, "one"), await renewed(second, "two")]
    settable(2 * HOUR_S)  # nothing tells this from a process that stood still
    ahead = await renewed(first, "one")
    for store in (first, second, third):
        await store.close()

    assert all(began - BACK_S < each < began + 60 for each in times)
    assert blocked is not None
    assert 0 < (blocked.retry_at or 0.0) - began <= 61
    assert seen is not None
    assert seen.dead == []
    assert noted is not None
    assert all(began - BACK_S < each < began + 60 for each in right)
    assert began - BACK_S + 2 * HOUR_S < ahead


async def test_a_step_of_a_second_is_followed(
    settable: Callable[[float], None], empty_url: str
) -> None:
    store = await Store.open(empty_url)
    settable(-1.0)
    await store.set_clock()
    noted = await store.read(partial(facts.fact, name=facts.CLOCK))
    await store.close()

    assert noted is None


@given(st.floats(BACK_S, 48 * HOUR_S), st.lists(st.floats(0, HOUR_S), max_size=50))
def test_after_a_step_back_the_time_goes_on_a_little_slower_until_the_server_has_caught_up(
    back_s: float, pauses: list[float]
) -> None:
    server = NOW - back_s
    noted, before = clock.note(server, NOW), NOW
    for pause in pauses:
        server += pause
        found = moment(server, noted)

        assert before + PACE * pause - 1e-3 <= found.time <= before + pause + 1e-3
        assert found.time >= found.server == server
        before = found.time
    later = NOW + back_s / (1 - PACE)

    assert moment(later, noted) == Moment(later, later)


def _clock(asked_at: float = 10.0, answered_at: float = 10.0) -> Clock:
    found = Clock()
    found.set(asked_at, answered_at, NOW)
    return found


@pytest.mark.parametrize("took_s", [0.0, 30.0])
def test_how_long_an_answer_took_is_no_step_of_the_clock(took_s: float) -> None:
    slow = _clock(10.0, 10.0 + took_s)  # the server looked at its clock anywhere between
    early, late = NOW + 1.0, NOW + 1.0 + took_s

    for told in (early, late):
        moment = Moment(told, told)
        assert not slow.disagrees(11.0 + took_s, 11.0 + 2 * took_s, moment)


def test_who_stood_still_follows_the_server_also_while_the_time_goes_slower() -> None:
    noted = clock.note(NOW - HOUR_S, NOW)
    for seconds in (1.0, 3600.0, 20000.0):
        slower = moment(NOW - HOUR_S + seconds, noted)
        assert not _clock().disagrees(10.0 + seconds, 10.0 + seconds, slower)
    assert not _clock().disagrees(11.0, 11.0, Moment(NOW + HOUR_S, NOW + HOUR_S))
    assert _clock().disagrees(11.0, 11.0, Moment(NOW + HOUR_S, NOW))
