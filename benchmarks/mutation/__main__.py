"""`python -m benchmarks.mutation`: how many small faults in the checks and the policies are found.

    python -m benchmarks.mutation                                     # everything
    python -m benchmarks.mutation --only executor/check/labels.py --survivors
    python -m benchmarks.mutation --sample 20 --seed 3                # so many of each module
    python -m benchmarks.mutation --policies                          # the Cedar texts alone

A fault counts as found if a case of the suite says something else, if a test of `tests/check`,
`tests/plan`, `tests/fn`, `tests/suite` or of a run's decisions (`tests/run/test_decide_*.py`)
fails, or if nothing comes to an end. `equivalent.txt` lists faults that change nothing, each with
its reason; they are run as well, and counted apart.
Exits with 1 below 95 %.
"""

import argparse
import ast
import importlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.mutation import runner, warm
from benchmarks.mutation.changes import Change, changes
from benchmarks.mutation.coverage import Coverage
from benchmarks.mutation.equivalent import equivalent
from benchmarks.mutation.measure import measured
from benchmarks.mutation.runner import ROOT
from benchmarks.mutation.score import HEAD, Score, total

GOAL = 0.95
DECISIONS = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "run").glob("test_decide_*.py")
)
FOLDERS = ["tests/check", "tests/plan", "tests/fn", "tests/suite", *DECISIONS]
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
    parser.add_argument("--sample", type=int, help="so many changes of each module, not all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--survivors", action="store_true", help="show every fault not found")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    print(HEAD)
    parts: list[list[Score]] = []
    if not options.policies:
        found = of_modules(_paths(options.only or ["executor/check"]), options)
        parts.append([_told(score, options) for score in found])
    if not options.only:
        policies = importlib.import_module("benchmarks.mutation.policies")
        parts.append([_told(score, options) for score in policies.scores()])
    for part in parts:
        if len(part) > 1:
            print(total(part).row())
    sys.exit(1 if any(total(part).share < GOAL for part in parts) else 0)


def of_modules(paths: list[Path], options: argparse.Namespace) -> Iterator[Score]:
    """A score for each module, as soon as it is known."""
    for name in READY:
        importlib.import_module(name)
    files = {path: _module(path) for path in paths}
    start = time.monotonic()
    coverage = runner.in_child(lambda: measured(files, FOLDERS))
    print(f"... {len(coverage.tests)} cases and tests in {time.monotonic() - start:.0f} s; "
          f"fail without a change: {coverage.failing or 'none'}", file=sys.stderr)  # fmt: skip
    for path, module in files.items():
        tree, found = changes(module, path.read_text(encoding="utf-8"))
        if options.sample is not None and options.sample < len(found):
            found = random.Random(options.seed).sample(found, options.sample)
        score = Score(str(path.relative_to(ROOT)))
        start = time.monotonic()
        for result in _results(found, tree, path, coverage, options.jobs):
            change = result.change
            shown = f"{change.line}: {change.text}\n    {change.what}"
            score.count_one(shown, result.is_killed, change.key in equivalent(), result.by or "")
        score.seconds = time.monotonic() - start
        yield score


def _results(
    found: list[Change], tree: ast.Module, path: Path, coverage: Coverage, jobs: int
) -> Iterator[runner.Result]:
    """Warm first; then, in a new import, what cannot be judged there."""
    inner = [change for change in found if change.is_in_function]
    cold = [change for change in found if not change.is_in_function]
    told = runner.in_child(lambda: warm.run(inner, tree, path, coverage, jobs)) if inner else []
    for place, by in told:
        change = inner[place]
        if by is None or (not by and coverage.is_imported(change)):
            cold.append(change)
        else:
            yield runner.Result(change, by)
    yield from runner.run(cold, tree, coverage, jobs)


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
