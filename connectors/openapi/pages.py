"""A list that a service gives page by page, read to its end.

    Link: <...>; rel="next"              followed
    the overlay's `pages` says where     followed
    the body says that there is more,    refused with the code `incomplete`
      and nobody said where

Who says which page, or how many, gets that page. Everybody else means the whole: what cannot be
read to its end is refused, for a part would pass for all there is.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl, urlsplit

from pydantic import JsonValue

from connectors.body import MOST_BYTES
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.http import HttpAnswer, HttpRequest
from connectors.incomplete import incomplete
from connectors.openapi.links import address_of, next_in
from connectors.openapi.more import is_size, more_told, wants_a_part
from connectors.openapi.overlay import Pages
from connectors.pointer import tokens_of, value_at

MOST_PAGES = 50

Read = Callable[[HttpRequest], Awaitable[tuple[HttpAnswer | None, Outcome]]]
"""Sends one request: its answer, if one came, and what it means; raises as a call does."""


@dataclass(frozen=True)
class Asked:
    """A read: its arguments, its request, and how the next one is made and sent.

    `base` is the address below which pages may be, `secret` the name in the query under which the
    credential travels ("" where it does not), `draft` makes the request of other arguments.
    """

    arguments: Mapping[str, JsonValue]
    request: HttpRequest
    base: str
    secret: str
    draft: Callable[[Mapping[str, JsonValue]], HttpRequest]
    read: Read


Following = Callable[[HttpAnswer, JsonValue, str], HttpRequest | None]
"""The request for the page after this answer, its output, from this address; raises `Refused`."""


async def whole(asked: Asked, pages: Pages | None, answer: HttpAnswer, first: Applied) -> Applied:
    """What a read gives, with the pages that follow; raises `Refused` where it is only a part."""
    url = asked.request.url
    if answer.status == 206:
        raise _incomplete("it is a part (206)")
    is_part = wants_a_part(asked.arguments)
    if pages is not None:
        if is_part or pages.by in asked.arguments:
            return first
        following = partial(_said, asked, pages)
        return await _all(asked, answer, first, tokens_of(pages.rows_at), following)
    at = next_in(answer.headers.get("link", "")) if asked.request.method == "GET" else None
    if at is not None and not _is_chosen(url, at, asked.secret):
        if isinstance(first.output, list):
            return await _all(asked, answer, first, (), partial(_linked, asked))
        if urlsplit(_address(asked, url, at)).path == urlsplit(url).path:
            raise _incomplete("there are more pages of it")
        # It is the next of a series, not more of this.
    name = None if is_part else more_told(first.output, url)
    if name is not None:
        raise _incomplete(f"its `{name}` says that there is more")
    return first


async def _all(
    asked: Asked, answer: HttpAnswer, first: Applied, at: Sequence[str], following: Following
) -> Applied:
    """The last page with the rows of all of them."""
    url, output, size = asked.request.url, first.output, len(answer.body)
    rows, known = [*_rows(output, at, 1)], {asked.request.url}
    while (request := following(answer, output, url)) is not None:
        url = request.url
        if url in known or len(known) >= MOST_PAGES or size > MOST_BYTES:
            raise _incomplete(f"after {len(known)} pages there is no end")
        known.add(url)
        try:
            came, outcome = await asked.read(request)
        except Refused as error:
            if error.kind is Kind.AUTH:
                raise
            raise _incomplete(f"of page {len(known)} it is told: {error.message}") from error
        if came is None or not isinstance(outcome, Applied):
            raise _incomplete(f"page {len(known)} cannot be read")
        if came.status == 206:
            raise _incomplete("it is a part (206)")
        answer, output, size = came, outcome.output, size + len(came.body)
        rows += _rows(output, at, len(known))
    return replace(first, output=_with(output, at, rows))


def _linked(asked: Asked, answer: HttpAnswer, _: JsonValue, url: str) -> HttpRequest | None:
    """By the header."""
    at = next_in(answer.headers.get("link", ""))
    return None if at is None else replace(asked.request, url=_address(asked, url, at))


def _said(
    asked: Asked, pages: Pages, _: HttpAnswer, output: JsonValue, url: str
) -> HttpRequest | None:
    """By what the overlay says of the body."""
    told = None if pages.more_at is None else value_at(output, tokens_of(pages.more_at))
    if pages.more_at is not None and not isinstance(told, bool):
        raise _incomplete(f"it does not say at {pages.more_at} whether there is more")
    if told is False:
        return None
    following = _next(pages, output)
    if following is None:
        name = pages.more_at or more_told(output, url)
        if name is None:
            return None
        raise _incomplete(f"its `{name}` says that there is more, and not where")
    if pages.by is None:
        return replace(asked.request, url=_address(asked, url, str(following)))
    return asked.draft({**asked.arguments, pages.by: following})


def _next(pages: Pages, output: JsonValue) -> str | int | None:
    """The cursor or address of the page after this one, or None where nothing stands there."""
    here = output
    if pages.last_at is not None:
        rows = value_at(output, tokens_of(pages.rows_at))
        here = rows[-1] if isinstance(rows, list) and rows else None
    found = value_at(here, tokens_of(pages.last_at or pages.next_at or ""))
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise _incomplete("what should say where the next page is says something else")
    return found


def _rows(output: JsonValue, at: Sequence[str], number: int) -> list[JsonValue]:
    rows = value_at(output, at)
    if not isinstance(rows, list):
        raise _incomplete(f"page {number} has no list" + (f" at {'/'.join(at)}" if at else ""))
    return rows


def _with(output: JsonValue, at: Sequence[str], rows: list[JsonValue]) -> JsonValue:
    """An output with other rows."""
    if not at or not isinstance(output, dict):
        return [*rows]
    return {**output, at[0]: _with(output[at[0]], at[1:], rows)}


def _is_chosen(url: str, at: str, secret: str) -> bool:
    """Whether the request says how many it wants, or what it says of the page changes with it."""
    try:
        following = dict(parse_qsl(urlsplit(at).query, keep_blank_values=True))
    except ValueError:
        return False
    asked = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return any(
        is_size(name) or following.get(name, value) != value
        for name, value in asked
        if name != secret
    )


def _address(asked: Asked, url: str, at: str) -> str:
    try:
        return address_of(url, at, asked.base, asked.secret)
    except ValueError as error:
        raise _incomplete(str(error)) from error


def _incomplete(why: str) -> Refused:
    instead = (
        "ask for a part by the arguments that it has for pages, or say in the overlay's `pages` "
    )
    return incomplete(why, instead + "where the next one is")
