"""What of real OpenAPI documents is offered: `python -m benchmarks.openapi_coverage --data DIR`.

`DIR` holds documents, or `openapi/specs.tar.xz` with them. Operations are counted in the text of a
document by nobody who reads them. With `--call` every one that is offered is called twice, with the
fewest arguments and with each, against @scalar/mock-server made from the document, and the request
is read back by the document alone; without node nobody answers, and only the reading back counts.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.given import DOCUMENTS, folder_with
from benchmarks.openapi import documents
from benchmarks.openapi_calls import READ, Called, called
from benchmarks.openapi_decoder import target
from benchmarks.openapi_node import NoNodeError, installed
from connectors.openapi.extract import extract
from connectors.openapi.gaps import gap_of
from connectors.openapi.load import read_openapi
from connectors.openapi.names import longest_operation
from connectors.openapi.offer import unserved
from connectors.openapi.overlay import Overlay
from connectors.spec import JsonObject

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_HEAD = f"{'document':<34}   ops  named  typed  offered"


@dataclass(frozen=True)
class Row:
    """One document: its operations, and how far each of them comes.

    `typed` are offered and say what they answer. `gaps` are operations and what of them is not
    offered, by reason.
    """

    name: str
    operations: int
    named: int
    typed: int
    offered: int
    gaps: Counter[str]
    notes: Counter[str]

    def __str__(self) -> str:
        return f"{self.name:<34} {self.operations:5} {self.named:6} {self.typed:6} {self.offered:8}"


def row_of(name: str, document: JsonObject) -> Row:
    """Count one document."""
    found = extract(document, longest_operation("api"))
    silent = unserved(found, Overlay())
    apart = {each.name for each in silent}
    offered = [each for each in found.operations if each.name not in apart]
    missing = [each for each in found.skipped if _is_operation(each.name)]
    names = [each.name for each in found.operations] + [each.name for each in missing]
    gaps = Counter(gap_of(each.reason).value for each in (*missing, *silent))
    notes = Counter(
        gap_of(each.reason).value for each in found.skipped if not _is_operation(each.name)
    )
    typed = sum(each.output.schema is not None for each in offered)
    return Row(name, _operations(document), len(set(names)), typed, len(offered), gaps, notes)


def _is_operation(name: str) -> bool:
    """Whether a name in `skipped` is an operation's, and not of a part or of a webhook."""
    return not any(each in name for each in ("(", ".", "#", "/"))


def _operations(document: JsonObject) -> int:
    paths = document.get("paths")
    items = paths.values() if isinstance(paths, dict) else ()
    found = (target(document, each) for each in items)
    return sum(method in _METHODS for each in found for method in each)


def main(argv: Sequence[str] | None = None) -> int:
    """Count and print; 1 where less than 99 % is offered, or a call went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.openapi_coverage")
    parser.add_argument("--data", type=folder_with(*DOCUMENTS), required=True)
    parser.add_argument("--call", action="store_true")
    parser.add_argument("--only", help="documents whose name has this in it")
    parser.add_argument("--wrong", type=int, default=3, help="how many wrong calls are shown")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        files = documents(given.data, Path(folder))
        chosen = [each for each in files if (given.only or "") in each.name]
        return asyncio.run(_printed(chosen, given.call, given.wrong))


async def _printed(files: Sequence[Path], with_calls: bool, wrong: int) -> int:
    folder: Path | None = None
    if with_calls:
        try:
            folder = await installed("@scalar/mock-server")
        except NoNodeError as error:
            print(f"nobody answers the calls: {error}")
    print(_HEAD + ("  called   calls   sent right  answer typed" if with_calls else ""))
    rows: list[Row] = []
    calls: list[Called] = []
    for file in files:
        rows.append(row_of(file.name, read_openapi(file.read_bytes(), file.name)))
        more = ""
        if with_calls:
            calls.append(await called(file, folder))
            more = _told(calls[-1])
        print(f"{rows[-1]}{more}", flush=True)
        if calls:
            _print_rest(calls[-1], wrong)
    total = _total(rows)
    print(f"{total}{_told(_all(calls)) if calls else ''}")
    print(f"offered: {total.offered / max(total.operations, 1):.2%} of all operations")
    _print_reasons("operations that are not offered", total.gaps)
    _print_reasons("parts, webhooks and callbacks that are not", total.notes)
    if calls:
        _print_reasons("how calls ended", _all(calls).ends)
    is_right = all(each.right == each.calls for each in calls)
    return 0 if is_right and total.offered >= 0.99 * total.operations else 1


def _told(found: Called) -> str:
    return f" {len(found.called):7} {found.calls:7} {found.right:12} {found.answered:13}"


def _print_rest(found: Called, wrong: int) -> None:
    """Why calls of one document ended otherwise than as typed, and some of them."""
    for reason, count in found.ends.most_common():
        if reason != READ:
            print(f"    {count} of {found.calls} calls: {reason}")
    for each in found.wrong[:wrong]:
        print(f"        {each[:200]}")


def _total(rows: Sequence[Row]) -> Row:
    gaps, notes = Counter[str](), Counter[str]()
    for each in rows:
        gaps.update(each.gaps)
        notes.update(each.notes)
    return Row(
        "total",
        sum(each.operations for each in rows),
        sum(each.named for each in rows),
        sum(each.typed for each in rows),
        sum(each.offered for each in rows),
        gaps,
        notes,
    )


def _all(calls: Sequence[Called]) -> Called:
    found = Called()
    for number, each in enumerate(calls):
        found.called |= {f"{number} {name}" for name in each.called}
        found.calls += each.calls
        found.right += each.right
        found.answered += each.answered
        found.ends.update(each.ends)
    return found


def _print_reasons(title: str, reasons: Counter[str]) -> None:
    print(f"\n{title}: {sum(reasons.values())}")
    for reason, count in reasons.most_common():
        print(f"{count:7}  {reason}")


if __name__ == "__main__":
    sys.exit(main())
