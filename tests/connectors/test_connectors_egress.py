"""No spelling of a private address is reached unless the operator's file lists host and port."""

import asyncio
import ipaddress
import socket
import threading
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from connector_cases import Outside, answer, listening, raw_server
from hypothesis import given
from hypothesis import strategies as st

from connectors import egress
from connectors.egress import is_public
from connectors.http import (
    HttpAnswer,
    HttpRequest,
    NoAnswerError,
    NotAllowedError,
    NotSentError,
    Transport,
    TransportError,
)
from connectors.testing import call_context
from connectors.url import AddressError, read_address, segment


async def sent(transport: Transport, url: str, method: str = "GET") -> HttpAnswer:
    context = call_context(seconds=5.0)
    return await transport.send(
        HttpRequest(method, url), deadline=context.deadline, send_before=context.send_before
    )


async def test_a_process_that_was_stopped_between_head_and_body_sends_no_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[bytes] = []
    is_over = asyncio.Event()
    readings = iter([0.0])  # in time for the head; whoever goes on does so much later

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        is_over.set()
        writer.close()

    async with listening(hear) as port:
        transport = Transport(frozenset({f"127.0.0.1:{port}"}))
        request = HttpRequest("POST", f"http://127.0.0.1:{port}/refunds", body=b"all of it")
        clock = SimpleNamespace(monotonic=lambda: next(readings, 1e9))
        monkeypatch.setattr(egress, "time", clock)
        deadline = time.monotonic() + 5
        with pytest.raises(NoAnswerError):
            await transport.send(request, deadline=deadline, send_before=deadline)
        await asyncio.wait_for(is_over.wait(), 5)
        await transport.aclose()

    assert heard[0].startswith(b"POST /refunds")
    assert b"all of it" not in heard[0]


async def test_a_resolver_that_is_silent_about_one_host_keeps_no_other_from_being_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    speaks = threading.Event()

    def getaddrinfo(host: str, port: int, *_: int) -> list[tuple[int, int, int, str, Any]]:
        asked.append(host)
        if host == "silent.example":
            speaks.wait(30)
        return [(2, 1, 6, "", ("93.184.216.34", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    transport = Transport()
    waiting = [asyncio.create_task(transport.addresses("silent.example", 443)) for _ in range(100)]
    await asyncio.sleep(0)
    found = await asyncio.wait_for(transport.addresses("other.example", 443), 10)
    waiting.pop().cancel()
    speaks.set()
    late = await asyncio.gather(*waiting)
    await transport.addresses("silent.example", 443)
    await transport.aclose()

    assert [str(each) for each in found] == ["93.184.216.34"]
    assert late == [found] * 99
    assert asked.count("silent.example") == 2  # once for all that waited, and anew afterwards


class Canary:
    """A listener that must not hear anything."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = 0

    async def hear(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard += 1
        writer.write(answer(200, "you reached me"))
        await writer.drain()
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    found = Canary()
    async with listening(found.hear) as port:
        found.port = port
        yield found


SPELLINGS = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "0X7F000001",
    "2130706433",
    "017700000001",
    "127.0.0.1.",
    "127.00.00.01",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "user@127.0.0.1",
    "example.com@127.0.0.1",
    "example.com%40127.0.0.1",
    "127.0.0.1%00.example.com",
    "127.0.0.1\\@example.com",
    "127.0.0.1#@example.com",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127.0.0.1\t",
    " 127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
)


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_a_private_address_is_reached(
    canary: Canary, outside: Outside, host: str
) -> None:
    with pytest.raises(NotSentError):
        await sent(outside.to(), f"http://{host}:{canary.port}/")

    assert canary.heard == 0


@pytest.mark.parametrize("host", SPELLINGS)
async def test_allowing_one_spelling_allows_no_other(
    canary: Canary, outside: Outside, host: str
) -> None:
    if host == "127.0.0.1":
        host = "localhost"

    with pytest.raises(TransportError):
        await sent(outside.to(f"127.0.0.1:{canary.port}"), f"http://{host}:{canary.port}/")

    assert canary.heard == 0


async def test_exactly_host_and_port_are_allowed(canary: Canary, outside: Outside) -> None:
    found = await sent(outside.to(f"127.0.0.1:{canary.port}"), f"http://127.0.0.1:{canary.port}/x")

    assert found.body == b'"you reached me"'
    assert canary.heard == 1


@pytest.mark.parametrize("listed", ["127.0.0.1", "127.0.0.1:1", "127.0.0.1:*", "*", ""])
async def test_anything_but_exactly_host_and_port_allows_nothing(
    canary: Canary, outside: Outside, listed: str
) -> None:
    with pytest.raises(NotAllowedError, match="not a public address"):
        await sent(outside.to(listed), f"http://127.0.0.1:{canary.port}/")

    assert canary.heard == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(canary: Canary, outside: Outside, status: int) -> None:
    there = f"http://127.0.0.1:{canary.port}/"
    async with raw_server(answer(status, b"", {"location": there})) as raw:
        found = await sent(outside.to(raw.host, f"127.0.0.1:{canary.port}"), raw.url)

    assert found.status == status
    assert canary.heard == 0


async def test_a_proxy_of_the_environment_is_not_used(
    canary: Canary, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    async with raw_server(answer(200, "direct")) as raw:
        found = await sent(outside.to(raw.host), raw.url)

    assert found.body == b'"direct"'
    assert canary.heard == 0


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/hostname",
        "gopher://127.0.0.1/",
        "//example.com/",
        "example.com",
        "http://",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:/",
        "http:///path",
        "http://exa mple.com/",
        "http://example.com/\r\nHost: other",
        "http://[::1/",
        "",
    ],
)
async def test_what_is_no_plain_web_address_is_not_called(outside: Outside, url: str) -> None:
    with pytest.raises(NotAllowedError):
        await sent(outside.to(), url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "one\r\nx-b: two"),
        ("x-a", "one\nx-b: two"),
        ("x-a", "nul\x00"),
        ("x-a", " padded "),
        ("x a", "v"),
        ("", "v"),
        ("transfer-encoding", "chunked"),
        ("x-a", "beyond \u2603"),
    ],
)
async def test_a_header_that_would_be_two_is_not_sent_and_not_repeated(
    outside: Outside, name: str, value: str
) -> None:
    async with raw_server(answer()) as raw:
        request = HttpRequest("GET", raw.url, {name: value})
        context = call_context()
        with pytest.raises(NotAllowedError) as caught:
            await outside.to(raw.host).send(
                request, deadline=context.deadline, send_before=context.send_before
            )

    assert raw.received == []
    assert value.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),
        ("::ffff:8.8.8.8", True),
        ("192.0.0.8", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("203.0.113.1", False),
        ("240.0.0.1", False),
        ("2001:db8::1", False),
        ("2002:808:808::", False),
        ("3fff::1", False),
        ("fec0::1", False),
        ("::", False),
    ],
)
def test_public_means_reachable_for_everyone(text: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(text)) is public


PRIVATE = tuple(
    map(
        ipaddress.IPv4Network,
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 "
        "192.168.0.0/16 198.18.0.0/15 224.0.0.0/4 240.0.0.0/4".split(),
    )
)


@given(st.sampled_from(PRIVATE).flatmap(lambda net: st.ip_addresses(network=net)))
def test_wrapping_a_private_address_does_not_make_it_public(
    address: ipaddress.IPv4Address,
) -> None:
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),  # mapped
        ipaddress.IPv6Address((0x64FF9B << 96) | number),  # NAT64
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),  # 6to4
        ipaddress.IPv6Address(number),  # compatible
    ]

    assert not is_public(address)
    assert not any(map(is_public, wrapped))


@given(st.text(max_size=40))
def test_an_address_is_read_or_refused_and_its_parts_are_plain(text: str) -> None:
    try:
        found = read_address(f"http://{text}/")
    except AddressError:
        return

    assert found.host == found.host.lower()
    assert not set(found.host) & set("@/\\ \r\n[]")
    assert 0 < found.port < 65536


@given(st.text(min_size=1, max_size=30))
def test_a_value_is_one_segment_of_a_path_or_refused(text: str) -> None:
    try:
        written = segment(text)
    except AddressError:
        return

    assert "/" not in written
    assert written not in ("", ".", "..")
    assert read_address(f"http://example.com/a/{written}/b").target == f"/a/{written}/b"
