"""The language as JSON Schema: the published one, and the form that strict providers take."""

from collections.abc import Iterable

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.model import Plan

_DROPPED = frozenset({"default", "title", "pattern", "maxLength", "minLength", "description"})


def published_schema() -> JsonObject:
    """The schema of a plan as people and tools write it (JSON Schema 2020-12)."""
    schema = Plan.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def strict_schema(actions: Iterable[str]) -> JsonObject:
    """The same for strict structured output: every member required, closed, actions enumerated.

    Union arms keep distinct first members, and no keyword is used that a provider refuses. Its
    size does not depend on what the actions take: the validator checks that.
    """
    schema = _strict(Plan.model_json_schema(by_alias=True))
    assert isinstance(schema, dict)  # noqa: S101 - a model's schema is an object
    names: list[JsonValue] = [*sorted(actions)]
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)  # noqa: S101 - see above
    step = definitions["Step"]
    assert isinstance(step, dict)  # noqa: S101 - see above
    properties = step["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - see above
    properties["action"] = {"type": "string", "enum": names} if names else {"type": "string"}
    return schema


def _strict(node: JsonValue) -> JsonValue:
    if isinstance(node, list):
        return [_strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node and isinstance(node["properties"], dict):
        properties = {name: _strict(each) for name, each in node["properties"].items()}
        required: list[JsonValue] = [*properties]
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
            **({"$defs": _definitions(node["$defs"])} if "$defs" in node else {}),
        }
    return {
        ("enum" if key == "const" else key): ([value] if key == "const" else _strict(value))
        for key, value in node.items()
        if key not in _DROPPED
    }


def _definitions(found: JsonValue) -> JsonValue:
    return {name: _strict(each) for name, each in found.items()} if isinstance(found, dict) else {}
