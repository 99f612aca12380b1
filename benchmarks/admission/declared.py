"""From what a data set declares of its tools to catalogue entries, by one table and one rule.

Nothing here knows a set: types are mapped by a table, a boolean `required` is lifted to its
object, and a list of allowed values becomes an `enum`. Names are made to fit the language, one
to one: two tools never share a name, nor does an unknown tool get a known one's.
"""

import json
import re
from collections.abc import Iterable, Mapping

import jsonschema_rs
from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject

TYPES: Mapping[str, JsonObject] = {
    "string": {"type": "string"},
    "str": {"type": "string"},
    "enum": {"type": "string"},
    "file": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "date (yyyy-mm-dd)": {"type": "string", "format": "date"},
    "integer": {"type": "integer"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "int or float": {"type": "number"},
    "boolean": {"type": "boolean"},
    "bool": {"type": "boolean"},
    "array": {"type": "array"},
    "list": {"type": "array"},
    "tuple": {"type": "array"},
    "list of float": {"type": "array", "items": {"type": "number"}},
    "object": {"type": "object"},
    "dict": {"type": "object"},
    "any": {},
    "null": {"type": "null"},
}
_KEPT = frozenset("format minimum maximum minItems maxItems nullable".split())


def schema_of(declared: JsonValue) -> JsonObject:
    """The JSON Schema of one declared value; what the table does not know is left open."""
    if not isinstance(declared, dict):
        return {}
    found = _type_of(declared.get("type"))
    found |= {name: value for name, value in declared.items() if name in _KEPT}
    for name in ("enum", "allowed_values", "possible_values"):
        values = declared.get(name)
        if isinstance(values, list) and values:
            found["enum"] = values
    if "items" in declared:
        found["items"] = schema_of(declared["items"])
    prefix = declared.get("prefixItems")
    if isinstance(prefix, list):
        found["prefixItems"] = [schema_of(each) for each in prefix]
    properties, extra = declared.get("properties"), declared.get("additionalProperties")
    if isinstance(properties, dict):
        found |= members(properties, declared.get("required"))
    if isinstance(extra, bool | dict):
        found["additionalProperties"] = extra if isinstance(extra, bool) else schema_of(extra)
    return found


def members(properties: JsonObject, required: JsonValue = None) -> JsonObject:
    """An object of declared members; each may say of itself that it is required."""
    listed = [
        name for name in (required if isinstance(required, list) else []) if name in properties
    ]
    own = [name for name, each in properties.items() if _says_required(each)]
    names: list[JsonValue] = [*dict.fromkeys([*listed, *own])]
    found: JsonObject = {
        "type": "object",
        "properties": {name: schema_of(each) for name, each in properties.items()},
    }
    return found | ({"required": names} if names else {})


def _says_required(declared: JsonValue) -> bool:
    return isinstance(declared, dict) and declared.get("required") is True


def _type_of(declared: JsonValue) -> JsonObject:
    if isinstance(declared, str):
        return dict(TYPES.get(declared.strip().lower(), {}))
    if not isinstance(declared, list):
        return {}
    names = [TYPES.get(str(each).lower(), {}).get("type") for each in declared]
    if None in names:
        return {}
    distinct = [*dict.fromkeys(names)]
    return {"type": distinct[0] if len(distinct) == 1 else distinct}


class Names:
    """Action names for the names of tools, one to one, within what the language allows."""

    def __init__(self, connection: str, known: Iterable[str]) -> None:
        self._connection = connection
        self._given: dict[str, str] = {}
        for name in known:
            self.of(name)

    def of(self, name: str) -> str:
        """The action's name; a new name gets one that no other has."""
        if name not in self._given:
            plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "tool"
            first = f"{self._connection}.{plain}"[:60]
            free, number = first, 2
            while free in self._given.values():
                free, number = f"{first}_{number}", number + 1
            self._given[name] = free
        return self._given[name]


def read_action(name: str, description: str, given: JsonObject, gives: JsonValue) -> ActionSpec:
    """A read without sinks; its arguments are closed unless they were declared open."""
    return ActionSpec.model_validate(
        {
            "name": name,
            "description": description,
            "input_schema": {"type": "object", "additionalProperties": False} | given,
            "output_schema": gives,
            "effect": "read",
        }
    )


def argument(value: JsonValue, to: str) -> JsonObject:
    """A literal argument: a scalar as `value`, anything else as `json`."""
    if isinstance(value, dict | list):
        return {"json": json.dumps(value, ensure_ascii=False), "to": to}
    return {"value": value, "to": to}


def is_valid(value: JsonValue, schema: JsonObject) -> bool:
    """Whether a value is what was declared, by a validator that admission has no part in."""
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value)
