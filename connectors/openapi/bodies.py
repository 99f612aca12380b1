"""What an operation sends: the one media type that is chosen, and the arguments in it.

JSON is chosen before a form, a form before one of parts, text before bytes. The members of an
object are arguments of their own; a body that is more than its members is one argument, `body`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from connectors.openapi.files import BYTES, file_schema, is_bytes
from connectors.openapi.gaps import Gap, UnsupportedError
from connectors.openapi.media import declared_kind, is_json, is_text, is_xml, kind_of
from connectors.openapi.parameters import Place, Style, style_of
from connectors.openapi.schema import Definitions, resolve, resolved_schema
from connectors.spec import JsonObject

Form = Literal["json", "form", "parts", "text", "bytes"]

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data"
_JSON = "application/json"
_ANY = ("*/*", "application/*")
_FILES = ("application/octet-stream", "image/", "audio/", "video/", "font/", "message/")
_RANK: tuple[Form, ...] = ("json", "form", "parts", "text", "bytes")
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
    """A body's media types, its form, and the arguments that it is made of.

    `places` says how the members of a whole body travel in a form where they do not as usual.
    """

    form: Form
    media: tuple[str, ...]
    is_required: bool
    members: tuple[Member, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class _Said:
    """One entry of `content`, as far as it can be written."""

    form: Form
    media: str
    schema: JsonValue
    encoding: JsonObject


def body_of(
    document: JsonObject, node: JsonObject, method: str, definitions: Definitions, refs: set[str]
) -> Body | None:
    """The body that an operation takes; raises `UnsupportedError`."""
    found = resolve(document, node.get("requestBody"))
    content = found.get("content") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(content, dict) or not content:
        return None
    is_needed = found.get("required") is True
    is_rare = method in ("get", "head", "delete")
    said = sorted(_said(document, content), key=_rank)
    if not said:
        if is_rare and not is_needed:
            return None
        gap = Gap.XML_BODY if all(is_xml(each) for each in content) else Gap.OTHER_BODY
        raise UnsupportedError(gap, ", ".join(content)[:200])
    first = said[0]
    if is_rare and not is_needed and _is_empty(document, first.schema):
        return None
    # Who leaves `required` out means an optional body by the letter, and hardly ever in fact.
    is_required = is_needed if is_rare else found.get("required", True) is True
    media = tuple(each.media for each in said if each.form == first.form)
    members = tuple(_members(document, first, is_required, definitions, refs))
    return Body(first.form, media, is_required, members, _places(document, first))


def _said(document: JsonObject, content: JsonObject) -> Iterator[_Said]:
    for media, value in content.items():
        each = value if isinstance(value, dict) else {}
        schema, encoding = each.get("schema", {}), each.get("encoding")
        kind = declared_kind(media)
        form = _form(document, kind, schema)
        if form is not None:
            name = _JSON if form == "json" and kind in _ANY else kind
            yield _Said(form, name, schema, encoding if isinstance(encoding, dict) else {})


def _rank(said: _Said) -> tuple[int, bool]:
    return _RANK.index(said.form), said.media != _JSON


def _form(document: JsonObject, kind: str, schema: JsonValue) -> Form | None:
    if is_json(kind):
        return "json"
    if kind in (FORM, PARTS):
        return "form" if kind == FORM else "parts"
    if is_xml(kind) or kind.startswith("multipart/"):
        return None
    bare = resolved_schema(document, schema)
    declared = bare.get("type") if isinstance(bare, dict) else None
    if kind in _ANY and not is_bytes(document, schema):
        return "json"
    if is_text(kind) or (declared == "string" and not is_bytes(document, schema)):
        return "text"
    # An object in a type that nobody here writes is not to be guessed.
    return "bytes" if declared in (None, "string", "file") or kind.startswith(_FILES) else None


def _members(
    document: JsonObject,
    said: _Said,
    is_required: bool,
    definitions: Definitions,
    refs: set[str],
) -> Iterator[Member]:
    whole = Place("whole_body", "body")
    if said.form == "bytes":
        yield Member(whole, BYTES, is_required)
        return
    target = resolved_schema(document, said.schema)
    if said.form == "text":
        schema = definitions.convert(said.schema, refs)
        plain = isinstance(target, dict) and target.get("type") == "string"
        yield Member(whole, schema if plain else {"type": "string"}, is_required)
        return
    if not isinstance(target, dict) or _is_whole(target):
        if said.form == "json" or not _is_empty(document, said.schema):
            yield Member(whole, definitions.convert(said.schema, refs), is_required)
        return
    converted = definitions.convert(target, refs)
    properties = converted.get("properties") if isinstance(converted, dict) else None
    required = converted.get("required") if isinstance(converted, dict) else None
    needed = required if is_required and isinstance(required, list) else []
    raw = target.get("properties")
    for wire, each in properties.items() if isinstance(properties, dict) else ():
        own = raw.get(wire) if isinstance(raw, dict) else None
        place, schema = _member(document, said, wire, own, each)
        yield Member(place, schema, wire in needed)


def _member(
    document: JsonObject, said: _Said, wire: str, raw: JsonValue, schema: JsonValue
) -> tuple[Place, JsonValue]:
    """How one member travels, and its schema: a file's is what we say."""
    if said.form == "json":
        return Place("body", wire), schema
    encoding = said.encoding.get(wire)
    place = _encoded(document, wire, encoding if isinstance(encoding, dict) else {}, raw)
    file = file_schema(document, raw, schema) if said.form == "parts" else None
    if file is None:
        return place, schema
    return Place("body", wire, "file", media=place.media), file


def _places(document: JsonObject, said: _Said) -> dict[str, Place]:
    if said.form not in ("form", "parts"):
        return {}
    return {
        wire: _encoded(document, wire, encoding, {})
        for wire, encoding in said.encoding.items()
        if isinstance(encoding, dict)
    }


def _encoded(document: JsonObject, wire: str, encoding: JsonObject, raw: JsonValue) -> Place:
    media = encoding.get("contentType")
    media = media if isinstance(media, str) and media.isascii() else ""
    if "style" not in encoding and "explode" not in encoding:
        style: Style = "json" if is_json(kind_of(media)) else "usual"
        return Place("body", wire, style, media=media)
    style, explode = style_of(document, encoding, "body", raw)
    return Place("body", wire, style, explode)


def _is_whole(target: Mapping[str, JsonValue]) -> bool:
    """Whether a body is more than the members that it names."""
    return (
        not target.get("properties")
        or not _WHOLE.isdisjoint(target)
        or isinstance(target.get("additionalProperties"), dict)
        or target.get("nullable") is True
        or target.get("type", "object") != "object"
    )


def _is_empty(document: JsonObject, schema: JsonValue) -> bool:
    """Whether a schema says that there is nothing to send, as generators write it."""
    found = resolved_schema(document, schema)
    return (
        isinstance(found, dict)
        and found.get("properties") == {}
        and not found.get("additionalProperties")
    )
