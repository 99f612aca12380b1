"""`python -m benchmarks.admission.mutants --count 100000`: broken plans, judged by an oracle.

Accepted plans of the language's suite, and with `--data` of the data sets, are broken in one of
many known ways. What admission says of each is held against the oracle, which shares no code
with it: both must find the same codes. Codes of labels are left out, for they depend on words.
A mutation may leave a plan valid; such plans are counted apart, and must be accepted.

They are made in chunks, each from a random generator of its own, and a line on stderr says how
far it is: `--seed` and `--count` name the same mutants however many processes share the chunks.
"""

import argparse
import copy
import json
import multiprocessing
import random
import sys
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from benchmarks.admission.mutations import MUTATIONS
from benchmarks.admission.oracle import codes_of
from benchmarks.admission.seeds import Seed, seeds_of
from benchmarks.given import folder_with
from executor.check.admit import Rejected, admit
from executor.check.parse import parse_plan
from executor.plan.model import Plan

_DATA = folder_with("agentdojo_banking_tools.json")

OF_LABELS = frozenset(
    "ungrounded-target tainted-argument private-to-open effect-before-check".split()
)
CHUNK = 2_000  # mutants that are made together
UNBROKEN = "none: the plans themselves"
Rng = random.Random


@dataclass
class Tally:
    """What became of the mutants of one kind."""

    n: int = 0
    refused: int = 0
    with_own: int = 0  # of the refused, with the code that the kind is named for
    valid: int = 0
    disagree: list[tuple[str, str, set[str], set[str]]] = field(default_factory=list)


def run(seeds: list[Seed], count: int, rng: Rng) -> dict[str, Tally]:
    """Break plans and judge them until there are `count` of them."""
    tallies = {kind: Tally() for kind in MUTATIONS}
    groups: dict[str, list[Seed]] = {}
    for seed in seeds:
        groups.setdefault(seed.name.partition(":")[0], []).append(seed)
    done = 0
    while done < count:
        kind = rng.choice([*MUTATIONS])
        seed = rng.choice(groups[rng.choice([*groups])])
        text = mutant(seed, kind, rng)
        if text is None:
            continue
        done += 1
        judge(seed, kind, text, tallies[kind])
    return tallies


def unbroken(seeds: list[Seed]) -> Tally:
    """Judge the plans themselves."""
    tally = Tally()
    for seed in seeds:
        judge(seed, UNBROKEN, json.dumps(seed.plan), tally)
    return tally


def mutant(seed: Seed, kind: str, rng: Rng) -> str | None:
    """The text of a broken plan; None where this kind has nothing to break."""
    plan = copy.deepcopy(seed.plan)
    if not plan.get("steps"):
        return None
    try:
        found = MUTATIONS[kind][0](plan, seed, rng)
    except (IndexError, KeyError):
        return None  # there is nothing of the sort to choose from
    if found is None:
        found = json.dumps(plan)
    return found if found != json.dumps(seed.plan) else None


def judge(seed: Seed, kind: str, text: str, tally: Tally) -> None:
    """Hold what admission says against what the oracle says."""
    said = _said(seed, text)
    deserved = codes_of(text, seed.actions, seed.inputs_schema)
    tally.n += 1
    if said != deserved:
        tally.disagree.append((seed.name, text, said, deserved))
    elif said:
        tally.refused += 1
        tally.with_own += kind in MUTATIONS and bool(said & MUTATIONS[kind][1])
    else:
        tally.valid += 1


def _said(seed: Seed, text: str) -> set[str]:
    plan = parse_plan(text)
    if not isinstance(plan, Plan):
        return {str(each.code) for each in plan}
    match admit(plan, seed.context):
        case Rejected(violations=found):
            return {str(each.code) for each in found} - OF_LABELS
        case _:
            return set()


@lru_cache(1)
def _seeds(data: Path | None) -> list[Seed]:
    """The same in every chunk of a process."""
    return seeds_of(data)


def _work(given: tuple[Path | None, int, str]) -> dict[str, Tally]:
    data, count, rng = given
    if not count:
        return {UNBROKEN: unbroken(_seeds(data))}
    return run(_seeds(data), count, Rng(rng))


def _chunks(data: Path | None, count: int, seed: int) -> list[tuple[Path | None, int, str]]:
    """The plans themselves, and then so many mutants at a time."""
    mutants = [(data, min(CHUNK, count - at), f"{seed} {at}") for at in range(0, count, CHUNK)]
    return [(data, 0, ""), *mutants]


def main() -> None:
    """Print a table of kinds; exits with 1 on any disagreement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="so many mutants")
    parser.add_argument("--data", type=_DATA, help="the folder with the data sets")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--processes", type=int, default=2, help="how many work at once")
    parser.add_argument("--show", type=int, default=3, help="show so many disagreements")
    options = parser.parse_args()
    start = time.monotonic()
    jobs = _chunks(options.data, options.count, options.seed)
    found = {kind: Tally() for kind in (UNBROKEN, *MUTATIONS)}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for part in pool.imap(_work, jobs):
            found |= {kind: _sum([found[kind], tally]) for kind, tally in part.items()}
            done = _sum([*found.values()])
            told = f"{done.n} plans, {len(done.disagree)} disagreements, {options.count} wanted"
            print(told, file=sys.stderr, flush=True)
    print(table(found))
    count = sum(found[kind].n for kind in MUTATIONS)
    took = time.monotonic() - start
    print(f"\n{count} mutants in {took:.0f} s, {1000 * took / max(count, 1):.2f} ms each")
    for kind, tally in found.items():
        for name, text, said, deserved in tally.disagree[: options.show]:
            codes = f"said {sorted(said)}, oracle {sorted(deserved)}"
            print(f"\n{kind}, {name}\n  {codes}\n  {text[:600]}")
    sys.exit(1 if any(each.disagree for each in found.values()) else 0)


def _sum(parts: list[Tally]) -> Tally:
    found = Tally()
    for each in parts:
        found.n += each.n
        found.refused += each.refused
        found.with_own += each.with_own
        found.valid += each.valid
        found.disagree += each.disagree
    return found


def table(tallies: dict[str, Tally]) -> str:
    """One line a kind of mutation, and the sum."""
    head = (
        "mutation",
        "n",
        "refused, right codes",
        "own code among them",
        "still valid",
        "disagree",
    )
    broken = [tally for kind, tally in tallies.items() if kind != UNBROKEN]
    lines = {**tallies, "all mutants": _sum(broken)}
    rows = [head] + [
        (kind, *map(str, (it.n, it.refused, it.with_own, it.valid, len(it.disagree))))
        for kind, it in lines.items()
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    main()
