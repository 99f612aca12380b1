"""What reading OpenAPI documents costs: `python -m benchmarks.openapi --data DIR`.

`DIR` holds documents, or `openapi/specs.tar.xz` with them. Each is read cold (text, operations,
actions) and from what is kept of it, in seconds of the processor, the least of some rounds; beside
it stands reading the same document as JSON with the standard library.
"""

import argparse
import json
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.given import DOCUMENTS, folder_with
from connectors.document import read_document
from connectors.errors import ConfigurationError
from connectors.openapi.compiled import Compiled, read, written
from connectors.openapi.extract import Extracted, extract
from connectors.openapi.load import read_openapi
from connectors.openapi.names import longest_operation
from connectors.openapi.offer import Offer, offers
from connectors.openapi.overlay import Overlay

Result = TypeVar("Result")
NAME = "api"


@dataclass(frozen=True)
class Row:
    """One document: operations, and seconds."""

    name: str
    operations: int
    skipped: int
    cold: float
    cached: float
    yard: float

    def __str__(self) -> str:
        return (
            f"{self.name:<34} {self.operations:5} {self.skipped:5} {self.cold:7.3f} "
            f"{self.cached:7.3f} {self.yard:7.3f} {self.cold / max(self.yard, 1e-6):6.1f}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.openapi")
    parser.add_argument("--data", type=folder_with(*DOCUMENTS), required=True)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)
    print(f"{'document':<34}   ops  skip  cold s  kept s  json s      x")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for file in documents(given.data, Path(folder)):
            try:
                row = _row(file, given.rounds)
            except ConfigurationError as error:
                reason = str(error).partition(": ")[2] or str(error)
                print(f"{file.name:<34}     -  not measured: {reason}")
                continue
            rows.append(row)
            print(row, flush=True)
    if rows:
        print(Row("total", *(sum(each) for each in zip(*map(_numbers, rows), strict=True))))
    return 0 if rows else 1


def _numbers(row: Row) -> tuple[int, int, float, float, float]:
    return row.operations, row.skipped, row.cold, row.cached, row.yard


def documents(data: Path, folder: Path) -> list[Path]:
    """The documents of a folder, or of the archive in it."""
    archive = data / "openapi" / "specs.tar.xz"
    if archive.is_file():
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        data = folder
    return sorted(each for each in data.iterdir() if each.suffix in (".json", ".yaml", ".yml"))


def _row(file: Path, rounds: int) -> Row:
    body = file.read_bytes()
    text = json.dumps(read_document(body, file.name))
    longest = longest_operation(NAME)

    def cold() -> tuple[Extracted, dict[str, Offer]]:
        found = extract(read_openapi(body, file.name), longest)
        return found, offers(NAME, found, Overlay(), None)

    def cached() -> dict[str, Offer]:
        again = read(kept)
        return {} if again is None else offers(NAME, again.found, Overlay(), None)

    (found, offered), cold_s = _least(cold, rounds)
    kept = written(Compiled(file.name, "", 0.0, longest, found))
    again, cached_s = _least(cached, rounds)
    if again != offered:
        raise SystemExit(f"{file.name}: what was kept is not what was read")
    _, yard_s = _least(lambda: json.loads(text), rounds)
    return Row(file.name, len(found.operations), len(found.skipped), cold_s, cached_s, yard_s)


def _least(work: Callable[[], Result], rounds: int) -> tuple[Result, float]:
    times: list[float] = []
    while True:
        begun = time.process_time()
        found = work()
        times.append(time.process_time() - begun)
        if len(times) >= rounds:
            return found, min(times)


if __name__ == "__main__":
    sys.exit(main())
