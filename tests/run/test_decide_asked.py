"""A call that asks something beside an earlier one in doubt: its answer settles nothing."""

from typing import Any

import pytest
from run_cases import Play, action, applied, play, refused, step, uncertain

from executor.run import events as e
from executor.run.commands import Perform

ASKS: Any = {"sure": {"message": "Sure?", "schema": {}}}
ANSWERS: Any = {"sure": {"action": "accept", "content": {}}}


def _asks(run: Play, command: Perform) -> None:
    """The call asks before it goes on, and somebody answers."""
    n, state = command.n, "applied_pending"
    told = {"step": "a", "iteration": "", "n": n, "state": state, "handle": f"h{n}", "asks": ASKS}
    run.flying.clear()
    run.write(e.AttemptEnded.model_validate(told))
    run.write(
        e.ReconcileResolved(
            step="a", iteration="", n=n, resolution="answered", by="ann", answers=ANSWERS
        )
    )


def _in_doubt_and_asked() -> Play:
    """It asks, its answer goes on, nobody hears how that ended, and the call made again asks."""
    run = play(step("a", "keyed"), step("b", "blind", after=["a"]))
    for end in (None, uncertain(), None):
        (command,) = run.later(5).performs().values()
        run.begin(command)
        _asks(run, command) if end is None else run.end(command, end)
    return run


def test_what_went_on_with_an_answer_stays_in_doubt_though_a_later_call_was_answered() -> None:
    run = _in_doubt_and_asked()
    doubt = run.state.in_doubt(("a", ""))

    assert doubt is not None
    assert doubt.intent.n == 2


def test_the_same_call_with_the_answer_settles_it() -> None:
    run = _in_doubt_and_asked()
    again = run.call("a", applied({"id": 7}, replayed=True))
    run.go()
    first, second, *_ = run.state.attempts["a", ""]

    assert again.continues is not None
    assert (first.is_answered, second.is_applied) == (True, True)


def test_a_no_to_the_answer_says_nothing_of_the_earlier_call() -> None:
    run = _in_doubt_and_asked()
    run.call("a", refused())

    assert (run.wait().waiting_for, run.wait().steps) == ("reconcile", ("a",))


@pytest.mark.parametrize("mode", ["stop", "undo"])
def test_a_run_that_is_cancelled_then_tells_of_the_doubt(mode: str) -> None:
    run = _in_doubt_and_asked()
    run.cancel(mode)
    end = run.finish()

    assert end.uncertain == ("a",)


def test_what_is_given_up_beside_an_answer_is_not_called_again() -> None:
    run = _in_doubt_and_asked()
    run.resolve("a", 2, "abandoned")
    end = run.finish()

    assert (end.status, end.code, end.uncertain) == ("failed", "abandoned", ("a",))


def test_a_no_of_a_search_beside_an_answer_leaves_the_answer_to_be_told() -> None:
    run = play(step("a", "shop.searched"), more=(action("shop.searched", "keyed"),))
    for end in (None, uncertain(), None):
        (command,) = run.later(5).performs().values()
        run.begin(command)
        _asks(run, command) if end is None else run.end(command, end)
    run.resolve("a", 2, "absent", by="lookup")

    assert [each.n for each in run.performs().values()] == [4]


def test_what_was_answered_goes_with_the_call_that_is_made_again_with_new_credentials() -> None:
    run = play(step("a", "keyed"))
    command = run.performs()["a"]
    run.begin(command)
    _asks(run, command)
    refused_for_them = run.call("a", refused("auth"))
    again = run.later(400).performs()["a"]

    assert refused_for_them.continues is not None
    assert again.continues == refused_for_them.continues
