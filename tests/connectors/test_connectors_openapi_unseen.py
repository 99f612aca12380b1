"""Documents that nobody has seen: real ones that are broken somewhere, and ones made up whole."""

import copy
import json

from connector_cases import document
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.errors import ConnectorError
from connectors.openapi.compiled import Compiled, read, written
from connectors.openapi.extract import Extracted, extract
from connectors.openapi.gaps import Gap, gap_of
from connectors.openapi.offer import offers, unserved
from connectors.openapi.overlay import Overlay
from connectors.openapi.request import draft
from connectors.spec import JsonObject
from connectors.validate import first_flaw, schema_flaw

PET: JsonObject = {
    "type": "object",
    "required": ["kind", "name"],
    "discriminator": {"propertyName": "kind"},
    "properties": {
        "kind": {"type": "string", "enum": ["cat", "dog"]},
        "name": {"type": "string", "nullable": True, "minLength": 1},
        "parent": {"$ref": "#/components/schemas/Pet"},
        "photo": {"type": "string", "format": "binary"},
        "tags": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "integer"}]}},
    },
}
NEW = document(
    {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "style": "matrix"}],
            "servers": [{"url": "https://{r}.example.com", "variables": {"r": {"default": "eu"}}}],
            "get": {
                "operationId": "getPet",
                "parameters": [
                    {"$ref": "#/components/parameters/Id"},
                    {"name": "f", "in": "query", "style": "deepObject", "schema": PET},
                    {"name": "s", "in": "cookie", "schema": {"type": "string"}},
                    {"name": "j", "in": "header", "content": {"application/json": {}}},
                ],
                "responses": {"2XX": {"content": {"application/pdf": {}}}, "default": {}},
                "callbacks": {"done": {}},
            },
            "put": {
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {"$ref": "#/components/schemas/Pet"},
                            "encoding": {"photo": {"contentType": "image/png"}},
                        },
                        "application/xml": {},
                    }
                },
                "responses": {"200": {"$ref": "#/components/responses/Pet"}},
            },
        },
        "/pets#again": {
            "post": {
                "operationId": "get_pet",
                "deprecated": True,
                "requestBody": {
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": PET,
                            "encoding": {"parent": {"style": "deepObject", "explode": True}},
                        }
                    }
                },
                "responses": {"204": {}},
            }
        },
    },
    version="3.0.3",
    webhooks={"born": {"post": {}}},
    components={
        "schemas": {"Pet": PET},
        "parameters": {
            "Id": {"name": "id", "in": "query", "schema": {"type": ["integer", "null"]}}
        },
        "responses": {"Pet": {"content": {"text/csv": {}, "application/json": {"schema": PET}}}},
        "securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "key"}},
    },
)
OLD: JsonObject = {
    "swagger": "2.0",
    "consumes": ["application/x-www-form-urlencoded"],
    "produces": ["text/plain"],
    "definitions": {"Pet": PET},
    "parameters": {"Id": {"name": "id", "in": "path", "type": "string", "required": True}},
    "securityDefinitions": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    "paths": {
        "/pets/{id}": {
            "parameters": [{"$ref": "#/parameters/Id"}],
            "post": {
                "parameters": [
                    {"name": "file", "in": "formData", "type": "file"},
                    {"name": "n", "in": "formData", "type": "array", "collectionFormat": "multi"},
                    {"name": "q", "in": "query", "type": "array", "collectionFormat": "pipes"},
                ],
                "responses": {"200": {"schema": {"type": "file"}}, "default": {"schema": PET}},
            },
            "put": {
                "parameters": [
                    {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}}
                ],
                "responses": {"200": {"schema": {"$ref": "#/definitions/Pet"}}},
            },
        }
    },
}
ODD: st.SearchStrategy[JsonValue] = st.sampled_from(
    [
        None,
        True,
        0,
        -1.5,
        2**70,
        "",
        "x",
        "\ud800",
        "\u202e",
        "#/",
        [],
        [[]],
        {},
        {"$ref": "#/components/schemas/Pet"},
        {"$ref": "#/paths"},
        {"$ref": "https://127.0.0.1/x"},
        {"$ref": 1},
        {"type": "file"},
        {"type": ["array", "odd"], "items": 1},
        {"pattern": "("},
        {"in": "query"},
        {"content": {"a/b": 1, "*/*": None, "": {}}},
    ]
)


def places(value: JsonValue, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a value, as the way to it."""
    found = [at] if at else []
    pairs: list[tuple[str | int, JsonValue]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, each in pairs:
        found += places(each, (*at, key))
    return found


def broken(value: JsonObject, at: tuple[str | int, ...], put: JsonValue, *, gone: bool) -> None:
    """Put something else at a place, or take away what is there."""
    here: JsonValue = value
    for key in at[:-1]:
        is_member = isinstance(here, dict) and key in here
        is_element = isinstance(here, list) and isinstance(key, int) and key < len(here)
        if not is_member and not is_element:
            return
        here = here[key]  # type: ignore[index, call-overload]  # it is one of them
    last = at[-1]
    if isinstance(here, dict) and isinstance(last, str):
        if gone:
            here.pop(last, None)
        else:
            here[last] = put
    elif isinstance(here, list) and isinstance(last, int) and last < len(here):
        here[last] = put


BROKEN = st.sampled_from([NEW, OLD]).flatmap(
    lambda whole: st.tuples(
        st.just(whole),
        st.lists(
            st.tuples(st.sampled_from(places(whole)), ODD, st.booleans()), min_size=1, max_size=4
        ),
    )
)


def extracted(document: JsonObject) -> Extracted:
    """What a document offers, after all that must hold of it whatever it says."""
    found = extract(document, 40)
    for each in found.operations:
        assert schema_flaw(each.input_schema) is None
        assert each.output.schema is None or schema_flaw(each.output.schema) is None
        canonical(each.input_schema)
    for skipped in found.skipped:
        gap_of(skipped.reason)
        skipped.name.encode()
    kept = written(Compiled("x", "y", 1.0, 40, found))
    again = read(kept)
    assert again is not None
    assert again.found == found
    return found


@given(BROKEN)
def test_a_document_that_is_broken_anywhere_offers_what_is_sound(
    case: tuple[JsonObject, list[tuple[tuple[str | int, ...], JsonValue, bool]]],
) -> None:
    whole, changes = case
    document = copy.deepcopy(whole)
    for at, put, gone in changes:
        broken(document, at, put, gone=gone)

    found = extracted(document)

    silent = {each.name for each in unserved(found, Overlay())}
    if {each.name for each in found.operations} - silent:
        assert offers("api", found, Overlay(), None)


VALUE: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("a[]=&,/.;|% é\n", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text("a[]=&", max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.data())
def test_whatever_an_argument_is_it_is_written_or_refused(data: st.DataObject) -> None:
    operations = (*extract(NEW, 40).operations, *extract(OLD, 40).operations)
    operation = data.draw(st.sampled_from(operations))
    arguments = data.draw(
        st.dictionaries(st.sampled_from(sorted(operation.places) or ["x"]), VALUE, max_size=3)
    )

    try:
        request = draft(operation, arguments).finished("http://127.0.0.1:1")
    except ConnectorError:
        return

    assert request.url.isascii()
    assert request.url.count("?") <= 1
    assert request.url.partition("?")[0].count("/") == 2 + operation.path.count("/")


def linked(count: int) -> JsonObject:
    """A document whose answer leads to one definition after the other, and back to the first."""
    schemas: JsonObject = {
        f"S{each}": {
            "type": "object",
            "properties": {"next": {"$ref": f"#/components/schemas/S{(each + 1) % count}"}},
        }
        for each in range(count)
    }
    content: JsonObject = {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}
    answer: JsonObject = {"responses": {"200": {"description": "ok", "content": content}}}
    return document({"/it": {"get": answer}}, components={"schemas": schemas})


def test_definitions_may_lead_to_one_another_for_as_long_as_they_like() -> None:
    (read,) = extracted(linked(3000)).operations

    schema = read.output.schema
    assert schema is not None
    assert first_flaw(schema, {"next": {"next": {}}}) is None
    assert first_flaw(schema, {"next": {"next": 1}}) is not None


def test_whatever_reaches_a_definition_that_cannot_be_used_is_skipped_with_its_reason() -> None:
    whole = linked(40)
    schemas = whole["components"]["schemas"]  # type: ignore[index, call-overload]  # made above
    schemas["S20"] = {"properties": {"a\u202eb": {}}}  # type: ignore[index, call-overload]
    found = extracted(whole)

    assert found.operations == ()
    assert [each.reason.partition(":")[0] for each in found.skipped] == [Gap.HIDDEN.value]


def test_what_a_schema_says_that_nobody_understands_is_left_out_and_a_pattern_is_noted() -> None:
    odd: JsonObject = {
        "type": "string",
        "pattern": r"^[\w-.+]+$",
        "format": 0,
        "minLength": -1,
        "maxLength": 2.5,
        "uniqueItems": "yes",
    }
    query: JsonObject = {"name": "q", "in": "query", "schema": odd}
    found = extracted(document({"/it": {"get": {"parameters": [query], "responses": {}}}}))

    assert found.operations[0].input_schema["properties"] == {"q": {"type": "string"}}
    assert [(each.name, each.reason) for each in found.skipped] == [
        (r"pattern(^[\w-.+]+$)", Gap.PATTERN.value)
    ]


def test_the_sound_documents_offer_everything() -> None:
    assert [each.name for each in extracted(NEW).operations] == [
        "get_pet_" + extracted(NEW).operations[0].name[-6:],
        "put_pets_id",
        "get_pet",
    ]
    assert len(extracted(OLD).operations) == 2
    assert json.dumps(NEW)  # nothing in it was changed
