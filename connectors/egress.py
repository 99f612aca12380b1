"""Where calls may go: an address is resolved once, checked, and then connected to.

A name that resolves to a private address is refused unless the operator's file lists exactly
its host and port. Addresses are unwrapped first (IPv4 inside IPv6, NAT64, 6to4), so that no
spelling of a loopback address gets by.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

import httpcore2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class EgressRefusedError(Exception):
    """The address is not one that this connection may reach."""


class TooLateError(Exception):
    """The time until which the first byte may leave is over."""


@dataclass
class Sending:
    """What is known of one request while it is being sent."""

    send_before: float
    has_begun: bool = False


SENDING: ContextVar[Sending] = ContextVar("sending")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, however it is wrapped."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None:
            return is_public(address.sixtofour)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves once, checks, connects to the checked address, and notes the first byte sent."""

    def __init__(self, allow_hosts: frozenset[str]) -> None:
        self._allowed = allow_hosts
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of the host that may be reached."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} cannot be resolved: {error}") from error
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        if f"{host}:{port}" not in self._allowed and not all(map(is_public, addresses)):
            raise EgressRefusedError(
                f"{host}:{port} is not a public address; only the operator's file can allow it "
                "(allow_hosts)"
            )
        stream = await self._inner.connect_tcp(
            str(addresses[0]), port, timeout, local_address, socket_options
        )
        return _NotedStream(stream)

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts to connect."""
        await asyncio.sleep(seconds)


class _NotedStream(httpcore2.AsyncNetworkStream):
    """A stream that checks the time before the first byte of a request and notes that it left."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        sending = SENDING.get()
        if not sending.has_begun:
            if time.monotonic() > sending.send_before:
                raise TooLateError("the first byte was not sent in time")
            sending.has_begun = True
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
    ) -> httpcore2.AsyncNetworkStream:
        # The handshake writes to the inner stream: it carries nothing of the request.
        return _NotedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)
