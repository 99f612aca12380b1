"""What the answer to a look-up says of the call that was looked for."""

from collections.abc import Sequence

from pydantic import JsonValue

from connectors.members import Lookup


class NotAskedForError(ValueError):
    """It holds other records than were searched for, so it says nothing of ours."""


def found_in(output: JsonValue, lookup: Lookup, key: str) -> JsonValue:
    """The original call's output, or None where there is nothing.

    Raises `NotAskedForError` where there is something, and nothing of it bears our key: a service
    that ignores what it is asked for is believed neither in what it gives nor in what it leaves
    out.
    """
    here = value_at(output, _tokens(lookup.found_at))
    if here is None or here == []:
        return None
    rows = here if isinstance(here, list) else [here]
    if not lookup.key_at:
        return rows[0]
    bearing = _tokens(lookup.key_at)
    for row in rows:
        if value_at(row, bearing) == key:
            return row
    raise NotAskedForError(f"nothing that was found has our key at {lookup.key_at}")


def value_at(value: JsonValue, tokens: Sequence[str]) -> JsonValue:
    """What stands at a place, or null."""
    here = value
    for token in tokens:
        if isinstance(here, list):
            here = here[int(token)] if token.isdecimal() and int(token) < len(here) else None
        else:
            here = here.get(token) if isinstance(here, dict) else None
    return here


def _tokens(pointer: str) -> list[str]:
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/") if pointer]
