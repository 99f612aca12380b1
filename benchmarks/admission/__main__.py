"""`python -m benchmarks.admission --data DIR`: one table over every data set that is there."""

import argparse
import importlib
import pkgutil
import sys

from benchmarks.admission import sets
from benchmarks.admission.case import DataSet
from benchmarks.admission.judge import Score, score
from benchmarks.given import folder_with

_DATA = folder_with("agentdojo_banking_tools.json")


def main() -> None:
    """Print the table; exits with 1 if any verdict is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=_DATA, required=True, help="the folder with the data sets")
    parser.add_argument("--only", help="sets whose name begins so")
    parser.add_argument("--wrong", type=int, default=0, help="show so many wrong verdicts a set")
    options = parser.parse_args()
    scores = []
    for each in data_sets():
        if each.name.startswith(options.only or ""):
            print(f"... {each.name}", file=sys.stderr, flush=True)
            scores.append(score(each.name, each.load(options.data)))
    print(table(scores))
    for found in scores:
        for case, said in found.wrong[: options.wrong]:
            print(f"\n{found.name} {case.id}, expected {case.expected}: {said}")
        if found.why_not:
            reasons = ", ".join(f"{why} {count}" for why, count in found.why_not.most_common(6))
            print(f"\n{found.name}, not expressible: {reasons}")
    sys.exit(1 if any(found.wrong for found in scores) else 0)


def data_sets() -> list[DataSet]:
    """Every `SETS` of the modules in `benchmarks/admission/sets`, in the order of their names."""
    found: list[DataSet] = []
    for module in sorted(pkgutil.iter_modules(sets.__path__), key=lambda it: it.name):
        found += importlib.import_module(f"{sets.__name__}.{module.name}").SETS
    return found


def table(scores: list[Score]) -> str:
    """The scores as a table of text."""
    head = ("set", "n", "expressible", "right ones accepted", "wrong ones refused", "run right")
    rows = [head, *(each.row() for each in scores)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    main()
