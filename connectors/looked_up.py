"""Whether the answer to a question about a call is of the call that was asked about."""

from collections.abc import Sequence

from pydantic import JsonValue

from connectors.members import JsonObject, Lookup, Status
from connectors.pointer import text_at, tokens_of, value_at

SETTLES_S = 60.0
"""How long whoever has lost a connection may still be at work, where nobody says it."""


class NotAskedForError(ValueError):
    """It holds other records than were searched for, so it says nothing of ours."""


def found_in(output: JsonValue, lookup: Lookup, key: str) -> JsonValue:
    """The original call's output, or None where there is nothing.

    Raises `NotAskedForError` where there is something, and nothing of it bears our key: a service
    that ignores what it is asked for is believed neither in what it gives nor in what it leaves
    out. The same where the output has no place for what is found: it may be an error in a 200.
    """
    place = tokens_of(lookup.found_at)
    here = value_at(output, place)
    if lookup.key_at and here is None and not _has(output, place):
        raise NotAskedForError(f"the answer has nothing at {lookup.found_at}")
    if here is None or here == []:
        return None
    rows = here if isinstance(here, list) else [here]
    if not lookup.key_at:
        return rows[0]
    bearing = tokens_of(lookup.key_at)
    for row in rows:
        if value_at(row, bearing) == key:
            return row
    raise NotAskedForError(f"nothing that was found has our key at {lookup.key_at}")


def key_at_unsaid(lookup: JsonObject) -> str:
    """What is told of a look-up that does not say where our key stands."""
    reference = lookup.get("reference")
    return (
        "say where in what the search finds our key stands"
        + (f", such as `{reference}`" if reference else "")
        + ": a service may ignore what it is to search for, and give other records"
    )


def is_of(output: JsonValue, status: Status, handle: str) -> bool:
    """Whether an answer is of the job that was asked for, as far as it has to say so."""
    return not status.id_at or text_at(output, tokens_of(status.id_at)) == handle


def _has(value: JsonValue, tokens: Sequence[str]) -> bool:
    """Whether there could be something at a place: what is on the way is there, short, or null."""
    for token in tokens:
        if isinstance(value, list) and token.isdecimal():
            value = value[int(token)] if int(token) < len(value) else None
        elif isinstance(value, dict) and token in value:
            value = value[token]
        elif value is not None:
            return False
    return True
