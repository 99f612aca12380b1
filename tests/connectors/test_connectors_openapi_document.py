"""From a document to operations: what is offered, under which names, and what is not and why."""

import asyncio
import contextlib
import json
import re
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
from connectors.openapi.extract import Extracted, Operation, extract
from connectors.openapi.names import operation_names
from connectors.spec import Effect, JsonObject
from connectors.validate import first_flaw


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


LIST: JsonObject = {"type": "array", "items": {"type": "string"}}


def needing(parameter: JsonObject) -> JsonObject:
    schema: JsonObject = {} if "content" in parameter else {"schema": LIST}
    return {"parameters": [{**schema, **parameter, "required": True}]}


def reasons(paths: JsonObject, **more: JsonValue) -> dict[str, str]:
    return {each.name: each.reason for each in extracted(paths, **more).skipped}


# Where it comes from


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


# Effects, names, words


@pytest.mark.parametrize(
    ("method", "effect"),
    [
        ("get", Effect.READ),
        ("head", Effect.READ),
        ("put", Effect.IDEMPOTENT),
        ("delete", Effect.IDEMPOTENT),
        ("post", Effect.BLIND),
        ("patch", Effect.BLIND),
    ],
)
async def test_a_document_proposes_an_effect_and_the_rest_is_cautious(
    method: str, effect: Effect, tmp_path: Path, outside: Outside
) -> None:
    api = described(tmp_path, document({"/it": {method: operation()}}), outside.to())
    (action,) = await api.actions()

    assert action.effect is effect
    assert action.egress
    assert action.reads_as == "untrusted"
    assert action.irreversible is action.is_write
    assert action.approval == ("approver" if action.is_write else None)


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ("getOrder", "get_order"),
        ("repos/list-tags", "repos_list_tags"),
        ("Get Order (v2)", "get_order_v2"),
        ("HTTPServer", "httpserver"),
        ("", "post_orders_order_id"),
        ("заказ", "operation_07bc03"),
    ],
)
def test_a_name_is_plain_ascii(own: str, name: str) -> None:
    (found,) = operation_names([(own, "post", "/orders/{order_id}")], 40)

    assert found == name


OPERATIONS = st.lists(
    st.tuples(
        st.text("aB-_ é\ud800", max_size=4),
        st.sampled_from(["get", "put"]),
        st.text("/ab\ud800", max_size=4),
    ),
    unique_by=lambda each: each[1:],
    max_size=12,
)


@given(OPERATIONS.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_names_are_unique_short_and_the_same_in_any_order(
    orders: tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]],
) -> None:
    first, second = (dict(zip(order, operation_names(order, 20), strict=True)) for order in orders)

    assert first == second
    assert len(set(first.values())) == len(first)
    assert all(re.fullmatch("[a-z0-9_]{1,20}", name) for name in first.values())


async def test_a_name_never_grows_beyond_what_a_plan_can_say(
    tmp_path: Path, outside: Outside
) -> None:
    paths: JsonObject = {"/a": {"get": operation("x" * 300)}, "/b": {"get": operation("x" * 301)}}
    api = described(tmp_path, document(paths), outside.to())

    names = [action.name for action in await api.actions()]

    assert len(set(names)) == 2
    assert {len(name) for name in names} == {64}


def test_words_hide_nothing_and_are_not_too_long() -> None:
    hidden = "Read.\u200b\u202e\U000e0049\x1b[0m\nIgnore " + "x" * 9000
    schema: JsonValue = {"type": "object", "properties": {"a": {"description": hidden}}}
    found = one({**operation(description=hidden), **body(schema)})

    assert found.description.startswith("Read. [0m Ignore")
    assert len(found.description) == 1000
    properties = found.input_schema["properties"]
    assert isinstance(properties, dict)
    assert len(str(properties["a"])) < 600
    assert "\\u" not in ascii(properties["a"]).replace("\\u2026", "")


@pytest.mark.parametrize("name", ["a\u200b", "a\u202eb", "a\nb", "\U000e0061", "a\x00"])
def test_a_name_that_hides_something_makes_its_operation_unsupported(name: str) -> None:
    inner: JsonObject = {"type": "object", "properties": {name: {"type": "string"}}}
    schema: JsonObject = {"type": "object", "properties": {"inner": inner}}

    found = reasons({"/a": {"post": {**operation("it"), **body(schema)}}})

    assert "hidden characters" in found["it"]
    assert found["it"].isprintable()


# Schemas


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


# Answers


@pytest.mark.parametrize(
    ("responses", "good", "bad"),
    [
        ({"204": {"description": "done"}}, [None], [{}]),
        (
            {
                "200": {"content": {"application/json": {"schema": {"type": "string"}}}},
                "201": {"content": {"application/json": {"schema": {"type": "integer"}}}},
                "404": {"content": {"application/json": {"schema": {"type": "boolean"}}}},
            },
            ["a", 1],
            [True],
        ),
        (
            {
                "2XX": {"content": {"application/vnd.api+json": {"schema": {"type": "string"}}}},
                "204": {},
            },
            ["a", None],
            [1],
        ),
    ],
)
def test_an_answer_is_one_of_those_that_mean_success(
    responses: JsonObject, good: list[JsonValue], bad: list[JsonValue]
) -> None:
    found = one({"operationId": "it", "responses": responses}).output.schema

    assert found is not None
    assert [each for each in good if first_flaw(found, each)] == []
    assert [each for each in bad if not first_flaw(found, each)] == []


@pytest.mark.parametrize(
    "responses",
    [
        {},
        {"200": {"description": "it says nothing of its body"}},
        {
            "default": {"content": {"application/json": {"schema": {"type": "string"}}}},
            "404": {},
        },
        {"200": {"content": {"application/json": {}}}},
    ],
)
def test_what_nobody_says_of_an_answer_is_unknown(responses: JsonObject) -> None:
    assert one({"operationId": "it", "responses": responses}).output.schema is None


# What cannot be offered


@pytest.mark.parametrize(
    ("path", "method", "node", "reason"),
    [
        ("/a", "post", body({}, "application/xml"), "takes XML: application/xml"),
        ("/a", "post", body({}, "image/svg+xml"), "takes XML"),
        ("/a", "post", body({"type": "object"}, "multipart/mixed"), "is not written: multipart"),
        ("/a", "post", body({"type": "object"}, "application/x-odd"), "is not written"),
        ("/a", "get", answers({}, media="text/event-stream"), "stream of events"),
        ("/a", "trace", {}, "method is not called: trace"),
        ("/a", "options", {}, "method is not called: options"),
        ("a", "get", {}, "path"),
        ("@127.0.0.1/", "get", {}, "path"),
        ("/a?action=x{b}", "get", {}, "path"),
        ("/a?one={b}&two={b}", "get", {}, "path"),
        ("/a?a\nb", "get", {}, "path"),
        ("/a/../b", "get", {}, "path"),
        ("//example.com/", "get", {}, "path"),
        ("/a", "get", {"parameters": [{"in": "query"}]}, "no name"),
        ("/a", "get", needing({"name": "o", "in": "header", "style": "form"}), "form in a header"),
        ("/a", "get", needing({"name": "o", "in": "path", "style": "deepObject"}), "in a path"),
        ("/a", "get", needing({"name": "o", "in": "query", "style": "odd"}), "odd in a query"),
        ("/a", "get", needing({"name": "o", "in": "cookie", "schema": LIST}), "several cookies"),
        (
            "/a",
            "get",
            needing({"name": "o", "in": "query", "style": "pipeDelimited", "explode": True}),
            "pipeDelimited in pieces",
        ),
        ("/a", "get", needing({"name": "o", "in": "moon"}), "not sent there"),
        (
            "/a",
            "get",
            needing({"name": "o", "in": "query", "content": {"a/b": {}}}),
            "JSON or text",
        ),
    ],
)
def test_what_is_not_supported_is_listed_with_its_reason(
    path: str, method: str, node: JsonObject, reason: str
) -> None:
    found = extracted(
        {path: {method: {**operation("it"), **node}}, "/fine": {"get": operation("fine")}}
    )

    assert [each.name for each in found.operations] == ["fine"]
    assert [each.name for each in found.skipped] == ["it"]
    assert reason in found.skipped[0].reason


def test_an_optional_argument_that_cannot_be_sent_is_left_out_and_listed() -> None:
    parameters: list[JsonValue] = [
        {"name": "session", "in": "cookie", "schema": LIST},
        {"name": "Idempotency-Key", "in": "header"},
        {"name": "Host", "in": "header"},
        {"name": "limit", "in": "query"},
    ]
    found = extracted({"/it": {"get": operation("it", parameters=parameters)}})

    assert list(found.operations[0].places) == ["limit"]
    assert [each.name for each in found.skipped] == [
        "it(Host)",
        "it(Idempotency-Key)",
        "it(session)",
    ]


def test_every_operation_of_a_document_is_offered_or_listed() -> None:
    methods = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
    paths: JsonObject = {
        f"/{number}": {method: operation(f"{method}{number}") for method in methods}
        for number in range(3)
    }
    found = extracted(paths)

    assert len(found.operations) + len(found.skipped) == 3 * len(methods)


def test_servers_of_paths_count_where_the_document_names_none_and_they_agree() -> None:
    here: JsonValue = [{"url": "https://api.example.com"}]
    agreeing: JsonObject = {f"/{n}": {"servers": here, "get": operation(f"g{n}")} for n in range(2)}
    differing: JsonObject = {**agreeing, "/2": {"servers": [{"url": "/x"}], "get": operation("g2")}}

    assert [each.server for each in extracted(agreeing).operations] == ["", ""]
    assert [each.server for each in extracted(differing).operations] == [
        "https://api.example.com",
        "https://api.example.com",
        "/x",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/{}$#\ud800", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "get post parameters requestBody responses content schema $ref name in required "
                "type properties items allOf 200 application/json /a enum nullable".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(["/a", "/a/{b}", "c"]), JSON, max_size=3), JSON)
def test_whatever_a_document_says_it_is_read(paths: JsonObject, schemas: JsonValue) -> None:
    found = extracted(paths, components={"schemas": schemas})

    for each in found.operations:
        assert each.input_schema["additionalProperties"] is False
        assert first_flaw(each.input_schema, {"nobody_knows": 1}) is not None


async def test_reading_a_document_twice_at_once_gives_one_answer(
    tmp_path: Path, outside: Outside
) -> None:
    api = described(tmp_path, document({"/it": {"get": operation()}}), outside.to())

    first, second = await asyncio.gather(api.actions(), api.actions())

    assert [each.digest for each in first] == [each.digest for each in second]
