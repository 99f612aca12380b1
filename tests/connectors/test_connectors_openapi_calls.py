"""Arguments travel where the document says, and what would arrive as something else is refused."""

import pytest
from connector_cases import (
    Raw,
    operation,
)
from openapi_wire import TEXT, TEXTS, Sent, at, node, parameter
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject


@pytest.mark.parametrize(
    ("schema", "more", "value", "query"),
    [
        (TEXT, {}, "a b&c=d/é?#+", "a=a%20b%26c%3Dd%2F%C3%A9%3F%23%2B"),
        ({"type": "integer"}, {}, 5.0, "a=5"),
        ({"type": "number"}, {}, 0.1, "a=0.1"),
        ({"type": "boolean"}, {}, True, "a=true"),
        (TEXTS, {}, ["x", "y,z"], "a=x&a=y%2Cz"),
        (TEXTS, {"explode": False}, ["x", "y"], "a=x,y"),
        (TEXTS, {"style": "pipeDelimited", "explode": False}, ["x", "y"], "a=x%7Cy"),
        (TEXTS, {"style": "spaceDelimited", "explode": False}, ["x", "y"], "a=x%20y"),
        ({"type": ["array", "null"]}, {}, ["x", 1, False], "a=x&a=1&a=false"),
        ({"type": "object"}, {"style": "deepObject"}, {"gt": 1}, "a%5Bgt%5D=1"),
    ],
)
async def test_a_value_in_the_query_is_what_the_service_reads(
    schema: JsonObject, more: JsonObject, value: JsonValue, query: str, sent: Sent, raw: Raw
) -> None:
    end = await sent(at(node(parameter("query", "a", schema, **more)), method="get"), {"a": value})

    assert end == Applied({})
    assert raw.head().splitlines()[0] == f"GET /it?{query} HTTP/1.1"


async def test_a_parameter_that_is_json_travels_as_json(sent: Sent, raw: Raw) -> None:
    content: JsonObject = {"application/json": {"schema": {"type": "object"}}}
    await sent(at(node({"name": "f", "in": "query", "content": content})), {"f": {"b": [1]}})

    assert "/it?f=%7B%22b%22%3A%5B1%5D%7D " in raw.head()


async def test_values_go_into_the_path_below_the_base(sent: Sent, raw: Raw) -> None:
    parameters = (parameter("path", "a-b"), parameter("path", "c", TEXTS))
    await sent(
        at(node(*parameters), path="/x/{a-b}/{c}"),
        {"a_b": "é ü:@", "c": ["1", "2"]},
        base="/v1/",
    )

    assert raw.head().startswith("POST /v1/x/%C3%A9%20%C3%BC%3A%40/1,2 HTTP/1.1")


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "../b", "a\\b", "a\x00b", "a\nb"])
async def test_a_value_that_would_be_another_path_is_refused(
    value: str, sent: Sent, raw: Raw
) -> None:
    end = await sent(at(node(parameter("path")), path="/x/{a}/y"), {"a": value})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert raw.received == []


@pytest.mark.parametrize(
    ("found", "arguments"),
    [
        (node(parameter("query", "a", {})), {"a": None}),
        (node(parameter("query", "a", TEXTS)), {"a": []}),
        (node(parameter("query", "a", TEXTS, explode=False)), {"a": ["x,y"]}),
        (node(parameter("query", "a", {})), {"a": {"b": {}}}),
        (node(parameter("query", "a", {"type": "object"}, style="deepObject")), {"a": {"b": []}}),
        (node(parameter("header", "a")), {"a": "one\r\nx-two: 2"}),
        (node(parameter("header", "a")), {"a": " padded "}),
        (node(parameter("query")), {"a": "half a pair \ud800"}),
        (node(body={"type": "object"}), {"body": {"a": 2**60}}),
        (node(body={"type": "object"}), {"body": {"a": "\ud800"}}),
        (node(parameter("query")), {"b": "nobody knows"}),
        (node(parameter("query", required=True)), {}),
        (node(parameter("query", "a", {"type": "integer"})), {"a": "1"}),
    ],
)
async def test_what_would_arrive_as_something_else_is_refused_before_it_is_sent(
    found: JsonObject, arguments: JsonObject, sent: Sent, raw: Raw
) -> None:
    end = await sent(at(found), arguments)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert raw.received == []


async def test_headers_of_a_plan_travel_and_ours_are_not_a_plans_to_set(
    sent: Sent, raw: Raw
) -> None:
    names = ("X-Mode", "Host", "Content-Length", "Cookie", "Transfer-Encoding", "Accept")
    found = node(*(parameter("header", name) for name in names))
    end = await sent(at(found), {"x_mode": "fast"})

    assert end == Applied({})
    assert "\r\nx-mode: fast\r\n" in raw.head() + "\r\n"
    assert f"\r\nhost: {raw.host}\r\n" in raw.head()
    assert "cookie" not in raw.head()


async def test_members_of_a_body_are_arguments(sent: Sent, raw: Raw) -> None:
    schema: JsonObject = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": TEXT, "tags": TEXTS, "id": TEXT},
    }
    end = await sent(
        at(node(parameter("path", "id"), body=schema), path="/x/{id}"),
        {"id": "7", "name": "n", "tags": [], "id_body": "8"},
    )

    assert end == Applied({})
    assert raw.head().startswith("POST /x/7 ")
    assert "content-type: application/json" in raw.head()
    assert raw.body() == {"name": "n", "tags": [], "id": "8"}


@pytest.mark.parametrize(
    "schema",
    [
        TEXTS,
        {"type": "object"},
        {"type": "object", "additionalProperties": TEXT, "properties": {"a": TEXT}},
        {"allOf": [{"type": "object", "properties": {"a": TEXT}}]},
        {"type": ["object", "null"], "properties": {"a": TEXT}},
        {"type": "object", "minProperties": 1, "properties": {"a": TEXT}},
    ],
)
async def test_a_body_that_is_more_than_its_members_is_one_argument(
    schema: JsonObject, sent: Sent, raw: Raw
) -> None:
    value: JsonValue = ["a"] if schema is TEXTS else {"a": "b"}

    assert await sent(at(node(body=schema)), {"body": value}) == Applied({})
    assert raw.body() == value


async def test_a_body_of_optional_members_is_sent_where_it_is_needed(sent: Sent, raw: Raw) -> None:
    schema: JsonObject = {"type": "object", "properties": {"a": TEXT}}
    needed = node(body=schema)
    optional = operation(
        requestBody={"required": False, "content": {"application/json": {"schema": schema}}}
    )

    await sent(at(needed), {})
    await sent(at(optional), {})

    assert raw.body(0) == {}
    assert "content-length" not in raw.head(1)


async def test_a_vendors_media_types_are_spoken(sent: Sent, raw: Raw) -> None:
    media = "application/vnd.example+json"
    content: JsonObject = {media: {"schema": {"type": "object"}}}
    found = operation(requestBody={"content": content}, responses={"200": {"content": content}})

    await sent(at(found), {"body": {}})

    assert f"content-type: {media}" in raw.head()
    assert f"accept: {media}" in raw.head()
