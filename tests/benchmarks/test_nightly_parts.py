"""What a part of the night came to is kept, so that the night goes on where it was stopped."""

import argparse
import sys
from pathlib import Path

import pytest

from benchmarks import faults, nightly
from benchmarks.nightly import Part, parts


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "KEPT", tmp_path)


def test_every_folder_of_tests_and_every_kind_of_fault_is_a_part_with_a_file_of_its_own() -> None:
    told = argparse.Namespace(rounds=1, zombies=1, seconds=1, outages=1, runs=1, database="own")
    files = [part.file for part in parts(2)]

    assert {part.name for part in faults.parts(told)} == {*nightly.FAULTS}
    assert len(files) == len({*files})
    assert sum(part.name.startswith("tests of ") for part in parts(2)) > 15


@pytest.mark.parametrize("code", [0, 3])
def test_a_part_keeps_whether_it_held_how_long_it_took_and_what_it_printed(code: int) -> None:
    part = Part("one, two", [sys.executable, "-c", f"print('said'); raise SystemExit({code})"])
    before = part.came
    came = nightly.run(part, "abc")

    assert before is None
    assert part.came == came
    assert (came.held, came.commit) == (code == 0, "abc")
    assert part.file.with_suffix(".log").read_text("utf-8") == "said\n"


def test_what_holds_at_this_commit_is_not_run_again_unless_that_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    command = [sys.executable, "-c", f"open({str(ran)!r}, 'a').write('x')"]
    monkeypatch.setattr(nightly, "parts", lambda _: iter([Part("one", command)]))
    codes = []
    for commit, words in (("a", []), ("a", []), ("b", []), ("b", ["--again"]), ("b", ["--list"])):
        monkeypatch.setattr(nightly, "state", lambda commit=commit: commit)
        monkeypatch.setattr(sys, "argv", ["nightly", *words])
        codes.append(nightly.main())

    assert codes == [0] * 5
    assert ran.read_text() == "xxx"
    assert "holds" in capsys.readouterr().out
