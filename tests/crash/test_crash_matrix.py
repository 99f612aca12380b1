"""A process killed at every boundary of a step, for every effect class: nothing twice or lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mortal import POINTS
from trials import MIDDLES, Crashes, Verdict

ROUNDS = int(os.environ.get("LAMGATE_CRASH_ROUNDS", "1"))
# Where nobody can know any more whether a call of nobody's key took effect.
IN_DOUBT = ("after the intent", "after sending", "after the answer")


@pytest.mark.parametrize("effect", MIDDLES)
def test_a_run_that_nobody_kills_does_everything_once(
    effect: str, crashes: Crashes, tmp_path: Path
) -> None:
    verdict = crashes.uninterrupted(effect, tmp_path)

    assert verdict.trace["status"] == "succeeded"
    assert set(verdict.effects.values()) == {1}


@pytest.mark.parametrize("again", range(ROUNDS))
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("effect", MIDDLES)
def test_a_run_whose_process_is_killed_repeats_nothing_and_loses_nothing(
    effect: str,
    point: str,
    again: int,
    crashes: Crashes,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    verdict: Verdict = crashes.trial(effect, point, tmp_path)
    record_property(
        "crash", [effect, verdict.duplicates, verdict.silent_losses, verdict.is_uncertain]
    )

    assert verdict.duplicates == 0, verdict
    assert verdict.silent_losses == 0, verdict
    assert verdict.is_uncertain is (effect == "blind" and point in IN_DOUBT), verdict.trace
    if not verdict.is_uncertain:
        assert verdict.trace["status"] == "succeeded", verdict.trace
        assert set(verdict.effects.values()) == {1}, verdict
