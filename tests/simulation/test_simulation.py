"""Simulated histories of the production drive, decisions and store under every kind of fault.

`LAMGATE_HISTORIES` says how many are played (`make nightly`: a million),
`LAMGATE_HISTORIES_FROM` with which seed they begin.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sim_mutants import MUTANTS, Mutant, mutated
from sim_play import live, missing, play

HISTORIES = int(os.environ.get("LAMGATE_HISTORIES", "400"))
FIRST = int(os.environ.get("LAMGATE_HISTORIES_FROM", "0"))
PARTS = 8
HISTORIES_FOR_A_MUTANT = 1500


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_breaks_a_promise_and_together_they_come_by_everything(part: int) -> None:
    reached: Counter[str] = Counter()
    seeds = range(FIRST + part, FIRST + HISTORIES, PARTS)
    broken = {seed: found for seed in seeds if (found := play(seed, reached)) is not None}

    assert broken == {}
    assert len(seeds) < 1000 or missing(reached) == []


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert live(seed).trace() == live(seed).trace()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.why)
def test_a_fault_still_finds_its_place(mutant: Mutant) -> None:
    assert mutated(mutant) != ""


@pytest.mark.skipif("LAMGATE_MUTANTS" not in os.environ, reason="LAMGATE_MUTANTS is not set")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(len(MUTANTS)))
def test_a_fault_of_the_protocol_or_the_world_is_found(number: int) -> None:
    script = Path(__file__).with_name("sim_mutants.py")
    command = [sys.executable, str(script), str(number), str(HISTORIES_FOR_A_MUTANT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
