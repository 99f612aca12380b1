"""The part of a document that a reference inside of it names (RFC 6901, as a fragment)."""

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


def subschema(schema: JsonValue, reference: str) -> JsonValue:
    """What a schema's reference names: by an anchor, maybe the whole; null if nothing is there."""
    if not reference.startswith("#/"):
        return schema
    try:
        return part_of(schema, reference)
    except LookupError:
        return None
