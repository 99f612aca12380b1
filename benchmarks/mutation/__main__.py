"""`python -m benchmarks.mutation`: how many small faults in the checks and the policies are found.

    python -m benchmarks.mutation                                     # everything
    python -m benchmarks.mutation --only executor/check/labels.py --survivors
    python -m benchmarks.mutation --sample 20 --seed 3                # so many of each module
    python -m benchmarks.mutation --quick                             # the quickest tests alone
    python -m benchmarks.mutation --policies --data DIR               # the Cedar texts alone

A fault counts as found if a case of the suite says something else, if a test of `tests/check`,
`tests/plan`, `tests/fn`, `tests/suite` or of a run's decisions (`tests/run/test_decide_*.py`)
fails, or if nothing comes to an end. `equivalent.txt` lists faults that change nothing, each with
its reason; they are run as well, and counted apart.
Exits with 1 below 95 %.
"""

import argparse
import importlib
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.mutation import runner, warm
from benchmarks.mutation.changes import Change, changes
from benchmarks.mutation.coverage import Coverage
from benchmarks.mutation.equivalent import equivalent
from benchmarks.mutation.measure import measured
from benchmarks.mutation.runner import ROOT
from benchmarks.mutation.score import HEAD, Score, total
from benchmarks.mutation.warm import Part

GOAL = 0.95
QUICK_S = 2.0  # of the processor, with every line noted
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
    parser.add_argument("--data", type=Path, help="the folder with tau2, for its policies")
    parser.add_argument("--sample", type=int, help="so many changes of each module, not all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--survivors", action="store_true", help="show every fault not found")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--quick", action="store_true", help="beside the cases the quickest tests alone"
    )
    options = parser.parse_args()
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
    if options.quick:
        coverage.most_s = QUICK_S
    whole = {path: changes(module, path.read_text("utf-8")) for path, module in files.items()}
    parts = [Part(path, *each) for path, each in whole.items()]
    if options.sample is not None:
        parts = [replace(part, changes=_sample(part.changes, options)) for part in parts]
    start = time.monotonic()
    for part, results in _results(parts, coverage, options.jobs):
        score = Score(str(part.path.relative_to(ROOT)))
        for result in results:
            change = result.change
            shown = f"{change.line}: {change.text}\n    {change.what}"
            listed = change.key in equivalent()
            score.count_one(shown, result.is_killed, listed, result.by or "")
        score.seconds = time.monotonic() - start
        start = time.monotonic()
        yield score


def _sample(found: list[Change], options: argparse.Namespace) -> list[Change]:
    return random.Random(options.seed).sample(found, min(options.sample, len(found)))


def _results(
    parts: list[Part], coverage: Coverage, jobs: int
) -> Iterator[tuple[Part, list[runner.Result]]]:
    """Warm first; then, in a new import, what cannot be judged there."""
    inner = [
        replace(part, changes=[change for change in part.changes if change.is_in_function])
        for part in parts
    ]
    results: list[runner.Result] = []
    cold: list[Change] = []
    for number, place, by in runner.told_by_child(
        lambda tell: warm.run(inner, coverage, tell, jobs)
    ):
        if place is not None:
            change = inner[number].changes[place]
            if by is None or (not by and coverage.is_imported(change)):
                cold.append(change)
            else:
                results.append(runner.Result(change, by))
        else:
            part = parts[number]
            cold += [change for change in part.changes if not change.is_in_function]
            results += runner.run(cold, part.tree, coverage, jobs)
            yield part, results
            results, cold = [], []


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
