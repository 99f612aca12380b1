"""Parts of a schema that are documents of their own: from an `$id` on, `#` leads elsewhere.

Nobody needs them, and whoever followed their references as those of the whole would read another
type than the validator does. So nothing is known of such a part, as of any reference that leads
out of the document.
"""

from typing import Final

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.resolved import DATA, NAMED

_NOT_KNOWN: Final[JsonObject] = {"$ref": "of:another"}


def in_one_scope(schema: JsonValue) -> JsonValue:
    """The schema itself; if parts have an `$id`, one with a reference that leads out for each."""
    return _cut(schema, is_named=False) if _has_scopes(schema) else schema


def _has_scopes(schema: JsonValue) -> bool:
    rest = _parts(schema, is_named=False)
    while rest:
        here, is_named = rest.pop()
        if _is_scope(here, is_named=is_named):
            return True
        rest += _parts(here, is_named=is_named)
    return False


def _parts(here: JsonValue, *, is_named: bool) -> list[tuple[JsonValue, bool]]:
    """What may be a schema inside of one, and whether its keys are names that somebody chose."""
    if isinstance(here, list):
        return [(each, False) for each in here if isinstance(each, dict | list)]
    if not isinstance(here, dict):
        return []
    return [
        (each, not is_named and key in NAMED)
        for key, each in here.items()
        if isinstance(each, dict | list) and (is_named or key not in DATA)
    ]


def _is_scope(here: JsonValue, *, is_named: bool) -> bool:
    return not is_named and isinstance(here, dict) and isinstance(here.get("$id"), str)


def _cut(here: JsonValue, *, is_named: bool, is_whole: bool = True) -> JsonValue:
    if not is_whole and _is_scope(here, is_named=is_named):
        return _NOT_KNOWN
    if isinstance(here, list):
        return [_cut(each, is_named=False, is_whole=False) for each in here]
    if not isinstance(here, dict):
        return here
    return {
        key: each
        if not is_named and key in DATA
        else _cut(each, is_named=not is_named and key in NAMED, is_whole=False)
        for key, each in here.items()
    }
