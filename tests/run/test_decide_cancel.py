"""After cancel nothing new begins; what is in doubt is told, and looked up where one can."""

import pytest
from run_cases import (
    NOW,
    SETTLE_S,
    UNREADABLE,
    Answer,
    applied,
    not_sent,
    play,
    ref,
    refused,
    step,
    uncertain,
)

from executor.run.commands import LookUp

WRITES = ("idempotent", "keyed", "lookup", "blind")


@pytest.mark.parametrize("effect", ["read", *WRITES])
def test_no_call_begins_after_cancel(effect: str) -> None:
    run = play(step("a", effect))
    run.cancel()
    end = run.finish()

    assert (end.status, end.code, end.standing, end.uncertain) == ("cancelled", "cancelled", (), ())


@pytest.mark.parametrize("effect", ["read", *WRITES])
@pytest.mark.parametrize(
    "answer", [not_sent(), refused("auth"), refused("rate_limited", again=True)]
)
def test_no_call_is_repeated_after_cancel(effect: str, answer: Answer) -> None:
    run = play(step("a", effect))
    run.call("a", answer)
    run.cancel()

    assert run.later(400).finish().status == "cancelled"


def test_a_call_under_way_is_waited_for_and_what_it_did_is_told() -> None:
    run = play(step("a", "blind"), step("b", after=["a"]))
    begun = run.performs()["a"]
    run.begin(begun)
    run.cancel()
    waiting = run.wait()
    run.end(begun, applied({"id": 1}))
    end = run.finish()

    assert waiting.waiting_for == "flight"
    assert (end.status, end.standing) == ("cancelled", ("a",))
    assert run.state.done == {"a": {"id": 1}}


@pytest.mark.parametrize("effect", ["idempotent", "keyed", "blind"])
def test_what_is_in_doubt_is_not_repeated_and_told_as_uncertain(effect: str) -> None:
    run = play(step("a", effect))
    run.call("a", uncertain())
    run.cancel()
    end = run.later(5).finish()

    assert (end.status, end.standing, end.uncertain) == ("cancelled", (), ("a",))


def test_what_can_be_looked_up_is_looked_up_first() -> None:
    run = play(step("a", "lookup"), step("b", "blind"))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.crash()
    run.cancel()
    (search,) = run.go()
    run.ask_in_vain("a", SETTLE_S)
    wait = run.wait()
    run.later(SETTLE_S).resolve("a", 1, "applied", {"id": 1}, by="lookup")
    end = run.finish()

    assert isinstance(search, LookUp)
    assert (wait.waiting_for, wait.until) == ("reconcile", NOW + SETTLE_S)
    assert (end.standing, end.uncertain) == (("a",), ("b",))


def test_an_absence_found_after_cancel_is_not_made_good() -> None:
    run = play(step("a", "lookup"))
    run.call("a", uncertain())
    run.cancel()
    run.later(SETTLE_S).resolve("a", 1, "absent", by="lookup")
    end = run.finish()

    assert (end.status, end.standing, end.uncertain) == ("cancelled", (), ())


def test_a_search_that_is_futile_does_not_keep_a_cancelled_run() -> None:
    run = play(step("a", "lookup"))
    run.call("a", uncertain())
    run.cancel()
    run.ask_in_vain("a", None)

    assert run.finish().uncertain == ("a",)


@pytest.mark.parametrize("effect", WRITES)
def test_nobody_looks_for_an_answer_that_nobody_needs(effect: str) -> None:
    run = play(step("a", effect))
    run.call("a", UNREADABLE)
    run.cancel()
    end = run.finish()

    assert (end.status, end.standing, end.uncertain) == ("cancelled", ("a",), ())


def test_nobody_is_asked_after_cancel_and_open_questions_are_not_waited_for() -> None:
    asked, fresh = play(step("a", "asked_blind")), play(step("a", "asked_blind"))
    asked.ask()
    asked.cancel()
    fresh.cancel()

    assert asked.finish().status == fresh.finish().status == "cancelled"


def test_a_yes_after_cancel_begins_nothing() -> None:
    run = play(step("a", "asked_blind"))
    (approval,) = run.ask()
    run.cancel()
    run.grant(approval)

    assert (run.finish().status, run.state.attempts) == ("cancelled", {})


def test_what_a_run_did_before_it_was_cancelled_is_its_result() -> None:
    run = play(step("a"), step("b", "blind", after=["a"]), answer=[ref("a/id", "id")])
    run.call("a", applied({"id": 1}))
    run.cancel()

    assert run.finish().result == {"id": 1}
