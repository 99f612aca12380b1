"""The exact bytes of a request: styles, cookies, forms, files, and what OpenAPI 2.0 calls them."""

from pathlib import Path

import pytest
from connector_cases import (
    Outside,
    Raw,
    action_of,
    answer,
    described,
    document,
    end_of,
    operation,
    raw_server,
)
from openapi_wire import BYTES, FORM, PARTS, TEXT, Sent, members, only, swagger, with_body
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject
from connectors.validate import first_flaw

COLOR: JsonValue = ["blue", "black"]
RGB: JsonValue = {"R": 100, "G": 200}


def with_parameter(where: str, **more: JsonValue) -> JsonObject:
    """A document with one parameter, `color`."""
    path = "/x/{color}" if where == "path" else "/x"
    parameter: JsonObject = {"name": "color", "in": where, "schema": {}, **more}
    return document({path: {"get": operation(parameters=[parameter])}})


@pytest.mark.parametrize(
    ("where", "style", "explode", "value", "line"),
    [
        ("path", "simple", False, "blue", "/x/blue"),
        ("path", "simple", False, COLOR, "/x/blue,black"),
        ("path", "simple", False, RGB, "/x/R,100,G,200"),
        ("path", "simple", True, COLOR, "/x/blue,black"),
        ("path", "simple", True, RGB, "/x/R=100,G=200"),
        ("path", "label", False, "blue", "/x/.blue"),
        ("path", "label", False, COLOR, "/x/.blue,black"),
        ("path", "label", False, RGB, "/x/.R,100,G,200"),
        ("path", "label", True, COLOR, "/x/.blue.black"),
        ("path", "label", True, RGB, "/x/.R=100.G=200"),
        ("path", "matrix", False, "blue", "/x/;color=blue"),
        ("path", "matrix", False, COLOR, "/x/;color=blue,black"),
        ("path", "matrix", False, RGB, "/x/;color=R,100,G,200"),
        ("path", "matrix", True, COLOR, "/x/;color=blue;color=black"),
        ("path", "matrix", True, RGB, "/x/;R=100;G=200"),
        ("query", "form", False, "blue", "/x?color=blue"),
        ("query", "form", False, COLOR, "/x?color=blue,black"),
        ("query", "form", False, RGB, "/x?color=R,100,G,200"),
        ("query", "form", True, COLOR, "/x?color=blue&color=black"),
        ("query", "form", True, RGB, "/x?R=100&G=200"),
        ("query", "spaceDelimited", False, COLOR, "/x?color=blue%20black"),
        ("query", "spaceDelimited", False, RGB, "/x?color=R%20100%20G%20200"),
        ("query", "pipeDelimited", False, COLOR, "/x?color=blue%7Cblack"),
        ("query", "pipeDelimited", False, RGB, "/x?color=R%7C100%7CG%7C200"),
        ("query", "deepObject", True, RGB, "/x?color%5BR%5D=100&color%5BG%5D=200"),
        ("query", "deepObject", True, COLOR, "/x?color%5B0%5D=blue&color%5B1%5D=black"),
        ("query", "deepObject", True, {"a": {"b": [1]}}, "/x?color%5Ba%5D%5Bb%5D%5B0%5D=1"),
    ],
)
async def test_a_style_writes_a_value_as_openapi_has_it(
    where: str, style: str, explode: bool, value: JsonValue, line: str, sent: Sent, raw: Raw
) -> None:
    schema: JsonValue = {"type": "array"} if isinstance(value, list) else {}
    found = with_parameter(where, style=style, explode=explode, schema=schema)

    assert await sent(found, {"color": value}) == Applied({})
    assert raw.head().splitlines()[0] == f"GET {line} HTTP/1.1"


@pytest.mark.parametrize(
    ("more", "value", "line"),
    [
        ({}, COLOR, "color: blue,black"),
        ({"explode": True}, RGB, "color: R=100,G=200"),
        ({"content": {"application/json": {}}}, RGB, 'color: {"G":200,"R":100}'),
        ({"content": {"text/plain": {}}}, "a b", "color: a b"),
    ],
)
async def test_a_header_is_written_in_the_style_simple(
    more: JsonObject, value: JsonValue, line: str, sent: Sent, raw: Raw
) -> None:
    assert await sent(with_parameter("header", **more), {"color": value}) == Applied({})
    assert line in raw.head().splitlines()


async def test_cookies_of_a_plan_and_the_credential_share_one_header(sent: Sent, raw: Raw) -> None:
    found = with_parameter("cookie")
    said: JsonObject = {"credential": {"cookie": "session"}}

    await sent(found, {"color": 'a; b="é"'}, overlay=said, secret="top-secret")

    line = "cookie: color=a%3B%20b=%22%C3%A9%22; session=top-secret"
    assert line in raw.head().splitlines()


async def test_reserved_characters_stay_where_the_document_allows_them(
    sent: Sent, raw: Raw
) -> None:
    value = "https://x/y?a=1&b=2+3#c;d"
    await sent(with_parameter("query", allowReserved=True), {"color": value})

    assert raw.head().startswith("GET /x?color=https://x/y?a=1%26b=2%2B3%23c%3Bd HTTP/1.1")


@pytest.mark.parametrize(
    ("where", "more", "value"),
    [
        ("path", {}, ["a,b"]),
        ("path", {"style": "label", "explode": True}, ["a.b"]),
        ("path", {"style": "label"}, "."),
        ("path", {"style": "matrix"}, ""),
        ("path", {"style": "matrix"}, "a/b"),
        ("path", {}, {}),
        ("query", {"style": "deepObject"}, {"a][b": 1}),
        ("query", {"style": "deepObject"}, {"a": []}),
        ("query", {"style": "deepObject"}, {"a": None}),
        ("query", {"style": "pipeDelimited", "explode": False}, ["a|b"]),
        ("query", {}, {"limit": 1}),
        ("header", {}, ["a,b"]),
        ("cookie", {}, None),
    ],
)
async def test_what_would_be_read_as_something_else_is_refused(
    where: str, more: JsonObject, value: JsonValue, sent: Sent, raw: Raw
) -> None:
    found = with_parameter(where, **more)
    for item in found["paths"].values():  # type: ignore[union-attr]  # an object
        parameters = item["get"]["parameters"]  # type: ignore[index, call-overload]  # an object
        parameters.append({"name": "limit", "in": "query"})  # type: ignore[union-attr]  # a list
    end = await sent(found, {"color": value})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert raw.received == []


async def test_a_member_of_an_object_in_pieces_cannot_pass_for_the_credential(
    sent: Sent, raw: Raw
) -> None:
    said: JsonObject = {"credential": {"query": "api_key"}}
    found = with_parameter("query")

    end = await sent(found, {"color": {"api_key": "mine"}}, overlay=said, secret="top-secret")
    await sent(found, {"color": "blue"}, overlay=said, secret="top-secret")

    assert isinstance(end, Refused)
    assert [each.splitlines()[0] for each in map(raw.head, range(len(raw.received)))] == [
        "GET /x?color=blue&api_key=top-secret HTTP/1.1"
    ]


@pytest.mark.parametrize(
    ("parameter", "value", "line"),
    [
        ({"in": "query", "type": "integer"}, 7, "/x?a=7"),
        ({"in": "query", "type": "array", "items": TEXT}, ["x", "y"], "/x?a=x,y"),
        ({"in": "query", "type": "array", "collectionFormat": "multi"}, ["x", "y"], "/x?a=x&a=y"),
        ({"in": "query", "type": "array", "collectionFormat": "ssv"}, ["x", "y"], "/x?a=x%20y"),
        ({"in": "query", "type": "array", "collectionFormat": "tsv"}, ["x", "y"], "/x?a=x%09y"),
        ({"in": "query", "type": "array", "collectionFormat": "pipes"}, ["x", "y"], "/x?a=x%7Cy"),
    ],
)
async def test_collections_of_2_0_are_written_in_their_format(
    parameter: JsonObject, value: JsonValue, line: str, sent: Sent, raw: Raw
) -> None:
    found = swagger({"parameters": [{"name": "a", **parameter}]})

    assert await sent(found, {"a": value}) == Applied({})
    assert raw.head().startswith(f"POST {line} HTTP/1.1")


async def test_a_body_of_2_0_is_what_it_consumes(sent: Sent, raw: Raw) -> None:
    schema: JsonObject = {"$ref": "#/definitions/Thing"}
    found = swagger(
        {"parameters": [{"name": "thing", "in": "body", "required": True, "schema": schema}]},
        consumes=["application/vnd.api+json"],
        definitions={"Thing": members(a=TEXT, b={"type": "string", "x-nullable": True})},
    )

    assert await sent(found, {"a": "1", "b": None}) == Applied({})
    assert raw.body() == {"a": "1", "b": None}
    assert "content-type: application/vnd.api+json" in raw.head()


@pytest.mark.parametrize(
    ("fields", "consumes", "arguments", "told"),
    [
        (
            [{"name": "a", "type": "string"}, {"name": "b", "type": "array", "items": TEXT}],
            [],
            {"a": "1", "b": ["x", "y"]},
            b"a=1&b=x%2Cy",
        ),
        ([{"name": "f", "type": "file"}], [FORM], {"f": {"text": "T"}}, b'filename="f"'),
        ([{"name": "a", "type": "string"}], [PARTS], {"a": "1"}, b'name="a"\r\n\r\n1\r\n'),
    ],
)
async def test_a_form_of_2_0_is_one_of_parts_where_it_has_a_file(
    fields: list[JsonObject],
    consumes: list[JsonValue],
    arguments: JsonObject,
    told: bytes,
    sent: Sent,
    raw: Raw,
) -> None:
    parameters: list[JsonValue] = [{"in": "formData", **each} for each in fields]
    found = swagger({"parameters": parameters, "consumes": consumes})

    assert await sent(found, arguments) == Applied({})
    assert told in raw.received[-1]


def test_answers_of_2_0_are_of_what_it_produces() -> None:
    answers: JsonObject = {"200": {"schema": {"$ref": "#/definitions/N"}}, "404": {"schema": TEXT}}
    more: JsonObject = {"N": {"type": "integer"}}
    typed = only(swagger({"responses": answers}, definitions=more))
    text = only(swagger({"responses": answers, "produces": ["text/plain"]}, definitions=more))
    file = only(swagger({"responses": {"200": {"schema": {"type": "file"}}}, "produces": ["a/b"]}))

    assert typed.output.schema is not None
    assert first_flaw(typed.output.schema, 3) is None
    assert first_flaw(typed.output.schema, "3") is not None
    assert text.output.schema == TEXT
    assert file.output.readings == ("bytes",)


@pytest.mark.parametrize(
    ("media", "said", "value"),
    [
        ("text/plain", answer(200, b"hi", {"content-type": "text/plain"}), "hi"),
        ("text/csv", answer(200, b"\xe9", {"content-type": "text/csv; charset=latin-1"}), "é"),
        ("application/xml", answer(200, b"<a/>", {"content-type": "application/xml"}), "<a/>"),
        ("text/plain", answer(200, b"", {"content-type": "text/plain"}), ""),
        (
            "application/pdf",
            answer(200, b"\x00\xff", {"content-type": "application/pdf"}),
            {"content_type": "application/pdf", "base64": "AP8="},
        ),
        (
            "image/*",
            answer(200, b"", {"content-type": "image/png"}),
            {"content_type": "image/png", "base64": ""},
        ),
    ],
)
async def test_an_answer_that_is_no_json_is_a_text_or_bytes(
    media: str, said: bytes, value: JsonValue, tmp_path: Path, outside: Outside
) -> None:
    responses: JsonObject = {"200": {"content": {media: {"schema": BYTES}}}}
    found = document({"/x": {"get": operation(responses=responses)}})
    async with raw_server(said) as raw:
        api = described(tmp_path, found, outside.to(raw.host), raw.url)
        action = await action_of(api, "api.do_it")
        end = await end_of(api, action, {})

    assert end == Applied(value)
    assert f"accept: {media}" in raw.head().splitlines()
    assert action.output_schema is not None
    assert first_flaw(action.output_schema, value) is None


async def test_what_was_downloaded_may_be_uploaded_as_it_is(sent: Sent, raw: Raw) -> None:
    found = {"content_type": "application/pdf", "base64": "AP8="}

    await sent(with_body(PARTS, members(file=BYTES)), {"file": found})

    assert b"Content-Type: application/pdf\r\n\r\n\x00\xff\r\n" in raw.received[-1]
