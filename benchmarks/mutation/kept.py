"""Keeps between runs what each test runs and what became of each fault.

What a test runs is measured once, and again when its own text is another; lines that moved since
then are found again, and what stands in the place of others is run by whoever ran those.
A fault that was found stays found while its module and the test that found it are the same;
otherwise that test is asked first. One that survived is only held against tests that did not see
it yet, or are changed since then: that others might find it now is left out, which counts against
the score.
"""

import json
import pickle
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path

from benchmarks.mutation.changes import Change
from benchmarks.mutation.coverage import Coverage, Seen, Test
from benchmarks.mutation.marks import mark_of, mark_of_test
from benchmarks.mutation.measure import measured
from benchmarks.mutation.runner import ROOT, Result, in_child, suite_module

FOLDER = ROOT / ".mutation"


@dataclass(frozen=True)
class Known:
    """What became of a fault before."""

    by: str
    mark: str  # of the test that found it
    module: str  # the mark of what was changed
    asked: tuple[str, ...] = ()  # what did not find it


def coverage(files: dict[Path, str], tests: list[Path]) -> Coverage:
    """What was measured before, and what is new, measured now."""
    kept = FOLDER / "coverage.pickle"
    texts = {module: path.read_text("utf-8").splitlines() for path, module in files.items()}
    before, old = pickle.loads(kept.read_bytes()) if kept.exists() else (Coverage(), {})
    moves = {
        module: moved(old[module], lines)
        for module, lines in texts.items()
        if old.get(module, lines) != lines
    }
    marks = {mark_of(path) for path in tests} | set(in_child(_marks_of_cases))
    seen = [_moved(each, moves) for each in before.seen if each.test.mark in marks]
    known = {each.test.mark for each in seen}
    news = [str(path.relative_to(ROOT)) for path in tests if mark_of(path) not in known]
    found = in_child(lambda: measured(files, news, known=known))
    found.seen += seen
    _write(kept, pickle.dumps((found, texts)))
    return found


def moved(old: list[str], new: list[str]) -> dict[int, set[int]]:
    """Where each line of a text, counted from 1, is in the text that it has become."""
    found: dict[int, set[int]] = defaultdict(set)
    for tag, i, i_end, j, j_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            for line in range(i, i_end):
                found[line + 1].add(line - i + j + 1)
        else:  # what comes is run by whoever ran what was there, or what stands around it
            for line in range(max(i - 1, 0), i_end + 1):
                found[line + 1] |= {*range(j + 1, j_end + 1)}
    return found


def _moved(seen: Seen, moves: Mapping[str, Mapping[int, set[int]]]) -> Seen:
    lines = {
        module: frozenset(new for line in each for new in moves[module].get(line, ()))
        if module in moves
        else each
        for module, each in seen.lines.items()
    }
    return Seen(seen.test, lines, seen.names)


def _marks_of_cases() -> list[str]:
    from benchmarks.mutation.marks import mark_of_case

    return [mark_of_case(case) for case in suite_module().CASES]


class Results:
    """What became of the faults of one module, written as soon as it is known."""

    def __init__(self, module: str, path: Path, *, is_trusted: bool) -> None:
        self._path = FOLDER / f"{module}.jsonl"
        self._now = mark_of(path)
        self._is_trusted = is_trusted
        self._known: dict[tuple[str, str], Known] = {}
        if self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                text, what, known = json.loads(line)
                self._known[text, what] = Known(**known | {"asked": tuple(known["asked"])})

    def of(self, change: Change, coverage: Coverage) -> Result | None:
        """What is still true of it, if that is known."""
        known = self._known.get(change.key[1:])
        if known is None:
            return None
        if known.by:
            stands = self._is_trusted or known.module == self._now
            is_there = known.mark in coverage.known_marks
            return Result(change, known.by) if stands and is_there else None
        return Result(change, "") if not self.unasked(change, coverage.tests_of(change)) else None

    def unasked(self, change: Change, tests: Iterable[Test]) -> list[Test]:
        """The tests that may find it: what found it first, and none that did not."""
        known = self._known.get(change.key[1:])
        if known is None:
            return list(tests)
        asked = set(known.asked)
        return sorted(
            (test for test in tests if mark_of_test(test) not in asked),
            key=lambda it: it.name != known.by,
        )

    def finders(self) -> list[str]:
        """What found each fault that was found."""
        return [known.by for known in self._known.values() if known.by]

    def keep(self, result: Result, mark: str) -> None:
        """Note one more, with the mark of what found it."""
        by = result.by or ""
        before = self._known.get(result.change.key[1:])
        asked = {mark_of_test(each) for each in result.asked}
        asked |= set(before.asked) if before and not by else set()
        known = Known(by, mark, self._now, tuple(sorted(asked)))
        self._known[result.change.key[1:]] = known
        self._path.parent.mkdir(exist_ok=True)
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps([*result.change.key[1:], asdict(known)]) + "\n")

    def close(self, changes: Iterable[Change]) -> None:
        """Leave one line for each fault that there still is."""
        keys = {change.key[1:] for change in changes}
        lines = [
            json.dumps([*key, asdict(known)]) for key, known in self._known.items() if key in keys
        ]
        _write(self._path, "".join(line + "\n" for line in lines).encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    (beside := path.with_suffix(".new")).write_bytes(content)
    beside.replace(path)
