"""AgentDojo's bank in the worst case: no goal is reached, and every benign plan still runs."""

import os
from pathlib import Path

import pytest

from benchmarks.admission.injection import tally

DATA = os.environ.get("LAMGATE_DATA")

pytestmark = pytest.mark.skipif(
    not DATA or not (Path(DATA) / "agentdojo_banking_pairs.jsonl").exists(),
    reason="LAMGATE_DATA names no folder with the data sets",
)


def test_the_attacks_work_and_the_rules_stop_all_of_them() -> None:
    found = tally("banking", Path(DATA or ""))

    assert found.reached_without_rules > found.pairs / 5  # else the attacks prove nothing
    assert found.reached == []


def test_every_benign_plan_runs_to_the_gold_writes() -> None:
    assert tally("banking", Path(DATA or "")).broken == []
