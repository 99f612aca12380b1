"""How much a plan may hold: it is counted before anything of it is judged, for all of it is.

A plan of a million bytes may be a hundred thousand arguments, or one path of half a million tokens.
No request means that, and whoever could have it judged would keep everybody else waiting.
"""

from collections.abc import Iterator

from pydantic import JsonValue

from executor.check.strict_json import MAX_DEPTH
from executor.check.violation import Violation
from executor.plan.refs import join_pointer

MOST_PARTS = (
    5_000  # steps, arguments, conditions, names in `after`: every object, all that is listed
)
MOST_TOKENS = MAX_DEPTH  # of a path: no value is any deeper
MOST_CHARACTERS = 2_000  # of a path: what was split is kept for a while
_PATHS = frozenset({"ref", "to", "left", "lhs", "rhs", "subject", "each"})


def too_much(plan: JsonValue, prefix: str = "") -> tuple[Violation, ...]:
    """Why a plan, as JSON that was read, is too large to be looked at; nothing if it is not."""
    count = sum(1 for _ in _parts(plan))
    if count > MOST_PARTS:
        told = f"{count} steps, arguments, conditions and pieces; a plan has at most {MOST_PARTS}"
        return (Violation("too-large", prefix, told, fix="Split the plan."),)
    fix = "Take a shorter path."
    return tuple(
        Violation(
            "too-large", f"{prefix}/{join_pointer(path)}",
            f"a path of {tokens} tokens and {characters} characters; at most {MOST_TOKENS} and "
            f"{MOST_CHARACTERS} are read", fix=fix,
        )
        for path, tokens, characters in _long_paths(plan, ())
    )  # fmt: skip


def _parts(value: JsonValue, *, is_listed: bool = False) -> Iterator[JsonValue]:
    if isinstance(value, dict) or is_listed:
        yield value
    if isinstance(value, dict):
        for each in value.values():
            yield from _parts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _parts(each, is_listed=True)


def _long_paths(
    value: JsonValue, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    match value:
        case dict():
            for name, each in value.items():
                if name in _PATHS and isinstance(each, str) and _is_long(each):
                    yield (*path, name), each.count("/"), len(each)
                yield from _long_paths(each, (*path, name))
        case list():
            for index, each in enumerate(value):
                yield from _long_paths(each, (*path, str(index)))
        case _:
            pass


def _is_long(path: str) -> bool:
    return len(path) > MOST_CHARACTERS or path.count("/") > MOST_TOKENS
