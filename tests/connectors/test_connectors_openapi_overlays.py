"""The operator's overlay wins in everything, and one that does not fit says where."""

import json
from pathlib import Path

import pytest
from connector_cases import (
    Outside,
    action_of,
    answer,
    described,
    document,
    end_of,
    operation,
    raw_server,
)
from openapi_wire import TEXT, node

from connectors.document import read_overlay
from connectors.errors import ConfigurationError, Kind, Refused
from connectors.openapi import Overlay
from connectors.spec import Effect, JsonObject, Sink

FIND: JsonObject = {"action": "api.other", "by": "a"}


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
                        "lookup": FIND | {"key_at": "a", "reference": "nobody"},
                    }
                }
            },
            "no argument 'nobody'",
        ),
        (
            {"actions": {"do_it": {"effect": "lookup", "lookup": FIND | {"key_at": "a"}}}},
            r"lookup\.reference: say which argument carries our key",
        ),
        (
            {"actions": {"do_it": {"effect": "lookup", "lookup": FIND | {"reference": "a"}}}},
            r"lookup\.key_at: say where in what the search finds our key stands, such as `a`",
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
