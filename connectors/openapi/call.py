"""One service that its OpenAPI document describes, as a connector."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic import JsonValue

from connectors.connector import Applied, Outcome
from connectors.errors import ConfigurationError, Kind, Refused
from connectors.http import HttpAnswer, HttpRequest, Transport, TransportError
from connectors.openapi.answers import read_content
from connectors.openapi.compiled import Compiled, read, written
from connectors.openapi.extract import extract
from connectors.openapi.load import Source, load_text, read_openapi
from connectors.openapi.names import longest_operation
from connectors.openapi.offer import Offer, offers, unserved
from connectors.openapi.overlay import Credential, Overlay
from connectors.openapi.pages import Asked, whole
from connectors.openapi.request import Draft, draft
from connectors.outcome import read_answer, read_failure
from connectors.shelf import Shelf
from connectors.source import Skipped, Stale
from connectors.spec import ActionSpec, CallContext
from connectors.validate import check_arguments


class OpenApiConnector:
    """One connection.

    `skipped` lists what the document has and cannot be offered; `stale` says that the document
    cannot be fetched, and that what was kept of it is offered.
    """

    name = "openapi"

    def __init__(
        self,
        connection: str,
        base_url: str,
        transport: Transport,
        *,
        document: Source,
        overlay: Overlay | None = None,
        secret: Callable[[], str] | None = None,
        shelf: Shelf | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._document = document
        self._overlay = overlay or Overlay()
        self._dialect = self._overlay.errors.dialect()
        self._credential = self._overlay.credential or Credential()
        self._secret = secret
        self._shelf = shelf
        self._clock = clock
        self._offers: dict[str, Offer] = {}
        self.skipped: tuple[Skipped, ...] = ()
        self.stale: Stale | None = None

    async def actions(self) -> Sequence[ActionSpec]:
        """Every operation on offer; the document is read once. Raises `ConfigurationError`."""
        if not self._offers:
            await self.ask_again()
        return tuple(offer.spec for offer in self._offers.values())

    async def ask_again(self) -> None:
        """Read the document, or take what was kept where it cannot be fetched."""
        kept = await asyncio.to_thread(self._kept)
        try:
            found, stale = await self._compiled(kept), None
        except ConfigurationError as error:
            if kept is None or self._document.url is None:
                raise
            found, stale = kept, Stale(kept.read_at, str(error))
        credential = self._credential if self._secret else None
        self._offers = offers(self._connection, found.found, self._overlay, credential)
        self.skipped = (*found.found.skipped, *unserved(found.found, self._overlay))
        self.stale = stale

    async def _compiled(self, kept: Compiled | None) -> Compiled:
        """The document that is there now: read anew only where it is not what was kept."""
        body = await load_text(self._document, self._transport)
        digest, now = hashlib.sha256(body).hexdigest(), self._clock()
        if kept is not None and kept.digest == digest:
            found = kept.found
        else:
            document = await asyncio.to_thread(read_openapi, body, str(self._document))
            found = await asyncio.to_thread(extract, document, self._longest)
        compiled = Compiled(str(self._document), digest, now, self._longest, found)
        if self._shelf is not None:
            body = await asyncio.to_thread(written, compiled)
            await asyncio.to_thread(self._shelf.write, self._connection, body)
        return compiled

    def _kept(self) -> Compiled | None:
        text = self._shelf.read(self._connection) if self._shelf else None
        found = read(text) if text is not None else None
        if found is None or found.document != str(self._document):
            return None
        return found if found.longest_name == self._longest else None

    @property
    def _longest(self) -> int:
        return longest_operation(self._connection)

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once."""
        offer = self._offers.get(action.name)
        if offer is None:
            message = f"the document of {self._connection} has no {action.name}"
            raise Refused(message, kind=Kind.NOT_FOUND)
        if offer.spec.digest != action.digest:
            message = f"{action.name} is not what it was when the plan was accepted"
            raise Refused(message, kind=Kind.CONFLICT)
        check_arguments(offer.spec, arguments)
        key, ask = context.idempotency_key, partial(self._ask, offer, context)

        def drafted(given: Mapping[str, JsonValue]) -> HttpRequest:
            return self._draft(offer, given, key).finished(base_url)

        base_url = self._overlay.servers.get(offer.operation.server) or self._base_url
        request = drafted(arguments)
        answer, outcome = await ask(request)
        said, name = self._overlay.pages, offer.operation.name
        is_as_it_is = name in said and said[name] is None
        if action.is_write or is_as_it_is or answer is None or not isinstance(outcome, Applied):
            return outcome
        place = self._credential.place
        secret = place.wire if self._secret is not None and place.where == "query" else ""
        asked = Asked(arguments, request, base_url, secret, drafted, ask)
        return await whole(asked, said.get(name), answer, outcome)

    async def _ask(
        self, offer: Offer, context: CallContext, request: HttpRequest
    ) -> tuple[HttpAnswer | None, Outcome]:
        """Send once: the answer, if one came, and what it means."""
        action, attempt = offer.spec, context.attempt
        try:
            answer = await self._transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return None, read_failure(action, error, self._dialect, attempt=attempt)
        content = partial(read_content, offer.operation.output)
        return answer, read_answer(action, answer, self._dialect, content=content, attempt=attempt)

    def _draft(self, offer: Offer, arguments: Mapping[str, JsonValue], key: str) -> Draft:
        """The plan's arguments, our key, and the connection's credential: in this order."""
        found = draft(offer.operation, arguments)
        for place in offer.key_places:
            found.put(place, key)
        if self._secret is not None:
            found.put(self._credential.place, self._credential.filled(self._secret()))
        return found
