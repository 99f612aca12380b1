"""Hands one message to a mail server (RFC 5321), and knows at every moment what that means.

Until the end of the message was sent nothing can have been delivered. From then on only the
server's own word says so: silence, or a word that nobody understands, leaves it in doubt.

A password is said over TLS alone, and over no other TLS than one whose certificate holds. The
server's name is resolved once, and what was checked is what is connected to.
"""

import asyncio
import base64
import re
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from connectors.egress import NEXT_ADDRESS_AFTER_S, IpAddress
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.http import NotAllowedError, NotSentError
from connectors.text import visible

_LONGEST_LINE = 4096
_MOST_LINES = 100
_REPLY = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\r?\n", re.DOTALL)
_AUTH = (530, 534, 535, 538)
_FULL = (452, 552)
_AT_ONCE = struct.pack("ii", 1, 0)  # of SO_LINGER: what was not sent yet is dropped

Addresses = Callable[[str, int], Awaitable[Sequence[IpAddress]]]
"""Where a host and port are, if they may be reached; raises `NotSentError`."""


@dataclass(frozen=True)
class Message:
    """One message as it goes over the wire: to all of its recipients, or to none."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass(frozen=True)
class Host:
    """Where a server is, how it is spoken with, and as whom."""

    name: str
    port: int
    security: Literal["none", "starttls", "implicit"] = "none"
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    hide: Callable[[bytes], bytes] = bytes  # takes secrets out of what the server says


@dataclass(frozen=True)
class _Reply:
    code: int
    text: str


class _SilentError(Exception):
    """No reply, or none that anybody understands; says which."""


async def hand_over(
    host: Host, message: Message, addresses: Addresses, *, deadline: float, send_before: float
) -> str:
    """Hand it over by monotonic deadlines; returns the server's word for yes.

    Raises `Refused`, `Unavailable` or `Uncertain`.
    """
    session = _Session(send_before, host.hide)
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            return await _deliver(session, host, message, await addresses(host.name, host.port))
    except NotAllowedError as error:
        raise Refused(str(error), kind=Kind.INVALID) from error
    except TimeoutError as error:
        raise session.failure("the deadline passed", Kind.TIMEOUT) from error
    except (_SilentError, NotSentError, OSError, EOFError, ValueError) as error:
        raise session.failure(str(error) or type(error).__name__, Kind.UNAVAILABLE) from error
    finally:
        session.close()


class _Session:
    """One connection, and how far it has come."""

    def __init__(self, send_before: float, hide: Callable[[bytes], bytes]) -> None:
        self._send_before = send_before
        self._hide = hide
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._has_spoken = False
        self._is_unanswered = False
        self._is_handed_over = False

    async def open(self, host: Host, addresses: Sequence[IpAddress]) -> _Reply:
        """Connect to the first address that answers; the server speaks first."""
        tls = host.tls if host.security == "implicit" else None
        for address in addresses:
            is_last = address is addresses[-1]
            try:
                async with asyncio.timeout(None if is_last else NEXT_ADDRESS_AFTER_S):
                    self._reader, self._writer = await asyncio.open_connection(
                        str(address),
                        host.port,
                        limit=_LONGEST_LINE,
                        ssl=tls,
                        server_hostname=host.name if tls else None,
                    )
            except OSError:
                if is_last:
                    raise
            else:
                break
        return await self._reply()

    async def secure(self, host: Host) -> None:
        """Go on over TLS; what was said before it, and not yet read, is nobody's."""
        if self._reader is None or self._writer is None or host.tls is None:
            raise _SilentError("not connected")
        early = asyncio.create_task(self._reader.read(1))
        await asyncio.sleep(0)
        if early.done():
            raise _SilentError("the mail server said something between its yes and TLS")
        early.cancel()
        await self._writer.start_tls(host.tls, server_hostname=host.name)

    async def say(self, line: str) -> _Reply:
        """Send a command and wait for the reply."""
        return await self._send(f"{line}\r\n".encode("ascii"))

    async def hand_over(self, content: bytes) -> _Reply:
        """Send the message and its end."""
        lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
        if stuffed[-1] == b"":
            stuffed.pop()
        return await self._send(b"\r\n".join(stuffed) + b"\r\n.\r\n", is_message=True)

    def failure(self, reason: str, kind: Kind) -> Unavailable | Uncertain:
        """What silence means at this point."""
        if self._is_handed_over:
            return Uncertain(f"no clear answer after the mail was handed over: {reason}", kind=kind)
        if self._has_spoken:
            return Unavailable(f"the mail was not handed over: {reason}", kind=kind, sent=True)
        return Unavailable(f"no connection to the mail server: {reason}", kind=kind)

    def close(self) -> None:
        """Hang up: with a goodbye nobody waits for, or at once if what was said is not answered.

        Of a mail that is given up nothing more may leave, neither from here nor from the kernel:
        it would be delivered when everybody believes that it was not.
        """
        if self._writer is None:
            return
        if self._is_unanswered:
            socket_: socket.socket = self._writer.get_extra_info("socket")
            with suppress(OSError):  # the server may have hung up already
                socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._writer.transport.abort()
            return
        if not self._writer.is_closing() and self._has_spoken:
            self._writer.write(b"QUIT\r\n")
        self._writer.close()

    async def _send(self, data: bytes, *, is_message: bool = False) -> _Reply:
        if self._writer is None:
            raise _SilentError("not connected")
        if time.monotonic() >= self._send_before:
            raise _SilentError("it could not be sent in time")
        self._has_spoken = self._is_unanswered = True
        self._is_handed_over = is_message
        self._writer.write(data)
        await self._writer.drain()
        reply = await self._reply()
        self._is_unanswered = False
        return reply

    async def _reply(self) -> _Reply:
        """One reply, perhaps of several lines; raises `_SilentError`."""
        if self._reader is None:
            raise _SilentError("not connected")
        said: list[str] = []
        for _ in range(_MOST_LINES):
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise _SilentError("the mail server hung up")
            found = _REPLY.fullmatch(line)
            if found is None:
                raise _SilentError("the mail server said what is no reply")
            # Before it is cut: half a secret is not found any more.
            said.append(visible(self._hide(found[3] or b"").decode("utf-8", "replace"), 300))
            if found[2] != b"-":
                return _Reply(int(found[1]), visible(" ".join(said), 300))
        raise _SilentError("the reply has no end")


async def _deliver(
    session: _Session, host: Host, message: Message, addresses: Sequence[IpAddress]
) -> str:
    _expect(await session.open(host, addresses), 2)
    if (await session.say("EHLO lamgate")).code >= 500:
        _expect(await session.say("HELO lamgate"), 2)
    if host.security == "starttls":
        _expect(await session.say("STARTTLS"), 2)
        await session.secure(host)
        _expect(await session.say("EHLO lamgate"), 2)
    if host.user:
        _expect(await session.say(f"AUTH PLAIN {_plain(host)}"), 2)
    _expect(await session.say(f"MAIL FROM:<{message.sender}>"), 2)
    for each in message.recipients:
        _expect(await session.say(f"RCPT TO:<{each}>"), 2)
    _expect(await session.say("DATA"), 3)
    reply = await session.hand_over(message.content)
    if reply.code // 100 == 3:
        raise _SilentError(f"{reply.code} is no answer to a message")
    _expect(reply, 2)
    return reply.text


def _plain(host: Host) -> str:
    """User and password as RFC 4616 has them."""
    return base64.b64encode(f"\0{host.user}\0{host.password}".encode()).decode()


def _expect(reply: _Reply, first_digit: int) -> None:
    """Raise what a reply code means (RFC 5321, 4.2.1): 4xx may be tried again, 5xx not."""
    if reply.code // 100 == first_digit:
        return
    text, code = f"{reply.code} {reply.text}".strip(), str(reply.code)
    kind = Kind.AUTH if reply.code in _AUTH else Kind.QUOTA if reply.code in _FULL else None
    if reply.code // 100 == 5:
        raise Refused(text, kind=kind or Kind.INVALID, vendor_code=code)
    if reply.code // 100 == 4:
        raise Unavailable(text, kind=kind or Kind.UNAVAILABLE, sent=True, vendor_code=code)
    raise _SilentError(f"{text} was not expected")
