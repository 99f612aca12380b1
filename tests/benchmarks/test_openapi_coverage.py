"""The count of what is offered, and the reader that says whether a request was what was meant."""

import json
import os
from pathlib import Path

import pytest

from benchmarks.openapi import documents
from benchmarks.openapi_calls import called
from benchmarks.openapi_coverage import row_of
from benchmarks.openapi_decoder import MisreadError, Reader
from benchmarks.openapi_examples import arguments_of
from connectors.openapi.load import read_openapi
from connectors.spec import JsonObject
from connectors.validate import first_flaw

PARAMETERS: list[JsonObject] = [
    {"name": "id", "in": "path", "required": True, "style": "matrix", "explode": True},
    {"name": "id", "in": "query", "schema": {"type": "array", "items": {"type": "integer"}}},
    {"name": "deep", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
    {"name": "sid", "in": "cookie", "schema": {"type": "string"}},
    {"name": "X-Many", "in": "header", "schema": {"type": "array"}},
]
FORM: JsonObject = {
    "schema": {"properties": {"a": {"type": "object"}, "b": {"type": "array"}}},
    "encoding": {"a": {"style": "deepObject", "explode": True}},
}
PARTS: JsonObject = {
    "schema": {"properties": {"f": {"type": "string", "format": "binary"}, "n": {}}}
}
DOCUMENT = {
    "openapi": "3.0.3",
    "paths": {
        "/x/{id}": {
            "post": {
                "parameters": PARAMETERS,
                "requestBody": {"content": {"application/x-www-form-urlencoded": FORM}},
                "responses": {"204": {}},
            },
            "put": {
                "parameters": [PARAMETERS[0]],
                "requestBody": {"content": {"multipart/form-data": PARTS}},
                "responses": {"204": {}},
            },
            "trace": {"responses": {}},
        }
    },
}


def test_operations_are_counted_and_what_is_missing_has_a_reason() -> None:
    row = row_of("x", read_openapi(json.dumps(DOCUMENT).encode(), "x"))

    assert (row.operations, row.named, row.typed, row.offered) == (3, 3, 2, 2)
    assert dict(row.gaps) == {"the method is not called": 1}


async def test_a_call_of_each_operation_says_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(DOCUMENT), encoding="utf-8")

    found = await called(file, None)

    assert found.wrong == []
    assert (found.offered, found.calls, found.right, found.answered) == (2, 4, 4, 4)


@pytest.mark.parametrize("line", ["PUT /x HTTP/1.1", "GET /y HTTP/1.1", "GET /x/y HTTP/1.1"])
def test_a_request_of_another_operation_is_noticed(line: str) -> None:
    with pytest.raises(MisreadError):
        Reader("/x", "get", f"{line}\r\nhost: x", b"")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^AC[0-9a-f]{32}$"},
        {"type": "string", "format": "date-time"},
        {"type": "array", "items": {"type": "integer", "minimum": 5}, "minItems": 2},
        {"anyOf": [{"type": "object", "required": ["a"], "properties": {"a": {"enum": [3]}}}]},
        {"allOf": [{"$ref": "#/$defs/N"}, {"required": ["next"]}]},
    ],
)
def test_an_example_is_what_its_schema_takes(schema: JsonObject) -> None:
    node: JsonObject = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}
    whole: JsonObject = {
        "type": "object",
        "properties": {"x": schema},
        "required": ["x"],
        "$defs": {"N": node},
    }

    assert first_flaw(whole, arguments_of(whole, each=False)) is None


def test_nearly_all_operations_of_real_documents_are_offered(tmp_path: Path) -> None:
    data = Path(os.environ.get("LAMGATE_DATA", "/nowhere"))
    there = [each for each in (data, data.parent) if (each / "openapi" / "specs.tar.xz").is_file()]
    if not there:
        pytest.skip("LAMGATE_DATA has no OpenAPI documents")
    rows = [
        row_of(each.name, read_openapi(each.read_bytes(), each.name))
        for each in documents(there[0], tmp_path)
    ]

    assert sum(each.operations for each in rows) == sum(each.named for each in rows) == 5546
    assert sum(each.offered for each in rows) >= 5520
