"""The same tests with larger counts, part by part: each says how long it took, none is done twice.

    python -m benchmarks.nightly [--only WORD] [--lanes N] [--again] [--list]

What a part came to is kept in `var/nightly`, with what it printed: stopped at any moment, the same
command goes on with the part that was under way. Another commit begins anew, and so does `--again`.
`--list` says what there is, what holds already, and how long each took when it was last run.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "var" / "nightly"
HISTORIES, AT_ONCE = 1_000_000, 50_000
LONGEST_S = 3 * 3600
FAULTS = (
    "killed, file", "killed, server", "second process", "full disk", "fleet", "zombies", "gateway",
)  # fmt: skip


class Came(BaseModel):
    """What a part came to when it was last run to its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    held: bool
    seconds: float


@dataclass(frozen=True)
class Part:
    """One command, with the counts that it takes from the environment."""

    name: str
    command: Sequence[str]
    counts: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Where it is kept what it came to; what it printed stands beside it."""
        return KEPT / f"{self.name.replace(',', '').replace(' ', '-')}.json"

    @property
    def came(self) -> Came | None:
        """What it came to, if it was run."""
        try:
            return Came.model_validate_json(self.file.read_text("utf-8"))
        except (OSError, ValidationError):
            return None


def parts(lanes: int) -> Iterator[Part]:
    """Everything there is, what finds most in least time first."""
    for folder in sorted({each.parent.name for each in ROOT.glob("tests/*/test_*.py")}):
        wider = _tests(lanes, f"tests/{folder}", "--hypothesis-profile", "nightly")
        yield Part(f"tests of {folder}", wider, {"LAMGATE_KIT_WHOLE": "1"})
    for fault in FAULTS:
        yield Part(f"faults, {fault}", [
            sys.executable, "-m", "benchmarks.faults", "--only", fault, "--database", "own",
            "--rounds", "4", "--zombies", "200", "--seconds", "200", "--outages", "3",
            "--lanes", str(lanes),
        ])  # fmt: skip
    canaries = _tests(lanes, "tests/benchmarks/test_canaries.py")
    yield Part("canaries", canaries, {"LAMGATE_CANARIES": "200"})
    sequences = _tests(lanes, "tests/gateway/test_approval_sequences.py")
    yield Part("approval sequences", sequences, {"LAMGATE_APPROVAL_SEQUENCES": "10000"})
    storms = ("test_storm.py", "test_storm_of_money.py", "test_storm_of_bookings.py")
    storm = _tests(lanes, *(f"tests/distributed/{each}" for each in storms))
    yield Part("storm", storm, {"LAMGATE_STORM_S": "600"})
    simulated = "tests/simulation/test_simulation.py"
    mutants = _tests(lanes, simulated, "-k", "a_fault_of_the_protocol", "--dist", "load")
    yield Part("mutants of the simulation", mutants, {"LAMGATE_MUTANTS": "1"})
    histories = _tests(lanes, simulated, "-k", "TestHistories")
    for first in range(0, HISTORIES, AT_ONCE):
        counts = {"LAMGATE_HISTORIES": str(AT_ONCE), "LAMGATE_HISTORIES_FROM": str(first)}
        yield Part(f"histories from {first}", histories, counts)


def _tests(lanes: int, *which: str) -> list[str]:
    plain = [sys.executable, "-m", "pytest", "-n", str(lanes), "--dist", "loadscope"]
    return [*plain, "--timeout", str(LONGEST_S), *which]


def run(part: Part, commit: str) -> Came:
    """Run a part to its end, and keep what it came to."""
    log = part.file.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with log.open("w", encoding="utf-8") as told:
        done = subprocess.run(
            part.command, cwd=ROOT, env={**os.environ, **part.counts}, stdout=told, stderr=told,
            check=False,
        )  # fmt: skip
    came = Came(commit=commit, held=done.returncode == 0, seconds=time.monotonic() - begun)
    part.file.write_text(came.model_dump_json(), encoding="utf-8")
    return came


def state() -> str:
    """Which state of the code this is; what is not committed is like no other."""
    asked = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout.strip()
    return said if said and not said.endswith("-dirty") else f"not committed, {time.time():.0f}"


def main() -> int:
    """Run what is left, and say what did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="the parts with this word in their name")
    parser.add_argument("--lanes", type=int, default=os.cpu_count() or 1, help="beside each other")
    parser.add_argument("--again", action="store_true", help="also what holds at this commit")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    said = parser.parse_args()
    commit, failed = state(), []
    wanted = [part for part in parts(said.lanes) if said.only in part.name]
    for number, part in enumerate(wanted, 1):
        before = part.came
        holds = before is not None and before.held and before.commit == commit
        last = "never run" if before is None else f"{before.seconds:.0f} s the last time"
        head = f"{number:>3} of {len(wanted)}  {part.name:<34}"
        if said.list or (holds and not said.again):
            print(f"{head}{'holds' if holds else 'to be run'}, {last}", flush=True)
            continue
        print(f"{head}{last} ...", end=" ", flush=True)
        came = run(part, commit)
        print(f"{'held' if came.held else 'FAILED'} after {came.seconds:.0f} s", flush=True)
        if not came.held:
            failed.append(part)
    for part in failed:
        print(f"not held: {part.name}: {part.file.with_suffix('.log')}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
