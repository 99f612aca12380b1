"""The tutorial is followed to the letter, block by block, in an empty folder."""

import os
from pathlib import Path

import pytest

from benchmarks.tutorial import PAGE, follow

# In `make nightly` everything is downloaded, as on a fresh machine.
IS_FRESH = os.environ.get("LAMGATE_KIT_WHOLE") == "1"


@pytest.mark.timeout(1800)
def test_the_tutorial_leads_to_a_gold_connector_that_has_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = [*follow(tmp_path, is_linked=not IS_FRESH)]
    minutes = sum(each.seconds for each in blocks) / 60
    with capsys.disabled():
        print(f"\nconnector tutorial: {minutes:.1f} minutes of the machine's", flush=True)
    said = "".join(each.said for each in blocks)

    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```sh\n")
    assert "passed" in said
    assert "failed" not in said
    assert "succeeded" in said
