"""OpenAPI 2.0 as 3.0 has it, one operation at a time.

Only what an operation says of itself is written anew. Schemas stay where they are, and every
`$ref` is followed in the document as it stands, so nothing is copied. `host`, `basePath` and
`schemes` say where the service is; that is the operator's to say, as `servers` are in 3.
"""

from pydantic import JsonValue

from connectors.openapi.bodies import FORM, PARTS
from connectors.openapi.parameters import merged
from connectors.openapi.schema import resolve
from connectors.spec import JsonObject

_JSON = "application/json"
_COLLECTIONS = {
    "csv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "tsv": ("tabDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
_SAID = frozenset(
    "name in required description schema collectionFormat allowEmptyValue deprecated".split()
)


def is_swagger(document: JsonObject) -> bool:
    """Whether a document is one of OpenAPI 2.0."""
    return "swagger" in document


def upgraded(document: JsonObject, item: JsonObject, node: JsonObject) -> JsonObject:
    """An operation with its parameters, its body and its answers as 3.0 says them."""
    given = merged(document, item.get("parameters"), node.get("parameters"))
    plain: list[JsonValue] = [
        _parameter(each) for (where, _), each in given.items() if where not in _IN_BODY
    ]
    body = [each for (where, _), each in given.items() if where == "body"]
    form = [each for (where, _), each in given.items() if where == "formData"]
    found: JsonObject = {**node, "parameters": plain}
    consumes = _media(document, node, "consumes")
    if body:
        found["requestBody"] = _body(body[0], consumes)
    elif form:
        found["requestBody"] = _form(form, consumes)
    produces = _media(document, node, "produces")
    responses = node.get("responses")
    found["responses"] = {
        status: _response(resolve(document, each), produces)
        for status, each in (responses.items() if isinstance(responses, dict) else ())
    }
    return found


_IN_BODY = ("body", "formData")


def _parameter(raw: JsonObject) -> JsonObject:
    """A parameter with its schema apart from it."""
    found = {name: raw[name] for name in _SAID if name in raw and name != "collectionFormat"}
    found.setdefault("schema", _schema(raw))
    if raw.get("type") == "array":
        style, explode = _collection(raw)
        is_simple = raw.get("in") in ("path", "header") and (style, explode) == ("form", False)
        found |= {"style": "simple" if is_simple else style, "explode": explode}
    return found


def _schema(raw: JsonObject) -> JsonObject:
    return {name: value for name, value in raw.items() if name not in _SAID}


def _collection(raw: JsonObject) -> tuple[str, bool]:
    return _COLLECTIONS.get(str(raw.get("collectionFormat", "csv")), ("form", False))


def _body(raw: JsonObject, consumes: list[str]) -> JsonObject:
    schema = raw.get("schema", {})
    content: JsonObject = {media: {"schema": schema} for media in consumes or [_JSON]}
    found: JsonObject = {"content": content}
    return {**found, "required": raw["required"]} if "required" in raw else found


def _form(fields: list[JsonObject], consumes: list[str]) -> JsonObject:
    """The fields of a form as the members of one body."""
    members: JsonObject = {}
    encoding: JsonObject = {}
    for each in fields:
        name = str(each["name"])
        members[name] = {**_schema(each), "description": each.get("description")}
        if each.get("type") == "array":
            style, explode = _collection(each)
            encoding[name] = {"style": style, "explode": explode}
    needed: list[JsonValue] = [each["name"] for each in fields if each.get("required") is True]
    has_file = any(each.get("type") == "file" for each in fields)
    media = PARTS if has_file or (PARTS in consumes and FORM not in consumes) else FORM
    if media == PARTS:
        encoding = {}  # the lists repeat, as they do in a form of parts
    schema: JsonObject = {"type": "object", "properties": members, "required": needed}
    content: JsonObject = {media: {"schema": schema, "encoding": encoding}}
    return {"required": bool(needed), "content": content}


def _response(raw: JsonValue, produces: list[str]) -> JsonValue:
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or schema is None:
        return raw
    content: JsonObject = {media: {"schema": schema} for media in produces or [_JSON]}
    return {**raw, "content": content}


def _media(document: JsonObject, node: JsonObject, member: str) -> list[str]:
    found = node.get(member, document.get(member))
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
