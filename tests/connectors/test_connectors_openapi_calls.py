"""How arguments travel, as bytes on the wire; what would travel as something else is refused."""

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
from connectors.document import read_overlay
from connectors.errors import ConfigurationError, Kind, Refused
from connectors.openapi import Overlay
from connectors.spec import Effect, JsonObject, Sink

TEXT: JsonObject = {"type": "string"}
TEXTS: JsonObject = {"type": "array", "items": TEXT}


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    async with raw_server(answer(200, {})) as found:
        yield found


def parameter(
    where: str, name: str = "a", schema: JsonValue = None, **more: JsonValue
) -> JsonObject:
    return {"name": name, "in": where, "schema": TEXT if schema is None else schema, **more}


def node(*parameters: JsonObject, body: JsonValue = None, **more: JsonValue) -> JsonObject:
    found: JsonObject = {"parameters": list(parameters), **more}
    if body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return operation(**found)


class Sent:
    """Sends one call of one operation, and keeps how it ended."""

    def __init__(self, raw: Raw, folder: Path, outside: Outside) -> None:
        self._raw, self._folder, self._outside = raw, folder, outside

    async def __call__(
        self,
        found: JsonObject,
        arguments: JsonObject,
        *,
        method: str = "post",
        path: str = "/it",
        base: str = "",
        overlay: JsonObject | None = None,
        secret: str | None = None,
    ) -> object:
        api = described(
            self._folder,
            document({path: {method: found}}),
            self._outside.to(self._raw.host),
            self._raw.url + base,
            overlay=overlay,
            secret=secret,
        )
        return await end_of(api, await action_of(api, "api.do_it"), arguments)


@pytest.fixture
def sent(raw: Raw, tmp_path: Path, outside: Outside) -> Sent:
    return Sent(raw, tmp_path, outside)


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
    end = await sent(node(parameter("query", "a", schema, **more)), {"a": value}, method="get")

    assert end == Applied({})
    assert raw.head().splitlines()[0] == f"GET /it?{query} HTTP/1.1"


async def test_a_parameter_that_is_json_travels_as_json(sent: Sent, raw: Raw) -> None:
    content: JsonObject = {"application/json": {"schema": {"type": "object"}}}
    await sent(node({"name": "f", "in": "query", "content": content}), {"f": {"b": [1]}})

    assert "/it?f=%7B%22b%22%3A%5B1%5D%7D " in raw.head()


async def test_values_go_into_the_path_below_the_base(sent: Sent, raw: Raw) -> None:
    parameters = (parameter("path", "a-b"), parameter("path", "c", TEXTS))
    await sent(
        node(*parameters), {"a_b": "é ü:@", "c": ["1", "2"]}, path="/x/{a-b}/{c}", base="/v1/"
    )

    assert raw.head().startswith("POST /v1/x/%C3%A9%20%C3%BC%3A%40/1,2 HTTP/1.1")


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "../b", "a\\b", "a\x00b", "a\nb"])
async def test_a_value_that_would_be_another_path_is_refused(
    value: str, sent: Sent, raw: Raw
) -> None:
    end = await sent(node(parameter("path")), {"a": value}, path="/x/{a}/y")

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
    end = await sent(found, arguments)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert raw.received == []


async def test_headers_of_a_plan_travel_and_ours_are_not_a_plans_to_set(
    sent: Sent, raw: Raw
) -> None:
    names = ("X-Mode", "Host", "Content-Length", "Cookie", "Transfer-Encoding", "Accept")
    found = node(*(parameter("header", name) for name in names))
    end = await sent(found, {"x_mode": "fast"})

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
        node(parameter("path", "id"), body=schema),
        {"id": "7", "name": "n", "tags": [], "id_body": "8"},
        path="/x/{id}",
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

    assert await sent(node(body=schema), {"body": value}) == Applied({})
    assert raw.body() == value


async def test_a_body_of_optional_members_is_sent_where_it_is_needed(sent: Sent, raw: Raw) -> None:
    schema: JsonObject = {"type": "object", "properties": {"a": TEXT}}
    needed = node(body=schema)
    optional = operation(
        requestBody={"required": False, "content": {"application/json": {"schema": schema}}}
    )

    await sent(needed, {})
    await sent(optional, {})

    assert raw.body(0) == {}
    assert "content-length" not in raw.head(1)


async def test_a_vendors_media_types_are_spoken(sent: Sent, raw: Raw) -> None:
    media = "application/vnd.example+json"
    content: JsonObject = {media: {"schema": {"type": "object"}}}
    found = operation(requestBody={"content": content}, responses={"200": {"content": content}})

    await sent(found, {"body": {}})

    assert f"content-type: {media}" in raw.head()
    assert f"accept: {media}" in raw.head()


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("header", "\r\nx-our-key: " + "K" * 32),
        ("query", "/it?X-Our-Key=" + "K" * 32 + " "),
    ],
)
async def test_our_key_travels_where_the_overlay_says_and_no_plan_can_give_it(
    place: str, line: str, sent: Sent, raw: Raw
) -> None:
    said: JsonObject = {
        "effect": "keyed",
        "idempotency": {"in": place, "name": "X-Our-Key", "window_s": 60},
    }
    found = node(parameter(place, "X-Our-Key", required=True))
    end = await sent(found, {}, overlay={"actions": {"do_it": said}})
    own = await sent(found, {"x_our_key": "mine"}, overlay={"actions": {"do_it": said}})

    assert end == Applied({})
    assert line in raw.head()
    assert isinstance(own, Refused)


async def test_our_key_travels_in_a_body_of_members_and_in_a_whole_one(
    sent: Sent, raw: Raw
) -> None:
    said: JsonObject = {
        "effect": "keyed",
        "idempotency": {"in": "body", "name": "key", "window_s": 60},
    }
    members: JsonObject = {"type": "object", "properties": {"a": TEXT, "key": TEXT}}
    overlay: JsonObject = {"actions": {"do_it": said}}

    await sent(node(body=members), {"a": "b"}, overlay=overlay)
    await sent(node(body={"type": "object"}), {"body": {"a": "b"}}, overlay=overlay)
    end = await sent(node(body=TEXTS), {"body": ["a"]}, overlay=overlay)

    assert raw.body(0) == raw.body(1) == {"a": "b", "key": "K" * 32}
    assert isinstance(end, Refused)


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ({}, "authorization: Bearer s3cret-value"),
        ({"credential": {"header": "X-Api-Key", "form": "{secret}"}}, "x-api-key: s3cret-value"),
    ],
)
async def test_the_credential_travels_in_its_header_and_no_plan_can_give_it(
    overlay: JsonObject, line: str, sent: Sent, raw: Raw
) -> None:
    found = node(parameter("header", "X-Api-Key"), parameter("header", "Authorization"))
    end = await sent(found, {}, overlay=overlay, secret="s3cret-value")

    assert end == Applied({})
    assert line in raw.head()
    if overlay:
        mine = await sent(found, {"x_api_key": "mine"}, overlay=overlay, secret="s3cret-value")
        assert isinstance(mine, Refused)


async def test_an_action_that_is_not_there_any_more_is_refused(
    raw: Raw, tmp_path: Path, outside: Outside
) -> None:
    api = described(tmp_path, document({"/it": {"post": operation()}}), outside.to(), raw.url)
    gone = (await action_of(api, "api.do_it")).model_copy(update={"name": "api.gone"})

    end = await end_of(api, gone, {})

    assert isinstance(end, Refused)
    assert end.kind is Kind.NOT_FOUND


# The operator's overlay


async def test_the_overlay_wins_in_everything(tmp_path: Path, outside: Outside) -> None:
    said: JsonObject = {
        "name": "renamed",
        "description": "Do it well.",
        "effect": "idempotent",
        "undo": {"action": "api.other", "args": []},
        "egress": False,
        "approval": None,
        "reads_as": "trusted",
        "fields_read_as": {"*/note": "untrusted"},
        "output_schema": {"type": "array", "items": {"type": "object"}},
        "sinks": {"a": "amount"},
        "settle_s": 2,
        "timeout_s": 3,
        "transactional_errors": [503],
    }
    paths: JsonObject = {
        "/it": {"post": node(body={"type": "object", "properties": {"a": TEXT}})},
        "/other": {"delete": operation("other")},
    }
    overlay: JsonObject = {
        "limits": {"rate": 5},
        "actions": {"do_it": said, "other": {"limits": {"rate": 1}}},
    }
    api = described(tmp_path, document(paths), outside.to(), overlay=overlay)
    action, other = await api.actions()

    assert action.name == "api.renamed"
    assert (action.description, action.effect) == ("Do it well. [POST /it]", Effect.IDEMPOTENT)
    assert (action.egress, action.approval, action.irreversible) == (False, None, False)
    assert (action.reads_as, action.fields_read_as) == ("trusted", {"*/note": "untrusted"})
    assert action.undo is not None
    assert action.sinks == {"a": Sink.AMOUNT}
    assert action.output_schema == {"type": "array", "items": {"type": "object"}}
    assert (action.settle_s, action.timeout_s, action.transactional_errors) == (2, 3, (503,))
    assert action.limits is not None
    assert other.limits is not None
    assert (action.limits.rate, other.limits.rate) == (5, 1)


async def test_a_document_cannot_weaken_its_manifest(tmp_path: Path, outside: Outside) -> None:
    claims: JsonObject = {
        "effect": "read",
        "approval": None,
        "x-effect": "read",
        "x-lamgate": {"effect": "read", "approval": None},
        "readOnly": True,
    }
    api = described(tmp_path, document({"/it": {"post": operation(**claims)}}), outside.to())
    (action,) = await api.actions()

    assert action.effect is Effect.BLIND
    assert action.approval == "approver"


@pytest.mark.parametrize(("method", "path"), [("post", "/other"), ("put", "/it")])
async def test_an_operation_that_was_moved_under_its_name_has_another_digest(
    method: str, path: str, tmp_path: Path, outside: Outside
) -> None:
    said: JsonObject = {"actions": {"do_it": {"effect": "read", "description": "Read it."}}}
    digests = []
    for each in ({"/it": {"post": operation()}}, {path: {method: operation()}}):
        api = described(tmp_path, document(each), outside.to(), overlay=said)
        digests.append((await action_of(api, "api.do_it")).digest)

    assert digests[0] != digests[1]


async def test_only_and_hidden_choose_what_is_offered(tmp_path: Path, outside: Outside) -> None:
    paths: JsonObject = {f"/{name}": {"get": operation(name)} for name in "abc"}

    async def names(overlay: JsonObject) -> list[str]:
        api = described(tmp_path, document(paths), outside.to(), overlay=overlay)
        return [action.name for action in await api.actions()]

    assert await names({}) == ["api.a", "api.b", "api.c"]
    assert await names({"only": ["a", "c"]}) == ["api.a", "api.c"]
    assert await names({"hidden": ["a"]}) == ["api.b", "api.c"]
    assert await names({"only": ["a", "b"], "hidden": ["a"]}) == ["api.b"]


@pytest.mark.parametrize(
    ("overlay", "told"),
    [
        ({"only": ["do_ti"]}, r"only\.do_ti: no such one; did you mean do_it"),
        ({"hidden": ["nobody"]}, r"hidden\.nobody: no such one"),
        ({"actions": {"form": {}}}, r"actions\.form: it cannot be offered: it takes XML"),
        ({"only": []}, "offers no operation"),
        ({"actions": {"do_it": {"efect": "read"}}}, r"actions\.do_it\.efect: "),
        ({"actions": {"do_it": {"effect": "keyed"}}}, "idempotency is missing"),
        ({"actions": {"do_it": {"effect": "lookup"}}}, "lookup is missing"),
        ({"actions": {"do_it": {"input_schema": {}}}}, "document says what goes in"),
        ({"actions": {"do_it": {"name": "Do It"}}}, r"actions\.do_it\.name"),
        ({"actions": {"do_it": {"name": "other"}}}, "two are called api.other"),
        (
            {
                "actions": {
                    "do_it": {
                        "effect": "keyed",
                        "idempotency": {"in": "connector", "name": "k", "window_s": 1},
                    }
                }
            },
            "say header, query or body",
        ),
        (
            {
                "actions": {
                    "do_it": {
                        "effect": "lookup",
                        "lookup": {"action": "api.other", "by": "a", "reference": "nobody"},
                    }
                }
            },
            "no argument 'nobody'",
        ),
    ],
)
async def test_an_overlay_that_does_not_fit_says_where(
    overlay: JsonObject, told: str, tmp_path: Path, outside: Outside
) -> None:
    form: JsonObject = {"required": True, "content": {"application/xml": {}}}
    paths: JsonObject = {
        "/it": {"post": node(body={"type": "object", "properties": {"a": TEXT}})},
        "/other": {"get": operation("other")},
        "/form": {"post": operation("form", requestBody=form)},
    }
    api = described(tmp_path, document(paths), outside.to(), overlay=overlay)

    with pytest.raises(ConfigurationError, match=told):
        await api.actions()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 2", "version"),
        ("aktions: {}", "aktions"),
        ("only: get_order", "only"),
        ("errors: {kinds: {E1: nonsense}}", r"errors\.kinds\.E1"),
        ("credential: {header: 'X Key'}", r"credential\.header"),
        ("credential: {form: Bearer}", r"credential\.form"),
        ("limits: {rate: 0}", r"limits\.rate"),
        ("a: [", "neither JSON nor YAML"),
        ("only: [a]\nonly: [b]", "a key is there twice"),
    ],
)
def test_an_overlay_file_that_cannot_be_read_says_where(
    text: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "overlay.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=told):
        read_overlay(file, Overlay)


def test_an_overlay_file_may_be_empty_but_not_missing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")

    assert read_overlay(tmp_path / "empty.yaml", Overlay) == Overlay()
    with pytest.raises(ConfigurationError, match=r"none\.yaml"):
        read_overlay(tmp_path / "none.yaml", Overlay)


async def test_where_the_overlay_says_errors_are_they_are_found(
    tmp_path: Path, outside: Outside
) -> None:
    overlay: JsonObject = {
        "errors": {
            "code_at": ["error", "code"],
            "message_at": ["error", "message"],
            "request_id_at": ["error", "id"],
            "request_id_header": "X-Trace",
            "kinds": {"full": "quota"},
        }
    }
    error: JsonObject = {"code": "full", "message": "no more", "id": "in-body"}
    ends = []
    for told in ({"error": error}, {"error": json.dumps(error)}):
        async with raw_server(answer(400, told, {"x-trace": "in-header"})) as raw:
            api = described(
                tmp_path,
                document({"/it": {"post": operation()}}),
                outside.to(raw.host),
                raw.url,
                overlay=overlay,
            )
            ends.append(await end_of(api, await action_of(api, "api.do_it"), {}))
    first, second = ends

    assert isinstance(first, Refused)
    assert (first.kind, first.vendor_code, first.request_id) == (Kind.QUOTA, "full", "in-body")
    assert isinstance(second, Refused)
    assert (second.kind, second.vendor_code, second.request_id) == (Kind.INVALID, None, "in-header")
