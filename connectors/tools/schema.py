"""A tool's schemas as JSON Schema 2020-12 that says nothing hidden and leads nowhere else.

What the validator does not know is left out, texts are made visible and short, and a schema that
hides characters in a name or a value, or refers to another document, cannot be offered.
"""

from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from connectors.body import json_flaw
from connectors.spec import JsonObject
from connectors.text import hides_something, visible
from connectors.validate import schema_flaw

_ONE = frozenset(
    "items additionalProperties not contains propertyNames if then else unevaluatedItems "
    "unevaluatedProperties".split()
)
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_KEPT = frozenset(
    "type enum const default format pattern required uniqueItems deprecated dependentRequired "
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems "
    "maxItems minProperties maxProperties minContains maxContains".split()
)
_TEXTS = {"title": 200, "description": 500}
_MOST_DEPTH = 60


class UnfitError(Exception):
    """A definition that cannot be offered, whoever accepts it; says why."""


def input_of(schema: JsonValue) -> JsonObject:
    """What goes in: an object that is closed unless the server says otherwise."""
    found = _whole(schema)
    if found.get("type", "object") != "object":
        raise UnfitError("its input is no object")
    return {"additionalProperties": False, "properties": {}, **found, "type": "object"}


def output_of(schema: JsonValue) -> JsonObject:
    """What comes out, as it is declared."""
    return _whole(schema)


def _whole(schema: JsonValue) -> JsonObject:
    found = _schema(schema, 0)
    if not isinstance(found, dict):
        raise UnfitError("a schema is no object")
    flaw = json_flaw(found) or schema_flaw(found)
    if flaw is not None:
        raise UnfitError(f"a schema cannot be read: {visible(flaw, 200)}")
    return found


def _schema(node: JsonValue, depth: int) -> JsonValue:
    if isinstance(node, bool):
        return node
    if not isinstance(node, dict):
        raise UnfitError("a schema is neither an object nor true or false")
    if depth > _MOST_DEPTH:
        raise UnfitError("a schema is nested too deeply")
    found: JsonObject = {}
    for keyword, value in node.items():
        # Older drafts have two words for the same.
        word = "$defs" if keyword == "definitions" else keyword
        if word == "items" and isinstance(value, list):
            word = "prefixItems"
        if word == "$ref":
            found[word] = _reference(value)
        elif word in _TEXTS and isinstance(value, str):
            found[word] = visible(value, _TEXTS[word])
        elif word in _NAMED and isinstance(value, dict):
            _check_visible(value)
            found[word] = {name: _schema(each, depth + 1) for name, each in value.items()}
        elif word in _MANY and isinstance(value, list):
            found[word] = [_schema(each, depth + 1) for each in value]
        elif word in _ONE:
            found[word] = _schema(value, depth + 1)
        elif word in _KEPT:
            _check_visible(_texts(value, 0))
            found[word] = value
    return found


def _reference(value: JsonValue) -> str:
    if not isinstance(value, str) or not (value == "#" or value.startswith("#/")):
        raise UnfitError("a $ref leads out of its schema")
    _check_visible([value])
    return value.replace("/definitions/", "/$defs/")


def _texts(value: JsonValue, depth: int) -> Iterator[str]:
    """Every text in a value."""
    if depth > _MOST_DEPTH:
        raise UnfitError("a value in a schema is nested too deeply")
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each, depth + 1)
        case dict():
            for name, each in value.items():
                yield name
                yield from _texts(each, depth + 1)


def _check_visible(texts: Iterable[str]) -> None:
    for text in texts:
        if hides_something(text):
            raise UnfitError(f"{visible(text, 60)!r} in a schema has hidden characters")
