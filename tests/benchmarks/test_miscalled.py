"""Recorded calls that no tool could take are refused, with the right code."""

import os
from pathlib import Path

import pytest

from benchmarks.admission.miscalled import TRAJECTORIES, judged

DATA = os.environ.get("LAMGATE_DATA")


@pytest.mark.skipif(
    not DATA or not (Path(DATA) / TRAJECTORIES).exists(),
    reason="LAMGATE_DATA names no folder with the data sets",
)
def test_a_recorded_call_of_no_tool_or_of_a_wrong_shape_is_refused_for_that() -> None:
    assert judged(Path(DATA or "")) == {"i_unknown_tool": (11, 11), "ii_schema_invalid": (1, 1)}
