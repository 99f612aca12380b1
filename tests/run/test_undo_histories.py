"""On the way back, whatever happens: in order, nothing twice, nothing forgotten, all of it told."""

import random

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from run_cases import anew, kept
from undo_world import WorldBack, random_play_back

from executor.run.decide import decide
from executor.run.fold import fold

SEEDS = st.integers(0, 2**48)
pytestmark = pytest.mark.timeout(1200)  # for the nightly profile


def _lived(seed: int) -> WorldBack:
    rng = random.Random(seed)
    world = WorldBack(random_play_back(rng), rng)
    try:
        world.live()
    except BaseException:
        note(world.told())
        raise
    return world


@given(SEEDS)
def test_every_effect_that_can_be_undone_is_undone_once_in_order_or_told_to_stand(
    seed: int,
) -> None:
    _lived(seed)  # the world checks every command and the end by what really happened


@given(SEEDS, st.floats(0, 1))
def test_a_run_taken_up_anywhere_on_its_way_decides_the_same_from_its_journal(
    seed: int, share: float
) -> None:
    run = _lived(seed).run
    cut = int(share * len(run.events))
    parts = fold(run.events[cut:], fold(run.events[:cut]))

    assert parts == run.state
    assert kept(parts) == anew(parts)
    assert kept(fold(run.events[:cut])) == anew(fold(run.events[:cut]))
    assert decide(run.accepted, parts, run.outside()) == run.decide()


def test_the_histories_really_lead_back_and_end_in_every_way() -> None:
    ends = set()
    for seed in range(60):
        finish = _lived(seed).finish
        assert finish is not None
        ends.add(finish.status)

    assert ends >= {"succeeded", "failed", "cancelled", "undone", "compensation_incomplete"}
