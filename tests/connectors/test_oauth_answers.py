"""Odd answers of an authorisation server: a token that came is kept, whatever else is said."""

import base64

import pytest
from connector_cases import answer, raw_server

from connectors import oauth
from connectors.errors import Unavailable
from connectors.http import Transport

DEEP = base64.urlsafe_b64encode(b"[" * 100_000).decode()


@pytest.mark.parametrize(
    ("more", "lasts"),
    [
        (b'"expires_in": 3600', 3600.0),
        (b'"expires_in": "3599"', 3599.0),  # as many write it
        (b'"expires_in": "soon"', None),
        (b'"expires_in": "-5"', None),
        (b'"expires_in": "1e999"', None),
        (b'"expires_in": 1e999', None),
        (b'"expires_in": true', None),
        (b'"expires_in": -5', None),
        (b'"id_token": "a.' + DEEP.encode() + b'.c"', None),
        ('"id_token": "a.é.c"'.encode(), None),
        (b'"id_token": ""', None),
    ],
)
async def test_what_is_odd_beside_a_token_loses_no_token(more: bytes, lasts: float | None) -> None:
    body = b'{"access_token": "new", "token_type": "Bearer", "refresh_token": "next", %b}' % more
    async with raw_server(answer(200, body)) as raw:
        way = Transport(frozenset({raw.host}))
        server, client = oauth.Server(f"{raw.url}/token"), oauth.OAuthClient(client_id="me")
        found = await oauth.by_refresh(way, server, client, "secret", "before")
        await way.aclose()

    assert (found.access, found.refresh, found.expires_in_s) == ("new", "next", lasts)
    assert not found.claims


@pytest.mark.parametrize("access", ["", "a b", "a\r\nX-Other: b", "ü", "x" * 16_385])
async def test_what_can_stand_in_no_header_is_no_token(access: str) -> None:
    async with raw_server(answer(200, {"access_token": access, "token_type": "bearer"})) as raw:
        way = Transport(frozenset({raw.host}))
        server, client = oauth.Server(f"{raw.url}/token"), oauth.OAuthClient(client_id="me")
        with pytest.raises(oauth.GrantRefusedError, match="no bearer token"):
            await oauth.by_client(way, server, client, "secret")
        await way.aclose()


@pytest.mark.parametrize("status", [408, 425, 429, 503])
async def test_how_long_an_authorisation_server_wants_to_be_left_alone_is_told_on(
    status: int,
) -> None:
    async with raw_server(answer(status, {}, {"retry-after": "90"})) as raw:
        way = Transport(frozenset({raw.host}))
        server, client = oauth.Server(f"{raw.url}/token"), oauth.OAuthClient(client_id="me")
        by_issuer = oauth.OAuthClient(client_id="me", issuer=raw.url)
        with pytest.raises(Unavailable) as token:
            await oauth.by_client(way, server, client, "secret")
        with pytest.raises(Unavailable) as metadata:
            await oauth.find_server(way, by_issuer)
        await way.aclose()

    assert (token.value.retry_after_s, metadata.value.retry_after_s) == (90.0, 90.0)


@pytest.mark.parametrize("broken", ["encoding", "length"])
async def test_that_holds_too_where_the_rest_of_its_answer_cannot_be_read(broken: str) -> None:
    headers = {"content-encoding": "br"} if broken == "encoding" else {"content-length": "9"}
    said = answer(429, {}, {"retry-after": "90", **headers})
    async with raw_server(said) as raw:
        way = Transport(frozenset({raw.host}))
        server, client = oauth.Server(f"{raw.url}/token"), oauth.OAuthClient(client_id="me")
        with pytest.raises(Unavailable) as later:
            await oauth.by_client(way, server, client, "secret")
        await way.aclose()

    assert later.value.retry_after_s == 90.0
