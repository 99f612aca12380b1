"""A process killed at every boundary of a step, for every effect class: nothing twice or lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mortal import POINTS, UNDO_POINTS
from trials import MIDDLES, UNDOS, Crashes, Verdict

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


@pytest.mark.parametrize("again", range(ROUNDS))
@pytest.mark.parametrize("point", UNDO_POINTS)
@pytest.mark.parametrize("by", UNDOS)
def test_a_run_killed_on_its_way_back_undoes_everything_once(
    by: str,
    point: str,
    again: int,
    crashes: Crashes,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    verdict = crashes.trial_back("idempotent", by, "undo/middle", point, tmp_path)
    record_property("crash", [f"undo by {by}", verdict.duplicates, verdict.silent_losses, False])

    assert verdict.duplicates == 0, verdict
    assert verdict.silent_losses == 0, verdict
    assert verdict.effects == {"middle": 1, "undo": 1}, verdict
    assert verdict.is_undone, verdict.trace


# At each point what is in doubt is settled as on the way forward; more than one is for the night.
BACK_POINTS = ("after sending",) if ROUNDS == 1 else IN_DOUBT
BACK_EFFECTS = ("idempotent", "lookup", "blind")


@pytest.mark.parametrize("again", range(ROUNDS))
@pytest.mark.parametrize("point", BACK_POINTS)
@pytest.mark.parametrize("effect", BACK_EFFECTS)
def test_an_effect_in_doubt_is_found_out_and_then_undone(
    effect: str,
    point: str,
    again: int,
    crashes: Crashes,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    verdict = crashes.trial_back(effect, "lookup", "middle", point, tmp_path)
    figures = [verdict.duplicates, verdict.silent_losses, verdict.is_uncertain]
    record_property("crash", [f"{effect}, then undone", *figures])

    assert verdict.duplicates == 0, verdict
    assert verdict.silent_losses == 0, verdict
    assert verdict.is_uncertain is (effect == "blind"), verdict.trace
    if not verdict.is_uncertain:
        assert verdict.effects == {"middle": 1, "undo": 1}, verdict
