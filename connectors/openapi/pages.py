"""A list that a service gives page by page (`Link: <...>; rel="next"`), read to its end.

Who says which page, or how many, gets that page. Everybody else means the whole: what cannot be
read to its end is refused with the code `incomplete`, for a part would pass for all there is.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, unquote_plus, urljoin, urlsplit

from connectors.body import MOST_BYTES
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.http import HttpAnswer, HttpRequest
from connectors.url import AddressError, read_address

INCOMPLETE = "incomplete"
MOST_PAGES = 50
_LINK = re.compile(r'<([^<>]*)>((?:[^",<]|"[^"]*(?:"|\Z))*)')
_QUOTED = re.compile(r'(;\s*rel\s*=\s*)?"([^"]*)"', re.IGNORECASE)
_REL = re.compile(r";\s*rel\s*=\s*([^;]*)", re.IGNORECASE)
# What services call how many a page is to have, without the signs between its words.
_SIZES = frozenset(
    ("perpage", "pagesize", "pagelimit", "limit", "count", "size", "first", "top", "rows", "take",
     "maxresults", "maxitems", "itemsperpage", "resultsperpage")
)  # fmt: skip

Read = Callable[[HttpRequest], Awaitable[tuple[HttpAnswer | None, Outcome]]]
"""Sends one request: its answer, if one came, and what it means; raises as a call does."""


async def whole(
    request: HttpRequest, answer: HttpAnswer, first: Applied, base: str, secret: str, read: Read
) -> Applied:
    """What a read gives, with the pages that follow; raises `Refused` where it is only a part.

    `base` is the address below which pages may be, `secret` the name in the query under which the
    credential travels ("" where it does not): that is never taken from a link.
    """
    rows, known, size = first.output, {request.url}, len(answer.body)
    at = _following(answer)
    address = request.url
    if at is None or _is_chosen(address, at, secret):
        return first
    if not isinstance(rows, list):
        if urlsplit(_address(address, at, base, secret)).path != urlsplit(address).path:
            return first  # the next of a series, not more of this
        raise _incomplete("there are more pages of it")
    while at is not None:
        address = _address(address, at, base, secret)
        if address in known or len(known) >= MOST_PAGES or size > MOST_BYTES:
            raise _incomplete(f"after {len(known)} pages there is no end")
        known.add(address)
        try:
            came, outcome = await read(replace(request, url=address))
        except Refused as error:
            if error.kind is Kind.AUTH:
                raise
            raise _incomplete(f"of page {len(known)} it is told: {error.message}") from error
        more = outcome.output if isinstance(outcome, Applied) else None
        if came is None or not isinstance(more, list):
            raise _incomplete(f"page {len(known)} is no list")
        answer, rows, size = came, [*rows, *more], size + len(came.body)
        at = _following(answer)
    return replace(first, output=rows)


def next_in(header: str) -> str | None:
    """The target of the link to what is next (RFC 8288), or None."""
    for target, parameters in _LINK.findall(header):
        # Quotation marks of rel alone are taken away: what else is quoted could say anything.
        plain = _QUOTED.sub(lambda found: (found[1] or "") + found[2] * bool(found[1]), parameters)
        rel = _REL.search(plain)
        if rel is not None and "next" in rel[1].lower().split():
            return str(target)
    return None


def _following(answer: HttpAnswer) -> str | None:
    """Where the page after this one is; raises `Refused` where a part was sent."""
    if answer.status == 206:
        raise _incomplete("it is a part (206)")
    return next_in(answer.headers.get("link", ""))


def _is_chosen(url: str, at: str, secret: str) -> bool:
    """Whether the request says how many it wants, or what it says of the page changes with it."""
    try:
        following = dict(parse_qsl(urlsplit(at).query, keep_blank_values=True))
    except ValueError:
        return False
    asked = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return any(
        re.sub(r"[^a-z]", "", name.lower()) in _SIZES or following.get(name, value) != value
        for name, value in asked
        if name != secret
    )


def _address(url: str, at: str, base: str, secret: str) -> str:
    """The next page's address, with our own secret in it; raises `Refused`."""
    try:
        found = urljoin(url, at)
        there, here = read_address(found), read_address(url)
        path, below = urlsplit(found).path, urlsplit(base).path.rstrip("/") + "/"
    except (AddressError, ValueError) as error:
        raise _incomplete(f"the address of the next page is none: {error}") from error
    is_here = (there.scheme, there.origin) == (here.scheme, here.origin)
    is_plain = not {unquote(each) for each in path.split("/")} & {".", ".."}
    if not at or not is_here or not is_plain or not path.startswith(below):
        raise _incomplete("the next page is at another address than the service")
    pieces = [each for each in urlsplit(found).query.split("&") if _name(each) != secret]
    if secret:
        pieces += [each for each in urlsplit(url).query.split("&") if _name(each) == secret]
    query = "&".join(each for each in pieces if each)
    return found.partition("#")[0].partition("?")[0] + (f"?{query}" if query else "")


def _name(piece: str) -> str:
    return unquote_plus(piece.partition("=")[0])


def _incomplete(why: str) -> Refused:
    told = f"this is not all of it: {why}; ask for a part by the arguments that it has for pages"
    return Refused(told, kind=Kind.INTERNAL, vendor_code=INCOMPLETE)
