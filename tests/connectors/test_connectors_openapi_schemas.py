"""Schemas of a document: what they refer to, what older versions call it, what cannot be used."""

import hashlib
from pathlib import Path

import pytest
from connector_cases import Outside, answer, described, document, operation, raw_server
from openapi_paths import answers, body, extracted, one, reasons
from pydantic import JsonValue

from connectors.openapi.schema import Definitions
from connectors.spec import JsonObject
from connectors.validate import first_flaw


def test_what_a_schema_refers_to_comes_along_and_nothing_else() -> None:
    schemas: JsonObject = {
        "Node": {
            "type": "object",
            "properties": {
                "next": {"$ref": "#/components/schemas/Node"},
                "leaf": {"$ref": "#/components/schemas/Leaf"},
            },
        },
        "Leaf": {"type": "string"},
        "Other": {"type": "integer"},
    }
    found = one(
        {**operation(), **body({"$ref": "#/components/schemas/Node"})},
        components={"schemas": schemas},
    )

    assert set(found.input_schema["$defs"]) == {"Node", "Leaf"}  # type: ignore[arg-type]  # an object
    assert set(found.input_schema["properties"]) == {"next", "leaf"}  # type: ignore[arg-type]  # an object
    assert first_flaw(found.input_schema, {"next": {"next": {"leaf": "a"}}}) is None
    assert first_flaw(found.input_schema, {"next": {"next": {"leaf": 1}}}) is not None


@pytest.mark.parametrize(
    "version", [{"openapi": "3.1.0"}, {"openapi": "3.0.3"}, {"swagger": "2.0"}]
)
def test_two_schemas_of_one_name_in_two_places_are_two(version: JsonObject) -> None:
    marked = hashlib.sha256(b"#/x/A").hexdigest()[:8]
    references = ["#/definitions/A", "#/components/schemas/A", "#/x/A", f"#/x/A_{marked}",
                  f"#/definitions/x_A_{marked}", f"#/components/schemas/x_A_{marked}"]  # fmt: skip
    words: JsonObject = {"A": _word(0), f"x_A_{marked}": _word(4)}
    more: JsonObject = {"A": _word(1), f"x_A_{marked}": _word(5)}
    found: JsonObject = {
        **version, "info": {"title": "t", "version": "1"}, "definitions": words,
        "components": {"schemas": more}, "x": {"A": _word(2), f"A_{marked}": _word(3)},
    }  # fmt: skip
    for order in (references, references[::-1]):
        definitions, refs = Definitions(found, "in"), set[str]()
        read = [definitions.convert({"$ref": each}, refs) for each in order]
        schemas = [{**_object(each), "$defs": definitions.reached(refs)} for each in read]

        for reference, schema in zip(order, schemas, strict=True):
            number = references.index(reference)
            for other in range(6):
                fits = first_flaw(schema, f"word {other}") is None
                assert fits == (other == number), (reference, other)


def _word(number: int) -> JsonObject:
    return {"type": "string", "enum": [f"word {number}"]}


def _object(value: JsonValue) -> JsonObject:
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    "reference",
    [
        "#/paths/~1other/get/responses/200/content/application~1json/schema",
        "#/components/schemas/Deep/properties/inner",
        "#/components/x-more/a%20b",
        "#/components/schemas/List/0",
    ],
)
def test_a_reference_may_lead_anywhere_inside_the_document(reference: str) -> None:
    words: JsonObject = {"type": "string", "enum": ["yes"]}
    found = extracted(
        {
            "/it": {
                "post": {
                    **operation(),
                    **body({"type": "object", "properties": {"a": {"$ref": reference}}}),
                }
            },
            "/other": {"get": {**operation("other"), **answers(words)}},
        },
        components={
            "schemas": {"Deep": {"properties": {"inner": words}}, "List": [words]},
            "x-more": {"a b": words},
        },
    )
    schema = found.operations[0].input_schema

    assert first_flaw(schema, {"a": "yes"}) is None
    assert first_flaw(schema, {"a": "no"}) is not None


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("http://127.0.0.1:9/schema.json", "outside the document"),
        ("other.yaml#/X", "outside the document"),
        ("file:///etc/hostname", "outside the document"),
        ("#/components/schemas/Loop", "again and again"),
    ],
)
def test_a_reference_that_cannot_be_followed_makes_its_operation_unsupported(
    reference: str, reason: str
) -> None:
    components: JsonObject = {"schemas": {"Loop": {"$ref": "#/components/schemas/Loop"}}}
    pointing: JsonValue = {"$ref": reference}
    found = extracted(
        {
            "/a": {"post": {**operation("by_body"), **body(pointing)}},
            "/b": {"get": operation("fine")},
        },
        components=components,
    )

    assert [each.name for each in found.operations] == ["fine"]
    assert [each.name for each in found.skipped] == ["by_body"]
    assert reason in found.skipped[0].reason


async def test_a_remote_reference_is_never_fetched(tmp_path: Path, outside: Outside) -> None:
    async with raw_server(answer(200, {"type": "string"})) as raw:
        there: JsonObject = {"$ref": f"{raw.url}/schema.json"}
        inside: JsonObject = {"type": "object", "properties": {"a": there}}
        paths: JsonObject = {
            "/a": {"post": {**operation("by_body"), **body(inside)}},
            "/b": {"get": {**operation("by_answer"), **answers(there)}},
            "/c": {"get": operation("by_parameter", parameters=[there])},
            "/d": there,
            "/e": {"get": operation("fine")},
        }
        api = described(tmp_path, document(paths), outside.to(raw.host), raw.url)
        actions = await api.actions()

    assert [action.name for action in actions] == ["api.fine"]
    assert {each.name for each in api.skipped} == {"by_body", "by_answer", "by_parameter", "/d"}
    assert raw.received == []


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "nullable": True}, ["a", None], [1]),
        ({"type": "string", "enum": ["a"], "nullable": True}, ["a", None], ["b"]),
        ({"allOf": [{"type": "integer"}], "nullable": True}, [1, None], ["a"]),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, [1.5], [1]),
        ({"type": "number", "maximum": 1, "exclusiveMaximum": False}, [1], [1.5]),
        ({"type": "integer", "format": "int64", "maximum": 2**63 - 1}, [7], ["7"]),
        ({"type": "object", "required": True}, [{}], [1]),
        ({"type": "file"}, ["anything", 1], []),
        ({"type": "string", "default": 2**70, "example": 2**70}, ["a"], [1]),
        ({"type": "array", "items": {"type": "string"}, "xml": {"name": "x"}}, [["a"]], [[1]]),
    ],
)
def test_what_3_0_says_is_said_as_json_schema_says_it(
    schema: JsonObject, good: list[JsonValue], bad: list[JsonValue]
) -> None:
    inside: JsonObject = {"type": "object", "properties": {"a": schema}}
    found = one({**operation(), **body(inside)}, version="3.0.3").input_schema

    assert [each for each in good if first_flaw(found, {"a": each})] == []
    assert [each for each in bad if not first_flaw(found, {"a": each})] == []


def test_members_may_be_called_like_keywords() -> None:
    names = ("example", "nullable", "xml", "$ref", "properties", "default", "enum", "discriminator")
    members: JsonObject = {name: {"type": "string"} for name in names}
    found = one({**operation(), **body({"type": "object", "properties": members})})

    properties = found.input_schema["properties"]
    assert isinstance(properties, dict)
    assert len(properties) == len(names)
    assert {place.wire for place in found.places.values()} == set(names)


def test_what_only_the_service_writes_is_no_argument_and_what_only_we_write_is_no_answer() -> None:
    schema: JsonObject = {
        "type": "object",
        "required": ["id", "secret", "name"],
        "properties": {
            "id": {"type": "string", "readOnly": True},
            "secret": {"type": "string", "writeOnly": True},
            "name": {"type": "string"},
        },
    }
    pointing: JsonValue = {"$ref": "#/components/schemas/Thing"}
    found = one(
        {**operation(), **body(pointing), **answers(pointing)},
        components={"schemas": {"Thing": schema}},
    )

    assert found.input_schema["required"] == ["secret", "name"]
    assert first_flaw(found.output.schema or {}, {"id": "1", "name": "n"}) is None
    assert first_flaw(found.output.schema or {}, {"name": "n"}) is not None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"patternProperties": {"(": {}}}}},
        {"type": "object", "properties": {"a": {"enum": [2**70]}}},
        {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/Broken"}}},
        {"type": "object", "properties": {"a": {"const": "\ud800"}}},
    ],
)
def test_a_schema_that_cannot_be_used_makes_only_its_own_operation_unsupported(
    schema: JsonObject,
) -> None:
    found = extracted(
        {
            "/a": {"post": {**operation("broken"), **body(schema)}},
            "/b": {"post": {**operation("fine"), **body({"$ref": "#/components/schemas/Good"})}},
        },
        components={"schemas": {"Broken": {"enum": [2**70]}, "Good": {"type": "string"}}},
    )

    assert [each.name for each in found.operations] == ["fine"]
    assert [each.name for each in found.skipped] == ["broken"]
    assert "cannot be read" in found.skipped[0].reason


def _nested(levels: int) -> JsonObject:
    schema: JsonObject = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def test_a_schema_nested_without_end_is_refused() -> None:
    assert (
        "too deeply"
        in reasons({"/a": {"post": {**operation("deep"), **body(_nested(90))}}})["deep"]
    )
