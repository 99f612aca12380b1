"""Names for what a document calls as it likes: ASCII, short, and the same in any order.

A name depends on the operation and on those that would have the same, never on their order: a
document that is written anew must not let a plan's action mean another operation. Of those that
would have the same, the one that is spelled just so keeps it, and the others are marked; where none
is, or two are, all are marked. So whoever adds an operation takes away a name at most, and never
lets one mean something else: an overlay that says something of it does not fit any more.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

LONGEST_ACTION = 64
_DIGITS = 6
_KEPT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def longest_operation(connection: str) -> int:
    """How long the part after `<connection>.` may be."""
    return LONGEST_ACTION - len(connection) - 1


def operation_names(operations: Sequence[tuple[str, str, str]], longest: int) -> list[str]:
    """Name operations, given as (operationId or "", method, path), in the same order."""
    plain = [_snake(own or f"{method}_{path}") for own, method, path in operations]
    same = Counter(plain)
    exact = Counter(own for own, _, _ in operations)
    return [
        name
        if (same[name] == 1 or (own == name and exact[own] == 1)) and 0 < len(name) <= longest
        else _marked(name, f"{method.upper()} {path}", longest)
        for name, (own, method, path) in zip(plain, operations, strict=True)
    ]


def argument_name(wire: str) -> str:
    """The name of an argument: the service's own where a plan can write it plainly."""
    return wire if _KEPT.fullmatch(wire) else _snake(wire)[:64] or "argument"


def _snake(text: str) -> str:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _marked(name: str, identity: str, longest: int) -> str:
    mark = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: longest - _DIGITS - 1].rstrip('_') or 'operation'}_{mark}"
