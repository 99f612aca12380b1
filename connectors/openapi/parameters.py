"""Where arguments travel, under which name and in which style, as the document's parameters say."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import JsonValue

from connectors.openapi.gaps import Gap, UnsupportedError
from connectors.openapi.schema import resolve, resolved_schema
from connectors.spec import JsonObject
from connectors.text import hides_something, visible

Where = Literal["path", "query", "header", "cookie", "body", "whole_body"]
Style = Literal[
    "simple",
    "label",
    "matrix",
    "form",
    "spaceDelimited",
    "pipeDelimited",
    "tabDelimited",
    "deepObject",
    "json",  # as its JSON text
    "usual",  # in a form: lists repeat, what is nested is JSON
    "file",  # in a form of parts: bytes with a name and a type
]

_WHERE: dict[str, Where] = {
    "path": "path",
    "query": "query",
    "header": "header",
    "cookie": "cookie",
}
_ORDER: dict[Where, int] = {"path": 0, "query": 1, "header": 2, "cookie": 3}
_USUAL: dict[Where, Style] = {
    "path": "simple",
    "query": "form",
    "header": "simple",
    "cookie": "form",
}
_STYLES: dict[str, Style] = {
    each: each for each in get_args(Style) if each not in ("usual", "file")
}
_DEFINED: dict[Where, frozenset[Style]] = {
    "path": frozenset({"simple", "label", "matrix"}),
    "query": frozenset({"form", "spaceDelimited", "pipeDelimited", "tabDelimited", "deepObject"}),
    "header": frozenset({"simple"}),
    "cookie": frozenset({"form"}),
    "body": frozenset({"form", "spaceDelimited", "pipeDelimited", "tabDelimited", "deepObject"}),
}
_DELIMITED = ("spaceDelimited", "pipeDelimited", "tabDelimited")
# OpenAPI says to ignore the first three; with the others a plan would change how we talk, to whom,
# or as whom. Our own key is placed by the operator's overlay alone.
_OURS = frozenset(
    "accept content-type authorization host cookie content-length transfer-encoding connection te "
    "trailer upgrade expect proxy-authorization proxy-connection forwarded x-forwarded-for "
    "x-forwarded-host x-forwarded-proto x-original-url x-rewrite-url x-http-method "
    "x-http-method-override x-method-override idempotency-key".split()
)


@dataclass(frozen=True)
class Place:
    """Where an argument travels, under which name, and in which style.

    `is_open` leaves the characters unescaped that an address may have (`allowReserved`). `media`
    is the content type of a part of a form.
    """

    where: Where
    wire: str
    style: Style = "form"
    explode: bool = False
    is_open: bool = False
    media: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation, as far as it can be offered.

    `flaw` says why a plan cannot give it; without a gap of ours that is the operation's end where
    the parameter is required.
    """

    place: Place
    schema: JsonValue
    is_required: bool
    flaw: UnsupportedError | None = None

    @property
    def is_fatal(self) -> bool:
        """Whether the operation cannot be called without it."""
        theirs = self.flaw is not None and self.flaw.gap not in (Gap.OURS, Gap.CREDENTIAL)
        return theirs and self.is_required


def parameters_of(
    document: JsonObject,
    item: JsonObject,
    node: JsonObject,
    credentials: Collection[tuple[str, str]] = (),
) -> Iterator[Parameter]:
    """The operation's parameters; its own take the place of the path's of the same name.

    They come in the order in which names are given: it does not depend on the document's.
    """
    found = [
        _parameter(document, raw, credentials)
        for raw in merged(document, item.get("parameters"), node.get("parameters")).values()
    ]
    yield from sorted(found, key=lambda each: (_ORDER[each.place.where], each.place.wire))


def merged(document: JsonObject, *lists: JsonValue) -> dict[tuple[str, str], JsonObject]:
    """Parameters by place and name, the later lists over the earlier; raises `UnsupportedError`."""
    found: dict[tuple[str, str], JsonObject] = {}
    for each in lists:
        for one in each if isinstance(each, list) else []:
            raw = resolve(document, one)
            if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
                raise UnsupportedError(Gap.NO_NAME)
            found[str(raw.get("in")), str(raw["name"])] = raw
    return found


def _parameter(
    document: JsonObject, raw: JsonObject, credentials: Collection[tuple[str, str]]
) -> Parameter:
    wire = str(raw["name"])
    where = _WHERE.get(str(raw.get("in")))
    is_required = raw.get("required") is True or where == "path"
    schema = raw.get("schema", {})
    try:
        if hides_something(wire):
            raise UnsupportedError(Gap.HIDDEN, repr(visible(wire, 60)))
        if where is None:
            raise UnsupportedError(Gap.LOCATION, str(raw.get("in"))[:40])
        if (where, wire.lower()) in credentials:
            raise UnsupportedError(Gap.CREDENTIAL)
        if where == "header" and wire.lower() in _OURS:
            raise UnsupportedError(Gap.OURS)
        place, schema = _placed(document, raw, where, schema)
    except UnsupportedError as error:
        return Parameter(Place(where or "query", wire), schema, is_required, error)
    if isinstance(schema, dict) and "$ref" not in schema:
        told: JsonObject = {
            name: raw[name] for name in ("description", "deprecated") if name in raw
        }
        schema = {**told, **schema}
    return Parameter(place, schema, is_required)


def _placed(
    document: JsonObject, raw: JsonObject, where: Where, schema: JsonValue
) -> tuple[Place, JsonValue]:
    wire = str(raw["name"])
    content = raw.get("content")
    if isinstance(content, dict):
        media = next(iter(content), "")
        said = content.get(media)
        schema = said.get("schema", {}) if isinstance(said, dict) else {}
        if len(content) == 1 and media.partition(";")[0].strip().endswith(("/json", "+json")):
            return Place(where, wire, "json"), schema
        if len(content) == 1 and media.startswith("text/plain"):
            return Place(where, wire, _USUAL[where]), {"type": "string"}
        raise UnsupportedError(Gap.CONTENT, ", ".join(content)[:200])
    is_open = raw.get("allowReserved") is True and where == "query"
    style, explode = style_of(document, raw, where, schema)
    return Place(where, wire, style, explode, is_open), schema


def style_of(
    document: JsonObject, raw: JsonObject, where: Where, schema: JsonValue
) -> tuple[Style, bool]:
    """How lists and objects are written, and whether in pieces; raises `UnsupportedError`."""
    usual = _USUAL.get(where, "form")
    named = str(raw.get("style", usual))
    style = _STYLES.get(named)
    if style is None or style not in _DEFINED[where]:
        raise UnsupportedError(Gap.STYLE, f"{named[:40]} in a {where}")
    explode = raw.get("explode", style == "form") is True
    kinds = set(_kinds(document, schema, 0)) & {"array", "object"}
    if style in _DELIMITED and explode and kinds:
        raise UnsupportedError(Gap.STYLE, f"{style} in pieces")
    if where == "cookie" and explode and kinds:
        raise UnsupportedError(Gap.STYLE, "a list or an object in several cookies")
    return style, explode


def _kinds(document: JsonObject, schema: JsonValue, depth: int) -> Iterator[str]:
    """The types of which a value may be, as far as the schema says."""
    found = resolved_schema(document, schema)
    if not isinstance(found, dict) or depth > 5:
        return
    kind = found.get("type")
    yield from (
        each for each in (kind if isinstance(kind, list) else [kind]) if isinstance(each, str)
    )
    if kind is None and "properties" in found:
        yield "object"
    for keyword in ("anyOf", "oneOf", "allOf"):
        parts = found.get(keyword)
        for part in parts if isinstance(parts, list) else []:
            yield from _kinds(document, part, depth + 1)
