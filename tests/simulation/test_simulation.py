"""Simulated histories of the production drive, decisions and store under every kind of fault.

`LAMGATE_HISTORIES` says how many are played (`make nightly`: a million),
`LAMGATE_HISTORIES_FROM` with which seed they begin. They are parted into classes, for pytest-xdist
gives whole classes to its workers.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sim_many import play_missing
from sim_mutants import MUTANTS, Mutant, mutated
from sim_play import live, missing, play

HISTORIES = int(os.environ.get("LAMGATE_HISTORIES", "20000"))
FIRST = int(os.environ.get("LAMGATE_HISTORIES_FROM", "0"))
PARTS = 4
ENOUGH = 1000  # histories, to come by everything
HISTORIES_FOR_A_MUTANT = 4000
ONCE_BROKEN = (  # of the first million, and of some beyond
    30415, 31387, 39685, 68878, 86433, 207427, 209367, 209547, 210007, 523357, 572758, 575367,
    578885, 661769, 671679, 671907, 705809, 711841, 2001695, 2013010, 3122901, 3125387,
    6118498, 6120293, 8400562, 20109859, 20113481, 30002846, 32010431, 32020019, 48003306, 12828,
    13155, 40050008, 72003371, 6672, 58603205, 57022019, 55103616, 98025454, 99017892, 99017112,
    43887, 113385, 4444, 6667, 9709, 100049184, 100036047,
    102067141, 102005043, 102060905, 105034334, 700407,
)  # fmt: skip


class Histories:
    """One part of them, every fourth."""

    part = 0

    @pytest.mark.timeout(24 * 3600)
    def test_no_history_breaks_a_promise_and_together_they_come_by_everything(
        self, record_property: Callable[[str, object], None]
    ) -> None:
        reached: Counter[str] = Counter()
        seeds = range(FIRST + self.part, FIRST + HISTORIES, PARTS)
        broken = {seed: found for seed in seeds if (found := play(seed, reached)) is not None}
        record_property("histories", dict(reached))  # told at the end by conftest.py

        assert broken == {}
        assert len(seeds) < ENOUGH or missing(reached, len(seeds)) == []


class TestHistories0(Histories):
    part = 0


class TestHistories1(Histories):
    part = 1


class TestHistories2(Histories):
    part = 2


class TestHistories3(Histories):
    part = 3


@pytest.mark.parametrize("seed", range(26))  # of every kind
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert live(seed).trace() == live(seed).trace()


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_a_history_that_once_broke_a_promise_keeps_them_all(seed: int) -> None:
    assert play(seed, Counter()) is None


def test_what_stands_in_a_record_is_not_played_again(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    played = [play_missing(record, 0, 2), play_missing(record, 0, 2), play_missing(record, 500, 1)]

    assert played == [1, 0, 1]
    assert len(record.read_text("utf-8").splitlines()) == 2


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.why)
def test_a_fault_still_finds_its_place(mutant: Mutant) -> None:
    for module in (mutant.module, *(mutant.also or ())[:1]):
        assert mutated(mutant, module) != ""


@pytest.mark.skipif("LAMGATE_MUTANTS" not in os.environ, reason="LAMGATE_MUTANTS is not set")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=[each.why for each in MUTANTS])
def test_a_fault_of_the_protocol_or_the_world_is_found(number: int) -> None:
    script = Path(__file__).with_name("sim_mutants.py")
    command = [sys.executable, str(script), str(number), str(HISTORIES_FOR_A_MUTANT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout)

    assert done.returncode == 0, done.stdout + done.stderr
