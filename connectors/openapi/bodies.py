"""What an operation sends and answers as JSON: bodies become arguments, answers one schema."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.openapi.parameters import Place
from connectors.openapi.schema import Definitions, UnsupportedError, resolve
from connectors.spec import JsonObject

_JSON = "application/json"
_ANY = ("*/*", "application/*")
# With one of these a body is more than its members, so it stays one argument.
_WHOLE = frozenset(
    "$ref allOf anyOf oneOf not if patternProperties propertyNames minProperties maxProperties "
    "dependentRequired dependentSchemas unevaluatedProperties".split()
)


@dataclass(frozen=True)
class Member:
    """One argument that travels in a body."""

    place: Place
    schema: JsonValue
    is_required: bool


@dataclass(frozen=True)
class Body:
    """A body's media type, and the arguments that it is made of."""

    media: str
    is_required: bool
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Output:
    """What comes back: its schema, or None where nobody can say, and the media type to ask for."""

    schema: JsonObject | None
    media: str


def body_of(
    document: JsonObject, node: JsonObject, method: str, definitions: Definitions, refs: set[str]
) -> Body | None:
    """The body that an operation takes; raises `UnsupportedError`."""
    found = resolve(document, node.get("requestBody"))
    if not isinstance(found, dict):
        return None
    content = found.get("content")
    media, schema = _json_of(content if isinstance(content, dict) else {})
    if media is None:
        if found.get("required") is not True and method in ("get", "head", "delete"):
            return None
        named = ", ".join(content)[:200] if isinstance(content, dict) else "nothing"
        raise UnsupportedError(f"it takes {named}; only JSON is supported")
    # Who leaves `required` out means an optional body by the letter, and hardly ever in fact.
    is_required = found.get("required", True) is True
    return Body(media, is_required, _members(document, schema, is_required, definitions, refs))


def _members(
    document: JsonObject,
    schema: JsonValue,
    is_required: bool,
    definitions: Definitions,
    refs: set[str],
) -> tuple[Member, ...]:
    target = resolve(document, schema)
    if not isinstance(target, dict) or _is_whole(target):
        converted = definitions.convert(schema, refs)
        return (Member(Place("whole_body", "body"), converted, is_required),)
    converted = definitions.convert(target, refs)
    properties = converted.get("properties") if isinstance(converted, dict) else None
    required = converted.get("required") if isinstance(converted, dict) else None
    needed = required if is_required and isinstance(required, list) else []
    return tuple(
        Member(Place("body", wire), each, wire in needed)
        for wire, each in (properties.items() if isinstance(properties, dict) else ())
    )


def _is_whole(target: Mapping[str, JsonValue]) -> bool:
    """Whether a body is more than the members that it names."""
    return (
        not target.get("properties")
        or not _WHOLE.isdisjoint(target)
        or isinstance(target.get("additionalProperties"), dict)
        or target.get("nullable") is True
        or target.get("type", "object") != "object"
    )


def output_of(
    document: JsonObject, node: JsonObject, method: str, definitions: Definitions, refs: set[str]
) -> Output:
    """What an operation answers where it succeeds; raises `UnsupportedError`."""
    schemas: list[JsonValue] = []
    accepted, is_known = _JSON, True
    responses = node.get("responses")
    for status, response in sorted(responses.items()) if isinstance(responses, dict) else []:
        if not status.startswith("2"):
            continue
        found = resolve(document, response)
        content = found.get("content") if isinstance(found, dict) else None
        if method == "head" or status in ("204", "205"):
            schema: JsonValue = {"type": "null"}
        elif not isinstance(content, dict) or not content:
            is_known = False  # many leave out what they answer
            continue
        else:
            media, schema = _json_of(content)
            if media is None:
                _check_plain(content)
                accepted, is_known = "text/plain, application/json", False
                continue
            accepted, schema = media, definitions.convert(schema, refs)
        if schema not in schemas:
            schemas.append(schema)
    if not is_known or not schemas or {} in schemas or True in schemas:
        return Output(None, accepted)
    alone = schemas[0]
    if len(schemas) == 1 and isinstance(alone, dict):
        return Output(alone, accepted)
    return Output({"anyOf": schemas}, accepted)


def _check_plain(content: JsonObject) -> None:
    kinds = {each.partition(";")[0].strip().lower() for each in content}
    if "text/plain" not in kinds:
        raise UnsupportedError(f"it answers with {', '.join(sorted(kinds))[:200]}, not JSON")


def _json_of(content: JsonObject) -> tuple[str | None, JsonValue]:
    """The media type that is JSON, and its schema."""
    found: dict[str, JsonValue] = {}
    for media, value in content.items():
        kind = media.partition(";")[0].strip().lower()
        if kind == _JSON or kind in _ANY or kind.endswith(("/json", "+json")):
            schema = value.get("schema", {}) if isinstance(value, dict) else {}
            found[_JSON if kind in _ANY else kind] = schema
    if not found:
        return None, None
    media = _JSON if _JSON in found else next(iter(found))
    return media, found[media]
