"""Plays many histories over nights and machines: each chunk is kept in a record, and played once.

    python tests/simulation/sim_many.py RECORD --first 0 --histories 1000000
    python tests/simulation/sim_many.py RECORD OTHER_RECORD             the sum of what was played

Whatever ends it, the same command goes on with the chunks that are missing. A line of a record is
one chunk: its seeds, the promises broken, what they came by, the seconds, and a digest of the code
that was played. Exits with 1 if a promise was broken or if it all came by too little.
"""

import argparse
import gc
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sim_play import missing, play

ROOT = Path(__file__).parents[2]
CHUNK = 500
Line = Mapping[str, Any]


def main() -> None:
    """Play what is missing, and print the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AsWritten)
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--histories", type=int, default=0, help="how many are to be played")
    asked = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    play_missing(asked.records[0], asked.first, asked.histories)
    sys.exit(_sum([*_read(asked.records)]))


def play_missing(record: Path, first: int, histories: int) -> int:
    """Play the chunks that are not in the record yet; returns how many they were."""
    known, end = {line["first"] for line in _read([record])}, first + histories
    starts = [each for each in range(first, end, CHUNK) if each not in known]
    code = _code()  # as it is imported: what is on the disk may change meanwhile
    for count, start in enumerate(starts, start=1):
        line = _played(start, min(CHUNK, end - start), code)
        with record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        _tell(line, f"{count:,} of {len(starts):,} chunks")
    return len(starts)


class _AsWritten(argparse.RawDescriptionHelpFormatter):
    pass


def _played(start: int, histories: int, code: str) -> Line:
    reached: Counter[str] = Counter()
    began, broken = time.process_time(), {}
    for seed in range(start, start + histories):
        if (found := play(seed, reached)) is not None:
            broken[seed] = found
            print(f"{seed}: {found}", flush=True)
    return {
        "first": start, "histories": histories, "broken": broken, "reached": dict(reached),
        "cpu_s": round(time.process_time() - began, 2), "code": code,
    }  # fmt: skip


def _read(records: Iterable[Path]) -> Iterator[Line]:
    for each in records:
        if each.exists():
            yield from (json.loads(line) for line in each.read_text("utf-8").splitlines())


def _tell(line: Line, done: str) -> None:
    last, each_ms = line["first"] + line["histories"] - 1, 1000 * line["cpu_s"] / line["histories"]
    print(f"{done}: seeds {line['first']} to {last}, {len(line['broken'])} violations, "
          f"{each_ms:.1f} ms of CPU each", flush=True)  # fmt: skip


def _sum(lines: list[Line]) -> int:
    """Print all of it together; each seed counts once."""
    chunks = {line["first"]: line for line in lines}.values()
    histories = sum(line["histories"] for line in chunks)
    broken = {seed: what for line in lines for seed, what in line["broken"].items()}
    reached: Counter[str] = Counter()
    for line in chunks:
        reached.update(line["reached"])
    too_rare = missing(reached, histories) if histories >= 1000 else []
    cpu_s, codes = sum(line["cpu_s"] for line in chunks), {line["code"] for line in chunks}
    print(f"{histories:,} histories, {len(broken)} violations, {cpu_s / 3600:.2f} h of CPU, "
          f"{len(codes)} states of the code")  # fmt: skip
    for seed, what in broken.items():
        print(f"  {seed}: {what}")
    for each in too_rare:
        print(f"  too rare: {each}")
    return 1 if broken or too_rare else 0


def _code() -> str:
    """What was played: a digest of the production code and of the simulation."""
    files = [each for room in ("connectors", "executor", "gateway", "tests/simulation")
             for each in (ROOT / room).rglob("*.py")]  # fmt: skip
    digest = hashlib.sha256()
    for each in sorted(files):
        digest.update(each.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    main()
