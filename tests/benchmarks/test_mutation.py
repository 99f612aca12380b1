"""The mutation tester on texts of its own: what is found, what survives, what is left alone."""

import importlib
import sys
from pathlib import Path

import pytest

from benchmarks.mutation.cedar_text import cedar_changes
from benchmarks.mutation.changes import changes
from benchmarks.mutation.equivalent import equivalent, read
from benchmarks.mutation.measure import measured
from benchmarks.mutation.policies import scores
from benchmarks.mutation.runner import ROOT, in_child, install, run
from benchmarks.mutation.score import Score, total

SAMPLE = '''
"""What is said here is for people."""

MOST = 3


def is_much(count: int, names: tuple[str, ...] = ()) -> bool:
    """More than there may be."""
    if count > MOST:
        return True
    return "all" in names
'''
TESTS = """
import is_sample

def test_four_are_many():
    assert is_sample.is_much(4)

def test_three_are_not():
    assert not is_sample.is_much(3)
"""


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "is_sample.py"
    path.write_text(SAMPLE)
    (tmp_path / "test_is_sample.py").write_text(TESTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return path


def judged(path: Path) -> dict[str, bool]:
    """Whether each fault of the sample was found, by its own tests alone."""
    root = path.parent
    coverage = in_child(lambda: measured({path: "is_sample"}, ["."], root, with_suite=False))
    tree, found = changes("is_sample", path.read_text())
    results = run(found, tree, coverage.tests_of, root=root)
    return {each.change.what: each.is_killed for each in results}


def test_a_fault_is_found_where_a_test_sees_it_and_survives_where_none_does(sample: Path) -> None:
    found = judged(sample)

    assert found["count > MOST => count >= MOST"] is True
    assert found["count > MOST => False"] is True
    assert found["3 => 4"] is True
    assert found["'all' => 'all!'"] is False
    assert found["'all' in names => 'all' not in names"] is True
    assert "is_sample" not in sys.modules


def test_a_changed_module_is_the_one_that_every_other_one_sees() -> None:
    module = "executor.check.flow"
    tree, found = changes(module, (ROOT / "executor/check/flow.py").read_text())
    change = next(each for each in found if each.what == "'yes' => 'yes!'")

    def seen() -> str:
        change.apply()
        install(module, tree)
        flow: str = importlib.import_module("executor.check.admit").Flow.YES.value
        return flow

    assert in_child(seen) == "yes!"
    assert importlib.import_module("executor.check.admit").Flow.YES.value == "yes"


def test_prose_types_and_docstrings_are_left_alone() -> None:
    _, found = changes("is_sample", SAMPLE + "\nprint('much too much', f'{MOST} is much')\n")

    assert {each.what for each in found if each.line > 11} == {
        "print('much too much', f'{MOST} is much') => pass"
    }
    assert not any("people" in each.what or "tuple" in each.what for each in found)


def test_a_constant_is_held_against_what_uses_it_or_what_is_made_of_it() -> None:
    text = "A = 1\nB, C = A, 2\nD = 3\n\ndef f(x):\n    return B\n\ndef g(x=D):\n    return C + D\n"
    _, found = changes("is_made", text)
    lines = {(each.line, each.what): sorted(each.lines) for each in found if each.line <= 3}

    assert lines[1, "1 => 2"] == [6, 9]  # through both, for nobody looks closer
    assert lines[2, "2 => 3"] == [6, 9]
    assert lines[3, "3 => 4"] == []  # a default is made at import: anybody may find it


def test_how_much_a_memory_keeps_is_left_alone_with_its_decorator() -> None:
    kept = (
        "KEPT: Final = 7\nMOST = 3\n\n@cache(KEPT)\n@cache(MOST)\ndef f(x):\n    return x < MOST\n"
    )
    _, found = changes("is_kept", kept)

    assert {each.what for each in found if each.line <= 2} == {"3 => 4", "3 => 2"}


def test_a_change_keeps_its_name_when_its_line_moves() -> None:
    _, found = changes("is_sample", SAMPLE)
    _, moved = changes("is_sample", "\n\n" + SAMPLE)

    assert [each.key for each in found] == [each.key for each in moved]
    assert len({each.key for each in found}) == len(found)


def test_a_policy_is_dropped_turned_round_and_shifted() -> None:
    text = """
        permit (principal, action, resource);
        @id("large") @approval("boss")
        forbid (principal, action == Action::"keyed", resource)
        when { context.args.minor > 1000 } unless { context.approvals.contains("boss") };
    """
    found = {each.what.partition(" in ")[0] for each in cedar_changes(text)}

    assert {
        "without permit (principal, action, resource);", "forbid => permit", "> => >=",
        "1000 => 999", '"boss" => "bossx"', "when => unless", "minor => minorx",
        '@approval("boss") => nothing', 'action == Action::"keyed" => action',
        'unless { context.approvals.contains("boss") } => nothing',
    } <= found  # fmt: skip
    assert not any("large" in each and "=>" in each for each in found if "without" not in each)


def test_a_share_is_of_the_faults_that_change_something() -> None:
    score = Score("sample")
    for is_found, is_equivalent in ((True, False), (False, True), (False, False), (True, True)):
        score.count_one("x", is_found, is_equivalent)

    assert (score.count, score.found, score.equivalent) == (4, 2, 1)
    assert score.share == 2 / 3
    assert score.wrongly_listed


def test_every_equivalent_fault_is_one_of_the_sources_and_has_a_reason() -> None:
    listed = [key for key in equivalent() if key[0].startswith("executor.")]
    known = {
        each.key
        for module in {key[0] for key in listed}
        for each in changes(module, (ROOT / f"{module.replace('.', '/')}.py").read_text())[1]
    }

    assert [key for key in listed if key not in known] == []
    with pytest.raises(ValueError, match="because"):
        read("module\nline\nchange\nno reason")


def test_nearly_every_fault_of_the_policies_is_found_by_a_case() -> None:
    found = total(scores())

    assert found.share >= 0.95, found.survived
    assert found.wrongly_listed == []
