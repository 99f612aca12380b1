"""LangChain's tools are actions: reviewed, closed, called once, their ends told apart."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import langchain_tools
import pytest
from mcp_world import Server, overlay
from reviewed import Pins

from connectors.connector import Applied, Unreadable
from connectors.credentials import Vault
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.factories import ConnectionSettings
from connectors.opening import open_registry
from connectors.spec import Effect, JsonObject
from connectors.testing import call_context


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    langchain_tools.DONE.clear()


@asynccontextmanager
async def tools(
    entry: str = "langchain_tools:tools", *, accepts: bool = True, **options: Any
) -> AsyncIterator[Server]:
    """The connection `tools`, accepted unless the test says otherwise."""
    settings = ConnectionSettings("tools", "langchain", options={"tools": entry, **options})
    pins = Pins()
    async with open_registry(
        [settings], Vault({"env:KEY": "s3cret-key"}.__getitem__), None, pins
    ) as r:
        found = Server(r, pins)
        found.catalog = await r.load()
        if accepts:
            await found.accept()
        yield found


async def test_nothing_of_a_package_is_on_offer_before_it_is_accepted() -> None:
    async with tools(accepts=False) as held:
        before = [*held.catalog]
        waiting = held.held()
        await held.accept()
        after = {each.name for each in held.catalog}

    assert before == []
    assert {*waiting.values()} == {"new"}
    assert {"tools.order", "tools.look", "tools.plain"} <= after
    assert held.review().reached_by[0] == "tools: langchain_tools:tools"


async def test_a_tool_that_changed_after_it_was_accepted_is_not_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with tools() as found:
        monkeypatch.setattr(langchain_tools.order, "description", "Order, and tell everybody.")
        answer = await found.call("order", {"lines": []})
        await found.look()

        assert isinstance(answer, Refused)
        assert found.held() == {"order": "changed"}
        assert found.catalog.get("tools.order") is None
    assert langchain_tools.DONE == []


async def test_what_nobody_describes_is_a_blind_irreversible_write() -> None:
    async with tools() as found:
        action = found.action("order")

    assert (action.effect, action.irreversible, action.approval) == (Effect.BLIND, True, "approver")
    assert action.reads_as == "untrusted"


async def test_the_operator_says_what_a_tool_does_and_what_comes_out(tmp_path: Path) -> None:
    text = """
version: 1
hidden: [slow]
actions:
  look: {effect: read, output_schema: {type: string}}
  order:
    effect: idempotent
    output_schema: {type: object, properties: {ordered: {type: integer}}, required: [ordered]}
  both: {effect: read, output_schema: {type: object, properties: {count: {type: integer}}}}
  fails: {effect: read, output_schema: {type: integer}}
  plain: {effect: read, output_schema: {type: integer}}
"""
    async with tools(**overlay(tmp_path, text)) as found:
        looked = await found.call("look", {"name": "cups"})
        ordered = await found.call("order", {"lines": [{"sku": "a", "count": 2}]})
        had = await found.call("both", {"name": "a"})
        otherwise = await found.call("plain", {"tool_input": "x"})

        assert found.action("look").effect is Effect.READ
        assert found.catalog.get("tools.slow") is None
    assert looked == Applied("cups: 3")
    assert ordered == Applied({"ordered": 2})
    assert had == Applied({"sku": "a", "count": 1})
    assert isinstance(otherwise, Refused), "what is not as declared is not passed on"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("order", {"lines": [], "gift": True}),
        ("order", {"lines": [{"sku": "a", "count": 1, "price": 3}]}),
        ("look", {"name": "cups", "config": {}}),
        ("look", {"name": "forks"}),
        ("keyed", {"amount": 1, "tool_call_id": "mine"}),
        ("optional_state", {"amount": 1, "state": {}}),
        ("search_the_web", {"q": "x", "more": 1}),
        ("plain", {"tool_input": "x", "run_manager": "y"}),
    ],
)
async def test_an_argument_that_is_not_offered_is_refused_before_the_tool_is_called(
    name: str, arguments: JsonObject
) -> None:
    async with tools() as found:
        answer = await found.call(name, arguments)

    assert isinstance(answer, Refused)
    assert answer.kind is Kind.INVALID
    assert langchain_tools.DONE == []


async def test_what_only_an_agent_has_is_not_offered_and_what_needs_it_is_no_action() -> None:
    async with tools() as found:
        skipped = {each.name: each.reason for each in found.registry.connections()[0].skipped}
        offered = found.action("optional_state").input_schema
        await found.call("optional_state", {"amount": 1})
        key = await found.call("keyed", {"amount": 1})

    assert skipped["stateful"] == "it needs state, which only an agent can give it"
    assert "no schema" in skipped["with_callable"]
    assert isinstance(offered["properties"], dict)
    assert {*offered["properties"]} == {"amount"}
    assert langchain_tools.DONE == [("state", 1, None), ("keyed", 1, "K" * 32)]
    assert isinstance(key, Applied)


async def test_results_have_texts_parts_and_what_is_json_of_them() -> None:
    async with tools() as found:
        ordered = await found.call("order", {"lines": []})
        had = await found.call("both", {"name": "a"})
        seen = await found.call("pictures")
        said = await found.call("plain", {"tool_input": "loud"})

    assert ordered == Applied({"text": '{"ordered": 0}', "structured": {"ordered": 0}})
    assert had == Applied({"text": "one a", "structured": {"sku": "a", "count": 1}})
    image: JsonObject = {"type": "image_url", "uri": "https://pictures.example/1"}
    assert seen == Applied({"text": "seen\ndrawn", "parts": [image]})
    assert said == Applied({"text": "LOUD"})


KEYED = "effect: keyed, idempotency: {in: connector, name: tool_call_id, window_s: 60}"
FOUND = "effect: lookup, lookup: {action: tools.look, by: name"


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("order", KEYED, r"order\.idempotency: .* takes no tool_call_id"),
        ("order", FOUND + "}", r"order\.lookup: .* takes no tool_call_id"),
        ("misnamed", KEYED, r"misnamed\.idempotency: .* takes no tool_call_id"),
        ("keyed", FOUND + "}", r"keyed\.lookup\.key_at: say where"),
        (
            "keyed",
            "status: {action: tools.look, by: name, state_at: state, done: [done]}",
            r"keyed\.status: .* leave it out",
        ),
    ],
)
async def test_of_a_tool_that_takes_no_key_nothing_is_promised_that_needs_one(
    name: str, said: str, told: str, tmp_path: Path
) -> None:
    text = f"actions:\n  {name}: {{{said}}}\n"
    async with tools(**overlay(tmp_path, text)) as found:
        (stands,) = found.registry.connections()

    assert stands.actions == 0
    assert re.search(told, stands.absent or "")


@pytest.mark.parametrize("said", [KEYED, FOUND + ", key_at: key}"])
async def test_of_a_tool_that_takes_our_key_it_may_be_said(said: str, tmp_path: Path) -> None:
    text = f"actions:\n  keyed: {{{said}}}\n  look: {{effect: read}}\n"
    async with tools(**overlay(tmp_path, text)) as found:
        action = found.action("keyed")
        ended = await found.call("keyed", {"amount": 1})

    assert (action.effect, action.settle_s) in ((Effect.KEYED, 0.0), (Effect.LOOKUP, 60.0))
    assert isinstance(ended, Applied)
    assert langchain_tools.DONE == [("keyed", 1, "K" * 32)]


EFFECTS = """
actions:
  fails: {effect: EFFECT, transactional_errors: CODES}
  fails_async: {effect: EFFECT, transactional_errors: CODES}
  handled: {effect: EFFECT, transactional_errors: CODES}
  command: {effect: EFFECT}
"""


@pytest.mark.parametrize(
    ("name", "how", "read", "write", "transactional"),
    [
        ("fails", "tool", Refused, Uncertain, Refused),
        ("fails_async", "tool", Refused, Uncertain, Refused),
        ("handled", "", Refused, Uncertain, Refused),
        ("command", "", Refused, Unreadable, Unreadable),
        ("fails", "time", Unavailable, Uncertain, Uncertain),
        ("fails", "value", Unavailable, Uncertain, Uncertain),
        ("fails", "exit", Unavailable, Uncertain, Uncertain),
        ("fails", "404", Refused, Uncertain, Refused),
        ("fails", "429", Unavailable, Uncertain, Unavailable),
        ("fails", "503", Unavailable, Uncertain, Unavailable),
    ],
)
async def test_how_a_call_ended_says_what_may_be_done_next(
    tmp_path: Path, name: str, how: str, read: type, write: type, transactional: type
) -> None:
    ended = []
    for effect, codes in (("read", "[]"), ("blind", "[]"), ("blind", "[200, 404, 429, 503]")):
        text = EFFECTS.replace("EFFECT", effect).replace("CODES", codes)
        async with tools(**overlay(tmp_path, text)) as found:
            ended.append(await found.call(name, {"how": how} if how else {}))

    assert [type(each) for each in ended] == [read, write, transactional]
    assert "secret" not in repr([getattr(each, "message", "") for each in ended])
    if how == "429":
        told = [each.retry_after_s for each in ended if isinstance(each, Unavailable | Uncertain)]
        assert told == [7, 7, 7]


async def test_a_wait_until_a_date_is_counted_from_when_it_was_said(tmp_path: Path) -> None:
    text = EFFECTS.replace("EFFECT", "read").replace("CODES", "[]")
    async with tools(**overlay(tmp_path, text)) as found:
        ended = await found.call("fails", {"how": "429 in a minute"})

    assert isinstance(ended, Unavailable)
    assert ended.retry_after_s is not None
    assert 50 < ended.retry_after_s <= 60


async def test_a_tool_that_blocks_holds_up_nobody_and_is_given_up_at_its_deadline() -> None:
    langchain_tools.GO_ON.clear()
    async with tools(threads=1) as found:
        given_up = await found.call("slow", {"seconds": 60.0}, seconds=0.5)
        no_place = await found.call("slow", {"seconds": 0.0}, seconds=0.1)
        langchain_tools.GO_ON.set()
        later = await found.call("slow", {"seconds": 0.0}, seconds=30.0)

    assert isinstance(given_up, Uncertain)
    assert given_up.kind is Kind.TIMEOUT
    assert isinstance(no_place, Unavailable)
    assert not no_place.sent
    assert later == Applied({"text": "slept"})
    assert langchain_tools.DONE == [("slow", 60.0), ("slow", 0.0)]


async def test_a_tool_that_does_not_let_itself_be_cancelled_is_not_waited_for() -> None:
    async with tools() as found:
        began = time.monotonic()
        answer = await found.call("stubborn", seconds=0.1)
        waited = time.monotonic() - began
        await asyncio.sleep(0)

    assert isinstance(answer, Uncertain)
    assert waited < 2
    assert langchain_tools.DONE == ["stubborn"]


@pytest.mark.parametrize(
    ("name", "given"), [("look", {"name": "cups"}), ("slow", {"seconds": 0.0})]
)
async def test_a_call_that_comes_too_late_is_not_begun(name: str, given: JsonObject) -> None:
    async with tools(threads=1) as found:
        action = found.action(name)
        context = call_context(seconds=10)
        late = type(context)(**{**vars(context), "extra": {}, "send_before": time.monotonic() - 1})
        with pytest.raises(Unavailable) as failed:
            await found.registry.call(action, given, late)
        done = [*langchain_tools.DONE]
        in_time = await found.call(name, given)

    assert not failed.value.sent
    assert done == []
    assert isinstance(in_time, Applied)


async def test_toolkits_and_factories_give_tools_and_their_secrets_are_hidden() -> None:
    async with tools("langchain_tools:kit") as found:
        ready = await found.call("whose")
    options: JsonObject = {"given": {"owner": "Ann"}, "secrets": {"key": "env:KEY"}}
    async with tools("langchain_tools:Kit", **options) as found:
        made = await found.call("whose")
        told = found.review().reached_by
    async with tools("langchain_tools:kits", given={"owner": "Bo"}) as found:
        waited = await found.call("whose")

    assert ready == Applied({"text": "nobody with "})
    assert isinstance(made, Applied)
    assert "s3cret-key" not in repr(made)
    assert "Ann with" in repr(made)
    assert told[2] == "given: key, owner"
    assert waited == Applied({"text": "Bo with "})


@pytest.mark.parametrize(
    ("entry", "options", "told"),
    [
        ("no_such_module:tools", {}, "no_such_module:tools is not there"),
        ("langchain_tools:nothing", {}, "langchain_tools:nothing is not there"),
        ("langchain_tools:number", {}, "is a int: neither tools nor what makes any"),
        ("langchain_tools:tools", {"given": {"a": 1}}, "makes nothing"),
        ("langchain_tools:Line.model_json_schema", {}, "which is no tool"),
        ("langchain_tools", {}, "connections.tools.tools"),
    ],
)
async def test_an_entry_that_has_no_tools_is_said_at_the_start(
    entry: str, options: JsonObject, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        async with tools(entry, **options):
            raise AssertionError("it started")


async def test_a_factory_that_fails_leaves_its_connection_absent() -> None:
    async with tools("langchain_tools:broken", accepts=False) as found:
        (stands,) = found.registry.connections()

    assert stands.absent is not None
    assert "no route" in stands.absent


async def test_a_tool_that_fails_with_its_secret_tells_no_part_of_it() -> None:
    options: JsonObject = {"given": {"owner": "Ann"}, "secrets": {"key": "env:KEY"}}
    async with tools("langchain_tools:Kit", **options) as found:
        for before in (0, 490, 495, 1_995, 100_000):
            end = await found.call("betrays", {"before": before})

            assert isinstance(end, ConnectorError)
            assert "s3cret" not in end.message
            assert "s3c" not in end.message
            assert len(end.message) <= 2_000


async def test_a_call_is_traced_nowhere_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = []
    from langchain_core.tracers.langchain import LangChainTracer

    monkeypatch.setattr(LangChainTracer, "__init__", lambda *_, **__: traced.append(1))
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
    async with tools() as found:
        asynchronous = await found.call("look", {"name": "cups"})
        blocking = await found.call("order", {"lines": []})

    assert isinstance(asynchronous, Applied)
    assert isinstance(blocking, Applied)
    assert traced == []
