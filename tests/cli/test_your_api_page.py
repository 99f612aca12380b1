"""The page for people with an API of their own is followed to the letter, block by block."""

from pathlib import Path

import pytest

from benchmarks.tutorial import ROOT, follow

PAGE = ROOT / "docs" / "how-to" / "your-api.md"


@pytest.mark.timeout(600)
def test_a_document_of_ones_own_leads_to_an_approved_run_and_to_words_that_run(
    tmp_path: Path,
) -> None:
    blocks = [*follow(tmp_path, PAGE, is_linked=True)]

    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```sh\n")
    assert "failed" not in "".join(each.said for each in blocks)
