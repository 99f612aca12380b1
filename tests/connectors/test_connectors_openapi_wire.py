"""The exact bytes of a request: styles, cookies, forms, files, and what OpenAPI 2.0 calls them."""

import base64
import json
from collections.abc import AsyncIterator
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
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import ConfigurationError, Kind, Refused
from connectors.http import HttpAnswer
from connectors.openapi.answers import read_content
from connectors.openapi.extract import Operation, extract
from connectors.openapi.files import MOST_FILE_BYTES
from connectors.spec import JsonObject
from connectors.validate import first_flaw

TEXT: JsonObject = {"type": "string"}
TEXTS: JsonObject = {"type": "array", "items": TEXT}
OBJECT: JsonObject = {"type": "object"}
BYTES: JsonObject = {"type": "string", "format": "binary"}
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
COLOR: JsonValue = ["blue", "black"]
RGB: JsonValue = {"R": 100, "G": 200}


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    async with raw_server(answer(200, {})) as found:
        yield found


class Sent:
    """Sends one call of the only operation of a document."""

    def __init__(self, raw: Raw, folder: Path, outside: Outside) -> None:
        self._raw, self._folder, self._outside = raw, folder, outside

    async def __call__(
        self,
        found: JsonObject,
        arguments: JsonObject,
        *,
        overlay: JsonObject | None = None,
        secret: str | None = None,
    ) -> object:
        way = self._outside.to(self._raw.host)
        api = described(self._folder, found, way, self._raw.url, overlay=overlay, secret=secret)
        return await end_of(api, await action_of(api, "api.do_it"), arguments)


@pytest.fixture
def sent(raw: Raw, tmp_path: Path, outside: Outside) -> Sent:
    return Sent(raw, tmp_path, outside)


def with_parameter(where: str, **more: JsonValue) -> JsonObject:
    """A document with one parameter, `color`."""
    path = "/x/{color}" if where == "path" else "/x"
    parameter: JsonObject = {"name": "color", "in": where, "schema": {}, **more}
    return document({path: {"get": operation(parameters=[parameter])}})


def with_body(media: str, schema: JsonValue, method: str = "post", **more: JsonValue) -> JsonObject:
    body: JsonObject = {"required": True, "content": {media: {"schema": schema, **more}}}
    return document({"/x": {method: operation(requestBody=body)}})


def members(**properties: JsonValue) -> JsonObject:
    return {"type": "object", "properties": properties}


# OpenAPI's own table of styles (3.1.1, 4.8.12.4), and what RFC 6570 says of the rest


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


# Forms


@pytest.mark.parametrize(
    ("encoding", "value", "body"),
    [
        (None, "a b&c=é", b"m=a+b%26c%3D%C3%A9"),
        (None, True, b"m=true"),
        (None, ["x", "y"], b"m=x&m=y"),
        (None, {"b": [1]}, b"m=%7B%22b%22%3A%5B1%5D%7D"),
        (None, [{"b": 1}], b"m=%7B%22b%22%3A1%7D"),
        ({"style": "deepObject", "explode": True}, {"a": {"b": 1}}, b"m%5Ba%5D%5Bb%5D=1"),
        (
            {"style": "deepObject", "explode": True},
            [{"price": "p1", "n": 2}, {"price": "p2"}],
            b"m%5B0%5D%5Bprice%5D=p1&m%5B0%5D%5Bn%5D=2&m%5B1%5D%5Bprice%5D=p2",
        ),
        ({"style": "form", "explode": False}, ["x", "y"], b"m=x%2Cy"),
        ({"style": "spaceDelimited", "explode": False}, ["x", "y"], b"m=x+y"),
        ({"contentType": "application/json"}, ["x"], b"m=%5B%22x%22%5D"),
    ],
)
async def test_a_form_is_written_as_its_encoding_says(
    encoding: JsonValue, value: JsonValue, body: bytes, sent: Sent, raw: Raw
) -> None:
    schema = members(m={})
    found = with_body(FORM, schema, encoding={} if encoding is None else {"m": encoding})

    assert await sent(found, {"m": value}) == Applied({})
    assert raw.received[-1].partition(b"\r\n\r\n")[2] == body
    assert f"content-type: {FORM}" in raw.head().splitlines()


async def test_a_form_that_is_more_than_its_members_is_written_by_the_same_rules(
    sent: Sent, raw: Raw
) -> None:
    schema: JsonObject = {"allOf": [members(a=TEXT), members(b=OBJECT)]}
    found = with_body(FORM, schema, encoding={"b": {"style": "deepObject", "explode": True}})

    await sent(found, {"body": {"a": "1", "b": {"c": "2"}, "d": [3, 4]}})

    assert raw.received[-1].endswith(b"\r\n\r\na=1&b%5Bc%5D=2&d=3&d=4")


async def test_our_key_travels_in_a_form(sent: Sent, raw: Raw) -> None:
    key: JsonObject = {"in": "body", "name": "key", "window_s": 60}
    said: JsonObject = {"actions": {"do_it": {"effect": "keyed", "idempotency": key}}}

    await sent(with_body(FORM, members(a=TEXT)), {"a": "b"}, overlay=said)

    assert raw.received[-1].endswith(b"\r\n\r\na=b&key=" + b"K" * 32)


@pytest.mark.parametrize("value", [None, [], [None]])
async def test_what_a_form_cannot_say_is_refused(value: JsonValue, sent: Sent, raw: Raw) -> None:
    end = await sent(with_body(FORM, members(m={})), {"m": value})

    assert isinstance(end, Refused)
    assert raw.received == []


# Forms of parts, and bytes


async def test_a_form_of_parts_is_written_part_by_part(sent: Sent, raw: Raw) -> None:
    schema = members(note=TEXT, tags=TEXTS, meta=OBJECT, file=BYTES, more={**TEXTS, "items": BYTES})
    encoding: JsonObject = {"file": {"contentType": "image/png, image/jpeg"}}
    arguments: JsonObject = {
        "note": "é",
        "tags": ["x", "y"],
        "meta": {"a": 1},
        "file": {"filename": 'a"b.png', "base64": base64.b64encode(b"\x00\xff").decode()},
        "more": [{"text": "one", "content_type": "text/csv"}, {"text": "two", "filename": "t"}],
    }
    found = with_body(PARTS, schema, encoding=encoding)

    assert await sent(found, arguments) == Applied({})
    assert await sent(found, arguments) == Applied({})

    head, _, body = raw.received[0].partition(b"\r\n\r\n")
    boundary = head.partition(b"boundary=")[2].split(b"\r\n")[0]
    parts = [each.strip(b"\r\n") for each in body.split(b"--" + boundary)]
    said = b"Content-Disposition: form-data; name="
    assert parts == [
        b"",
        said + b'"note"\r\n\r\n\xc3\xa9',
        said + b'"tags"\r\n\r\nx',
        said + b'"tags"\r\n\r\ny',
        said + b'"meta"\r\nContent-Type: application/json\r\n\r\n{"a":1}',
        said + b'"file"; filename="a%22b.png"\r\nContent-Type: image/png\r\n\r\n\x00\xff',
        said + b'"more"; filename="more"\r\nContent-Type: text/csv\r\n\r\none',
        said + b'"more"; filename="t"\r\nContent-Type: application/octet-stream\r\n\r\ntwo',
        b"--",
    ]
    assert raw.received[0].partition(b"\r\n\r\n")[2] == raw.received[1].partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "file",
    [
        {"text": "a", "base64": "YQ=="},
        {"filename": "a"},
        {"base64": "***"},
        {"text": "a\ud800"},
        {"text": "a", "content_type": "text/html"},
        {"text": "a", "content_type": "image/png\r\nx: y"},
        {"text": "a", "filename": "a\r\nb"},
        {"text": "a" * (MOST_FILE_BYTES + 1)},
        "just a text",
    ],
)
async def test_a_file_that_cannot_be_sent_as_it_is_said_is_refused(
    file: JsonValue, sent: Sent, raw: Raw
) -> None:
    encoding: JsonObject = {"file": {"contentType": "image/png"}}
    end = await sent(with_body(PARTS, members(file=BYTES), encoding=encoding), {"file": file})

    assert isinstance(end, Refused)
    assert raw.received == []


def test_a_member_may_be_a_file_or_something_else() -> None:
    schema: JsonObject = {"anyOf": [BYTES, {**TEXTS, "items": BYTES}]}
    (found,) = extract(with_body(PARTS, members(image=schema))).operations

    for good in ({"text": "a"}, [{"text": "a"}, {"base64": "YQ=="}]):
        assert first_flaw(found.input_schema, {"image": good}) is None
    assert first_flaw(found.input_schema, {"image": [1]}) is not None


@pytest.mark.parametrize(
    ("media", "schema", "value", "lines", "body"),
    [
        ("text/plain", TEXT, "é", ["content-type: text/plain; charset=utf-8"], "é".encode()),
        (
            "application/octet-stream",
            BYTES,
            {"base64": "AP8="},
            ["content-type: application/octet-stream"],
            b"\x00\xff",
        ),
        (
            "image/*",
            BYTES,
            {"text": "x", "content_type": "image/gif"},
            ["content-type: image/gif"],
            b"x",
        ),
        (
            "application/merge-patch+json",
            {},
            {"a": None},
            ["content-type: application/merge-patch+json"],
            b'{"a":null}',
        ),
        ("application/secevent+jwt", TEXT, "a.b", [], b"a.b"),
        ("message/rfc822", OBJECT, {"text": "x"}, ["content-type: message/rfc822"], b"x"),
        ("", {}, {"a": 1}, ["content-type: application/json"], b'{"a":1}'),
    ],
)
async def test_a_body_of_another_type_is_sent_as_it_is(
    media: str,
    schema: JsonObject,
    value: JsonValue,
    lines: list[str],
    body: bytes,
    sent: Sent,
    raw: Raw,
) -> None:
    assert await sent(with_body(media, schema), {"body": value}) == Applied({})
    assert set(lines) <= set(raw.head().splitlines())
    assert raw.received[-1].partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("method", ["get", "delete"])
async def test_a_read_and_a_deletion_may_have_a_body(method: str, sent: Sent, raw: Raw) -> None:
    await sent(with_body("application/json", members(a=TEXT), method), {"a": "b"})

    assert raw.head().startswith(f"{method.upper()} /x HTTP/1.1")
    assert raw.body() == {"a": "b"}


def test_a_body_is_chosen_json_first_and_xml_never() -> None:
    content: JsonObject = {
        media: {"schema": members(a=TEXT)}
        for media in ("application/xml", PARTS, FORM, "application/json")
    }
    bodies = []
    while content:
        found = document({"/x": {"post": operation(requestBody={"content": dict(content)})}})
        done = extract(found)
        bodies += [each.body.media[0] for each in done.operations if each.body]
        bodies += [each.reason for each in done.skipped]
        content.popitem()

    assert bodies == ["application/json", FORM, PARTS, "it takes XML: application/xml"]


# OpenAPI 2.0


def swagger(node: JsonObject, path: str = "/x", **more: JsonValue) -> JsonObject:
    found: JsonObject = {"operationId": "do_it", "responses": {"200": {}}, **node}
    return {
        "swagger": "2.0",
        "host": "h",
        "basePath": "/v1",
        "paths": {path: {"post": found}},
        **more,
    }


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


def only(found: JsonObject) -> Operation:
    (operation,) = extract(found).operations
    return operation


# Answers that are no JSON


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


# Addresses, servers, credentials


@pytest.mark.parametrize(
    ("path", "line"),
    [("/x#second", "/x?a=1"), ("/x?beta=true", "/x?beta=true&a=1"), ("/x?b=1#c", "/x?b=1&a=1")],
)
async def test_what_only_tells_operations_apart_is_not_sent_and_a_fixed_query_is(
    path: str, line: str, sent: Sent, raw: Raw
) -> None:
    parameters: list[JsonValue] = [{"name": "a", "in": "query"}]
    await sent(document({path: {"get": operation(parameters=parameters)}}), {"a": 1})

    assert raw.head().startswith(f"GET {line} HTTP/1.1")


@pytest.mark.parametrize(
    ("path", "where", "given", "line"),
    [
        ("/x?q={a}", "path", {"q": "1,2"}, "/x?q=1%2C2"),
        ("/x?q={a}", "query", {"q": "1,2"}, "/x?q=1%2C2"),
        ("/x?a={a}&b=1", "query", {"a": "1,2"}, "/x?b=1&a=1%2C2"),
        ("/x?q={a}", "header", {"q": "its own", "a": "1,2"}, "/x?q=its%20own"),
    ],
)
async def test_a_parameter_that_the_path_has_in_its_query_travels_under_its_key_there(
    path: str, where: str, given: JsonObject, line: str, sent: Sent, raw: Raw
) -> None:
    parameter: JsonObject = {"name": "a", "in": where, "schema": TEXT}
    found = document({path: {"get": operation(parameters=[parameter])}})
    await sent(found, given)

    assert raw.head().startswith(f"GET {line} HTTP/1.1")
    assert only(found).input_schema["required"] == [next(iter(given))]


def test_a_server_without_its_scheme_is_the_same_server() -> None:
    own: JsonObject = {"get": operation(servers=[{"url": "https://api.example.com/v1"}])}
    found = extract(document({"/x": own}, servers=[{"url": "//api.example.com/v1/"}]))

    assert [each.server for each in found.operations] == [""]


def test_an_answer_of_a_type_that_is_none_is_read_as_what_it_says_it_is() -> None:
    responses: JsonObject = {"200": {"content": {"PDF": {"schema": TEXT}}}}
    output = only(document({"/x": {"get": operation(responses=responses)}})).output

    assert (output.schema, output.accept) == (None, "*/*")
    assert read_content(output, HttpAnswer(200, {"content-type": "text/plain"}, b"hi")) == "hi"
    assert read_content(output, HttpAnswer(200, {"content-type": "a/pdf"}, b"%PDF")) == {
        "content_type": "a/pdf",
        "base64": "JVBERg==",
    }


async def test_a_server_of_an_operations_own_is_called_only_where_the_operator_says(
    raw: Raw, tmp_path: Path, outside: Outside
) -> None:
    server: JsonObject = {
        "url": "https://{region}.example.com/up/",
        "variables": {"region": {"default": "eu", "enum": ["us", "eu"]}},
    }
    found = document({"/x": {"get": operation(servers=[server])}, "/y": {"get": operation("y")}})
    silent = described(tmp_path, found, outside.to(raw.host), "http://127.0.0.1:1")
    said: JsonObject = {"servers": {"https://eu.example.com/up": f"{raw.url}/files"}}
    told = described(tmp_path, found, outside.to(raw.host), "http://127.0.0.1:1", overlay=said)

    assert [each.name for each in await silent.actions()] == ["api.y"]
    assert "https://eu.example.com/up" in silent.skipped[0].reason
    action = await action_of(told, "api.do_it")
    assert "[GET https://eu.example.com/up/x]" in action.description
    assert await end_of(told, action, {}) == Applied({})
    assert raw.head().startswith("GET /files/x HTTP/1.1")


@pytest.mark.parametrize(
    ("credential", "line"),
    [
        ({"query": "api_key"}, "GET /x?api_key=user%3Atop-secret HTTP/1.1"),
        ({"cookie": "sid"}, "cookie: sid=user:top-secret"),
        ({"header": "X-Key"}, "x-key: Bearer user:top-secret"),
        ({"form": "Basic {basic}"}, "authorization: Basic dXNlcjp0b3Atc2VjcmV0"),
        ({"replaces": ["token"]}, "authorization: Bearer user:top-secret"),
    ],
)
async def test_a_credential_travels_where_the_operator_says_and_is_no_argument(
    credential: JsonObject, line: str, raw: Raw, tmp_path: Path, outside: Outside
) -> None:
    parameters: list[JsonValue] = [
        {"name": "api_key", "in": "query"},
        {"name": "sid", "in": "cookie"},
        {"name": "X-Key", "in": "header"},
        {"name": "token", "in": "query", "required": True},
    ]
    said: JsonObject = {"credential": {"replaces": ["Token"], **credential}}
    found = document({"/x": {"get": operation(parameters=parameters)}})
    api = described(
        tmp_path, found, outside.to(raw.host), raw.url, overlay=said, secret="user:top-secret"
    )
    action = await action_of(api, "api.do_it")
    arguments = action.input_schema["properties"]

    assert await end_of(api, action, {}) == Applied({})
    assert line in raw.head().splitlines()
    assert isinstance(arguments, dict)
    assert "token" not in arguments
    assert not {"query": "api_key", "cookie": "sid", "header": "x_key"}.items() & {
        (where, name) for where, name in zip(credential, arguments, strict=False)
    }


def test_where_the_document_puts_its_keys_there_is_no_argument() -> None:
    schemes: JsonObject = {"key": {"type": "apiKey", "in": "query", "name": "Key"}}
    parameters: list[JsonValue] = [{"name": "key", "in": "query", "required": True}]
    node = operation(parameters=parameters)
    new = extract(document({"/x": {"get": node}}, components={"securitySchemes": schemes}))
    old = extract(swagger({"parameters": parameters}, securityDefinitions=schemes))

    for found in (new, old):
        assert [list(each.places) for each in found.operations] == [[]]
        assert [each.reason for each in found.skipped] == [
            "the connection's credential travels there"
        ]


@pytest.mark.parametrize(
    "overlay",
    [
        {"credential": {"query": "a", "cookie": "b"}},
        {"credential": {"form": "Bearer"}},
        {"servers": {"https://x": "ftp://x"}},
        {"servers": {"https://x": "https://x/?a=b"}},
    ],
)
def test_an_overlay_says_one_place_and_plain_addresses(overlay: JsonObject, tmp_path: Path) -> None:
    from connectors.document import read_overlay
    from connectors.openapi import Overlay

    file = tmp_path / "overlay.json"
    file.write_text(json.dumps(overlay), encoding="utf-8")

    with pytest.raises(ConfigurationError):
        read_overlay(file, Overlay)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("said", ["punycode", "idna", "IDNA", "unicode_escape", "zlib", "klingon"])
def test_what_is_no_charset_is_not_read_with(said: str) -> None:
    responses: JsonObject = {"200": {"content": {"text/plain": {"schema": TEXT}}}}
    output = only(document({"/x": {"get": operation(responses=responses)}})).output
    headers = {"content-type": f"text/plain; charset={said}"}

    with pytest.raises(ValueError, match=said.lower()):
        read_content(output, HttpAnswer(200, headers, b"-" + b"z" * 6_000_000))
