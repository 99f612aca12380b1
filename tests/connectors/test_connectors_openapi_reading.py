"""Where a document comes from, and how its text is read: as JSON has it, or refused."""

import contextlib
import json
import time
from pathlib import Path

import pytest
from connector_cases import Outside, answer, described, document, operation, raw_server
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.document import read_document
from connectors.errors import ConfigurationError
from connectors.openapi import OpenApiConnector, Source


async def test_a_document_is_fetched_below_the_base_address(outside: Outside) -> None:
    said = answer(200, document({"/it": {"get": operation()}}))
    async with raw_server(said) as raw:
        source = Source("/v2/openapi.json", f"{raw.url}/api/")
        api = OpenApiConnector("api", f"{raw.url}/api", outside.to(raw.host), document=source)
        first, second = await api.actions(), await api.actions()

    assert [action.name for action in first] == ["api.do_it"]
    assert first == second
    assert len(raw.received) == 1
    assert raw.head().startswith("GET /api/v2/openapi.json HTTP/1.1")
    assert "authorization" not in raw.head().lower()


async def test_a_document_is_fetched_only_where_calls_may_go(outside: Outside) -> None:
    async with raw_server(answer(200, document({}))) as raw:
        api = OpenApiConnector("api", raw.url, outside.to(), document=Source("/d", raw.url))
        with pytest.raises(ConfigurationError, match="allow_hosts"):
            await api.actions()

    assert raw.received == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (answer(404, {}), "status 404"),
        (answer(302, {}, {"location": "http://127.0.0.1/"}), "status 302"),
        (answer(200, b"<html>hello"), "is no OpenAPI document"),
        (answer(200, b'{"openapi": "3.1.0"'), "neither JSON nor YAML"),
        (answer(200, b'{"openapi": "3.1.0", "openapi": "3.0.0"}'), "a key is there twice"),
        (answer(200, {"swagger": "1.2"}), "OpenAPI 1.2; 2.0, 3.0 and 3.1"),
        (answer(200, {"swagger": "2.0"}), "offers no operation"),
        (answer(200, {"openapi": "4.0.0"}), "OpenAPI 4.0.0"),
        (answer(200, []), "not an object"),
        (answer(200, {"openapi": "3.1.0", "paths": []}), "paths"),
        (answer(200, {"openapi": "3.1.0", "paths": {}}), "offers no operation"),
        (b"", "no OpenAPI document at"),
    ],
)
async def test_what_is_no_document_says_what_it_is(
    said: bytes, told: str, outside: Outside
) -> None:
    async with raw_server(said) as raw:
        source = Source("/openapi.json", raw.url)
        api = OpenApiConnector("api", raw.url, outside.to(raw.host), document=source)
        with pytest.raises(ConfigurationError, match=told):
            await api.actions()


async def test_a_file_beside_the_operators_is_read(tmp_path: Path, outside: Outside) -> None:
    text = "openapi: 3.0.3\npaths:\n  /it:\n    get: {operationId: read it, responses: {200: {}}}\n"
    api = described(tmp_path, text, outside.to())
    by_path = Source(f"file:{tmp_path}/document.yaml", "http://127.0.0.1:1", Path("/nowhere"))
    again = OpenApiConnector("api", "http://127.0.0.1:1", outside.to(), document=by_path)

    assert [action.name for action in await api.actions()] == ["api.read_it"]
    assert await again.actions() == await api.actions()


async def test_a_file_that_is_not_there_is_named(tmp_path: Path, outside: Outside) -> None:
    source = Source("none.yaml", "http://127.0.0.1:1", tmp_path)
    api = OpenApiConnector("api", "http://127.0.0.1:1", outside.to(), document=source)

    with pytest.raises(ConfigurationError, match=r"none\.yaml: No such file"):
        await api.actions()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: no", {"a": "no"}),
        ("a: [NO, on, yes]", {"a": ["NO", "on", "yes"]}),
        ("a: 2026-11-25", {"a": "2026-11-25"}),
        ("a: 010", {"a": "010"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: [true, ~, null, 1, -2, 1.5, 1e3]", {"a": [True, None, None, 1, -2, 1.5, 1000.0]}),
        ("200: x\n1.5: y", {"200": "x", "1.5": "y"}),
        ("b: &x {c: 1}\nd: *x", {"b": {"c": 1}, "d": {"c": 1}}),
        ('{"a": 1}', {"a": 1}),
        ("a: {<<: 1}", {"a": {"<<": 1}}),
        ("a: 'no'\nb: \"1\"\nc: !!str 1\nd: ! 1", {"a": "no", "b": "1", "c": "1", "d": "1"}),
        (
            "a: !!int 1\nb: !!float 1\nc: !!null ''\nd: !!bool true",
            {"a": 1, "b": 1.0, "c": None, "d": True},
        ),
        ("a: !!map {b: !!seq [-, ~x, -x]}", {"a": {"b": ["-", "~x", "-x"]}}),
        ("a: |\n  one\n  two\nb: >-\n  three\n  four", {"a": "one\ntwo\n", "b": "three four"}),
        ("&k key: 1\nother: *k", {"key": 1, "other": "key"}),
        ("", None),
    ],
)
def test_yaml_is_read_as_json_has_it(text: str, found: JsonValue) -> None:
    assert read_document(text.encode(), "it") == found


BILLION = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BILLION,
        "a: &a [*a]",
        "a: 1\na: 2",
        "1: a\n'1': b",
        "a: &a {" + "<<: " * 300 + "1" + "}" * 300,
        "a: .nan\nb: !!python/object/apply:os.getcwd []",
        "? [a, b]\n: c",
        "true: x",
        "a: !!binary aGVsbG8=",
        "a: *nobody",
        "a: &x 1\nb: &x 2",
        "a: 1\n---\nb: 2",
        "a: !odd [1]",
        "a: !odd 1",
        "a: !!int x",
        "a: 1e999",
        f"a: {'9' * 5000}",
        "[" * 5000,
        "a: \x00",
    ],
)
def test_yaml_that_json_has_not_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="neither JSON nor YAML"):
        read_document(text.encode(), "it")


def test_a_billion_of_aliases_is_refused_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match="too many values"):
        read_document(BILLION.encode(), "it")

    assert time.monotonic() - began < 1.0


@given(st.binary(max_size=60))
def test_whatever_the_bytes_are_a_document_is_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(ConfigurationError):
        json.dumps(read_document(content, "it"), allow_nan=False)
