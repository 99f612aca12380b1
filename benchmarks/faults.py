"""Faults of all kinds against real processes: how often something happened twice, or was lost.

    python -m benchmarks.faults [--rounds N] [--zombies N] [--seconds N] [--outages N] [--runs N]
                                [--database own|postgresql://...] [--lanes N] [--only WORD]

Every figure is made by the project's own tests, with larger counts: each trial writes down what
came of it before it is judged, and here all of them are counted in one table. The judge is a
ledger of the service that was called, never what the gateway says of itself. `--database own`
starts PostgreSQL servers for the time it takes; without it, only files are tried.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).parents[1]
PROPERTY = "fault"


class Told(BaseModel):
    """What one trial, or several made together, came to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: str
    database: str
    trials: int = 1
    twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    seconds: Mapping[str, float] = {}
    notes: Mapping[str, int] = {}


@dataclass
class Row:
    """All trials of one fault on one kind of database."""

    trials: int = 0
    twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def add(self, told: Told) -> None:
        """Count one more."""
        self.trials += told.trials
        self.twice += told.twice
        self.lost += told.lost
        self.in_doubt += told.in_doubt
        for name, value in told.seconds.items():
            self.seconds.setdefault(name, []).append(value)
        for name, count in told.notes.items():
            self.notes[name] = self.notes.get(name, 0) + count


def rows(told: Iterable[Told]) -> dict[tuple[str, str], Row]:
    """Count by fault and database."""
    found: dict[tuple[str, str], Row] = {}
    for each in told:
        found.setdefault((each.fault, each.database), Row()).add(each)
    return found


def table(told: Iterable[Told]) -> Iterator[str]:
    """The lines of the table; seconds are the median and the longest."""
    told = [*told]
    counted = rows(told)
    if not counted:
        return
    yield f"{'':<58}{'trials':>7}{'twice':>7}{'lost':>6}{'in doubt':>10}"
    for (fault, database), row in sorted(counted.items()):
        name = f"{fault}, {database}"
        yield f"{name:<58}{row.trials:>7}{row.twice:>7}{row.lost:>6}{row.in_doubt:>10}"
        for what, seconds in row.seconds.items():
            middle, most = statistics.median(seconds), max(seconds)
            yield f"    {what}: {middle:.2f} s, at most {most:.2f} s"
        for what, count in row.notes.items():
            yield f"    {what}: {count}"
    whole = rows(each.model_copy(update={"fault": "", "database": ""}) for each in told)
    total = whole["", ""]
    yield f"{'together':<58}{total.trials:>7}{total.twice:>7}{total.lost:>6}{total.in_doubt:>10}"


@dataclass(frozen=True)
class Part:
    """Some tests, with the counts that they take from the environment."""

    name: str
    tests: Sequence[str]
    counts: Mapping[str, str]


def parts(said: argparse.Namespace) -> Iterator[Part]:
    """Everything that is tried; what needs a server only where one is said."""
    rounds = {"LAMGATE_CRASH_ROUNDS": str(said.rounds)}
    yield Part("killed, file", ["tests/crash/test_crash_matrix.py"], rounds)
    yield Part(
        "second process",
        ["tests/crash/test_second_process.py"],
        {"LAMGATE_SECOND_PROCESSES": str(said.seconds)},
    )
    yield Part(
        "full disk",
        ["tests/crash/test_full_disk_resumes.py"],
        {"LAMGATE_FULL_DISKS": str(said.outages), "LAMGATE_FULL_DISK_S": "10"},
    )
    if said.database is None:
        return
    server = {} if said.database == "own" else {"LAMGATE_TEST_POSTGRES": said.database}
    yield Part(
        "killed, server",
        ["tests/crash/test_crash_matrix.py"],
        {**rounds, "LAMGATE_CRASH_DATABASE": said.database},
    )
    yield Part(
        "fleet",
        ["tests/distributed/test_fleet.py", "-k", "not past_their_lease"],
        {**server, "LAMGATE_FLEET_RUNS": str(said.runs), "LAMGATE_FLEET_OUTAGE_S": "6",
         "LAMGATE_FLEET_ROUNDS": str(said.outages)},
    )  # fmt: skip
    yield Part(
        "zombies",
        ["tests/distributed/test_fleet.py", "-k", "past_their_lease"],
        {**server, "LAMGATE_FLEET_ZOMBIES": str(said.zombies)},
    )
    yield Part(
        "gateway",
        ["tests/distributed/test_outages_over_http.py"],
        {**server, "LAMGATE_FLEET_OUTAGE_S": "6", "LAMGATE_FLEET_ROUNDS": str(said.outages)},
    )


def tried(part: Part, lanes: int, folder: Path) -> tuple[list[Told], bool]:
    """Run the tests of a part; what they told, and whether there were any and all of them held."""
    report = folder / f"{part.name.replace(' ', '-')}.xml"
    command = [
        sys.executable, "-m", "pytest", *part.tests, "-n", str(lanes if lanes > 1 else 0),
        "--dist", "load", "--timeout", "3600", "-q",
        "-o", "junit_family=xunit1", f"--junitxml={report}",
    ]  # fmt: skip
    print(f"... {part.name}", file=sys.stderr, flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **part.counts}, stdout=sys.stderr, check=False
    )
    found = [*read(report)]
    trials, seconds = sum(each.trials for each in found), time.monotonic() - begun
    print(f"... {part.name}: {trials} trials in {seconds:.0f} s", file=sys.stderr, flush=True)
    return found, bool(trials) and done.returncode == 0  # what is skipped has shown nothing


def read(report: Path) -> Iterator[Told]:
    """What the tests of a report told."""
    if report.exists():
        for each in ElementTree.parse(report).iter("property"):
            if each.get("name") == PROPERTY:
                yield Told.model_validate_json(each.get("value") or "")


def main() -> int:
    """Try everything, print the table, and say whether all held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1, help="of all boundaries and classes")
    parser.add_argument("--zombies", type=int, default=8, help="workers stopped past their lease")
    parser.add_argument("--seconds", type=int, default=20, help="second processes on one file")
    parser.add_argument("--outages", type=int, default=1, help="full disks, and stopped servers")
    parser.add_argument("--runs", type=int, default=64, help="on three workers, one killed")
    parser.add_argument("--database", help="own, or a server's address; without it, files only")
    parser.add_argument("--lanes", type=int, default=1, help="tests beside each other")
    parser.add_argument("--only", default="", help="the parts with this word in their name")
    said = parser.parse_args()
    wanted = [part for part in parts(said) if said.only in part.name]
    if not wanted:
        parser.error(f"there is no part with {said.only!r} in its name; a server needs --database")
    told: list[Told] = []
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for part in wanted:
            found, held = tried(part, said.lanes, Path(folder))
            told += found
            failed += [] if held else [part.name]
    for line in table(told):
        print(line)
    if failed:
        print(f"not tried, or not all held: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
