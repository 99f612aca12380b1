"""Keeps between runs what each test runs and what became of each fault.

A fault that was found stays found while the sources and the test that found it are the same;
otherwise that test is asked first. One that survived is only held against tests that are new or
changed since then: that others might find it now is left out, which counts against the score.
"""

import json
import pickle
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.mutation.changes import Change
from benchmarks.mutation.coverage import Coverage, Test
from benchmarks.mutation.marks import mark_of, mark_of_all
from benchmarks.mutation.measure import measured
from benchmarks.mutation.runner import ROOT, SUITE, Result, in_child, suite_module

FOLDER = ROOT / ".mutation"
FOLDERS = [ROOT / "tests" / name for name in ("check", "plan", "fn", "suite", "run")]
SOURCES = [ROOT / "executor", ROOT / "connectors", SUITE / "catalogs", SUITE / "playbooks"]


@dataclass(frozen=True)
class Known:
    """What became of a fault before."""

    by: str
    mark: str  # of the test that found it
    sources: str
    asked: tuple[str, ...] = ()  # marks of the tests that did not find it


def sources() -> str:
    """The mark of everything but the tests themselves."""
    own = [path for folder in FOLDERS for path in folder.glob("*.py") if not _is_test(path)]
    marks = [mark_of(path) for path in sorted([ROOT / "tests" / "conftest.py", *own])]
    return "-".join([mark_of_all(SOURCES, ".py", ".json", ".yaml"), *marks])


def _is_test(path: Path) -> bool:
    return path.name.startswith("test_")


def coverage(files: dict[Path, str], tests: list[Path]) -> Coverage:
    """What was measured before, and what is new, measured now."""
    now = sources()
    kept = FOLDER / "coverage.pickle"
    before, of = pickle.loads(kept.read_bytes()) if kept.exists() else (Coverage(), "")
    if of != now:
        before = Coverage()
    marks = {mark_of(path) for path in tests} | set(in_child(_marks_of_cases))
    before.seen = [each for each in before.seen if each.test.mark in marks]
    known = {each.test.mark for each in before.seen}
    news = [str(path.relative_to(ROOT)) for path in tests if mark_of(path) not in known]
    found = in_child(lambda: measured(files, news, known=known))
    found.seen += before.seen
    found.imported |= before.imported
    _write(kept, pickle.dumps((found, now)))
    return found


def _marks_of_cases() -> list[str]:
    from benchmarks.mutation.marks import mark_of_case

    return [mark_of_case(case) for case in suite_module().CASES]


class Results:
    """What became of the faults of one module, written as soon as it is known."""

    def __init__(self, module: str, now: str, is_trusted: bool) -> None:
        self._path = FOLDER / f"{module}.jsonl"
        self._now = now
        self._is_trusted = is_trusted
        self._known: dict[tuple[str, str], Known] = {}
        if self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                text, what, known = json.loads(line)
                self._known[text, what] = Known(**known | {"asked": tuple(known["asked"])})

    def of(self, change: Change, tests: Iterable[Test]) -> Result | None:
        """What is still true of it, if that is known."""
        known = self._known.get(change.key[1:])
        if known is None:
            return None
        if known.by:
            stands = self._is_trusted or known.sources == self._now
            is_there = any(each.mark == known.mark for each in tests)
            return Result(change, known.by) if stands and is_there else None
        return Result(change, "") if not self.unasked(change, tests) else None

    def unasked(self, change: Change, tests: Iterable[Test]) -> list[Test]:
        """The tests that may find it: what found it first, and none that did not."""
        known = self._known.get(change.key[1:])
        if known is None:
            return list(tests)
        asked = set(known.asked)
        return sorted(
            (test for test in tests if test.mark not in asked), key=lambda it: it.name != known.by
        )

    def keep(self, result: Result, tests: Iterable[Test]) -> None:
        """Note one more."""
        by = result.by or ""
        mark = next((each.mark for each in tests if each.name == by), "")
        before = self._known.get(result.change.key[1:])
        asked = set() if by else {each.mark for each in tests} | set(before.asked if before else ())
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
