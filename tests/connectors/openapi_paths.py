"""Documents of one operation, and what is read from them."""

from connector_cases import document
from pydantic import JsonValue

from connectors.openapi.extract import Extracted, Operation, extract
from connectors.spec import JsonObject


def body(schema: JsonValue, media: str = "application/json", **more: JsonValue) -> JsonObject:
    return {"requestBody": {"required": True, "content": {media: {"schema": schema}}, **more}}


def answers(schema: JsonValue, status: str = "200", media: str = "application/json") -> JsonObject:
    content: JsonObject = {media: {"schema": schema}}
    return {"responses": {status: {"description": "ok", "content": content}}}


def one(
    node: JsonObject, *, method: str = "post", path: str = "/it", **more: JsonValue
) -> Operation:
    """The only operation of a document that has only this one."""
    found = extracted({path: {method: node}}, **more)
    assert [each.reason for each in found.skipped if "(" not in each.name] == []
    return found.operations[0]


def extracted(paths: JsonObject, *, version: str = "3.1.0", **more: JsonValue) -> Extracted:
    return extract(document(paths, version=version, **more))


def reasons(paths: JsonObject, **more: JsonValue) -> dict[str, str]:
    return {each.name: each.reason for each in extracted(paths, **more).skipped}
