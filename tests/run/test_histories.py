"""Whatever happens, and in whatever order: nothing acts twice, and every run comes to an end."""

import random

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from run_cases import anew, kept
from run_world import World, random_play

from executor.run import events as e
from executor.run.commands import Finish, Record
from executor.run.decide import decide
from executor.run.fold import fold

SEEDS = st.integers(0, 2**48)
pytestmark = pytest.mark.timeout(1200)  # for the nightly profile


def _lived(seed: int) -> World:
    rng = random.Random(seed)
    world = World(random_play(rng), rng)
    try:
        world.live()
    except BaseException:
        note(world.told())
        raise
    return world


@given(SEEDS)
def test_every_run_ends_acts_at_most_once_in_each_place_and_tells_what_happened(seed: int) -> None:
    _lived(seed)  # the world checks every command, every wait and the end


@given(SEEDS, st.floats(0, 1))
def test_a_journal_read_in_two_parts_says_the_same_and_so_does_every_decision(
    seed: int, share: float
) -> None:
    world = _lived(seed)
    events = world.run.events
    cut = int(share * len(events))
    whole = fold(events)
    parts = fold(events[cut:], fold(events[:cut]))

    assert whole == parts == world.run.state
    assert kept(whole) == anew(whole)
    assert kept(fold(events[:cut])) == anew(fold(events[:cut]))
    assert decide(world.run.accepted, whole, world.run.outside()) == world.run.decide()


@given(SEEDS, st.floats(0, 1))
def test_from_any_moment_of_its_history_a_run_that_is_restarted_knows_how_to_go_on(
    seed: int, share: float
) -> None:
    run = _lived(seed).run
    run.crash()
    cut = int(share * len(run.events))
    state = fold(run.events[:cut])
    run.state, run.now = state, run.events[cut - 1][0] if cut else run.now
    commands = run.go()

    assert commands
    assert all(not isinstance(each, Record) for each in commands)
    assert isinstance(commands[0], Finish) or run.state.finished is None


def test_a_run_that_has_finished_stays_so() -> None:
    for seed in range(20):
        run = _lived(seed).run
        run.write(e.RunFinished(status="succeeded"))

        assert run.decide() == ()
