"""What is known of a call once it was found out, and when a call that failed is made again."""

import pytest
from run_cases import NOW, UNREADABLE, Play, play, refused, step, uncertain

from executor.run.retry import backoff_s, retry_at
from executor.run.state import Attempt, doubt_of


def _attempts(run: Play) -> tuple[Attempt, ...]:
    return run.state.attempts["a", ""]


def test_what_was_found_out_of_the_last_call_leaves_no_doubt_about_those_before_it() -> None:
    run = play(step("a", "keyed"))
    run.call("a", uncertain())
    run.later(60).call("a", uncertain())
    before = doubt_of(_attempts(run))
    run.resolve("a", 2, "absent")

    assert before is not None
    assert before.intent.n == 2
    assert doubt_of(_attempts(run)) is None
    assert run.state.in_doubt(("a", "")) is None


@pytest.mark.parametrize(
    ("resolution", "happened"), [("applied", True), ("absent", False), ("abandoned", False)]
)
def test_a_finding_counts_more_than_an_answer_that_nobody_could_read(
    resolution: str, happened: bool
) -> None:
    run = play(step("a", "blind"))
    run.call("a", UNREADABLE)
    before = _attempts(run)[0].has_happened
    run.resolve("a", 1, resolution)

    assert before is True
    assert _attempts(run)[0].has_happened is happened


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.99])
def test_whoever_says_come_at_once_is_not_asked_more_often_than_others(jitter: float) -> None:
    run = play(step("a", "read"))
    run.call("a", refused("rate_limited", again=True, at=NOW))

    assert retry_at(_attempts(run)[0], 5, jitter) == NOW + backoff_s(5, jitter) >= NOW + 1
