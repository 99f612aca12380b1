"""From an OpenAPI document to operations: names, argument schemas, output schemas.

Nothing is dereferenced: an operation's schemas keep their `$ref`s and carry the definitions
that they reach. What is not supported is listed with its reason, never dropped silently.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from connectors.spec import Effect, JsonObject

METHODS = ("get", "put", "post", "delete", "patch", "head")
_SCHEMAS = "#/components/schemas/"
Place = Literal["path", "query", "header", "body", "whole_body"]


_PLACES: dict[str, Place] = {"path": "path", "query": "query", "header": "header"}


@dataclass(frozen=True)
class Operation:
    """One callable operation: `places` says where each argument travels and under which name."""

    name: str
    method: str
    path: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    places: Mapping[str, tuple[Place, str]]

    @property
    def proposed_effect(self) -> Effect:
        """What the verb suggests: no more than a proposal."""
        if self.method in ("get", "head"):
            return Effect.READ
        return Effect.IDEMPOTENT if self.method in ("put", "delete") else Effect.BLIND


@dataclass(frozen=True)
class Skipped:
    """An operation that cannot be offered, and why."""

    name: str
    reason: str


class _UnsupportedError(Exception):
    pass


def extract(document: JsonObject) -> tuple[tuple[Operation, ...], tuple[Skipped, ...]]:
    """Return every operation, and those that are left out with the reason."""
    operations: list[Operation] = []
    skipped: list[Skipped] = []
    taken: set[str] = set()
    for path, method, item, node in _nodes(document):
        name = _unique(_name(method, path, node), taken)
        try:
            operations.append(_operation(document, name, method, path, item, node))
        except _UnsupportedError as error:
            skipped.append(Skipped(name, str(error)))
    return tuple(operations), tuple(skipped)


def _nodes(document: JsonObject) -> Iterator[tuple[str, str, JsonObject, JsonObject]]:
    for path, item in _object(document.get("paths")).items():
        found = _object(_resolve(document, item))
        for method in METHODS:
            if isinstance(found.get(method), dict):
                yield path, method, found, _object(found[method])


def _operation(
    document: JsonObject,
    name: str,
    method: str,
    path: str,
    item: JsonObject,
    node: JsonObject,
) -> Operation:
    properties: JsonObject = {}
    required: list[JsonValue] = []
    places: dict[str, tuple[Place, str]] = {}

    def add(argument: str, place: Place, wire: str, schema: JsonValue, needed: bool) -> None:
        argument = argument if argument not in properties else f"{argument}_{place}"
        properties[argument] = _rewritten(schema)
        places[argument] = (place, wire)
        if needed:
            required.append(argument)

    for parameter in _parameters(document, item, node):
        where, wire = parameter.get("in"), str(parameter.get("name"))
        if where == "cookie" or "content" in parameter:
            raise _UnsupportedError(f"parameter {wire}: {where or 'content'} is not supported yet")
        place = _PLACES.get(str(where))
        if place is not None:
            schema = _described(parameter.get("schema", {}), parameter.get("description"))
            add(_argument(wire), place, wire, schema, bool(parameter.get("required")))
    body = _object(_resolve(document, node.get("requestBody")))
    if body:
        schema = _json_schema(_object(body.get("content")), f"{method} {path}")
        resolved = _object(_resolve(document, schema))
        if isinstance(resolved.get("properties"), dict) and "anyOf" not in resolved:
            needed = resolved.get("required")
            names = needed if isinstance(needed, list) else []
            for wire, member in _object(resolved["properties"]).items():
                must = bool(body.get("required")) and wire in names
                add(_argument(wire), "body", wire, member, must)
        else:
            add("body", "whole_body", "", schema, bool(body.get("required")))
    input_schema: JsonObject = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return Operation(
        name=name,
        method=method,
        path=path,
        description=_text(node.get("description")) or _text(node.get("summary")),
        input_schema=_with_definitions(document, input_schema),
        output_schema=_output(document, node),
        places=places,
    )


def _parameters(document: JsonObject, item: JsonObject, node: JsonObject) -> list[JsonObject]:
    """The operation's parameters; its own take the place of the path's of the same name."""
    found: dict[tuple[str, str], JsonObject] = {}
    for source in (item.get("parameters"), node.get("parameters")):
        for each in source if isinstance(source, list) else []:
            parameter = _object(_resolve(document, each))
            found[_text(parameter.get("in")), _text(parameter.get("name"))] = parameter
    return list(found.values())


def _json_schema(content: JsonObject, where: str) -> JsonValue:
    for media, found in content.items():
        kind = media.split(";")[0].strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            return _object(found).get("schema", {})
    raise _UnsupportedError(f"{where}: only JSON bodies are supported, not {', '.join(content)}")


def _output(document: JsonObject, node: JsonObject) -> JsonObject | None:
    for status, response in sorted(_object(node.get("responses")).items()):
        if status.startswith("2"):
            content = _object(_object(_resolve(document, response)).get("content"))
            try:
                schema = _json_schema(content, "")
            except _UnsupportedError:
                return None
            rewritten = _object(_rewritten(schema))
            return _with_definitions(document, rewritten) if rewritten else None
    return None


def _with_definitions(document: JsonObject, schema: JsonObject) -> JsonObject:
    """Add the definitions that a schema reaches, and only those."""
    shared = _object(_object(document.get("components")).get("schemas"))
    reached: JsonObject = {}
    queue = [schema]
    while queue:
        for name in _definition_names(queue.pop()):
            if name not in reached and name in shared:
                found = _rewritten(shared[name])
                reached[name] = found
                queue.append(_object(found))
    return {**schema, "$defs": reached} if reached else schema


def _definition_names(node: JsonValue) -> Iterator[str]:
    if isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith("#/$defs/"):
            yield ref.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        for value in node.values():
            yield from _definition_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _definition_names(value)


def _rewritten(node: JsonValue) -> JsonValue:
    """Point `$ref`s into `$defs`, and say OpenAPI 3.0's `nullable` as JSON Schema does."""
    if isinstance(node, list):
        return [_rewritten(each) for each in node]
    if not isinstance(node, dict):
        return node
    found: JsonObject = {}
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str):
            found[key] = value.replace(_SCHEMAS, "#/$defs/")
        elif key not in ("nullable", "example", "xml", "discriminator"):
            found[key] = _rewritten(value)
    if node.get("nullable") is True:
        if isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
        elif "$ref" in found:
            found = {"anyOf": [found, {"type": "null"}]}
    return found


def _resolve(document: JsonObject, node: JsonValue) -> JsonValue:
    hops = 0
    while isinstance(node, dict) and isinstance(node.get("$ref"), str) and hops < 16:
        here: JsonValue = document
        for token in str(node["$ref"]).removeprefix("#/").split("/"):
            key = token.replace("~1", "/").replace("~0", "~")
            here = here.get(key) if isinstance(here, dict) else None
        node, hops = here, hops + 1
    return node


def _described(schema: JsonValue, description: JsonValue) -> JsonValue:
    if isinstance(schema, dict) and isinstance(description, str) and "description" not in schema:
        return {**schema, "description": description}
    return schema


def _name(method: str, path: str, node: JsonObject) -> str:
    own = node.get("operationId")
    return _snake(own if isinstance(own, str) and own else f"{method}_{path}")


def _snake(text: str) -> str:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")[:48] or "operation"


def _argument(wire: str) -> str:
    return _snake(wire) if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", wire) else wire


def _unique(name: str, taken: set[str]) -> str:
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    taken.add(unique)
    return unique


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""
