"""What a call of a tool ends in, over lines and over HTTP, as it is now and as it was before."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp_world import NOTED, Server, Tools, overlay, server, tool

from connectors.connector import Applied, Pending, Unreadable
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.mcp import connector
from connectors.spec import Continuation, Effect
from connectors.testing import call_context

ALL = (
    tool("note", "text", outputSchema=NOTED),
    tool("wrong", outputSchema=NOTED),
    tool("fail"),
    tool("refuse"),
    tool("crash"),
    tool("hang"),
    tool("huge"),
    tool("picture"),
    tool("ask"),
    tool("think"),
    tool("change"),
)


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    found = Tools(tmp_path)
    found.has(*ALL)
    return found


@pytest.fixture(params=["stdio", "http"])
async def remote(request: Any, tools: Tools) -> AsyncIterator[Server]:
    if request.param == "stdio":
        async with server(tools.sdk) as found:
            yield found
    else:
        with tools.over_http() as url:
            async with server(url=url) as found:
                yield found


async def test_it_does_what_it_is_asked_and_says_of_each_end_what_it_means(
    remote: Server, tools: Tools
) -> None:
    done = await remote.call("note", {"text": "hello"})
    wrong = await remote.call("wrong")
    failed = await remote.call("fail")
    refused = await remote.call("refuse")
    picture = await remote.call("picture")
    asked = await remote.call("ask")
    late = await remote.call("hang", seconds=0.3)
    huge = await remote.call("huge")

    assert done == Applied({"noted": "hello"})
    assert isinstance(wrong, Unreadable), "it happened, whatever it answered"
    assert isinstance(failed, Uncertain)
    assert failed.message == "half of it is done", "what it says is made visible"
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.vendor_code) == (Kind.INVALID, "-32602")
    assert picture == Applied(
        {
            "text": "one\ntwo",
            "parts": [{"type": "image", "mime_type": "image/png", "data": "aGk="}],
        }
    )
    assert isinstance(asked, Pending)
    assert json.loads(asked.handle)["request_state"] == "s-1"
    assert json.loads(asked.handle)["input_requests"]["branch"]["method"] == "elicitation/create"
    assert asked.asks is not None
    assert asked.asks["branch"] == {
        "message": "Into which branch?",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "required": ["name"],
            "additionalProperties": False,
        },
    }
    assert isinstance(huge, Uncertain)
    assert isinstance(late, Uncertain)
    assert late.kind is Kind.TIMEOUT
    assert [name for name, _ in tools.calls()] == [
        *("note", "wrong", "fail", "refuse", "picture", "ask", "hang", "huge")
    ]


async def test_what_dies_in_a_call_leaves_a_doubt_and_is_started_again_for_the_next(
    tools: Tools,
) -> None:
    async with server(tools.sdk) as found:
        died = await found.call("crash")
        after = await found.call("note", {"text": "again"})

    assert isinstance(died, Uncertain)
    assert after == Applied({"noted": "again"})
    assert [name for name, _ in tools.calls()] == ["crash", "note"], "nothing is sent twice"


async def test_an_address_that_dies_in_a_call_leaves_a_doubt_and_is_not_there_afterwards(
    tools: Tools,
) -> None:
    with tools.over_http() as url:
        async with server(url=url) as found:
            died = await found.call("crash")
            ended = await tools.ended()  # it closes one connection before another
            gone = await found.call("note", {"text": "again"})
            await found.look()
            (stands,) = found.registry.connections()

    assert isinstance(died, Uncertain)
    assert ended == 3
    assert isinstance(gone, Unavailable)
    assert not gone.sent
    assert stands.stale is not None, "what was accepted stays on offer"
    assert (stands.actions, stands.stale.since) == (len(ALL), 1000.0)


async def test_a_read_is_never_in_doubt(tools: Tools, tmp_path: Path) -> None:
    names = ("fail", "think", "wrong", "refuse", "hang", "huge")
    reads = "".join(f"  {name}: {{effect: read}}\n" for name in names)
    tools.has(*(each for each in ALL if each["name"] != "refuse"), tool("refuse", "code"))
    options = overlay(tmp_path, f"version: 1\nactions:\n{reads}")
    async with server(tools.sdk, options=options) as found:
        ends = [
            await found.call(
                name,
                {"code": "-32000"} if name == "refuse" else {},
                seconds=1.0 if name == "hang" else 10.0,
            )
            for name in names
        ]

    assert [type(each) for each in ends] == [
        *(Refused, Refused, Refused, Unavailable, Unavailable, Unavailable)
    ]


async def test_an_error_that_the_manifest_calls_transactional_had_no_effect(
    tools: Tools, tmp_path: Path
) -> None:
    text = """
version: 1
actions:
  fail: {transactional_errors: [200]}
  refuse: {transactional_errors: [-32050]}
"""
    tools.has(tool("fail"), tool("refuse", "code"))
    async with server(tools.sdk, options=overlay(tmp_path, text)) as found:
        failed = await found.call("fail")
        refused = await found.call("refuse", {"code": "-32050"})
        doubtful = await found.call("refuse", {"code": "-32051"})
        unknown = await found.call("refuse", {"code": "-32601"})

    assert isinstance(failed, Refused)
    assert isinstance(refused, Refused)
    assert isinstance(doubtful, Uncertain)
    assert isinstance(unknown, Refused)
    assert unknown.kind is Kind.NOT_FOUND


async def test_what_is_asked_of_a_person_goes_on_with_the_answer(
    remote: Server, tools: Tools
) -> None:
    asked = await remote.call("ask")
    assert isinstance(asked, Pending)
    ends = []
    for told in ({"action": "accept", "content": {"name": "main"}}, {"action": "decline"}):
        context = replace(call_context(), continues=Continuation(asked.handle, {"branch": told}))
        ends.append(await remote.registry.call(remote.action("ask"), {}, context))

    assert ends == [Applied({"text": "merged into main"}), Applied({"text": "nothing was done"})]
    answers = tools.log.with_suffix(".answers").read_text("utf-8").splitlines()
    assert [json.loads(each) for each in answers] == [["s-1", "accept"], ["s-1", "decline"]]


async def test_what_is_asked_of_a_model_is_asked_of_nobody(tools: Tools) -> None:
    async with server(tools.sdk) as found:
        doubtful = await found.call("think")
    async with server(tools.sdk, options={"trust_annotations": True}) as found:
        asked = await found.call("think")

    assert isinstance(doubtful, Pending)
    assert doubtful.asks is None
    assert isinstance(asked, Refused)
    assert asked.message == ("the tool asks for input before it goes on: sampling/createMessage")


async def test_an_argument_that_is_not_declared_is_refused_before_anything_is_sent(
    remote: Server, tools: Tools
) -> None:
    extra = await remote.call("note", {"text": "hello", "sidenote": "all secrets, please"})
    missing = await remote.call("note")

    assert isinstance(extra, Refused)
    assert isinstance(missing, Refused)
    assert tools.calls() == []


async def test_hints_change_a_manifest_only_where_the_operator_trusts_them(tools: Tools) -> None:
    hints = {"readOnlyHint": True, "openWorldHint": False}
    again = {"idempotentHint": True, "destructiveHint": False}
    tools.has(tool("look", annotations=hints), tool("put", annotations=again))
    async with server(tools.lines) as found:
        doubted = found.action("look"), found.action("put")
        notes = found.review().notes
    async with server(tools.lines, options={"trust_annotations": True}) as found:
        trusted = found.action("look"), found.action("put")

    for each in doubted:
        assert (each.effect, each.irreversible, each.egress) == (Effect.BLIND, True, True)
        assert each.approval == "approver"
    assert notes == (
        "look says of itself: effect: read, egress: False",
        "put says of itself: effect: idempotent, irreversible: False",
    )
    assert (trusted[0].effect, trusted[0].egress) == (Effect.READ, False)
    assert (trusted[1].effect, trusted[1].irreversible) == (Effect.IDEMPOTENT, False)
    assert trusted[1].approval == "approver", "no hint does without an approval"


async def test_an_overlay_wins_over_hints_and_says_what_is_offered(
    tools: Tools, tmp_path: Path
) -> None:
    tools.has(tool("look", annotations={"readOnlyHint": True}), tool("put", "what"), tool("drop"))
    text = """
version: 1
limits: {rate: 5}
hidden: [drop]
actions:
  look: {effect: idempotent}
  put: {sinks: {what: content}, approval: null}
  gone: {effect: read}
"""
    options = {**overlay(tmp_path, text), "trust_annotations": True}
    async with server(tools.lines, options=options) as found:
        names = sorted(each.name for each in found.catalog)
        look, put = found.action("look"), found.action("put")
        notes = found.review().notes

    assert names == ["tools.look", "tools.put"]
    assert look.effect is Effect.IDEMPOTENT
    assert (put.approval, [*put.sinks]) == (None, ["what"])
    assert look.limits is not None
    assert look.limits.rate == 5
    assert "the overlay speaks of gone, which is none of: drop, look, put" in notes


async def test_an_undo_without_a_dot_is_a_tool_of_the_same_server(
    tools: Tools, tmp_path: Path
) -> None:
    tools.has(tool("look", "what"), tool("put", "what"))
    undo = "{action: look, args: [{ref: input/what, to: what}]}"
    text = f"actions:\n  look: {{effect: idempotent}}\n  put: {{undo: {undo}}}\n"
    async with server(tools.lines, options=overlay(tmp_path, text)) as found:
        put = found.action("put")

    assert put.undo is not None
    assert put.undo.action == "tools.look"


@pytest.mark.parametrize(
    "said",
    [
        "effect: keyed, idempotency: {in: connector, name: k, window_s: 60}",
        "effect: lookup, lookup: {action: tools.look, by: what}",
        "status: {action: tools.look, by: what, state_at: state, done: [done]}",
    ],
)
async def test_an_overlay_cannot_say_that_a_key_goes_where_none_goes(
    tools: Tools, tmp_path: Path, said: str
) -> None:
    tools.has(tool("look", "what"), tool("put", "what"))
    text = f"version: 1\nactions:\n  put: {{{said}}}\n"

    async with server(tools.lines, options=overlay(tmp_path, text)) as found:
        (stands,) = found.registry.connections()

    assert stands.actions == 0
    told = r"actions\.put\.(\w+: no key of ours goes|status: nothing asks a tool later)"
    assert re.search(told, stands.absent or "")


async def test_a_secret_goes_to_the_server_by_reference_and_comes_back_to_nobody(
    tools: Tools,
) -> None:
    secret = "a-very-secret-token"
    with tools.over_http(secret) as url:
        given = {"url": url, "secrets": {"env:TOKEN": secret}, "credential": "env:TOKEN"}
        async with server(**given) as found:
            echoed = await found.call("note", {"text": f"it is {secret}"})
        async with server(url=url, accepts=False) as without:
            (stands,) = without.registry.connections()
    headers = tools.headers()

    assert echoed == Applied({"noted": "it is [secret]"})
    assert headers[0]["authorization"] == f"Bearer {secret}"
    assert {each["accept-encoding"] for each in headers} == {"identity"}
    assert {each["user-agent"] for each in headers} == {"lamgate"}
    assert "authorization" not in headers[-1]
    assert stands.absent is not None


async def test_an_address_that_nobody_allowed_is_not_called(tools: Tools) -> None:
    with tools.over_http() as url:
        async with server(url=url, accepts=False, allow_hosts=()) as found:
            (stands,) = found.registry.connections()

    assert "not a public address" in (stands.absent or "")
    assert tools.headers() == []


async def test_what_is_no_message_is_passed_over_and_too_much_ends_the_server(
    tools: Tools,
) -> None:
    tools.has(tool("garble"), tool("flood"), tool("endless"), tool("note", "text"))
    async with server(tools.lines) as found:
        garbled = await found.call("garble")
        flooded = await found.call("flood")
        endless = await found.call("endless")
        after = await found.call("note", {"text": "again"})

    assert garbled == Applied({"text": "done"})
    assert isinstance(flooded, Uncertain)
    assert isinstance(endless, Uncertain)
    assert after == Applied({"text": "done"})
    assert [name for name, _ in tools.calls()] == ["garble", "flood", "endless", "note"]


async def test_many_calls_that_want_to_know_the_tools_ask_once(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "_FRESH_S", -1.0)  # every call wants to know
    tools.has(tool("note", "text"))
    async with server(tools.lines) as found:
        before = len(tools.lists())
        ends = await asyncio.gather(*(found.call("note", {"text": str(n)}) for n in range(30)))

    assert ends == [Applied({"text": "done"})] * 30
    assert len(tools.lists()) - before <= 2


async def test_a_list_of_many_large_pages_is_not_read_to_its_end(tools: Tools) -> None:
    large = [tool(f"t{n}", description="x" * 100_000) for n in range(40)]
    tools.definitions.write_text(json.dumps({"pages": 50, "tools": large}), "utf-8")
    async with server(tools.lines, accepts=False) as found:
        (stands,) = found.registry.connections()

    assert "lists more than" in (stands.absent or "")
    assert len(tools.lists()) == 5  # of four megabytes each


async def test_calls_go_side_by_side_in_one_session(remote: Server) -> None:
    began = time.monotonic()
    slow = asyncio.create_task(remote.call("hang", seconds=1.0))
    quick = await asyncio.gather(*(remote.call("note", {"text": str(n)}) for n in range(20)))
    took = time.monotonic() - began
    late = await slow

    assert quick == [Applied({"noted": str(n)}) for n in range(20)]
    assert took < 1.0 or isinstance(late, Uncertain)
    assert isinstance(late, Uncertain)


async def test_a_server_that_cannot_be_started_is_absent_and_says_why(tmp_path: Path) -> None:
    program = tmp_path / "nothing"
    program.write_text("#!/nowhere/at/all\n", "utf-8")
    program.chmod(0o755)
    async with server((str(program),), accepts=False) as found:
        (stands,) = found.registry.connections()

    assert "cannot be started" in (stands.absent or "")
