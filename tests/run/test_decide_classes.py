"""The decision table of a single call, for each effect class."""

from math import inf

import pytest
from class_cases import EVERY, LONG, one
from run_cases import (
    NOW,
    PENDING,
    UNREADABLE,
    WINDOW_S,
    Answer,
    applied,
    not_sent,
    play,
    refused,
    step,
    uncertain,
    value,
)

from executor.run.commands import LookUp
from executor.run.retry import CREDENTIALS_AGAIN_S, MOST_ATTEMPTS, backoff_s
from executor.run.verdicts import Held


@pytest.mark.parametrize("effect", EVERY)
def test_a_call_is_made_once_and_its_output_is_the_result(effect: str) -> None:
    run = one(effect)
    command = run.call("a", applied({"id": 7}))
    end = run.finish()

    assert (command.n, command.arguments, command.key) == (1, {"x": 1}, None)
    assert (end.status, end.code, end.result, end.uncertain) == ("succeeded", None, {"id": 7}, ())
    assert end.standing == (() if effect == "read" else ("a",))


@pytest.mark.parametrize("effect", EVERY)
def test_a_refused_call_is_not_repeated_and_has_no_effect(effect: str) -> None:
    run = one(effect)
    run.call("a", refused("invalid"))
    end = run.finish()

    assert (end.status, end.code, end.standing, end.uncertain) == ("failed", "invalid", (), ())
    assert run.state.failed["a"].effect == "no"


@pytest.mark.parametrize("effect", EVERY)
@pytest.mark.parametrize("answer", [not_sent(), refused("unavailable", again=True)])
def test_what_had_no_effect_is_called_again_after_a_pause_under_the_same_key(
    effect: str, answer: Answer
) -> None:
    run = one(effect)
    run.call("a", answer)
    wait = run.wait()
    key = run.state.attempts["a", ""][0].intent.key
    assert wait.until is not None
    run.now = wait.until - 0.001
    assert run.performs() == {}
    run.now = wait.until
    again = run.performs()["a"]

    assert wait.waiting_for == "retry"
    assert NOW + backoff_s(1, 0.0) <= wait.until <= NOW + backoff_s(1, 1.0)
    assert (again.n, again.key, again.arguments) == (2, key, {"x": 1})


@pytest.mark.parametrize("effect", EVERY)
@pytest.mark.parametrize("asked_s", [0.0, 3.0, 3600.0])
def test_retry_after_is_never_undercut_and_jitter_comes_on_top(effect: str, asked_s: float) -> None:
    run = one(effect)
    run.call("a", refused("rate_limited", again=True, at=NOW + asked_s))
    wait = run.wait()

    assert wait.waiting_for == "rate_limit"
    assert wait.until is not None
    assert NOW + asked_s <= wait.until <= NOW + max(asked_s + 0.05, backoff_s(1, 1.0))


def test_what_asks_for_the_same_time_is_spread_by_jitter() -> None:
    asked = refused("rate_limited", again=True, at=NOW + 60)
    times = set()
    for number in range(20):
        run = play(step("a", "read", value(number, "x")))
        run.call("a", asked)
        times.add(run.wait().until)

    assert len(times) > 10


def test_each_pause_is_longer_than_the_one_before_up_to_a_minute() -> None:
    pauses = [backoff_s(n, 0.0) for n in range(1, 12)]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.25, 60.0)


@pytest.mark.parametrize("effect", EVERY)
def test_after_so_many_calls_without_effect_it_is_given_up(effect: str) -> None:
    run = one(effect)
    for _ in range(MOST_ATTEMPTS):
        run.later(LONG).call("a", not_sent())
    end = run.finish()

    assert (end.status, end.code, end.uncertain) == ("failed", "unavailable", ())
    assert f"given up after {MOST_ATTEMPTS} calls" in run.state.failed["a"].message


@pytest.mark.parametrize("effect", EVERY)
def test_refused_credentials_are_waited_for_and_tried_now_and_then(effect: str) -> None:
    run = one(effect)
    run.call("a", refused("auth"))
    wait = run.wait()
    run.later(CREDENTIALS_AGAIN_S)
    again = run.performs()["a"]

    assert (wait.waiting_for, wait.until) == ("credentials", NOW + CREDENTIALS_AGAIN_S)
    assert wait.steps == ("a",)
    assert again.n == 2


@pytest.mark.parametrize("effect", EVERY)
def test_calls_that_a_service_puts_off_by_its_limits_are_not_counted_as_failures(
    effect: str,
) -> None:
    run = one(effect)
    for _ in range(3 * MOST_ATTEMPTS):
        run.later(2 * LONG).call("a", refused("rate_limited", again=True))
    run.later(2 * LONG).call("a", applied({"id": 1}))

    assert run.finish().status == "succeeded"


def test_the_tries_while_credentials_were_missing_are_not_counted_as_failures() -> None:
    run = one("keyed")
    for _ in range(MOST_ATTEMPTS + 1):
        run.later(CREDENTIALS_AGAIN_S).call("a", refused("auth"))
    run.later(CREDENTIALS_AGAIN_S).call("a", not_sent())
    run.later(LONG).call("a", applied({"id": 1}))

    assert run.finish().status == "succeeded"


@pytest.mark.parametrize("effect", ["read", "idempotent", "keyed"])
@pytest.mark.parametrize("lost", [False, True])
def test_what_repeats_safely_is_repeated_when_it_is_uncertain(effect: str, lost: bool) -> None:
    run = one(effect)
    first = run.lose("a") if lost else run.call("a", uncertain())
    run.later(LONG)
    second = run.performs()["a"]

    assert (first.n, second.n) == (1, 2)
    assert second.key == run.state.attempts["a", ""][0].intent.key


@pytest.mark.parametrize("effect", ["read", "idempotent", "keyed"])
def test_no_repetition_comes_before_retry_after(effect: str) -> None:
    run = one(effect)
    run.call("a", uncertain(at=NOW + 40))

    assert run.wait().until is not None
    assert run.later(39.9).performs() == {}
    assert run.later(0.2).performs().keys() == {"a"}


def test_a_key_is_not_used_again_once_most_of_its_window_has_passed() -> None:
    run = one("keyed")
    run.call("a", uncertain())
    fresh = run.later(0.79 * WINDOW_S).performs()
    wait = run.later(0.02 * WINDOW_S).wait()

    assert fresh.keys() == {"a"}
    assert (wait.waiting_for, wait.until) == ("reconcile", None)


def test_the_window_is_counted_from_the_first_call() -> None:
    run = one("keyed")
    run.call("a", uncertain())
    run.later(0.5 * WINDOW_S).call("a", uncertain())

    assert run.later(0.4 * WINDOW_S).wait().waiting_for == "reconcile"


def test_a_call_that_relies_on_its_key_leaves_while_the_key_is_fresh_or_never() -> None:
    run = one("keyed")
    first = run.performs()["a"]
    run.call("a", uncertain())
    run.later(0.5 * WINDOW_S).call("a", refused("rate_limited", again=True))
    again = run.later(0.2 * WINDOW_S).performs()["a"]
    run.resolve("a", 1, "absent", by="ann")
    sent_again = run.performs()["a"]

    assert first.within_s == sent_again.within_s == inf  # nothing before it may have happened
    assert again.within_s == pytest.approx(0.1 * WINDOW_S)


def test_a_clock_that_went_back_makes_no_key_younger() -> None:
    run = one("keyed")
    run.begin(run.performs()["a"])
    run.later(0.9 * WINDOW_S).crash()
    run.go()
    run.later(-0.9 * WINDOW_S)

    assert run.wait().waiting_for == "reconcile"


def test_a_key_that_may_be_forgotten_is_looked_up_where_one_can() -> None:
    run = one("shop.found_keyed")
    run.call("a", uncertain())
    (search,) = run.later(WINDOW_S).go()

    assert isinstance(search, LookUp)
    assert search.key == run.state.attempts["a", ""][0].intent.key


@pytest.mark.parametrize("effect", ["idempotent", "keyed"])
def test_what_stays_uncertain_for_ever_is_left_to_a_person(effect: str) -> None:
    run = play(step("a", effect), more=())
    for _ in range(MOST_ATTEMPTS):
        run.later(1.0).crash()
        while not run.performs():
            run.later(1.0)
        run.call("a", uncertain())

    assert run.wait().waiting_for == "reconcile"


def test_a_read_that_gives_no_answer_fails_without_effect() -> None:
    run = one("read")
    for _ in range(MOST_ATTEMPTS):
        run.later(LONG).call("a", uncertain())
    end = run.finish()

    assert (end.code, end.uncertain) == ("unavailable", ())
    assert run.state.failed["a"].effect == "no"


@pytest.mark.parametrize("answer", [UNREADABLE, PENDING])
def test_a_read_without_a_usable_answer_fails(answer: Answer) -> None:
    run = one("read")
    run.call("a", answer)

    assert run.finish().code == "unavailable"


@pytest.mark.parametrize("name", ["not_before"])
def test_a_call_that_got_no_permit_waits_for_its_time(name: str) -> None:
    run = one("read")
    run.not_before["a", ""] = Held(NOW + 9)
    wait = run.wait()

    assert (wait.waiting_for, wait.until) == ("rate_limit", NOW + 9)
    assert run.later(9).performs().keys() == {"a"}


def test_while_a_call_is_under_way_nothing_else_is_decided_about_it() -> None:
    run = one("blind")
    run.begin(run.performs()["a"])

    assert (run.wait().waiting_for, run.wait().until) == ("flight", None)
