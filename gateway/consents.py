"""A person gives a service's consent: begun with their key, bound to their browser, over soon.

    POST .../connect (key)   a ticket, for whoever begins it
    GET  .../begin/TICKET    the browser gets a cookie, and goes to the service with a fresh state
    GET  .../callback        the state says which consent, the cookie that it is the same browser,
                             `iss` that the right server answers; then the code is exchanged

Who is lured to a callback has no cookie for its state; who sends their own link to somebody else
is the one who is noted as having begun it. Opening the link again begins again; an answer counts
once.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from functools import partial

from connectors import oauth
from connectors.errors import Unavailable
from connectors.oauth import GrantRefusedError
from executor.store import credentials
from executor.store.credentials import ConsentRow, CredentialRow
from executor.store.drives import Due
from gateway.credentials import Credentials
from gateway.problems import ProblemError, not_found
from gateway.renewals import client_of

LASTS_S = 600.0


@dataclass(frozen=True)
class Begun:
    """What whoever begins it gets."""

    ticket: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True)
class Sent:
    """Where a browser is sent, and what it is given to be known by."""

    address: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What a browser brings back from the service."""

    state: str
    code: str | None
    issuer: str | None
    error: str | None
    browser: str | None


class Consents:
    """Asks services for access to stored credentials."""

    def __init__(self, kept: Credentials) -> None:
        self._kept = kept

    async def begin(self, tenant: str, name: str, by: str, redirect_uri: str) -> Begun:
        """Begin it for one person; raises a problem."""
        row = await self._row(tenant, name)
        if row.kind != "oauth-code":
            raise ProblemError(
                409, "not-connectable", f"{name} is of the kind {row.kind}",
                "Set it anew; only oauth-code is connected.",
            )  # fmt: skip
        ticket, now = secrets.token_urlsafe(32), self._kept.clock()
        hashed, ends = _hash(ticket), now + LASTS_S
        sealed = self._kept.seals.ring.seal("{}", tenant, hashed)
        consent = ConsentRow(
            tenant, hashed, name, by, None, None, sealed, redirect_uri, ends
        )  # fmt: skip
        await self._kept.store.write(partial(credentials.begin, row=consent, now=now))
        return Begun(ticket, ends)

    async def open(self, ticket: str) -> Sent:
        """Send the browser that opened the link to the service; raises a problem."""
        hashed, now = _hash(ticket), self._kept.clock()
        consent = await self._kept.store.read(
            partial(credentials.consent_of_ticket, ticket_hash=hashed, now=now)
        )
        if consent is None:
            raise _over()
        row = await self._row(consent.tenant, consent.credential)
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        client = client_of(row)
        try:
            server = await oauth.find_server(self._kept.way, client)
            address = oauth.consent_address(
                self._kept.way,
                server,
                client,
                consent.redirect_uri,
                state=state,
                nonce=nonce,
                verifier=verifier,
            )
        except Unavailable as error:
            raise _unavailable(error) from error
        held = json.dumps({"nonce": nonce, "verifier": verifier})
        bound = await self._kept.store.write(
            partial(
                credentials.opened,
                ticket_hash=hashed,
                now=now,
                state_hash=_hash(state),
                browser_hash=_hash(browser),
                sealed=self._kept.seals.ring.seal(held, consent.tenant, hashed),
            )
        )
        if not bound:
            raise _over()
        return Sent(address, browser)

    async def answered(self, answer: Answer) -> tuple[str, list[Due]]:
        """Take what the service answered: which credential is connected, and what waited for it.

        Raises a problem.
        """
        now = self._kept.clock()
        consent = await self._kept.store.write(
            partial(credentials.take_consent, state_hash=_hash(answer.state), now=now)
        )
        if consent is None or not _is_same(consent.browser_hash, answer.browser):
            raise _over()
        row = await self._row(consent.tenant, consent.credential)
        client = client_of(row)
        held = json.loads(
            self._kept.seals.ring.open(consent.sealed, consent.tenant, consent.ticket_hash)
        )
        try:
            server = await oauth.find_server(self._kept.way, client)
            if oauth.wrong_issuer(server, answer.issuer):
                raise _refused(consent, "another server answered than was asked")
            if answer.code is None:
                raise _refused(consent, "the service, or who was asked, said no")
            tokens = await oauth.by_code(
                self._kept.way,
                server,
                client,
                self._kept.seals.open(row).secret,
                code=answer.code,
                verifier=held["verifier"],
                redirect_uri=consent.redirect_uri,
            )
        except GrantRefusedError as error:
            raise _refused(consent, str(error)) from error
        except Unavailable as error:
            raise _unavailable(error) from error
        if tokens.claims is not None and oauth.wrong_claims(
            server, client, tokens.claims, held["nonce"]
        ):
            raise _refused(consent, "the id token is of another consent")
        woken = await self._kept.connected(row, tokens, consent.principal)
        if woken is None:
            raise _refused(consent, "the credential was set anew meanwhile")
        return row.id, woken

    async def _row(self, tenant: str, name: str) -> CredentialRow:
        found = await self._kept.store.read(partial(credentials.get, tenant=tenant, name=name))
        if found is None:
            raise not_found("credential", name)
        return found


def _hash(secret: str) -> str:
    """What is kept of 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _is_same(kept: str | None, browser: str | None) -> bool:
    return kept is not None and browser is not None and hmac.compare_digest(kept, _hash(browser))


def _over() -> ProblemError:
    return ProblemError(
        400, "consent-unknown", "this consent is over, was answered, or began in another browser",
        "Begin it again, and finish it in the same browser.",
    )  # fmt: skip


def _refused(consent: ConsentRow, why: str) -> ProblemError:
    detail = f"{consent.credential} is not connected: {why}"
    return ProblemError(400, "consent-refused", detail, "Begin it again.")


def _unavailable(error: Exception) -> ProblemError:
    return ProblemError(502, "authorization-server-unavailable", str(error), "Try again.")
