"""Calls of the only operation of a document, and the parts that such a document is made of."""

from pathlib import Path

from connector_cases import (
    Outside,
    Raw,
    action_of,
    described,
    document,
    end_of,
    operation,
)
from pydantic import JsonValue

from connectors.openapi.extract import Operation, extract
from connectors.spec import JsonObject

TEXT: JsonObject = {"type": "string"}
TEXTS: JsonObject = {"type": "array", "items": TEXT}
BYTES: JsonObject = {"type": "string", "format": "binary"}
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data"


class Sent:
    """Sends one call of the only operation of a document."""

    def __init__(self, raw: Raw, folder: Path, outside: Outside) -> None:
        self._raw, self._folder, self._outside = raw, folder, outside

    async def __call__(
        self,
        found: JsonObject,
        arguments: JsonObject,
        *,
        base: str = "",
        overlay: JsonObject | None = None,
        secret: str | None = None,
    ) -> object:
        way = self._outside.to(self._raw.host)
        url = self._raw.url + base
        api = described(self._folder, found, way, url, overlay=overlay, secret=secret)
        return await end_of(api, await action_of(api, "api.do_it"), arguments)


def parameter(
    where: str, name: str = "a", schema: JsonValue = None, **more: JsonValue
) -> JsonObject:
    return {"name": name, "in": where, "schema": TEXT if schema is None else schema, **more}


def node(*parameters: JsonObject, body: JsonValue = None, **more: JsonValue) -> JsonObject:
    found: JsonObject = {"parameters": list(parameters), **more}
    if body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return operation(**found)


def at(found: JsonObject, *, method: str = "post", path: str = "/it") -> JsonObject:
    return document({path: {method: found}})


def with_body(media: str, schema: JsonValue, method: str = "post", **more: JsonValue) -> JsonObject:
    body: JsonObject = {"required": True, "content": {media: {"schema": schema, **more}}}
    return document({"/x": {method: operation(requestBody=body)}})


def members(**properties: JsonValue) -> JsonObject:
    return {"type": "object", "properties": properties}


def swagger(node: JsonObject, path: str = "/x", **more: JsonValue) -> JsonObject:
    found: JsonObject = {"operationId": "do_it", "responses": {"200": {}}, **node}
    return {
        "swagger": "2.0",
        "host": "h",
        "basePath": "/v1",
        "paths": {path: {"post": found}},
        **more,
    }


def only(found: JsonObject) -> Operation:
    (operation,) = extract(found).operations
    return operation
