"""Which constants single one thing out, as ids and addresses do, and which only describe.

Who compares with a name has chosen by it, so that it must have been said. A number that is a
threshold describes, and so do a day and a pattern of letters alone; a text that is one end of a
range does not, for `>= W12` and `<= W12` leave one.
"""

import re
from collections.abc import Iterator

from pydantic import JsonValue

from executor.fn.compare import NotComparableError, rank

_ORDERS = frozenset({"<", "<=", ">", ">="})
# What says how to look: sets, repetitions, groups' heads, classes; a point or a sign that is meant
# stands for itself.
_SYNTAX = re.compile(
    r"\\[pP]\{[^}]*\}|\\\w|\[\^?\]?[^\]]*\]|\{[0-9,]*\}|\(\?[^:)]*[:)]|[\^$|()*+?]"
)
_RUN = re.compile(r"[^\W_][\w@.+-]*")
_LONG = re.compile(r"[0-9]{5}")


def is_named(value: JsonValue) -> bool:
    """Whether a value singles one thing out, as ids, addresses and numbers do; words describe."""
    if isinstance(value, str):
        return "@" in value or any(each.isdigit() for each in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_phrase(value: JsonValue) -> bool:
    """Whether a text is of several words, as titles are: states and kinds mostly have one."""
    return isinstance(value, str) and len(value.split()) > 1


def singles_out(op: JsonValue, value: JsonValue) -> bool:
    """Whether to compare so with a constant is to choose by a name."""
    if op == "matches":
        return any(True for _ in named_by(value))
    if op in _ORDERS:
        return isinstance(value, str) and is_named(value) and _is_text(value)
    return op != "!=" and is_named(value)


def named_by(pattern: JsonValue) -> Iterator[str]:
    """The names that stand in a pattern: of letters and digits, an address, a long number."""
    text = _SYNTAX.sub(" ", pattern) if isinstance(pattern, str) else ""
    for run in _RUN.findall(text.replace("\\", "")):
        has_both = any(map(str.isdigit, run)) and any(map(str.isalpha, run))
        if has_both or "@" in run or _LONG.search(run):
            yield run


def _is_text(value: str) -> bool:
    """Whether a text has a place among texts alone: it is no number, day or time."""
    try:
        return rank(value)[0] == "text"
    except NotComparableError:
        return True
