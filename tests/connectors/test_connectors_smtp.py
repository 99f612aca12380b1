"""Mail: over the shop's real server, and over servers that break off at every point."""

import asyncio
import contextlib
import email
import email.policy
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from connector_cases import NO_TLS, Outside, end_of, host_of, listening, registry_of
from hypothesis import given, settings
from hypothesis import strategies as st
from the_shop import Service

from connectors.builtin.letter import letter
from connectors.builtin.smtp import Server, smtp
from connectors.builtin.smtp_wire import Host
from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.registry import Registry
from connectors.spec import Effect, JsonObject
from connectors.testing import call_context

CUSTOMER = "customer-1042@example.com"
MAIL: JsonObject = {"to": [CUSTOMER], "subject": "Your refund", "text": "Sorry."}


async def post_of(
    outside: Outside, server: str, mailbox: str | None = None, **options: str
) -> tuple[Registry, Catalog]:
    given: JsonObject = {"server": server, "sender": "shop@example.com", **options}
    if mailbox is not None:
        given["mailbox_url"] = mailbox
    settings = ConnectionSettings("mail", "smtp", options=given)
    mailboxes = [host_of(mailbox)] if mailbox else []
    registry = registry_of(outside.to(server, *mailboxes), settings)
    return registry, await registry.load()


async def ended(
    post: tuple[Registry, Catalog], arguments: JsonObject, name: str = "message_send", **more: Any
) -> Outcome | ConnectorError:
    registry, catalog = post
    action = catalog.get(f"mail.{name}")
    assert action is not None
    return await end_of(registry, action, arguments, **more)


@pytest.fixture
async def shops(
    running: Any, services: dict[str, Service], outside: Outside
) -> tuple[Registry, Catalog]:
    return await post_of(outside, running.smtp, services["mail"].url)


async def test_a_mail_arrives_as_it_was_written(
    shops: tuple[Registry, Catalog], services: dict[str, Service]
) -> None:
    text = ".a dot first\n..two\nümlaut ☃\n\n" + "long " * 500 + "\nFrom here"
    end = await ended(shops, {**MAIL, "subject": "Für Sie ☃", "text": text}, key="ARRIVES" * 4)

    assert isinstance(end, Applied)
    assert isinstance(end.output, dict)
    assert end.output["recipients"] == [CUSTOMER]
    found = await ended(shops, {"id": end.output["id"]}, "message_get")
    assert isinstance(found, Applied)
    assert isinstance(found.output, dict)
    told = {name: found.output[name] for name in ("id", "from", "to", "cc", "bcc", "subject")}
    assert told == {
        "id": end.output["id"],
        "from": "shop@example.com",
        "to": [CUSTOMER],
        "cc": [],
        "bcc": [],
        "subject": "Für Sie ☃",
    }
    assert str(found.output["text"]).rstrip("\n") == text


async def test_a_sent_mail_is_found_by_its_key_and_one_that_was_not_is_null(
    shops: tuple[Registry, Catalog],
) -> None:
    key = f"FOUND{time.monotonic_ns()}"
    before = await ended(shops, {"reference": key}, "message_find")
    sent = await ended(shops, MAIL, key=key)
    after = await ended(shops, {"reference": key}, "message_find")

    assert before == Applied(None, _request_id(before))
    assert isinstance(sent, Applied)
    assert isinstance(after, Applied)
    assert after.output == sent.output


def _request_id(end: Outcome | ConnectorError) -> str | None:
    assert isinstance(end, Applied)
    return end.request_id


@pytest.mark.parametrize(
    ("fault", "end", "kind", "code", "arrived"),
    [
        ("refuse", Refused, Kind.INVALID, "550", 0),
        ("error_500", Unavailable, Kind.UNAVAILABLE, "451", 0),
        ("error_503", Unavailable, Kind.UNAVAILABLE, "451", 0),
        ("rate_limit", Unavailable, Kind.UNAVAILABLE, "450", 0),
        ("hang_before", Uncertain, Kind.TIMEOUT, None, 0),
        ("hang_after", Uncertain, Kind.TIMEOUT, None, 1),
        ("drop_before", Uncertain, Kind.UNAVAILABLE, None, 0),
        ("drop_after", Uncertain, Kind.UNAVAILABLE, None, 1),
        ("garbage", Uncertain, Kind.UNAVAILABLE, None, 1),
    ],
)
async def test_what_goes_wrong_after_the_mail_was_handed_over_says_what_is_known(
    fault: str,
    end: type,
    kind: Kind,
    code: str | None,
    arrived: int,
    shops: tuple[Registry, Catalog],
    services: dict[str, Service],
) -> None:
    key = f"WRONG{time.monotonic_ns()}"
    services["mail"].spoil(fault, f"/{CUSTOMER}", method="SMTP")

    found = await ended(shops, MAIL, key=key, seconds=1.0)
    looked = await ended(shops, {"reference": key}, "message_find")

    assert type(found) is end
    assert isinstance(found, ConnectorError)
    assert (found.kind, found.vendor_code) == (kind, code)
    assert isinstance(looked, Applied)
    assert (looked.output is not None) == bool(arrived)


async def test_without_a_mailbox_sending_is_blind_and_with_one_it_can_be_looked_up(
    outside: Outside,
) -> None:
    _, blind = await post_of(outside, "127.0.0.1:25")
    _, found = await post_of(outside, "127.0.0.1:25", "http://127.0.0.1:8025")
    send = found.get("mail.message_send")

    assert [(each.name, each.effect) for each in blind] == [("mail.message_send", Effect.BLIND)]
    assert [each.name.partition("_")[2] for each in found] == ["send", "find", "get", "list"]
    assert send is not None
    assert send.effect is Effect.LOOKUP
    assert send.irreversible
    assert send.egress


# A server that breaks off


@dataclass
class Odd:
    """A mail server that says what a test wants, and keeps what it was told."""

    says: dict[str, bytes | None]
    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def server(self, *at: str) -> Server:
        """This one under a name that leads to these addresses."""

        async def addresses(name: str, port: int) -> list[IPv4Address]:
            self.asked.append((name, port))
            return [IPv4Address(each) for each in at or ("127.0.0.1",)]

        return Server(Host("mail.example.com", self.port), addresses, "shop@example.com", "x")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        usual = {"greeting": b"220 hi", "DATA": b"354 go on"}
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._say(writer, "greeting", usual)
            while line := await reader.readline():
                self.heard.append(line)
                word = line.split(maxsplit=1)[0].decode("latin-1").upper()
                await self._say(writer, word, usual)
                if word == "DATA" and self.says.get("DATA", b"3").startswith(b"3"):  # type: ignore[union-attr]  # never None there
                    self.heard.append(await reader.readuntil(b"\r\n.\r\n"))
                    await self._say(writer, "message", usual)
        writer.close()

    async def _say(self, writer: asyncio.StreamWriter, when: str, usual: dict[str, bytes]) -> None:
        said = self.says.get(when, usual.get(when, b"250 ok"))
        if said is None:
            await asyncio.Event().wait()
            return
        if said == b"":
            writer.close()
            raise ConnectionError
        writer.write(said + (b"" if said.endswith(b"\n") else b"\r\n"))
        await writer.drain()


@asynccontextmanager
async def odd_server(**says: bytes | None) -> AsyncIterator[Odd]:
    odd = Odd(dict(says))
    async with listening(odd.serve) as port:
        odd.port = port
        yield odd


@pytest.mark.parametrize(
    ("when", "said", "end", "kind"),
    [
        ("greeting", b"554 go away", Refused, Kind.INVALID),
        ("greeting", b"421 busy", Unavailable, Kind.UNAVAILABLE),
        ("greeting", b"HTTP/1.1 400 Bad Request", Unavailable, Kind.UNAVAILABLE),
        ("greeting", b"", Unavailable, Kind.UNAVAILABLE),
        ("greeting", None, Unavailable, Kind.TIMEOUT),
        ("EHLO", b"", Unavailable, Kind.UNAVAILABLE),
        ("EHLO", None, Unavailable, Kind.TIMEOUT),
        ("MAIL", b"530 sign in first", Refused, Kind.AUTH),
        ("MAIL", b"452 full", Unavailable, Kind.QUOTA),
        ("RCPT", b"550 nobody of that name", Refused, Kind.INVALID),
        ("RCPT", b"450 later", Unavailable, Kind.UNAVAILABLE),
        ("RCPT", b"999 what", Unavailable, Kind.UNAVAILABLE),
        ("DATA", b"554 no", Refused, Kind.INVALID),
        ("DATA", b"451 later", Unavailable, Kind.UNAVAILABLE),
        ("DATA", b"250 not what was asked", Unavailable, Kind.UNAVAILABLE),
        ("message", b"552 too large", Refused, Kind.QUOTA),
        ("message", b"451 later", Unavailable, Kind.UNAVAILABLE),
        ("message", b"354 again", Uncertain, Kind.UNAVAILABLE),
        ("message", b"ok", Uncertain, Kind.UNAVAILABLE),
        ("message", b"2", Uncertain, Kind.UNAVAILABLE),
        ("message", b"250" + b"x" * 9000, Uncertain, Kind.UNAVAILABLE),
        ("message", b"250-more\r\n" * 200, Uncertain, Kind.UNAVAILABLE),
        ("message", b"", Uncertain, Kind.UNAVAILABLE),
        ("message", None, Uncertain, Kind.TIMEOUT),
    ],
)
async def test_until_the_message_was_handed_over_nothing_is_in_doubt(
    when: str, said: bytes | None, end: type, kind: Kind, outside: Outside
) -> None:
    async with odd_server(**{when: said}) as odd:
        found = await ended(await post_of(outside, odd.address), MAIL, seconds=0.5)

    assert type(found) is end
    assert isinstance(found, ConnectorError)
    assert found.kind is kind
    if isinstance(found, Unavailable):
        assert found.sent == (when != "greeting" or found.vendor_code is not None)


async def test_a_yes_of_several_lines_is_a_yes(outside: Outside) -> None:
    async with odd_server(EHLO=b"250-mail\r\n250-8BITMIME\r\n250 HELP", message=b"250") as odd:
        found = await ended(await post_of(outside, odd.address), MAIL)

    assert isinstance(found, Applied)
    assert odd.heard[0] == b"EHLO lamgate\r\n"
    assert odd.heard[1] == b"MAIL FROM:<shop@example.com>\r\n"
    assert odd.heard[2] == b"RCPT TO:<customer-1042@example.com>\r\n"


async def test_a_server_of_old_is_greeted_in_the_old_way(outside: Outside) -> None:
    async with odd_server(EHLO=b"502 what") as odd:
        found = await ended(await post_of(outside, odd.address), MAIL)

    assert isinstance(found, Applied)
    assert odd.heard[1] == b"HELO lamgate\r\n"


async def test_a_server_that_drips_is_left_at_the_deadline(outside: Outside) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.02)

    began = time.monotonic()
    async with listening(drip) as port:
        found = await ended(await post_of(outside, f"127.0.0.1:{port}"), MAIL, seconds=0.4)

    assert isinstance(found, Unavailable)
    assert not found.sent
    assert time.monotonic() - began < 2.0


async def test_a_server_inside_hears_nothing_unless_the_operator_allows_it(
    outside: Outside,
) -> None:
    given: JsonObject = {"sender": "shop@example.com"}
    async with odd_server() as odd:
        for server in (odd.address, f"localhost:{odd.port}", f"[::ffff:127.0.0.1]:{odd.port}"):
            settings = ConnectionSettings("mail", "smtp", options={**given, "server": server})
            registry = registry_of(outside.to("127.0.0.1:1", odd.address + "0"), settings)
            found = await ended((registry, await registry.load()), MAIL)

            assert isinstance(found, Refused)
            assert "only the operator's file can allow it" in str(found)

    assert odd.heard == []


async def test_the_server_is_looked_up_once_and_the_next_address_is_tried_where_one_is_dead() -> (
    None
):
    async with odd_server() as odd:
        post = smtp("mail", odd.server("127.0.0.2", "127.0.0.1"), None)
        (send,) = await post.actions()
        found = await post.call(send, MAIL, call_context())

    assert isinstance(found, Applied)
    assert odd.asked == [("mail.example.com", odd.port)]


async def test_a_server_whose_name_leads_nowhere_is_no_effect(outside: Outside) -> None:
    found = await ended(await post_of(outside, "no-such-host.invalid:25"), MAIL)

    assert isinstance(found, Unavailable)
    assert not found.sent


async def test_no_server_is_no_effect(outside: Outside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = await ended(await post_of(outside, f"127.0.0.1:{port}"), MAIL)

    assert isinstance(found, Unavailable)
    assert not found.sent


async def test_after_its_time_no_mail_is_handed_over() -> None:
    async with odd_server() as odd:
        late = smtp("mail", odd.server(), None)
        (send,) = await late.actions()
        past = replace(call_context(), send_before=time.monotonic() - 1)
        with pytest.raises(Unavailable, match="in time"):
            await late.call(send, MAIL, past)

    assert odd.heard == []


@pytest.mark.parametrize(
    "spoiled",
    [
        {"to": ["a@example.com, b@example.com"]},
        {"to": ["Somebody <a@example.com>"]},
        {"to": ["a@example.com\r\nBcc: b@example.com"]},
        {"to": ["a@example.com>\r\nRCPT TO:<b@example.com"]},
        {"to": [CUSTOMER], "cc": ["nobody"]},
        {"to": [CUSTOMER], "bcc": ["a@example.com>"]},
        {"to": [""]},
        {"to": []},
        {"to": CUSTOMER},
        {"to": ["ü@example.com"]},
        {"thread_id": "a>\r\nBcc: <b@example.com"},
        {"attachments": [{"filename": "a", "content_type": "text/plain", "base64": "%%%"}]},
        {"attachments": [{"filename": 'a"\r\nX: y', "content_type": "a/b", "base64": ""}]},
        {"attachments": [{"filename": "a", "content_type": "a/b; x=y", "base64": ""}]},
        {"subject": "two\r\nBcc: b@example.com"},
        {"subject": "x" * 201},
        {"text": "half a pair \ud800"},
        {"reply_to": "b@example.com"},
    ],
)
async def test_a_mail_that_would_be_another_is_refused(
    spoiled: JsonObject, outside: Outside
) -> None:
    async with odd_server() as odd:
        found = await ended(await post_of(outside, odd.address), {**MAIL, **spoiled})

    assert isinstance(found, Refused)
    assert found.kind is Kind.INVALID
    assert odd.heard == []


LETTER: JsonObject = {
    "to": ["ann@example.com", "bob@example.com"],
    "cc": ["carl@example.com"],
    "bcc": ["dan@example.com"],
    "subject": "Für Sie",
    "text": "Hello",
    "html": "<p>Hello</p>",
    "thread_id": "first@example.com",
    "attachments": [{"filename": "a.txt", "content_type": "text/plain", "base64": "aGk="}],
}
GOLDEN = b"""\
From: shop@example.com
To: ann@example.com, bob@example.com
Cc: carl@example.com
Subject: =?utf-8?q?F=C3=BCr?= Sie
Message-ID: <key@example.com>
In-Reply-To: <first@example.com>
References: <first@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="0-key"

--0-key
Content-Type: multipart/alternative; boundary="1-key"

--1-key
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: 7bit

Hello

--1-key
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: 7bit
MIME-Version: 1.0

<p>Hello</p>

--1-key--

--0-key
Content-Type: text/plain
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="a.txt"
MIME-Version: 1.0

aGk=

--0-key--
"""


def test_a_letter_has_these_bytes_but_for_its_date_and_nobody_sees_a_bcc() -> None:
    written = letter(LETTER, "shop@example.com", "key@example.com")
    lines = [each for each in written.split(b"\r\n") if not each.startswith(b"Date: ")]

    assert b"\n".join(lines) == GOLDEN
    assert b"dan@example.com" not in written


async def test_a_mail_to_several_goes_to_all_of_them_and_reads_back_as_it_was_sent(
    shops: tuple[Registry, Catalog],
) -> None:
    sent = await ended(shops, LETTER, key="SEVERAL" * 4)
    listed = await ended(shops, {"recipient": "dan@example.com", "limit": 1}, "message_list")

    everybody = [f"{each}@example.com" for each in ("ann", "bob", "carl", "dan")]
    assert isinstance(sent, Applied)
    assert sent.output == {"id": f"{'several' * 4}@lamgate.invalid", "recipients": everybody}
    assert isinstance(listed, Applied)
    assert isinstance(listed.output, dict)
    (read,) = listed.output["messages"]  # type: ignore[misc]  # one message
    assert {name: read[name] for name in ("to", "cc", "bcc", "thread_id", "status", "html")} == {
        "to": everybody[:2],
        "cc": everybody[2:3],
        "bcc": everybody[3:],
        "thread_id": "first@example.com",
        "status": "delivered",
        "html": "<p>Hello</p>\n",
    }
    assert read["attachments"] == [{"filename": "a.txt", "content_type": "text/plain", "size": 2}]


async def test_one_recipient_that_is_refused_leaves_all_of_them_without_the_mail(
    outside: Outside,
) -> None:
    async with odd_server(RCPT=b"550 nobody of that name") as odd:
        found = await ended(await post_of(outside, odd.address), LETTER)

    assert isinstance(found, Refused)
    assert not any(line.startswith(b"DATA") for line in odd.heard)


@settings(max_examples=settings().max_examples // 4)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_ends_a_message_or_becomes_a_command(text: str) -> None:
    async def sent() -> Odd:
        async with odd_server() as odd:
            post = smtp("mail", odd.server(), None)
            (send,) = await post.actions()
            await post.call(send, {**MAIL, "text": f"{text}\r\n.\r\nQUIT"}, call_context())
            return odd

    odd = asyncio.run(sent())

    content = odd.heard[4].removesuffix(b".\r\n").replace(b"\n..", b"\n.")
    read = email.message_from_bytes(content, policy=email.policy.default)
    body = read.get_content().replace("\r\n", "\n")
    assert odd.heard[3] == b"DATA\r\n"
    assert body.rstrip("\n").endswith("\n.\nQUIT")
    assert [line for line in odd.heard[5:] if line != b"QUIT\r\n"] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"server": "mail"}, r"connections\.mail\.server"),
        ({"server": "mail:25:25"}, r"connections\.mail\.server"),
        ({"sender": "nobody"}, r"connections\.mail\.sender"),
        ({"sender": "a@example.com>\r\nDATA"}, r"connections\.mail\.sender"),
        ({"domain": "a b"}, r"connections\.mail\.domain"),
        ({"mailbox_url": "ftp://mail"}, r"connections\.mail\.mailbox_url"),
        ({"mailbox_url": "http://mail/?a=b"}, r"connections\.mail\.mailbox_url"),
        ({"colour": "blue"}, r"connections\.mail\.colour.*the options of smtp are: ca, domain"),
    ],
)
def test_settings_that_cannot_be_say_where(options: JsonObject, told: str) -> None:
    usual: JsonObject = {"server": "127.0.0.1:25", "sender": "shop@example.com"}
    settings = ConnectionSettings("mail", "smtp", options={**usual, **options})

    with pytest.raises(ConfigurationError, match=told):
        registry_of(Transport(tls=NO_TLS), settings)
