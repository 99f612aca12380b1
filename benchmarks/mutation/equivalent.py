"""Faults that change nothing that anyone could see, each with the reason why not.

`equivalent.txt` has four lines for each: module, the source line, the change, the reason.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

LIST = Path(__file__).parent / "equivalent.txt"
Key = tuple[str, str, str]


@cache
def equivalent() -> Mapping[Key, str]:
    """The reason of each, by module, line and change."""
    return read(LIST.read_text(encoding="utf-8"))


def read(text: str) -> Mapping[Key, str]:
    """Read the list; raises `ValueError` where a reason is missing."""
    found: dict[Key, str] = {}
    for block in text.split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        if len(lines) != 4 or not lines[3].startswith("because "):
            raise ValueError(f"four lines, the last begins with `because`: {block!r}")
        found[lines[0], lines[1], lines[2]] = lines[3].removeprefix("because ")
    return found
