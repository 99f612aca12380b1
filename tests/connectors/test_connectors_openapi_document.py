"""From a document to operations: what is offered, under which names, and what is not and why."""

import asyncio
import re
from pathlib import Path

import pytest
from connector_cases import Outside, described, document, operation
from hypothesis import given
from hypothesis import strategies as st
from openapi_paths import answers, body, extracted, one, reasons
from pydantic import JsonValue

from connectors.openapi.names import operation_names
from connectors.spec import Effect, JsonObject
from connectors.validate import first_flaw

LIST: JsonObject = {"type": "array", "items": {"type": "string"}}


def needing(parameter: JsonObject) -> JsonObject:
    schema: JsonObject = {} if "content" in parameter else {"schema": LIST}
    return {"parameters": [{**schema, **parameter, "required": True}]}


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
