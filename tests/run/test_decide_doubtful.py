"""What nobody knows of a call is looked up, or left to a person, whose word then holds."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest
from class_cases import LONG, WRITES, one
from run_cases import (
    FIND,
    GATE_S,
    NOW,
    PENDING,
    SETTLE_S,
    UNREADABLE,
    WINDOW_S,
    Answer,
    Play,
    action,
    applied,
    not_sent,
    play,
    policy,
    refused,
    step,
    uncertain,
)
from undo_cases import ACTIONS, undoable

from executor.run import events as e
from executor.run.commands import LookUp, Perform, Wait
from executor.run.decide import decide
from executor.run.effects import effect_of_step
from executor.run.instance import WINDOW_SHARE
from executor.run.retry import MOST_ATTEMPTS
from executor.run.verdicts import Held


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_lookup_searches_and_what_it_finds_is_the_result(is_lost: bool) -> None:
    run = one("lookup")
    call = run.lose("a") if is_lost else run.call("a", uncertain())
    over_at = NOW + (call.action.timeout_s if is_lost else 0)  # the service knows of no death
    (search,) = run.go()
    assert isinstance(search, LookUp)
    run.resolve("a", 1, "applied", {"id": 5}, by="lookup")
    end = run.finish()

    assert (search.n, search.absent_from) == (1, over_at + SETTLE_S)
    assert (end.status, end.result, end.standing) == ("succeeded", {"id": 5}, ("a",))


@pytest.mark.parametrize("effect", ["idempotent", "keyed"])
def test_where_another_process_may_still_call_nobody_calls_beside_it(effect: str) -> None:
    run = one(effect)
    time_out = run.lose("a").action.timeout_s
    before = decide(run.accepted, run.state, replace(run.later(5).outside(), is_alone=False))
    run.later(time_out - 5)
    then = decide(run.accepted, run.state, replace(run.outside(), is_alone=False))

    assert before == (Wait("retry", NOW + time_out, ("a",)),)
    assert [type(each) for each in then] == [Perform]


def test_an_absence_that_has_settled_means_the_same_call_again() -> None:
    run = one("lookup")
    run.call("a", uncertain())
    run.later(SETTLE_S).resolve("a", 1, "absent", by="lookup")
    again = run.performs()["a"]

    assert (again.n, again.key) == (2, run.state.attempts["a", ""][0].intent.key)


def test_a_search_that_found_nothing_yet_is_repeated_later() -> None:
    run = one("lookup")
    run.call("a", uncertain())
    run.ask_in_vain("a", 5)
    wait = run.wait()
    (search,) = run.later(5).go()

    assert (wait.waiting_for, wait.until) == ("reconcile", NOW + 5)
    assert isinstance(search, LookUp)


def test_a_search_that_is_futile_leaves_it_to_a_person() -> None:
    run = one("lookup")
    run.call("a", uncertain())
    run.ask_in_vain("a", None)

    assert (run.wait().waiting_for, run.wait().until) == ("reconcile", None)


def test_after_so_many_calls_that_were_absent_it_is_given_up() -> None:
    run = one("lookup")
    for n in range(1, MOST_ATTEMPTS + 1):
        run.later(LONG).call("a", uncertain())
        run.later(SETTLE_S).resolve("a", n, "absent", by="lookup")
    end = run.finish()

    assert (end.status, end.code, end.uncertain) == ("failed", "unavailable", ())


@pytest.mark.parametrize("lost", [False, True])
def test_nobody_repeats_what_nobody_can_tell_a_person_decides(lost: bool) -> None:
    run = one("blind")
    if lost:
        run.lose("a")
    else:
        run.call("a", uncertain())
    wait = run.later(10 * WINDOW_S).wait()

    assert (wait.waiting_for, wait.until, wait.steps) == ("reconcile", None, ("a",))


def test_a_blind_call_is_looked_up_where_its_manifest_says_how() -> None:
    run = one("shop.found_blind")
    run.lose("a")

    assert isinstance(run.go()[0], LookUp)


@pytest.mark.parametrize("effect", ["blind", "keyed"])
def test_it_happened_says_a_person_and_the_run_goes_on(effect: str) -> None:
    run = one(effect)
    run.call("a", uncertain())
    run.later(WINDOW_S).resolve("a", 1, "applied", {"id": 9})
    end = run.finish()

    assert (end.status, end.result, end.standing) == ("succeeded", {"id": 9}, ("a",))


@pytest.mark.parametrize("effect", WRITES)
def test_it_did_not_says_a_person_and_it_is_sent_again_under_the_same_key(effect: str) -> None:
    run = one(effect)
    run.call("a", uncertain())
    run.resolve("a", 1, "absent")
    again = run.performs()["a"]

    assert (again.n, again.key) == (2, run.state.attempts["a", ""][0].intent.key)


def test_a_person_may_send_again_more_often_than_the_machine() -> None:
    run = one("blind")
    for n in range(1, MOST_ATTEMPTS + 2):
        run.call("a", uncertain())
        run.resolve("a", n, "absent")

    assert run.performs()["a"].n == MOST_ATTEMPTS + 2


@pytest.mark.parametrize("effect", WRITES)
def test_given_up_says_a_person_and_it_is_failed_and_never_called_again(effect: str) -> None:
    run = one(effect)
    run.call("a", uncertain())
    run.resolve("a", 1, "abandoned")
    end = run.finish()

    assert (end.status, end.code, end.uncertain) == ("failed", "abandoned", ("a",))
    assert run.state.failed["a"].effect == "unknown"


@pytest.mark.parametrize("effect", ["idempotent", "keyed"])
def test_of_calls_that_are_the_same_one_that_happened_leaves_no_doubt_of_the_others(
    effect: str,
) -> None:
    run = one(effect)
    run.lose("a")
    run.later(1.0).lose("a")
    run.resolve("a", 1, "applied", {"id": 9})
    run.resolve("a", 2, "abandoned")
    end = run.finish()
    told = effect_of_step(run.accepted, run.state, run.accepted.steps["a"])

    assert (end.status, end.standing, end.uncertain) == ("succeeded", ("a",), ())
    assert told.startswith("applied")


@pytest.mark.parametrize("effect", WRITES)
def test_what_a_person_said_holds_although_the_clock_went_back(effect: str) -> None:
    run = one(effect)
    run.call("a", uncertain())
    run.later(-24 * 3600).resolve("a", 1, "abandoned")

    assert run.later(-3600).finish().code == "abandoned"


@pytest.mark.parametrize("effect", WRITES)
@pytest.mark.parametrize("answer", [UNREADABLE, PENDING])
def test_what_was_applied_but_gave_no_usable_answer_is_never_called_again(
    effect: str, answer: Answer
) -> None:
    run = one(effect)
    run.call("a", answer)
    (found,) = run.later(2 * WINDOW_S).go()

    assert not isinstance(found, Perform)
    if effect == "lookup":
        assert isinstance(found, LookUp)
        assert found.absent_from == float("inf")
    else:
        assert run.wait().waiting_for == "reconcile"


def test_a_later_refusal_says_nothing_of_an_earlier_call() -> None:
    run = one("keyed")
    run.call("a", uncertain())
    run.later(1.0).call("a", refused("conflict"))
    wait = run.later(LONG).wait()

    assert (wait.waiting_for, wait.steps) == ("reconcile", ("a",))
    assert not run.state.has_ended("a")


@pytest.mark.parametrize(
    ("effect", "replayed", "before"),
    [("keyed", False, "absent"), ("keyed", True, "applied"), ("idempotent", False, "applied")],
)
def test_an_answer_that_is_told_late_says_what_became_of_the_calls_before_it_too(
    effect: str, replayed: bool, before: str
) -> None:
    run = one(effect)
    run.call("a", uncertain())
    overtaken = run.later(1.0).lose("a")
    run.later(LONG).call("a", not_sent())
    run.end_late(overtaken, applied({"id": 7}, replayed=replayed))
    end = run.finish()
    first, second, third = run.state.attempts["a", ""]

    assert (end.status, end.result, end.uncertain) == ("succeeded", {"id": 7}, ())
    assert first.resolved is not None
    assert first.resolved.resolution == before
    assert second.is_applied
    assert not third.may_have_happened


def test_a_key_that_is_not_known_again_takes_no_yes_back_that_could_not_be_read() -> None:
    run = one("keyed")
    first = run.lose("a")
    run.later(LONG).call("a", applied({"id": 7}))
    run.end_late(first, UNREADABLE)
    end = run.finish()
    found = run.state.attempts["a", ""][0].resolved

    assert found is not None
    assert (found.resolution, end.status, end.standing) == ("applied", "succeeded", ("a",))


def test_a_no_to_an_earlier_call_says_nothing_of_a_later_one_that_is_in_doubt() -> None:
    run = one("keyed")
    first = run.lose("a")
    run.later(1.0).lose("a")
    run.end_late(first, PENDING)
    run.resolve("a", 1, "absent", by="status")
    (again,) = run.later(1.0).performs().values()

    assert again.n == 3
    assert not run.state.has_ended("a")


def test_a_doubt_behind_a_refusal_is_looked_up_and_an_absence_makes_it_final() -> None:
    run = one("shop.found_keyed")
    run.call("a", uncertain())
    run.later(1.0).call("a", refused("conflict"))
    (search,) = run.go()
    assert isinstance(search, LookUp)
    run.resolve("a", search.n, "absent", by="lookup")
    end = run.finish()

    assert (end.code, end.uncertain) == ("conflict", ())
    assert search.n == 1


def test_an_absence_counts_once_every_call_in_doubt_must_have_come_through() -> None:
    brief = {"in": "header", "name": "key", "window_s": 10.0}
    slow = action(
        "shop.slow", "keyed", lookup=FIND, settle_s=SETTLE_S, timeout_s=600.0, idempotency=brief
    )
    run = play(step("a", "shop.slow"), more=(slow,))
    run.lose("a")  # whoever made it is dead, and the service may be at it for as long as ever
    run.later(2).call("a", uncertain())
    (search,) = run.later(LONG).go()

    assert isinstance(search, LookUp)
    assert (search.n, search.absent_from) == (2, NOW + 600 + SETTLE_S)


def test_where_policy_lets_no_call_settle_a_doubt_a_search_that_finds_nothing_does() -> None:
    run = one("shop.found_keyed")
    run.call("a", uncertain())
    run.policy = policy("forbid (principal, action, resource);")
    (search,) = run.later(SETTLE_S).go()
    assert isinstance(search, LookUp)
    run.resolve("a", 1, "absent", by="lookup")
    end = run.finish()

    assert search.absent_from == NOW + SETTLE_S
    assert (end.code, end.uncertain, end.standing) == ("policy-denied", (), ())


def test_a_cancel_that_undoes_waits_for_no_key_where_a_search_finds_nothing() -> None:
    asked = undoable(name="shop.asked", approval="approver", lookup=FIND, settle_s=SETTLE_S)
    run = play(step("a", "shop.asked"), more=(*ACTIONS, asked))
    run.grant(*run.ask())
    run.later(GATE_S - 1).call("a", uncertain())
    over_at = run.now
    run.write(e.CancelRequested(by="requester", mode="undo"))
    (search,) = run.later(2).go()  # what was granted has run out
    assert isinstance(search, LookUp)
    run.later(SETTLE_S).resolve("a", 1, "absent", by="lookup")

    assert search.absent_from == over_at + SETTLE_S
    assert run.finish().uncertain == ()


def test_credentials_that_end_while_a_call_is_in_doubt_are_waited_for_and_then_it_is_settled() -> (
    None
):
    run = one("keyed")
    run.call("a", uncertain())
    run.later(1.0).call("a", refused("auth"))
    wait = run.wait()
    first = run.state.attempts["a", ""][0].intent.key

    assert wait.waiting_for == "credentials"
    run.now = wait.until or 0.0
    long_gone = run.wait()
    assert (long_gone.waiting_for, long_gone.until) == ("reconcile", None)  # the window is over
    assert run.state.attempts["a", ""][1].intent.key == first


def _waits_for_approval() -> Play:
    run = one("asked_keyed")
    run.grant(*run.ask())
    run.later(GATE_S - 1).call("a", uncertain())
    run.later(2).ask()  # what was granted has run out
    return run


def _waits_for_a_stop() -> Play:
    run = one("keyed")
    run.call("a", uncertain())
    run.later(2).not_before["shop"] = Held(inf, "stop")
    return run


def _waits_for_its_service() -> Play:
    run = one("keyed")
    run.call("a", uncertain(at=NOW + 500))
    return run.later(2)


@pytest.mark.parametrize("waits", [_waits_for_approval, _waits_for_a_stop, _waits_for_its_service])
def test_a_repetition_waits_no_longer_than_its_key_is_good_for(waits: Callable[[], Play]) -> None:
    run = waits()
    began, until = run.state.attempts["a", ""][0].at, run.wait().until
    assert until is not None
    after = run.later(until - run.now).wait()

    assert until == pytest.approx(began + WINDOW_SHARE * WINDOW_S, abs=0.01)
    assert (after.waiting_for, after.until) == ("reconcile", None)
