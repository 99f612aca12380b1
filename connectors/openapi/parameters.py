"""How arguments travel: where in the request, under which name, and how a list is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from connectors.openapi.schema import UnsupportedError, resolve
from connectors.spec import JsonObject

Where = Literal["path", "query", "header", "body", "whole_body"]
Form = Literal["plain", "repeated", "comma", "space", "pipe", "deep", "json"]

_WHERE: dict[JsonValue, Where] = {"path": "path", "query": "query", "header": "header"}
_USUAL = {"path": "simple", "query": "form", "header": "simple"}
_LISTS: dict[tuple[str, bool], Form] = {
    ("simple", False): "comma",
    ("simple", True): "comma",
    ("form", True): "repeated",
    ("form", False): "comma",
    ("spaceDelimited", False): "space",
    ("pipeDelimited", False): "pipe",
}
# OpenAPI says to ignore the first three; with the others a plan would change how we talk, to whom,
# or as whom. Our own key is placed by the operator's overlay alone.
_OURS = frozenset(
    "accept content-type authorization host cookie content-length transfer-encoding connection te "
    "upgrade expect proxy-authorization proxy-connection forwarded x-forwarded-for "
    "x-forwarded-host x-forwarded-proto idempotency-key".split()
)


@dataclass(frozen=True)
class Place:
    """Where an argument travels, under which name, and in which form."""

    where: Where
    wire: str
    form: Form = "plain"


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation, as far as it can be offered."""

    place: Place
    schema: JsonValue
    is_required: bool
    flaw: str | None = None  # why it cannot be sent by a plan


def parameters_of(document: JsonObject, item: JsonObject, node: JsonObject) -> Iterator[Parameter]:
    """The operation's parameters; its own take the place of the path's of the same name."""
    found: dict[tuple[str, str], JsonObject] = {}
    for source in (item.get("parameters"), node.get("parameters")):
        for each in source if isinstance(source, list) else []:
            raw = resolve(document, each)
            if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
                raise UnsupportedError("a parameter has no name")
            found[str(raw.get("in")), str(raw["name"])] = raw
    for raw in found.values():
        yield _parameter(document, raw)


def _parameter(document: JsonObject, raw: JsonObject) -> Parameter:
    wire = str(raw["name"])
    where = _WHERE.get(raw.get("in"))
    is_required = raw.get("required") is True or where == "path"
    schema = raw.get("schema", {})
    try:
        if where is None:
            raise UnsupportedError(f"{raw.get('in')} parameters are not supported")
        if where == "header" and wire.lower() in _OURS:
            raise UnsupportedError("the header is not a plan's to set")
        content = raw.get("content")
        if isinstance(content, dict):
            return Parameter(Place(where, wire, "json"), _json(content), is_required)
        form = _form(document, raw, where, schema)
    except UnsupportedError as error:
        return Parameter(Place("query", wire), schema, is_required, str(error))
    if isinstance(schema, dict) and "description" not in schema and "$ref" not in schema:
        schema = {**schema, "description": raw.get("description")}
    return Parameter(Place(where, wire, form), schema, is_required)


def _json(content: JsonObject) -> JsonValue:
    media = content.get("application/json")
    if not isinstance(media, dict) or len(content) != 1:
        raise UnsupportedError(f"it is written as {', '.join(content)}")
    return media.get("schema", {})


def _form(document: JsonObject, raw: JsonObject, where: Where, schema: JsonValue) -> Form:
    """How a list or an object is written, where the schema allows one."""
    style = str(raw.get("style", _USUAL[where]))
    explode = raw.get("explode", style == "form") is True
    kinds = set(_kinds(document, schema, 0))
    if style == "deepObject":
        if "array" in kinds or where != "query":
            raise UnsupportedError("it is a list in the style deepObject")
        return "deep"
    if "object" in kinds:
        raise UnsupportedError(f"it is an object in the style {style}")
    if "array" not in kinds:
        if style != _USUAL[where]:
            raise UnsupportedError(f"the style {style} is not supported")
        return "plain"
    form = _LISTS.get((style, explode))
    if form is None:
        raise UnsupportedError(f"it is a list in the style {style}")
    return form


def _kinds(document: JsonObject, schema: JsonValue, depth: int) -> Iterator[JsonValue]:
    """The types of which a value may be, as far as the schema says."""
    found = resolve(document, schema)
    if not isinstance(found, dict) or depth > 5:
        return
    kind = found.get("type")
    yield from kind if isinstance(kind, list) else [kind]
    if kind is None and "properties" in found:
        yield "object"
    for keyword in ("anyOf", "oneOf", "allOf"):
        parts = found.get(keyword)
        for part in parts if isinstance(parts, list) else []:
            yield from _kinds(document, part, depth + 1)
