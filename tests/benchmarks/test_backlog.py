"""What much that waits costs is told beside what little does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_look_and_each_permit_has_a_line_with_its_ratio() -> None:
    command = [sys.executable, "-m", "benchmarks.backlog", "--few", "10", "--many", "50"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    head, *lines = done.stdout.splitlines()

    assert head.split() == ["ms", "10", "50", "ratio"]
    assert len(lines) == 5
    for line in lines:
        few, many, ratio = (float(each) for each in line.split()[-3:])
        assert few > 0
        assert abs(many / few - ratio) < 0.2 + 0.1 * ratio
