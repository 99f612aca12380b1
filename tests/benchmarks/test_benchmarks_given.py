"""What a benchmark is given wrongly ends in a sentence, and what it cannot read in a row."""

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from benchmarks import openapi
from benchmarks.given import folder_with
from benchmarks.openapi_unseen import Found, documents, look_at

FINE = b'{"openapi": "3.1.0", "paths": {"/x": {"get": {"responses": {"204": {}}}}}}'
EMPTY = b'{"openapi": "3.1.0", "paths": {}}'


def test_a_folder_that_is_not_there_or_has_none_of_it_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wanted = folder_with("a.json", "*.yaml")
    for text, told in (
        (str(tmp_path / "nowhere"), "is not there"),
        (str(tmp_path / "file"), "is a file"),
        (str(tmp_path), "there is no a.json or \\*.yaml in"),
    ):
        with pytest.raises(ArgumentTypeError, match=told):
            wanted(text)
    (tmp_path / "b.yaml").write_text("x")

    assert wanted(str(tmp_path)) == tmp_path


def test_a_document_without_operations_is_a_row_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fine.json").write_bytes(FINE)
    (tmp_path / "empty.json").write_bytes(EMPTY)

    assert openapi.main(["--data", str(tmp_path), "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert "not measured: the document offers no operation" in said
    assert len(said.splitlines()) == 4  # head, two documents, total


def test_unseen_documents_are_counted_refused_or_said_to_crash(tmp_path: Path) -> None:
    (tmp_path / "fine.json").write_bytes(FINE)
    (tmp_path / "other.json").write_text('{"name": "no document"}')
    (tmp_path / "old.yaml").write_text("swagger: '1.2'\n")
    found = Found()
    names = [each.name for each in documents(tmp_path)]
    for each in documents(tmp_path):
        look_at(each.name, each.read_bytes(), found)

    assert names == ["fine.json", "old.yaml"]
    assert [(row.operations, row.offered) for row in found.rows] == [(1, 1)]
    assert [name for name, _ in found.refused] == ["old.yaml"]
    assert found.crashed == []
