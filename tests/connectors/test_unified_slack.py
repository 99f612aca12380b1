"""Slack behind `messaging`: a no that comes with a 200 is one, and no text calls people."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from connector_cases import NO_TLS, Outside, described, end_of, raw_server, registry_of
from connector_cases import answer as said
from pydantic import JsonValue
from vendor_documents import unpacked

from connectors.builtin import slack
from connectors.builtin.slack import SLACK
from connectors.connector import Applied, Outcome, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.plugin import Plugin
from connectors.spec import Effect, JsonObject
from connectors.testing import Asked, Example, HttpConformance, Said, Service

HELLO: JsonObject = {"channel_id": "C1", "text": "Hello"}
TOKEN = "xoxb-a-token-of-nobody"


@dataclass
class Workspace:
    """A channel, and what is said in it."""

    messages: dict[str, JsonObject] = field(default_factory=dict)
    done: int = 0

    async def effects(self) -> int:
        return self.done

    async def state(self) -> JsonValue:
        return [*self.messages]

    def handle(self, asked: Asked) -> Said:
        body = asked.body if isinstance(asked.body, dict) else dict(asked.query)
        if body.get("channel", "C1") != "C1":
            return Said(200, {"ok": False, "error": "channel_not_found"})
        match asked.path.removeprefix("/"):
            case "chat.postMessage":
                self.done += 1
                ts = f"1732528800.{self.done:06}"
                self.messages[ts] = {"type": "message", "text": body["text"], "bot_id": "B1"}
                self.messages[ts] |= {"ts": ts}
                return Said(
                    200, {"ok": True, "channel": "C1", "ts": ts, "message": self.messages[ts]}
                )
            case "chat.delete":
                if self.messages.pop(str(body["ts"]), None) is None:
                    return Said(200, {"ok": False, "error": "message_not_found"})
                self.done += 1
                return Said(200, {"ok": True, "channel": "C1", "ts": body["ts"]})
            case "conversations.history":
                return Said(200, {"ok": True, "messages": [*self.messages.values()][::-1]})
            case _:
                channel: JsonObject = {"id": "C1", "name": "general", "is_private": False}
                return Said(200, {"ok": True, "channels": [channel]})


class TestSlack(HttpConformance):
    plugin = Plugin(slack.connect, protocol=1)

    def service(self) -> Service:
        self.workspace = Workspace()
        return Service(self.workspace.handle)

    def example(self) -> Example:
        return Example(
            read=("own.message_list", {"channel_id": "C1"}),
            undone=("own.message_send", HELLO),
            refused=("own.message_send", {**HELLO, "channel_id": "C9"}),
            effects=self.workspace.effects,
            state=self.workspace.state,
        )


async def called(
    url: str, outside: Outside, name: str, arguments: JsonObject, attempt: int = 1
) -> Outcome | ConnectorError:
    settings = ConnectionSettings("chat", "slack", url, "env:SLACK")
    registry = registry_of(outside.to(url.partition("://")[2]), settings, SLACK=TOKEN)
    action = (await registry.load()).get(f"chat.{name}")
    assert action is not None
    return await end_of(registry, action, arguments, attempt=attempt)


async def test_a_message_is_these_bytes_and_calls_nobody(outside: Outside) -> None:
    told = {"text": "&lt;!channel&gt; a &amp; b", "user": "U1", "thread_ts": "17.1", "ts": "17.2"}
    done = said(200, {"ok": True, "channel": "C1", "ts": "17.2", "message": told})
    given: JsonObject = {"channel_id": "C1", "text": "<!channel> a & b", "thread_id": "17.1"}
    async with raw_server(done) as raw:
        end = await called(raw.url, outside, "message_send", given)

    assert raw.head().split("\r\n")[0] == "POST /chat.postMessage HTTP/1.1"
    assert f"authorization: Bearer {TOKEN}" in raw.head()
    assert raw.body() == {
        "channel": "C1",
        "text": "&lt;!channel&gt; a &amp; b",
        "thread_ts": "17.1",
    }
    assert isinstance(end, Applied)
    assert isinstance(end.output, dict)
    names = ("id", "channel_id", "author_id", "text", "thread_id", "sent_at")
    assert {name: end.output[name] for name in names} == {
        "id": "17.2",
        "channel_id": "C1",
        "author_id": "U1",
        "text": "<!channel> a & b",
        "thread_id": "17.1",
        "sent_at": "1970-01-01T00:00:17.200000+00:00",
    }


@pytest.mark.parametrize(
    ("code", "ends", "kind"),
    [
        ("channel_not_found", Refused, Kind.NOT_FOUND),
        ("invalid_auth", Refused, Kind.AUTH),
        ("missing_scope", Refused, Kind.AUTH),
        ("not_in_channel", Refused, Kind.AUTH),
        ("is_archived", Refused, Kind.CONFLICT),
        ("msg_too_long", Refused, Kind.INVALID),
        ("a_word_of_next_year", Refused, Kind.INVALID),
        ("rate_limited", Unavailable, Kind.RATE_LIMITED),
        ("fatal_error", Uncertain, Kind.UNAVAILABLE),
        ("request_timeout", Uncertain, Kind.UNAVAILABLE),
    ],
)
async def test_a_no_that_comes_with_a_200_is_called_by_its_name(
    code: str, ends: type, kind: Kind, outside: Outside
) -> None:
    async with raw_server(said(200, {"ok": False, "error": code})) as raw:
        end = await called(raw.url, outside, "message_send", HELLO)

    assert type(end) is ends
    assert isinstance(end, ConnectorError)
    assert end.kind is kind
    assert code in end.message


@pytest.mark.parametrize("body", [{}, [], {"ok": "yes"}, {"ok": True}, {"ok": True, "message": 1}])
async def test_an_answer_that_is_not_slacks_is_never_passed_on(
    body: JsonValue, outside: Outside
) -> None:
    async with raw_server(said(200, body)) as raw:
        wrote = await called(raw.url, outside, "message_send", HELLO)
        read = await called(raw.url, outside, "message_list", {"channel_id": "C1"})

    assert isinstance(wrote, Unreadable)
    assert isinstance(read, Refused)
    assert read.kind is Kind.INTERNAL


async def test_what_an_earlier_attempt_took_back_stays_so(outside: Outside) -> None:
    async with raw_server(said(200, {"ok": False, "error": "message_not_found"})) as raw:
        given: JsonObject = {"channel_id": "C1", "id": "17.2"}
        first = await called(raw.url, outside, "message_delete", given)
        again = await called(raw.url, outside, "message_delete", given, attempt=2)

    assert isinstance(first, Refused)
    assert again == Applied(given, replayed=True)


def test_saying_something_is_blind_and_can_be_taken_back() -> None:
    actions = {each.name: each for each in SLACK.model.actions("chat", SLACK.promises)}
    send = actions["chat.message_send"]

    assert send.effect is Effect.BLIND
    assert send.undo is not None
    assert send.undo.action == "chat.message_delete"


async def test_what_is_sent_and_read_is_what_the_document_of_slack_says(
    tmp_path: Path, outside: Outside
) -> None:
    name = "slack-web-2.0.json"
    whole: JsonObject = json.loads((unpacked(tmp_path, name) / name).read_bytes())
    paths: dict[str, JsonObject] = whole["paths"]  # type: ignore[assignment]  # an object
    way = Transport(tls=NO_TLS)
    one: JsonObject = {"/chat.postMessage": paths["/chat.postMessage"]}
    api = described(tmp_path, {**whole, "paths": one}, way)
    (post,) = await api.actions()
    known = post.input_schema["properties"]
    examples = {
        name: paths[path][verb]["responses"]["200"]["examples"]["application/json"]  # type: ignore[index, call-overload]
        for name, path, verb in (
            ("channel_list", "/conversations.list", "get"),
            ("message_list", "/conversations.history", "get"),
            ("message_send", "/chat.postMessage", "post"),
        )
    }
    given: dict[str, JsonObject] = {
        "channel_list": {},
        "message_list": {"channel_id": "C1"},
        "message_send": HELLO,
    }
    ends = {}
    for name, example in examples.items():
        async with raw_server(said(200, example)) as raw:
            ends[name] = await called(raw.url, outside, name, given[name])
    await way.aclose()

    assert isinstance(known, dict)
    assert {"channel", "text", "thread_ts"} <= known.keys()
    assert {name: type(end) for name, end in ends.items()} == dict.fromkeys(examples, Applied)
