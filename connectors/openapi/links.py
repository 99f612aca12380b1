"""Where the next page is: in a header (RFC 8288), and as an address that a service names."""

import re
from urllib.parse import unquote, unquote_plus, urljoin, urlsplit

from connectors.url import AddressError, read_address

_LINK = re.compile(r'<([^<>]*)>((?:[^",<]|"[^"]*(?:"|\Z))*)')
_QUOTED = re.compile(r'(;\s*rel\s*=\s*)?"([^"]*)"', re.IGNORECASE)
_REL = re.compile(r";\s*rel\s*=\s*([^;]*)", re.IGNORECASE)


def next_in(header: str) -> str | None:
    """The target of the link to what is next, or None."""
    for target, parameters in _LINK.findall(header):
        # Quotation marks of rel alone are taken away: what else is quoted could say anything.
        plain = _QUOTED.sub(lambda found: (found[1] or "") + found[2] * bool(found[1]), parameters)
        rel = _REL.search(plain)
        if rel is not None and "next" in rel[1].lower().split():
            return str(target)
    return None


def address_of(url: str, at: str, base: str, secret: str) -> str:
    """The next page's address below `base`, with our own secret in it; raises `ValueError`.

    `secret` is the name in the query under which the credential travels ("" where it does not):
    that is never taken from a link.
    """
    try:
        found = urljoin(url, at)
        there, here = read_address(found), read_address(url)
        path, below = urlsplit(found).path, urlsplit(base).path.rstrip("/") + "/"
    except (AddressError, ValueError) as error:
        raise ValueError(f"the address of the next page is none: {error}") from error
    is_here = (there.scheme, there.origin) == (here.scheme, here.origin)
    is_plain = not {unquote(each) for each in path.split("/")} & {".", ".."}
    if not at or not is_here or not is_plain or not path.startswith(below):
        raise ValueError("the next page is at another address than the service")
    pieces = [each for each in urlsplit(found).query.split("&") if _name(each) != secret]
    if secret:
        pieces += [each for each in urlsplit(url).query.split("&") if _name(each) == secret]
    query = "&".join(each for each in pieces if each)
    return found.partition("#")[0].partition("?")[0] + (f"?{query}" if query else "")


def _name(piece: str) -> str:
    return unquote_plus(piece.partition("=")[0])
