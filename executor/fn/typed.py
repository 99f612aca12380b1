"""`fn.typed`: a value that is passed on if a schema allows it, and as nothing else."""

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.validate import first_flaw, schema_flaw
from executor.fn import shades
from executor.fn.function import FnError, Function, Types, arguments
from executor.plan.compose import both_of, object_of
from executor.plan.types import UNKNOWN, Type, constants_of

_SCHEMA: JsonObject = {"type": "object", "description": "a JSON Schema, as a constant"}


def _typed(given: JsonObject) -> JsonValue:
    schema = given["schema"]
    flaw = first_flaw(schema, given["value"]) if isinstance(schema, dict) else "no schema"
    if flaw is not None:
        raise FnError("type-mismatch", flaw)
    return given["value"]


def _takes(constants: JsonObject) -> Type:
    """The value has to be what the schema says, where that is a constant as it should be."""
    schema = constants.get("schema")
    if not isinstance(schema, dict):
        return object_of({"value": UNKNOWN, "schema": Type.of(_SCHEMA)})
    if schema_flaw(schema) is not None:
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
