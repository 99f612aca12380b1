"""A process killed at every boundary of a step, for every effect class: nothing twice or lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mortal import POINTS, UNDO_POINTS
from trials import MIDDLES, UNDOS, Crashes, Verdict, VerdictBack

from benchmarks.faults import PROPERTY, Told

ROUNDS = int(os.environ.get("LAMGATE_CRASH_ROUNDS", "1"))
# Where nobody can know any more whether a call of nobody's key took effect.
IN_DOUBT = ("after the intent", "after sending", "after the answer")
# What is undone afterwards: each round another class. What is in doubt then is settled at each
# point as on the way forward, so more than one point is for the night.
BACK_EFFECTS = ("idempotent", "lookup", "blind")
BACK_POINTS = ("after sending",) if ROUNDS == 1 else IN_DOUBT
Note = Callable[[str, object], None]


def note(record_property: Note, way: str, verdict: Verdict | VerdictBack) -> None:
    """Write down what became of a trial, before it is judged."""
    told = Told(
        fault=f"killed {way}",
        database="PostgreSQL" if os.environ.get("LAMGATE_CRASH_DATABASE") else "file",
        twice=verdict.duplicates,
        lost=verdict.silent_losses,
        in_doubt=verdict.is_uncertain,
    )
    record_property(PROPERTY, told.model_dump_json())


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
    record_property: Note,
) -> None:
    verdict: Verdict = crashes.trial(effect, point, tmp_path)
    note(record_property, f"on its way: {effect}", verdict)

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
    record_property: Note,
) -> None:
    effect = BACK_EFFECTS[again % len(BACK_EFFECTS)]
    verdict = crashes.trial_back(effect, by, "undo/middle", point, tmp_path)
    note(record_property, f"undoing: by {by}", verdict)

    assert verdict.duplicates == 0, verdict
    assert verdict.silent_losses == 0, verdict
    assert verdict.effects == {"middle": 1, "undo": 1}, verdict
    assert verdict.is_undone, verdict.trace


@pytest.mark.parametrize("again", range(ROUNDS))
@pytest.mark.parametrize("point", BACK_POINTS)
@pytest.mark.parametrize("effect", BACK_EFFECTS)
def test_an_effect_in_doubt_is_found_out_and_then_undone(
    effect: str,
    point: str,
    again: int,
    crashes: Crashes,
    tmp_path: Path,
    record_property: Note,
) -> None:
    verdict = crashes.trial_back(effect, "lookup", "middle", point, tmp_path)
    note(record_property, f"and then undone: {effect}", verdict)

    assert verdict.duplicates == 0, verdict
    assert verdict.silent_losses == 0, verdict
    assert verdict.is_uncertain is (effect == "blind"), verdict.trace
    if not verdict.is_uncertain:
        assert verdict.effects == {"middle": 1, "undo": 1}, verdict
