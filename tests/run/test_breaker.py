"""The circuit breaker and the order of turns: pure, by their tables."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.breaker import (
    FAILURES,
    LONGEST_PAUSE_S,
    PAUSE_S,
    Breaker,
    asked,
    evidence_of,
    told,
)
from executor.turns import Turns

NOW = 1_700_000_000.0
TRIAL_S = 30.0


def opened(pause_s: float = 0.0) -> Breaker:
    """One that has just opened."""
    breaker = Breaker(pause_s=pause_s)
    for _ in range(FAILURES):
        breaker = told(breaker, "down", NOW, NOW, "no connection")
    assert breaker.state == "open"
    return breaker


def trial() -> Breaker:
    """One whose trial has begun when its pause was over."""
    breaker = asked(opened(), NOW + PAUSE_S, TRIAL_S)
    assert breaker is not None
    assert breaker.state == "half_open"
    return breaker


def test_failures_open_it_only_in_a_row() -> None:
    breaker = Breaker()
    for number in range(3 * FAILURES):
        evidence = "answered" if number % FAILURES == FAILURES - 1 else "down"
        breaker = told(breaker, evidence, NOW, NOW)

    assert breaker.is_clean


def test_nothing_begins_before_its_pause_is_over_and_then_one_call_alone() -> None:
    early = asked(opened(), NOW + PAUSE_S - 0.001, TRIAL_S)
    beside = asked(trial(), NOW + PAUSE_S + 1, TRIAL_S)

    assert early is None
    assert beside is None


def test_a_trial_that_is_answered_closes_it_and_one_that_is_not_doubles_the_pause() -> None:
    at = NOW + PAUSE_S
    closed = told(trial(), "answered", at, at + 1)
    again = told(trial(), "down", at, at + 1)

    assert closed.is_clean
    assert (again.state, again.until) == ("open", at + 1 + 2 * PAUSE_S)


def test_a_trial_that_is_lost_with_its_process_is_followed_by_another() -> None:
    later = NOW + PAUSE_S + TRIAL_S
    found = asked(trial(), later, TRIAL_S)

    assert found is not None
    assert found.until == later + TRIAL_S


def test_calls_that_began_before_a_change_say_nothing_of_what_came_after() -> None:
    for evidence in ("down", "answered"):
        assert told(trial(), evidence, NOW - 1, NOW + PAUSE_S + 1) == trial()
        assert told(opened(), evidence, NOW - 1, NOW + 1) == opened()


def test_a_call_that_began_before_the_count_began_anew_still_counts() -> None:
    breaker = told(told(Breaker(), "down", NOW, NOW + 1), "answered", NOW, NOW + 2)

    assert told(breaker, "down", NOW, NOW + 3).failures == 1


def test_what_a_clock_noted_that_was_days_ahead_is_over_once_it_is_set_right() -> None:
    now = NOW - 3 * 86400.0
    begun = [asked(each, now, TRIAL_S) for each in (opened(), trial())]
    again = [asked(each, now + 1, TRIAL_S) for each in begun if each]
    counting = told(Breaker(failures=FAILURES - 1, changed_at=NOW), "down", now, now + 1)

    assert [each and (each.state, each.until) for each in begun] == [
        ("half_open", now + TRIAL_S)
    ] * 2
    assert again == [None, None]
    assert (counting.state, counting.until) == ("open", now + 1 + PAUSE_S)


@given(st.integers(1, 40))
def test_no_pause_is_longer_than_the_longest(times: int) -> None:
    breaker, now = opened(), NOW
    for _ in range(times):
        now = breaker.until
        begun = asked(breaker, now, TRIAL_S)
        assert begun is not None
        breaker = told(begun, "down", now, now)

    assert breaker.until - now <= LONGEST_PAUSE_S


@pytest.mark.parametrize(
    ("kind", "status", "evidence"),
    [
        ("unavailable", None, "down"),
        ("timeout", None, "down"),
        ("unavailable", 502, "down"),
        ("timeout", 504, "down"),
        ("unavailable", 503, "down"),
        ("unavailable", 500, None),
        ("rate_limited", 429, "answered"),
        ("unavailable", 425, None),
        ("timeout", 408, None),
        ("invalid", 422, "answered"),
        ("auth", 401, "answered"),
        ("invalid", None, None),
        ("internal", None, None),
        ("cancelled", None, None),
    ],
)
def test_only_what_says_that_the_service_is_down_counts(
    kind: str, status: int | None, evidence: str | None
) -> None:
    assert evidence_of(kind, status) == evidence


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2)), max_size=60))
def test_every_tenant_that_waits_has_a_turn_in_every_round(waiting: list[tuple[str, int]]) -> None:
    turns: Turns[tuple[str, int, int]] = Turns()
    for number, (tenant, rank) in enumerate(waiting):
        turns.add(tenant, (tenant, rank, number), rank)
    left = Counter(tenant for tenant, _ in waiting)
    order = []
    while len(turns):
        found = {turns.next() for _ in range(len(left))}
        rounds = [each for each in found if each is not None]
        assert {tenant for tenant, *_ in rounds} == set(left)
        left -= Counter(tenant for tenant, *_ in rounds)
        order += sorted(rounds)

    assert turns.next() is None
    for tenant in "abcd":
        own = [(rank, number) for name, rank, number in order if name == tenant]
        assert own == sorted(own)
