"""Where calls may go: an address is resolved once, checked, and then connected to.

A name that resolves to an address outside the public internet is refused unless the operator's
file lists exactly its host and port. Addresses are unwrapped first (IPv4 inside IPv6), so that
no spelling of a loopback address gets by. What was checked is what is connected to: there is no
second look-up that could answer something else.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import httpcore2

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public IPv6 is 2000::/3; inside it these are not: Teredo and other protocols, documentation, 6to4.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL_6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# `is_global` of the interpreter calls these public: protocol assignments, the 6to4 relay, and the
# address under which one cloud's machines reach their host.
_SPECIAL_4 = tuple(
    map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
)
NEXT_ADDRESS_AFTER_S = 4.0
_MOST_BEFORE_ANSWER = 256 * 1024  # bytes of heads, and of answers that only announce one


class EgressRefusedError(Exception):
    """The address is not one that this gateway may reach."""


class TooLateError(Exception):
    """The time until which the first byte may leave is over."""


@dataclass
class Sending:
    """What is known of one request while it is under way."""

    send_before: float
    has_begun: bool = False
    received: int = 0  # before there was a status
    status: int | None = None
    headers: Mapping[str, str] | None = None


SENDING: ContextVar[Sending] = ContextVar("sending")
_LOOKING: dict[tuple[asyncio.AbstractEventLoop, str, int], asyncio.Task[Sequence[IpAddress]]] = {}


def is_public(address: IpAddress) -> bool:
    """Whether an address is one of the public internet, however it is wrapped."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST or any(address in network for network in _SPECIAL_6):
            return False
        return address.is_global
    if address.is_multicast or any(address in network for network in _SPECIAL_4):
        return False
    return address.is_global


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves once, checks, connects to the checked address, and notes the first byte sent."""

    def __init__(self, allow_hosts: frozenset[str]) -> None:
        self._allowed = frozenset(host.lower() for host in allow_hosts)
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of the host that answers, if all of them are allowed."""
        addresses = await checked(host, port, self._allowed)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            wait = timeout if address is addresses[-1] else NEXT_ADDRESS_AFTER_S
            try:
                stream = await self._inner.connect_tcp(
                    str(address), port, wait, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _NotedStream(stream)
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts to connect."""
        await asyncio.sleep(seconds)


async def checked(host: str, port: int, allowed: frozenset[str]) -> Sequence[IpAddress]:
    """The addresses of a host, resolved once; raises `EgressRefusedError` or `ConnectError`."""
    origin = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    addresses = await _resolve(host, port)
    if origin not in allowed and not all(map(is_public, addresses)):
        raise EgressRefusedError(
            f"{origin} is not a public address; only the operator's file can allow it, "
            f'with allow_hosts = ["{origin}"]'
        )
    return addresses


async def _resolve(host: str, port: int) -> Sequence[IpAddress]:
    """The one look-up of a host that is under way in this loop.

    It takes a thread, of which there are few, until the resolver gives up: one that is silent about
    a host must not take all of them, or no other host is found meanwhile.
    """
    loop = asyncio.get_running_loop()
    of = (loop, host, port)
    if of not in _LOOKING:
        looking = loop.create_task(_look_up(host, port))
        looking.add_done_callback(lambda done: done.cancelled() or done.exception())
        looking.add_done_callback(lambda _: _LOOKING.pop(of, None))
        _LOOKING[of] = looking
    return await asyncio.shield(_LOOKING[of])  # who gives up waiting gives up alone


async def _look_up(host: str, port: int) -> Sequence[IpAddress]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"{host} cannot be resolved: {error}") from error
    texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    return [ipaddress.ip_address(text) for text in texts]


class _NotedStream(httpcore2.AsyncNetworkStream):
    """A stream that checks the time before each piece of a request and notes that one has left."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        found = await self._inner.read(max_bytes, timeout)
        sending = SENDING.get(None)
        if sending is not None and sending.status is None:
            sending.received += len(found)
            if sending.received > _MOST_BEFORE_ANSWER:
                told = f"more than {_MOST_BEFORE_ANSWER:,} bytes and no answer among them"
                raise httpcore2.RemoteProtocolError(told)
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        sending = SENDING.get()
        if buffer and time.monotonic() >= sending.send_before:
            if sending.has_begun:
                # The process was stopped between head and body: somebody else is at it by now.
                raise httpcore2.NetworkError("the time to send was over amid the request")
            raise TooLateError("the first byte could not be sent in time")
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
        try:
            return _NotedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            # Nobody else closes it when the deadline ends the handshake.
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)
