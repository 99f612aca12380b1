"""What `python -m benchmarks.faults` calls held was tried."""

from pathlib import Path

from benchmarks.faults import Part, tried

SKIPPED = "import pytest; pytest.skip('there is no server', allow_module_level=True)"


def test_a_part_of_which_nothing_was_tried_does_not_count_as_held(tmp_path: Path) -> None:
    file = tmp_path / "test_trial.py"
    file.write_text(SKIPPED)

    assert tried(Part("on a server", [str(file)], {}), 1, tmp_path) == ([], False)
