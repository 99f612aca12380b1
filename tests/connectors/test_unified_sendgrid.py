"""SendGrid behind `mail`: the bytes it is sent, what it tells, and that promises are kept."""

import json
import os
from pathlib import Path

import pytest
from connector_cases import NO_TLS, Outside, described, end_of, raw_server, registry_of
from connector_cases import answer as said
from pydantic import JsonValue
from sendgrid_account import Account
from vendor_documents import unpacked

from benchmarks.openapi_node import NoNodeError, installed, serving
from connectors.builtin import sendgrid
from connectors.builtin.sendgrid import SENDGRID, body_of
from connectors.connector import Applied, Unreadable
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.plugin import Plugin
from connectors.spec import Effect, JsonObject
from connectors.testing import Example, HttpConformance, Service
from connectors.validate import first_flaw

LETTER: JsonObject = {
    "to": ["ann@example.com", "bob@example.com"],
    "bcc": ["dan@example.com"],
    "subject": "Für Sie",
    "text": "Hello",
    "html": "<p>Hello</p>",
    "thread_id": "first@example.com",
    "attachments": [{"filename": "a.txt", "content_type": "text/plain", "base64": "aGk="}],
}
GOLDEN: JsonObject = {
    "personalizations": [
        {
            "to": [{"email": "ann@example.com"}, {"email": "bob@example.com"}],
            "bcc": [{"email": "dan@example.com"}],
            "custom_args": {"lamgate_key": "K1"},
        }
    ],
    "from": {"email": "shop@example.com"},
    "subject": "Für Sie",
    "content": [
        {"type": "text/plain", "value": "Hello"},
        {"type": "text/html", "value": "<p>Hello</p>"},
    ],
    "headers": {"In-Reply-To": "<first@example.com>", "References": "<first@example.com>"},
    "attachments": [{"content": "aGk=", "type": "text/plain", "filename": "a.txt"}],
}
PLAIN: JsonObject = {"to": ["ann@example.com"], "subject": "Hello", "text": "There"}


def settings(url: str, **options: JsonValue) -> ConnectionSettings:
    given: JsonObject = {"sender": "shop@example.com", "activity": True, **options}
    return ConnectionSettings("mail", "sendgrid", url, "env:SENDGRID", given)


async def called(
    url: str, outside: Outside, name: str, arguments: JsonObject, **more: JsonValue
) -> object:
    way = outside.to(url.partition("://")[2])
    registry = registry_of(way, settings(url, **more), SENDGRID="SG.a-key-of-nobody")
    action = (await registry.load()).get(f"mail.{name}")
    assert action is not None
    return await end_of(registry, action, arguments, key="K1")


class TestSendGrid(HttpConformance):
    plugin = Plugin(sendgrid.connect, protocol=1)
    options = {"sender": "shop@example.com", "activity": True}

    def service(self) -> Service:
        self.account = Account()
        return Service(self.account.handle)

    def example(self) -> Example:
        return Example(
            read=("own.message_list", {"recipient": "ann@example.com"}),
            found=("own.message_send", PLAIN),
            refused=("own.message_send", {**PLAIN, "to": ["nobody@example.com"]}),
            effects=self.account.effects,
        )


async def test_a_message_is_these_bytes_and_carries_its_key(outside: Outside) -> None:
    taken = said(202, b"", {"x-message-id": "m1"})
    async with raw_server(taken) as raw:
        end = await called(raw.url, outside, "message_send", LETTER)

    assert end == Applied(
        {"id": "m1", "recipients": ["ann@example.com", "bob@example.com", "dan@example.com"]}, "m1"
    )
    assert raw.head().split("\r\n")[0] == "POST /v3/mail/send HTTP/1.1"
    assert "authorization: Bearer SG.a-key-of-nobody" in raw.head()
    body = raw.received[-1].partition(b"\r\n\r\n")[2]
    assert body == json.dumps(GOLDEN, ensure_ascii=False).encode()


async def test_what_was_sent_is_read_back_as_far_as_email_activity_knows(outside: Outside) -> None:
    service = Service(Account().handle)
    service.start()
    try:
        sent = await called(service.url, outside, "message_send", LETTER)
        found = await called(service.url, outside, "message_find", {"reference": "K1"})
        read = await called(service.url, outside, "message_get", {"id": "m_1-Xy"})
        other = await called(service.url, outside, "message_get", {"id": "m"})
        listed = await called(service.url, outside, "message_list", {"subject": "Für Sie"})
    finally:
        service.stop()

    assert isinstance(sent, Applied)
    assert found == Applied(sent.output)
    assert isinstance(read, Applied)
    assert isinstance(read.output, dict)
    told = {name: read.output[name] for name in ("id", "from", "to", "text", "status")}
    assert told == {
        "id": "m_1-Xy",
        "from": "shop@example.com",
        "to": ["ann@example.com", "bob@example.com", "dan@example.com"],
        "text": None,
        "status": "sent",
    }
    assert isinstance(other, Refused)
    assert other.kind is Kind.NOT_FOUND
    assert isinstance(listed, Applied)
    assert len(listed.output["messages"]) == 3  # type: ignore[index, call-overload, arg-type]


@pytest.mark.parametrize(
    ("status", "ends", "kind"),
    [
        (400, Refused, Kind.INVALID),
        (401, Refused, Kind.AUTH),
        (403, Refused, Kind.AUTH),
        (413, Refused, Kind.INVALID),
        (429, Unavailable, Kind.RATE_LIMITED),
        (500, Uncertain, Kind.UNAVAILABLE),
        (503, Uncertain, Kind.UNAVAILABLE),
    ],
)
async def test_what_sendgrid_says_is_called_by_its_name(
    status: int, ends: type, kind: Kind, outside: Outside
) -> None:
    error: JsonObject = {"errors": [{"message": "told so", "field": "from", "help": None}]}
    async with raw_server(said(status, error)) as raw:
        end = await called(raw.url, outside, "message_send", PLAIN)

    assert type(end) is ends
    assert isinstance(end, Refused | Unavailable | Uncertain)
    assert end.kind is kind
    assert "told so" in end.message


async def test_a_202_without_an_id_is_a_mail_that_went_out(outside: Outside) -> None:
    async with raw_server(said(202, b"")) as raw:
        end = await called(raw.url, outside, "message_send", PLAIN)

    assert isinstance(end, Unreadable)


@pytest.mark.parametrize("text", ['a"b', "a\\b"])
async def test_a_text_that_would_be_another_question_is_not_asked(
    text: str, outside: Outside
) -> None:
    async with raw_server(said(200, {"messages": []})) as raw:
        end = await called(raw.url, outside, "message_list", {"subject": text})

    assert isinstance(end, Refused)
    assert raw.received == []


async def test_without_email_activity_sending_is_blind_and_there_is_nothing_to_read(
    outside: Outside,
) -> None:
    given = settings("https://api.sendgrid.com", activity=False)
    catalog = await registry_of(outside.to(), given, SENDGRID="SG.a-key-of-nobody").load()

    assert [(each.name, each.effect) for each in catalog] == [("mail.message_send", Effect.BLIND)]


def document(folder: Path) -> JsonObject:
    """The two operations of SendGrid's own document, or skip."""
    name = "sendgrid.json"
    whole: JsonObject = json.loads((unpacked(folder, name) / name).read_bytes())
    paths = whole["paths"]
    assert isinstance(paths, dict)
    return {**whole, "paths": {name: paths[name] for name in ("/mail/send", "/messages")}}


async def test_what_is_sent_is_what_the_document_of_sendgrid_wants(tmp_path: Path) -> None:
    way = Transport(tls=NO_TLS)
    api = described(tmp_path, document(tmp_path), way)
    actions = {each.name: each for each in await api.actions()}
    send = actions["api.post_mail_send"]
    flaw = first_flaw(send.input_schema, body_of(LETTER, "shop@example.com", "K1"))
    await way.aclose()

    assert body_of(LETTER, "shop@example.com", "K1") == GOLDEN
    assert flaw is None


async def test_a_server_made_from_the_document_takes_the_message_and_tells_of_one(
    tmp_path: Path, outside: Outside
) -> None:
    found = document(tmp_path)
    if "LAMGATE_NODE" not in os.environ:
        pytest.skip("LAMGATE_NODE names no folder for npm packages")
    try:
        packages = await installed("@scalar/mock-server")
    except NoNodeError as error:
        pytest.skip(str(error))
    file = tmp_path / "sendgrid.json"
    paths = found["paths"]
    assert isinstance(paths, dict)
    # The mock server serves paths as they stand, without the document's base path.
    below: JsonObject = {f"/v3{name}": each for name, each in paths.items()}
    file.write_text(json.dumps({**found, "basePath": "/", "paths": below}), encoding="utf-8")
    script = Path(__file__).parents[2] / "benchmarks" / "openapi_mock.mjs"
    async with serving(script, packages, [file]) as port:
        url = f"http://127.0.0.1:{port}"
        sent = await called(url, outside, "message_send", PLAIN)
        read = await called(url, outside, "message_list", {"recipient": "ann@example.com"})

    # Its document declares no X-Message-Id, so the server made from it sends none.
    assert isinstance(sent, Unreadable)
    assert isinstance(read, Applied)
    schema = SENDGRID.model.operations["message_list"]["output_schema"]
    assert isinstance(schema, dict)
    assert first_flaw(schema, read.output) is None
