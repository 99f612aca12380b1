"""`python -m benchmarks.mutation`: how many small faults in the checks and the policies are found.

    python -m benchmarks.mutation                                     # everything
    python -m benchmarks.mutation --only executor/check/labels.py --survivors
    python -m benchmarks.mutation --sample 20 --seed 3                # so many of each module
    python -m benchmarks.mutation --policies --data DIR               # the Cedar texts alone

A fault counts as found if a case of the suite says something else, if a test of `tests/check`,
`tests/plan`, `tests/fn`, `tests/suite` or of a run's decisions (`tests/run/test_decide_*.py`)
fails, or if nothing comes to an end. No fault is held against more than `--limit` seconds of tests
in one run, those first that are likely to find it: what only the others would find survives.
`equivalent.txt` lists faults that change nothing, each with its reason; they are run as well, and
counted apart. What was measured and found is kept in `.mutation` for the next run (`kept.py`):
`--fresh` begins anew; `--trust` takes what was found once for found, though its module changed.
Exits with 1 below 95 %, and where the list of equivalent faults names one that is found or is none.
"""

import argparse
import importlib
import random
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.given import folder_with
from benchmarks.mutation import kept, runner, warm
from benchmarks.mutation.changes import Change, changes
from benchmarks.mutation.coverage import Coverage, Finds, Test
from benchmarks.mutation.equivalent import equivalent
from benchmarks.mutation.runner import ROOT, Result
from benchmarks.mutation.score import HEAD, Score, total
from benchmarks.mutation.warm import Part

_DATA = folder_with("tau2_retail_db.json")

GOAL = 0.95
LIMIT_S = 1.0  # of the processor, with every line noted
SOON_S = 0.2  # where many share a process, and where one has to import everything anew
CHECKS = ROOT / "executor" / "check"
TESTS = [
    path
    for pattern in ("check/test_*", "plan/test_*", "fn/test_*", "suite/test_*", "run/test_decide_*")
    for path in sorted((ROOT / "tests").glob(f"{pattern}.py"))
]
# Imported before the fork: everything large that no changed module is part of.
READY = [
    "cedarpy", "hypothesis", "jsonschema_rs", "pydantic", "pytest", "re2", "rfc8785",
    "connectors.canonical", "connectors.catalog", "connectors.currency", "connectors.spec",
    "connectors.validate",
]  # fmt: skip


def main() -> None:
    """Print the table; exits with 1 if too many survive."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation")
    parser.add_argument("--only", action="append", help="a module or a folder of modules")
    parser.add_argument("--policies", action="store_true", help="the Cedar texts alone")
    parser.add_argument("--data", type=_DATA, help="the folder with tau2, for its policies")
    parser.add_argument("--sample", type=int, help="so many changes of each module, not all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--survivors", action="store_true", help="show every fault not found")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of tests a fault")
    parser.add_argument("--fresh", action="store_true", help="forget what was kept")
    parser.add_argument("--trust", action="store_true", help="what was found once stays found")
    options = parser.parse_args()
    if options.fresh:
        shutil.rmtree(kept.FOLDER, ignore_errors=True)
    print(HEAD)
    parts: list[list[Score]] = []
    if not options.policies:
        found = of_modules(_paths(options.only or ["executor/check"]), options)
        parts.append([_told(score, options) for score in found])
    if not options.only:
        policies = importlib.import_module("benchmarks.mutation.policies")
        parts.append([_told(score, options) for score in policies.scores(options.data)])
    for part in parts:
        if len(part) > 1:
            print(total(part).row())
    is_good = all(
        total(part).share >= GOAL and not any(score.wrongly_listed for score in part)
        for part in parts
    )
    sys.exit(0 if is_good else 1)


def of_modules(paths: list[Path], options: argparse.Namespace) -> Iterator[Score]:
    """A score for each module, as soon as it is known."""
    for name in READY:
        importlib.import_module(name)
    start = time.monotonic()
    coverage = kept.coverage({path: _module(path) for path in _paths(["executor/check"])}, TESTS)
    print(f"... {len(coverage.seen)} cases and tests in {time.monotonic() - start:.0f} s; "
          f"fail without a change: {coverage.failing or 'none'}", file=sys.stderr)  # fmt: skip
    parts = [
        Part(path, _module(path), *changes(_module(path), path.read_text("utf-8")))
        for path in paths
    ]
    judges = [_Judge(part, coverage, options) for part in parts]
    start = time.monotonic()
    for judge in _judged(judges, [each.test for each in coverage.seen], options.jobs):
        score = Score(str(judge.part.path.relative_to(ROOT)))
        for result in judge.results:
            change = result.change
            shown = f"{change.line}: {change.text}\n    {change.what}"
            listed = change.key in equivalent()
            score.count_one(shown, result.is_killed, listed, result.by or "")
        score.seconds = time.monotonic() - start
        start = time.monotonic()
        yield score


class _Judge:
    """What is known of one module's faults, and what is still to be asked."""

    def __init__(self, part: Part, coverage: Coverage, options: argparse.Namespace) -> None:
        self.part = part
        self._coverage = coverage
        self._limit = options.limit
        chosen = part.changes
        if options.sample is not None:
            chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))
        self._kept = kept.Results(part.module, part.path, is_trusted=options.trust)
        self.results: list[Result] = []
        self.waiting: list[Change] = []
        for change in chosen:
            known = self._kept.of(change, coverage)
            if known:
                self.results.append(known)
            else:
                self.waiting.append(change)

    def asked(self, change: Change, finds: Finds, most_s: float | None = None) -> list[Test]:
        """The tests for one fault, in order: what found it before first, then what may soon."""
        tests = self._kept.unasked(change, self._coverage.tests_of(change, finds))
        return self._coverage.within(tests, most_s or self._limit)

    def judged(self, result: Result) -> None:
        """Keep one more, unless it has to be tried in a new import."""
        if result.by is not None:
            self.decided(result)

    def decided(self, result: Result) -> None:
        self.results.append(result)
        self._kept.keep(result, self._coverage.marks.get(result.by or "", ""))
        self.waiting.remove(result.change)

    def finds(self) -> Finds:
        """By what this module's faults were found before, whether that still counts or not."""
        found = Finds()
        for by in self._kept.finders():
            found.note(by)
        return found

    def close(self) -> None:
        self._kept.close(self.part.changes)


def _judged(judges: list[_Judge], known: list[Test], jobs: int) -> Iterator[_Judge]:
    """Warm first; then, in a new import, what cannot be judged there."""
    by_module = {judge.part.module: judge for judge in judges}

    def asked(change: Change, finds: Finds) -> list[Test]:
        return by_module[change.module].asked(change, finds)

    def soon(change: Change, finds: Finds) -> list[Test]:
        return by_module[change.module].asked(change, finds, SOON_S)

    def judge_warm(tell: warm.Tell) -> None:
        warm.run(parts, known, asked, soon, tell, jobs)

    parts = [
        replace(judge.part, changes=list(judge.waiting), finds=judge.finds()) for judge in judges
    ]
    done = 0
    for number, place, by, tests in runner.told_by_child(judge_warm):
        judge = judges[number]
        if place is not None:
            judge.judged(Result(parts[number].changes[place], by, tests))
            done += 1
            _progress(done, sum(len(part.changes) for part in parts))
            continue
        for result in runner.run(list(judge.waiting), judge.part.tree, soon, jobs):
            judge.decided(result)
        judge.close()
        yield judge


def _progress(done: int, of: int) -> None:
    if done % 100 == 0:
        print(f"... {done} of {of}", file=sys.stderr, flush=True)


def _told(score: Score, options: argparse.Namespace) -> Score:
    print(score.row(), flush=True)
    for each in score.wrongly_listed:
        print(f"  listed as equivalent, but found: {each}")
    for each in score.survived if options.survivors else ():
        print(f"  {each}", flush=True)
    return score


def _paths(names: list[str]) -> list[Path]:
    found = []
    for name in names:
        path = ROOT / name
        found += sorted(path.glob("*.py")) if path.is_dir() else [path]
    return [path for path in found if path.name != "__init__.py"]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


if __name__ == "__main__":
    main()
