"""Where a request goes, and where its credential travels."""

import json
from pathlib import Path

import pytest
from connector_cases import (
    Outside,
    Raw,
    action_of,
    described,
    document,
    end_of,
    operation,
)
from openapi_wire import (
    TEXT,
    Sent,
    only,
    swagger,
)
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import ConfigurationError
from connectors.http import HttpAnswer
from connectors.openapi.answers import read_content
from connectors.openapi.extract import extract
from connectors.spec import JsonObject


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
