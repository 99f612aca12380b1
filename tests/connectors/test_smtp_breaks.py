"""A mail server that breaks off, drips or is away leaves only what was handed over in doubt."""

import asyncio
import base64
import contextlib
import time
from dataclasses import replace

import pytest
from connector_cases import Outside, listening, registry_of
from mail_servers import LETTER, MAIL, ended, odd_server, post_of
from ports import free_port

from connectors.builtin.smtp import smtp
from connectors.connector import Applied
from connectors.errors import (
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.factories import ConnectionSettings
from connectors.spec import JsonObject
from connectors.testing import call_context


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


@pytest.mark.parametrize("files", [1, 12])  # as many as the kernel takes off us, and more
async def test_of_a_mail_that_is_given_up_nothing_more_is_sent(
    files: int, outside: Outside
) -> None:
    read_on, is_over, heard = asyncio.Event(), asyncio.Event(), bytearray()

    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for said in (b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go on"):
                writer.write(said + b"\r\n")
                await writer.drain()
                if said != b"354 go on":
                    await reader.readline()
            await read_on.wait()
            while piece := await reader.read(1 << 20):
                heard.extend(piece)
        is_over.set()
        writer.close()

    large = base64.b64encode(bytes(1 << 20)).decode()
    file: JsonObject = {"filename": "a.bin", "content_type": "application/zip", "base64": large}
    async with listening(stuck) as port:
        post = await post_of(outside, f"127.0.0.1:{port}")
        found = await ended(post, {**MAIL, "attachments": [file] * files}, seconds=4)
        read_on.set()
        await asyncio.wait_for(is_over.wait(), 30)

    assert isinstance(found, Uncertain)
    assert len(heard) > 0
    assert not heard.endswith((b"\r\n.\r\n", b"QUIT\r\n"))


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
    found = await ended(await post_of(outside, f"127.0.0.1:{free_port()}"), MAIL)

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


async def test_one_recipient_that_is_refused_leaves_all_of_them_without_the_mail(
    outside: Outside,
) -> None:
    async with odd_server(RCPT=b"550 nobody of that name") as odd:
        found = await ended(await post_of(outside, odd.address), LETTER)

    assert isinstance(found, Refused)
    assert not any(line.startswith(b"DATA") for line in odd.heard)
