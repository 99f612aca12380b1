"""What each keyword of OpenAPI's schemas says in JSON Schema 2020-12, if it says anything."""

from functools import lru_cache

from pydantic import JsonValue

from connectors.body import json_flaw
from connectors.spec import JsonObject
from connectors.text import visible
from connectors.validate import schema_flaw

_COUNTS = frozenset("minLength maxLength minItems maxItems minProperties maxProperties".split())
_BOUNDS = (
    frozenset("minimum maximum exclusiveMinimum exclusiveMaximum multipleOf".split()) | _COUNTS
)
_KEPT = {
    "format": str,
    "uniqueItems": bool,
    "deprecated": bool,
    "dependentRequired": dict,
    "default": object,
}
# Keywords that may forbid null whatever `type` says.
_ALSO_HOLD = frozenset({"$ref", "allOf", "anyOf", "not", "const", "if"})
_NULL: JsonObject = {"type": "null"}
_TEXTS = {"title": 200, "description": 500}
_TYPES = frozenset("null boolean object array number string integer".split())
_SAFE_INTEGER = 2**53 - 1


def add_many(found: JsonObject, keyword: str, schemas: list[JsonValue]) -> None:
    """Keep alternatives, and what must hold together.

    `oneOf` is kept as `anyOf`: in many documents the alternatives overlap, and no service refuses
    a value because two of them describe it.
    """
    said = found.get("allOf")
    whole = said if isinstance(said, list) else []
    if keyword == "allOf":
        found["allOf"] = [*whole, *schemas]
    elif keyword == "oneOf" and "anyOf" not in found:
        found["anyOf"] = schemas
    elif keyword in ("anyOf", "oneOf") and "anyOf" in found:
        found["allOf"] = [*whole, {"anyOf": schemas}]
    else:
        found[keyword] = schemas


def add_plain(found: JsonObject, keyword: str, value: JsonValue) -> None:
    """Keep a keyword without schemas in it, if it says what JSON Schema lets it say."""
    if keyword in _TEXTS and isinstance(value, str):
        found[keyword] = visible(value, _TEXTS[keyword])
    elif keyword == "type":
        _add_type(found, value)
    elif keyword == "required" and isinstance(value, list):
        found[keyword] = list(dict.fromkeys(each for each in value if isinstance(each, str)))
    elif keyword == "enum":
        if isinstance(value, list) and value:
            found[keyword] = value
    elif keyword in _BOUNDS and isinstance(value, int | float) and not isinstance(value, bool):
        # Beyond this no plan can write a number, and 2^63-1 says no more than "int64".
        is_count = value >= 0 and value == int(value) if abs(value) <= _SAFE_INTEGER else False
        fits = is_count if keyword in _COUNTS else keyword != "multipleOf" or value > 0
        if fits and abs(value) <= _SAFE_INTEGER:
            found[keyword] = value
    elif keyword == "const" or (
        isinstance(value, _KEPT.get(keyword, ())) and json_flaw(value) is None
    ):
        found[keyword] = value


@lru_cache(maxsize=4096)
def is_pattern(text: str) -> bool:
    """Whether it is a pattern as JSON Schema knows them."""
    return flaw_of({"pattern": text}) is None


def _add_type(found: JsonObject, value: JsonValue) -> None:
    """Keep the types that JSON Schema knows; "any" or "file" says nothing."""
    if isinstance(value, str) and value in _TYPES:
        found["type"] = value
    elif isinstance(value, list):
        known = [each for each in value if isinstance(each, str) and each in _TYPES]
        if known and len(known) == len(value):
            found["type"] = list(dict.fromkeys(known))


def say_bounds(node: JsonObject, found: JsonObject) -> None:
    """3.0 says `exclusiveMinimum: true` beside the minimum, 3.1 says the number itself."""
    for bound, exclusive in (
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ):
        if node.get(exclusive) is True and bound in found:
            found[exclusive] = found.pop(bound)


def open_to_kinds(node: JsonObject, found: JsonObject) -> None:
    """Whoever names a discriminator alone has kinds with members of their own."""
    is_alone = not any(each in node for each in ("oneOf", "anyOf", "additionalProperties"))
    if "discriminator" in node and "properties" in found and is_alone:
        found["additionalProperties"] = True


def flaw_of(schema: JsonObject) -> str | None:
    """Why a schema cannot be used; None if it can."""
    return json_flaw(schema) or schema_flaw(schema)


def or_null(found: JsonObject) -> JsonObject:
    """3.0's `nullable`, which people write in 3.1 too."""
    kind = found.get("type")
    if isinstance(kind, str | list) and not found.keys() & _ALSO_HOLD:
        kinds: list[JsonValue] = [kind] if isinstance(kind, str) else kind
        enum = found.get("enum")
        if "null" not in kinds:
            found["type"] = [*kinds, "null"]
        if isinstance(enum, list) and None not in enum:
            found["enum"] = [*enum, None]
        return found
    choices = found.get("anyOf")
    if not found or (isinstance(choices, list) and _NULL in choices):
        return found
    return {"anyOf": [found, _NULL]}
