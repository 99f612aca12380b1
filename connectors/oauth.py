"""OAuth 2 as a client, over our own transport: discovery, the address of consent, tokens.

Authorisation code with PKCE S256 (RFC 7636), client credentials and refresh (RFC 6749), metadata
(RFC 8414, or OpenID's), the resource that a token is for (RFC 8707), and who answered (RFC 9207).
Of what a server says only the error's code is told on, and only if it has the form of one.
"""

import base64
import hashlib
import re
import time
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.body import BodyError, read_json
from connectors.dates import retry_after_s
from connectors.errors import ConfigurationError, Unavailable
from connectors.http import (
    BadAnswerError,
    HttpAnswer,
    HttpRequest,
    NotAllowedError,
    Transport,
    TransportError,
)
from connectors.spec import JsonObject
from connectors.url import Address, AddressError, read_address

WITHIN_S = 15.0  # one exchange with an authorisation server
_MOST_BYTES = 256 * 1024
_FOR_EVER = 1e10  # seconds: as good as no word of when a token is over
_CODE = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[!-~]{1,16384}")  # what can stand in a header
_LATER = (408, 425, 429)
_AGAIN = ("temporarily_unavailable", "slow_down", "server_error")


class GrantRefusedError(Exception):
    """The authorisation server said no; `code` is its own word for why, such as invalid_grant."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the authorisation server refused: {code}")
        self.code = code


class OAuthClient(BaseModel):
    """What we are at an authorisation server; none of it is secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str = Field(min_length=1, max_length=500)
    issuer: str | None = None  # whose metadata says where everything is
    authorize_url: str | None = None  # instead of what the metadata says
    token_url: str | None = None
    scopes: tuple[str, ...] = ()
    resource: str | None = None  # whom the token is for (RFC 8707)


@dataclass(frozen=True)
class Server:
    """An authorisation server, as its metadata or the operator describes it."""

    token_url: str
    authorize_url: str | None = None
    issuer: str | None = None
    says_issuer: bool = False  # its answers name it (RFC 9207)
    takes_basic: bool = True


@dataclass(frozen=True)
class Tokens:
    """What a grant gives."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires_in_s: float | None = None
    claims: JsonObject | None = None  # of an id token, if one came


def require_reachable(way: Transport, client: OAuthClient, *, by_consent: bool) -> None:
    """Raise `ConfigurationError` for one that could never get a token, before anybody tries."""
    if client.issuer is None and client.token_url is None:
        raise ConfigurationError("an OAuth credential needs an issuer or a token_url")
    if by_consent and client.issuer is None and client.authorize_url is None:
        raise ConfigurationError("a credential that is connected needs an issuer or authorize_url")
    for each in (client.issuer, client.authorize_url, client.token_url):
        if each is not None:
            _require_private(way, each)


async def find_server(way: Transport, client: OAuthClient) -> Server:
    """Read where the server's endpoints are; raises `ConfigurationError` or `Unavailable`."""
    if client.issuer is None:
        if client.token_url is None:
            raise ConfigurationError("an OAuth credential needs an issuer or a token_url")
        return Server(client.token_url, client.authorize_url)
    found = await _metadata(way, client.issuer)
    methods = found.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise ConfigurationError(f"{client.issuer} does not take PKCE with S256")
    accepted = found.get("token_endpoint_auth_methods_supported")
    token_url = client.token_url or _text(found, "token_endpoint")
    if token_url is None:
        raise ConfigurationError(f"the metadata of {client.issuer} names no token endpoint")
    return Server(
        token_url,
        client.authorize_url or _text(found, "authorization_endpoint"),
        client.issuer,
        found.get("authorization_response_iss_parameter_supported") is True,
        not isinstance(accepted, list) or "client_secret_basic" in accepted,
    )


def consent_address(
    way: Transport,
    server: Server,
    client: OAuthClient,
    redirect_uri: str,
    *,
    state: str,
    nonce: str,
    verifier: str,
) -> str:
    """Where a person says yes; raises `ConfigurationError`."""
    if server.authorize_url is None:
        raise ConfigurationError("this credential has no authorize_url, and its server names none")
    _require_private(way, server.authorize_url)
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        **_wanted(client),
    }
    between = "&" if urlsplit(server.authorize_url).query else "?"
    return f"{server.authorize_url}{between}{urlencode(asked)}"


def challenge_of(verifier: str) -> str:
    """What is shown of a PKCE verifier (S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def wrong_issuer(server: Server, told: str | None) -> bool:
    """Whether an answer to a consent is not from the server that was asked (RFC 9207)."""
    if told is None:
        return server.says_issuer
    return server.issuer is not None and told != server.issuer


def wrong_claims(server: Server, client: OAuthClient, claims: JsonObject, nonce: str) -> bool:
    """Whether an id token was not made for this very consent. It came straight from the server."""
    audience = claims.get("aud")
    meant = audience if isinstance(audience, list) else [audience]
    return (
        claims.get("nonce") != nonce
        or client.client_id not in meant
        or (server.issuer is not None and claims.get("iss") != server.issuer)
    )


async def by_code(
    way: Transport,
    server: Server,
    client: OAuthClient,
    secret: str | None,
    *,
    code: str,
    verifier: str,
    redirect_uri: str,
) -> Tokens:
    """Exchange the code of a consent."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": redirect_uri,
        **_resource(client),
    }
    return await _tokens(way, server, client, secret, form)


async def by_refresh(
    way: Transport, server: Server, client: OAuthClient, secret: str | None, refresh: str
) -> Tokens:
    """Exchange a refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh, **_resource(client)}
    return await _tokens(way, server, client, secret, form)


async def by_client(
    way: Transport, server: Server, client: OAuthClient, secret: str | None
) -> Tokens:
    """Ask for a token of our own."""
    form = {"grant_type": "client_credentials", **_wanted(client)}
    return await _tokens(way, server, client, secret, form)


def _wanted(client: OAuthClient) -> dict[str, str]:
    return ({"scope": " ".join(client.scopes)} if client.scopes else {}) | _resource(client)


def _resource(client: OAuthClient) -> dict[str, str]:
    return {} if client.resource is None else {"resource": client.resource}


async def _tokens(
    way: Transport, server: Server, client: OAuthClient, secret: str | None, form: dict[str, str]
) -> Tokens:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if secret is not None and server.takes_basic:
        # Either part is form-encoded first (RFC 6749, 2.3.1).
        pair = f"{quote_plus(client.client_id)}:{quote_plus(secret)}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form = form | {"client_id": client.client_id}
        form |= {} if secret is None else {"client_secret": secret}
    body = urlencode(form).encode()
    answer = await _send(way, HttpRequest("POST", server.token_url, headers, body, _MOST_BYTES))
    found = _object(answer.body)
    if answer.status != 200:
        code = _text(found, "error") or ""
        if answer.status >= 500 or answer.status in _LATER or code in _AGAIN:
            raise _later("the authorisation server", answer)
        raise GrantRefusedError(code if _CODE.fullmatch(code) else f"status {answer.status}")
    access = _text(found, "access_token")
    if (
        not access
        or not _TOKEN.fullmatch(access)
        or (_text(found, "token_type") or "").lower() != "bearer"
    ):
        raise GrantRefusedError("no bearer token")
    claims = _text(found, "id_token")
    return Tokens(
        access,
        _text(found, "refresh_token"),
        _lasts_s(found.get("expires_in")),
        None if claims is None else _claims(claims),
    )


def _lasts_s(said: JsonValue) -> float | None:
    """For how many seconds a token is good, also where a text says so; None where nobody knows."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        found = float(said)
    except (ValueError, OverflowError):
        return None
    return found if 0 < found < _FOR_EVER else None


async def _metadata(way: Transport, issuer: str) -> JsonObject:
    """RFC 8414's place first, then OpenID's; what answers has to be who was asked."""
    address = _require_private(way, issuer)
    origin, path = f"{address.scheme}://{address.authority}", urlsplit(issuer).path.rstrip("/")
    places = (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )
    for place in places:
        answer = await _send(way, HttpRequest("GET", place, most_bytes=_MOST_BYTES))
        found = _object(answer.body)
        if answer.status == 200 and found:
            if found.get("issuer") != issuer:
                raise ConfigurationError(f"{place} is the metadata of another issuer than {issuer}")
            return found
        if answer.status >= 500 or answer.status in _LATER:
            raise _later(place, answer)
    raise ConfigurationError(f"{issuer} publishes no metadata: say token_url and authorize_url")


def _later(who: str, answer: HttpAnswer) -> Unavailable:
    after_s = retry_after_s(answer.headers, answer.received_at)
    return Unavailable(f"{who} answered with status {answer.status}", retry_after_s=after_s)


async def _send(way: Transport, request: HttpRequest) -> HttpAnswer:
    _require_private(way, request.url)
    now = time.monotonic()
    try:
        return await way.send(request, deadline=now + WITHIN_S, send_before=now + WITHIN_S)
    except NotAllowedError as error:
        where = quote(request.url, safe=":/?[]")
        raise ConfigurationError(f"{where} may not be reached: {error}") from error
    except TransportError as error:
        told, after_s = f"the authorisation server does not answer: {error}", None
        if isinstance(error, BadAnswerError):
            after_s = retry_after_s(error.headers, error.received_at)
        raise Unavailable(told, retry_after_s=after_s) from error


def _require_private(way: Transport, url: str) -> Address:
    """Codes and tokens travel over TLS, or to where the operator's file says by name."""
    try:
        address = read_address(url)
    except AddressError as error:
        raise ConfigurationError(f"{url[:200]!r} may not be reached: {error}") from error
    if address.scheme != "https" and not way.allows(address.origin):
        raise ConfigurationError(
            f"{url} is no https address; only credentials.allow_hosts can allow {address.origin}"
        )
    return address


def _object(body: bytes) -> JsonObject:
    try:
        found = read_json(body)
    except BodyError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(found: JsonObject, name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) and value else None


def _claims(token: str) -> JsonObject:
    """What an id token says; over TLS from its issuer no signature is needed (OpenID, 3.1.3.7)."""
    part = f"{token}..".split(".")[1]
    try:
        return _object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
