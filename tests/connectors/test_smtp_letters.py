"""A letter is written as it is meant, and what would make another one of it is refused."""

import asyncio
import email
import email.policy

import pytest
from connector_cases import NO_TLS, Outside, registry_of
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_servers import CUSTOMER, LETTER, MAIL, Odd, ended, odd_server, post_of

from connectors.builtin.letter import letter
from connectors.builtin.smtp import smtp
from connectors.errors import (
    ConfigurationError,
    Kind,
    Refused,
)
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.spec import JsonObject
from connectors.testing import call_context


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
        {"subject": "\r\n"},
        {"subject": "one line\n"},
        {"subject": "a\0b"},
        {"subject": "Hi =?utf-8?q?=0d=0aReply-To:_b@example.com=0d=0a=0d=0aother_words?="},
        {"thread_id": "=?utf-8?q?=0d=0aReply-To:_b@example.com?=@example.com"},
        {"to": ["=?utf-8?q?=0d=0aReply-To:_b?=@example.com"]},
        {
            "attachments": [
                {"filename": "=?utf-8?q?=0d=0aX:_y?=", "content_type": "a/b", "base64": ""}
            ]
        },
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
