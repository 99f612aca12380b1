"""The unified model `payments`: charge, refund, get; the same actions over every vendor.

The specs are those of the model, never of a vendor, so a plan keeps its digest when the
vendor behind the connection changes. Money is an exact decimal with its currency.
"""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.http import HttpAnswer, HttpRequest, Transport, TransportError
from connectors.outcome import Dialect, read_answer, read_failure
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.model import Model
from connectors.unified.money import MONEY
from connectors.url import AddressError, segment
from connectors.validate import check_arguments

# The shortest time for which every vendor of the model remembers a key.
KEY_WINDOW_S = 12 * 3600.0

_ID: JsonObject = {"type": "string", "minLength": 1, "maxLength": 100}
_STATUS: JsonObject = {"enum": ["pending", "succeeded", "failed"]}


def _closed(properties: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    required: list[JsonValue] = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_PAYMENT: JsonObject = {"id": _ID, "status": _STATUS, "amount": MONEY, "refunded": MONEY}
_REFUND: JsonObject = {"id": _ID, "payment_id": _ID, "status": _STATUS, "amount": MONEY}
PAYMENT, REFUND = _closed(_PAYMENT), _closed(_REFUND)
_REASON: JsonObject = {"type": "string", "maxLength": 200}
_READ: JsonObject = {"effect": "read", "reads_as": "trusted"}
_KEYED: JsonObject = {
    "effect": "keyed",
    "idempotency": {"in": "connector", "name": "key", "window_s": KEY_WINDOW_S},
    "reads_as": "trusted",
    "approval": None,
}
_MANIFESTS: dict[str, JsonObject] = {
    "payment_charge": {
        "description": "Charge a payment source.",
        "input_schema": _closed({"source": _ID, "amount": MONEY}),
        "output_schema": PAYMENT,
        "sinks": {"source": "resource_id", "amount": "amount"},
        **_KEYED,
    },
    "payment_get": {
        "description": "Read a payment: its amount and how much was refunded.",
        "input_schema": _closed({"payment_id": _ID}),
        "output_schema": PAYMENT,
        **_READ,
    },
    "refund_create": {
        "description": "Give back all or a part of a payment.",
        "input_schema": _closed(
            {"payment_id": _ID, "amount": MONEY, "reason": _REASON}, ("reason",)
        ),
        "output_schema": REFUND,
        "sinks": {"payment_id": "resource_id", "amount": "amount", "reason": "content"},
        **_KEYED,
    },
    "refund_get": {
        "description": "Read a refund.",
        "input_schema": _closed({"payment_id": _ID, "refund_id": _ID}),
        "output_schema": REFUND,
        **_READ,
    },
}


PAYMENTS = Model("payments", {"payment": _PAYMENT, "refund": _REFUND}, _MANIFESTS)
PROMISES: Mapping[str, JsonObject] = {name: {} for name in _MANIFESTS}
"""What every vendor of the model promises: no more than the model itself says."""


def payment_actions(connection: str) -> tuple[ActionSpec, ...]:
    """The model's actions for one connection."""
    return PAYMENTS.actions(connection, PROMISES)


class Vendor(Protocol):
    """One vendor's dialect of the model: how to ask, and how to read what comes back."""

    @property
    def dialect(self) -> Dialect:
        """Where the vendor puts codes, messages and request ids."""

    @property
    def refunds_name_a_currency(self) -> bool:
        """Whether the vendor itself refuses a refund in another currency than the payment's."""

    def request(self, operation: str, arguments: JsonObject, key: str) -> HttpRequest:
        """The vendor's request; the URL is a path below the base address. Raises `Refused`."""

    def output(self, operation: str, body: JsonValue) -> JsonObject:
        """The model's output; raises `LookupError`, `TypeError` or `ValueError` if it cannot be."""


class PaymentsConnector:
    """The model's actions over one vendor."""

    def __init__(
        self,
        name: str,
        connection: str,
        base_url: str,
        transport: Transport,
        vendor: Vendor,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._vendor = vendor
        self._actions = payment_actions(connection)
        self._by_operation = {each.name.partition(".")[2]: each for each in self._actions}

    async def actions(self) -> tuple[ActionSpec, ...]:
        """The model's actions, the same for every vendor."""
        return self._actions

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call the vendor once, under our key."""
        operation = action.name.partition(".")[2]
        if operation not in self._by_operation:
            raise Refused(f"payments have no {action.name}", kind=Kind.NOT_FOUND)
        given = dict(arguments)
        check_arguments(self._by_operation[operation], given)
        request = self._vendor.request(operation, given, context.idempotency_key)
        if operation == "refund_create" and not self._vendor.refunds_name_a_currency:
            await self._check_currency(given, context)
        return await self._ask(operation, given, request, context)

    async def _check_currency(self, arguments: JsonObject, context: CallContext) -> None:
        """Read the payment first: 100 JPY as minor units would be a refund of 1.00 EUR."""
        asked: JsonObject = {"payment_id": arguments["payment_id"]}
        request = self._vendor.request("payment_get", asked, context.idempotency_key)
        outcome = await self._ask("payment_get", asked, request, context)
        output = outcome.output if isinstance(outcome, Applied) else None
        paid, wanted = _currency(output), _currency(arguments)
        if paid != wanted:
            raise Refused(f"the payment was made in {paid}, not in {wanted}", kind=Kind.INVALID)

    async def _ask(
        self, operation: str, arguments: JsonObject, asked: HttpRequest, context: CallContext
    ) -> Outcome:
        action, dialect = self._by_operation[operation], self._vendor.dialect
        request = HttpRequest(asked.method, self._base_url + asked.url, asked.headers, asked.body)
        try:
            answer: HttpAnswer = await self._transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return read_failure(action, error, dialect, attempt=context.attempt)
        return read_answer(
            action,
            answer,
            dialect,
            mapped=lambda body: self._told(operation, arguments, body),
            attempt=context.attempt,
        )

    def _told(self, operation: str, arguments: JsonObject, body: JsonValue) -> JsonValue:
        output = self._vendor.output(operation, body)
        asked = arguments.get("payment_id")
        if operation == "refund_get" and output["payment_id"] != asked:
            message = f"no refund {arguments['refund_id']} of payment {asked}"
            raise Refused(message, kind=Kind.NOT_FOUND)
        return output


def path_of(*parts: JsonValue) -> str:
    """A path from literal parts and ids, in turn; raises `Refused` for an id that is none."""
    try:
        texts = [str(part) for part in parts]
        return "".join(segment(each) if i % 2 else each for i, each in enumerate(texts))
    except AddressError as error:
        raise Refused(str(error), kind=Kind.INVALID) from error


def _currency(value: JsonValue) -> JsonValue:
    amount = value.get("amount") if isinstance(value, dict) else None
    return amount.get("currency") if isinstance(amount, dict) else None
