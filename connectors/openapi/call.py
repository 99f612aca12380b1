"""One service that its OpenAPI document describes, as a connector."""

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from connectors.connector import Outcome
from connectors.errors import Kind, Refused
from connectors.http import Transport, TransportError
from connectors.openapi.extract import Skipped, extract
from connectors.openapi.load import Source, load_document
from connectors.openapi.names import longest_operation
from connectors.openapi.offer import Offer, offers
from connectors.openapi.overlay import Credential, Overlay
from connectors.openapi.request import Draft, draft
from connectors.outcome import read_answer, read_failure
from connectors.spec import ActionSpec, CallContext
from connectors.validate import check_arguments


class OpenApiConnector:
    """One connection; `skipped` lists what the document has and cannot be offered."""

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
    ) -> None:
        self._connection = connection
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._document = document
        self._overlay = overlay or Overlay()
        self._dialect = self._overlay.errors.dialect()
        self._credential = self._overlay.credential or Credential()
        self._secret = secret
        self._offers: dict[str, Offer] = {}
        self.skipped: tuple[Skipped, ...] = ()

    async def actions(self) -> Sequence[ActionSpec]:
        """Every operation on offer; the document is read once. Raises `ConfigurationError`."""
        if not self._offers:
            document = await load_document(self._document, self._transport)
            found = extract(document, longest_operation(self._connection))
            hidden = self._credential.header if self._secret else ""
            self._offers = offers(self._connection, found, self._overlay, hidden)
            self.skipped = found.skipped
        return tuple(offer.spec for offer in self._offers.values())

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once."""
        offer = self._offers.get(action.name)
        if offer is None:
            message = f"the document of {self._connection} has no {action.name}"
            raise Refused(message, kind=Kind.NOT_FOUND)
        check_arguments(offer.spec, arguments)
        request = self._draft(offer, arguments, context.idempotency_key).finished(self._base_url)
        try:
            answer = await self._transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return read_failure(action, error, self._dialect, attempt=context.attempt)
        return read_answer(action, answer, self._dialect, attempt=context.attempt)

    def _draft(self, offer: Offer, arguments: Mapping[str, JsonValue], key: str) -> Draft:
        """The plan's arguments, our key, and the connection's credential: in this order."""
        found = draft(offer.operation, arguments)
        for place in offer.key_places:
            found.put(place, key)
        if self._secret is not None:
            found.headers[self._credential.header] = self._credential.filled(self._secret())
        return found
