"""The unified model `payments`: charge, refund, get; the same actions over every vendor.

The specs are those of the model, never of a vendor, so a plan keeps its digest when the
vendor behind the connection changes. Money is an exact decimal with its currency.
"""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue

from connectors.connector import Outcome
from connectors.http import HttpRequest, Transport, TransportError
from connectors.outcome import Dialect, read_answer, read_failure
from connectors.spec import ActionSpec, CallContext, JsonObject, Limits

# The shortest time for which every vendor of the model remembers a key.
KEY_WINDOW_S = 12 * 3600.0

MONEY: JsonObject = {
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
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


PAYMENT = _closed({"id": _ID, "status": _STATUS, "amount": MONEY, "refunded": MONEY})
REFUND = _closed({"id": _ID, "payment_id": _ID, "status": _STATUS, "amount": MONEY})


def payment_actions(connection: str, *, limits: Limits | None = None) -> tuple[ActionSpec, ...]:
    """The model's actions for one connection."""
    keyed: JsonObject = {"in": "connector", "name": "key", "window_s": KEY_WINDOW_S}
    manifests: dict[str, JsonObject] = {
        "payment_charge": {
            "description": "Charge a payment source.",
            "input_schema": _closed(
                {"source": _ID, "amount": MONEY, "description": {"type": "string"}},
                ("description",),
            ),
            "output_schema": PAYMENT,
            "effect": "keyed",
            "idempotency": keyed,
            "sinks": {"source": "resource_id", "amount": "amount"},
            "reads_as": "trusted",
            "approval": None,
        },
        "payment_get": {
            "description": "Read a payment: its amount and how much was refunded.",
            "input_schema": _closed({"payment_id": _ID}),
            "output_schema": PAYMENT,
            "effect": "read",
            "reads_as": "trusted",
        },
        "refund_create": {
            "description": "Give back all or a part of a payment.",
            "input_schema": _closed(
                {
                    "payment_id": _ID,
                    "amount": MONEY,
                    "reason": {"type": "string", "maxLength": 200},
                },
                ("reason",),
            ),
            "output_schema": REFUND,
            "effect": "keyed",
            "idempotency": keyed,
            "sinks": {"payment_id": "resource_id", "amount": "amount"},
            "reads_as": "trusted",
            "approval": None,
        },
        "refund_get": {
            "description": "Read a refund.",
            "input_schema": _closed({"payment_id": _ID, "refund_id": _ID}),
            "output_schema": REFUND,
            "effect": "read",
            "reads_as": "trusted",
        },
    }
    return tuple(
        ActionSpec.model_validate({"name": f"{connection}.{name}", "limits": limits} | manifest)
        for name, manifest in manifests.items()
    )


class Vendor(Protocol):
    """One vendor's dialect of the model: how to ask, and how to read what comes back."""

    @property
    def dialect(self) -> Dialect:
        """Where the vendor puts codes, messages and request ids."""

    def request(self, operation: str, arguments: JsonObject, key: str) -> HttpRequest:
        """The vendor's request; the URL is a path below the base address."""

    def output(self, operation: str, body: JsonValue) -> JsonValue:
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
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._vendor = vendor
        self._actions = payment_actions(connection, limits=limits)

    async def actions(self) -> tuple[ActionSpec, ...]:
        """The model's actions, the same for every vendor."""
        return self._actions

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call the vendor once, under our key."""
        operation = action.name.partition(".")[2]
        asked = self._vendor.request(operation, dict(arguments), context.idempotency_key)
        request = HttpRequest(asked.method, self._base_url + asked.url, asked.headers, asked.body)
        try:
            answer = await self._transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return read_failure(action, error, self._vendor.dialect)
        return read_answer(
            action,
            answer,
            self._vendor.dialect,
            mapped=lambda body: self._vendor.output(operation, body),
        )
