"""What stands at a place of a document: as a reference names it (RFC 6901), or by its tokens."""

from collections.abc import Sequence
from urllib.parse import unquote

from pydantic import JsonValue


def part_of(document: JsonValue, reference: str) -> JsonValue:
    """What stands at `#/a/b~1c`; raises `LookupError` where nothing does."""
    here = document
    for token in unquote(reference.removeprefix("#")).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here[name]
        elif isinstance(here, list) and name.isdecimal():
            here = here[int(name)]
        else:
            raise LookupError(name)
    return here


def value_at(value: JsonValue, tokens: Sequence[str]) -> JsonValue:
    """What stands at a place, or null."""
    here = value
    for token in tokens:
        if isinstance(here, list):
            here = here[int(token)] if token.isdecimal() and int(token) < len(here) else None
        else:
            here = here.get(token) if isinstance(here, dict) else None
    return here


def text_at(value: JsonValue, tokens: Sequence[str]) -> str | None:
    """The text, or whole number as a text, that stands at a place inside; None for all else."""
    here = value_at(value, tokens)
    is_said = isinstance(here, str | int) and not isinstance(here, bool)
    return str(here) if tokens and is_said else None


def tokens_of(pointer: str) -> list[str]:
    """The tokens of a place that is written without its first slash; "" is the whole."""
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/") if pointer]


def subschema(schema: JsonValue, reference: str) -> JsonValue:
    """What a schema's reference names: by an anchor, maybe the whole; null if nothing is there."""
    if not reference.startswith("#/"):
        return schema
    try:
        return part_of(schema, reference)
    except LookupError:
        return None
