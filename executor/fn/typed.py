"""`fn.typed`: a value that is passed on if a schema allows it, and as nothing else.

The schema is a plan's, and whoever writes plans shall not keep everybody else waiting: it is small,
also with its references in place, and its patterns are RE2, as all patterns of a plan.
"""

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.unfold import parts_of
from connectors.validate import first_flaw, schema_flaw
from executor.fn import shades
from executor.fn.compare import pattern_flaw
from executor.fn.function import FnError, Function, Types, arguments
from executor.plan import size
from executor.plan.compose import both_of, object_of
from executor.plan.scopes import in_one_scope
from executor.plan.types import UNKNOWN, Type, constants_of

_SCHEMA: JsonObject = {"type": "object", "description": "a JSON Schema, as a constant"}
MOST_CHARACTERS: Final = 20_000
MOST_PARTS: Final = 10_000  # unfolded


def written_flaw(schema: JsonObject) -> str | None:
    """Why a plan's schema cannot be used; None if it can."""
    if size.size_of(schema, MOST_CHARACTERS) > MOST_CHARACTERS or parts_of(schema) > MOST_PARTS:
        return f"a plan's schema has at most {MOST_CHARACTERS} characters and {MOST_PARTS} parts"
    flaws = (flaw for each in _patterns(schema) if (flaw := pattern_flaw(each)))
    scoped = None if in_one_scope(schema) is schema else "no part of a plan's schema has an $id"
    return scoped or next(flaws, None) or schema_flaw(schema)


def _patterns(schema: JsonValue) -> Iterator[str]:
    parts: list[JsonValue] = [schema]
    while parts:
        match parts.pop():
            case dict() as each:
                if isinstance(pattern := each.get("pattern"), str):
                    yield pattern
                if isinstance(patterns := each.get("patternProperties"), dict):
                    yield from patterns
                parts += each.values()
            case list() as each:
                parts += each


def _typed(given: JsonObject) -> JsonValue:
    schema = given["schema"]
    if not isinstance(schema, dict):
        raise FnError("type-mismatch", "no schema")
    flaw = written_flaw(schema) or first_flaw(schema, given["value"])
    if flaw is not None:
        raise FnError("type-mismatch", flaw)
    return given["value"]


def _takes(constants: JsonObject) -> Type:
    """The value has to be what the schema says, where that is a constant as it should be."""
    schema = constants.get("schema")
    if not isinstance(schema, dict):
        return object_of({"value": UNKNOWN, "schema": Type.of(_SCHEMA)})
    if written_flaw(schema) is not None:
        return object_of({"value": UNKNOWN, "schema": Type.of({"type": "null"})})
    return object_of({"value": Type.of(schema), "schema": Type.of({"const": schema})})


def _type(types: Types) -> Type:
    """What the schema says together with what is known of the value."""
    value, schema = types.get("value", UNKNOWN), types.get("schema", UNKNOWN)
    told = constants_of(schema.keywords) or []
    only = told[0] if len(told) == 1 else None
    if not isinstance(only, dict) or not only:
        return value
    return Type.of(only) if value.node == {} else both_of(Type.of(only), value)


TYPED = Function(
    "typed",
    "The value, if it is what the schema says.",
    arguments({"value": {}, "schema": _SCHEMA}),
    _type,
    _typed,
    frozenset({"schema"}),
    shading=shades.passed_on,
    takes=_takes,
)
