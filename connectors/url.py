"""Reads addresses strictly: one parser decides what is called, and refuses what it does not know.

Two parsers that disagree about an address are a way around a check. So the parts found here
are handed to the client as parts, and nobody parses the text again.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class AddressError(ValueError):
    """The text is not an address that may be called; says why."""


@dataclass(frozen=True)
class Address:
    """A checked address; `host` is in lower case and has no brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """`host:port`, as an operator's file names it."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def authority(self) -> str:
        """What the Host header says."""
        usual = self.port == _PORTS[self.scheme]
        return _bracketed(self.host) if usual else self.origin


def read_address(text: str) -> Address:
    """Read an absolute http or https address; raises `AddressError`."""
    if not _VISIBLE.fullmatch(text) or "\\" in text:
        raise AddressError("an address has visible ASCII characters only")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise AddressError(str(error)) from error
    if parts.scheme not in _PORTS:
        raise AddressError("only http and https addresses are called")
    if "@" in parts.netloc:
        raise AddressError("an address with a user in it is not called")
    if not _is_host(host) or parts.netloc.endswith(":") or port == 0:
        raise AddressError(f"{parts.netloc!r} is no host that can be called")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], target)


def segment(value: str) -> str:
    """Write a value as one segment of a path; raises `AddressError` for what would be several.

    Many servers decode `%2F` before they route, so a slash in a value could reach another
    operation than the one that was admitted.
    """
    if value in ("", ".", "..") or re.search(r"[/\\\x00-\x1f\x7f\ud800-\udfff]", value):
        raise AddressError(f"{value[:100]!r} cannot be a part of a path")
    return quote(value, safe="")


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    if not _NAME.fullmatch(host):
        return False
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        # "127.1" and "0x7f000001" are addresses to a resolver; here only the plain form is one.
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
