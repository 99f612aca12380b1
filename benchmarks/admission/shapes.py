"""Output schemas as an operator would write them, inferred from what a read tool returns.

Objects that have the same members again and again are closed records; objects whose members
vary from one to the next are maps keyed by data.
"""

from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.types import as_object, kind_of

# A record's members are in at least this share of its samples, on average.
_RECORD = 0.2
# So many members of one plain type are rather the keys of a map.
_MANY = 20


def schema_of(samples: Sequence[JsonValue]) -> JsonObject:
    """The schema of all these values; `{}` where there are none."""
    names = sorted({"number" if kind_of(each) == "integer" else kind_of(each) for each in samples})
    arms = [_of_kind(name, samples) for name in names]
    if len(arms) <= 1:
        return arms[0] if arms else {}
    if all(arm.keys() == {"type"} for arm in arms):
        return {"type": [arm["type"] for arm in arms]}
    return {"anyOf": [*arms]}


def is_map(schema: JsonObject) -> bool:
    """Whether a schema is that of a map keyed by data."""
    return isinstance(schema.get("additionalProperties"), dict)


def below(schema: JsonObject, token: str) -> JsonObject:
    """What an inferred schema says of one member or element."""
    for arm in [schema, *map(as_object, _list(schema.get("anyOf")))]:
        if "items" in arm:
            return as_object(arm["items"])
        if is_map(arm):
            return as_object(arm["additionalProperties"])
        if token in as_object(arm.get("properties")):
            return as_object(as_object(arm["properties"])[token])
    return {}


def _of_kind(name: str, samples: Sequence[JsonValue]) -> JsonObject:
    if name == "array":
        elements = [item for each in samples if isinstance(each, list) for item in each]
        return {"type": "array", "items": schema_of(elements)}
    if name == "object":
        return _of_objects([each for each in samples if isinstance(each, dict)])
    return {"type": name}


def _of_objects(objects: list[JsonObject]) -> JsonObject:
    counts = Counter(name for each in objects for name in each)
    share = sum(counts.values()) / (len(counts) * len(objects)) if counts else 1.0
    members = schema_of([member for each in objects for member in each.values()])
    if share < _RECORD or (len(counts) > _MANY and members.keys() == {"type"}):
        return {"type": "object", "additionalProperties": members}
    properties: JsonObject = {
        name: schema_of([each[name] for each in objects if name in each]) for name in counts
    }
    required: list[JsonValue] = [name for name in counts if counts[name] == len(objects)]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
