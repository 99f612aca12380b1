"""`payments` over a provider that counts in integer minor units and answers with one error body."""

import json
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import quote

from pydantic import JsonValue

from connectors.currency import exponent_of
from connectors.errors import Kind, Refused
from connectors.http import HttpRequest
from connectors.outcome import Dialect
from connectors.spec import JsonObject


class MinorUnits:
    """`/v1`, a bearer token, `Idempotency-Key`, `{"error": {"type", "code", "message"}}`."""

    dialect = Dialect(
        code_at=("error", "code"),
        message_at=("error", "message"),
        request_id_header="request-id",
        replayed_header="idempotent-replayed",
        kinds={
            "resource_missing": Kind.NOT_FOUND,
            "refund_exceeds_charge": Kind.INVALID,
            "card_declined": Kind.INVALID,
            "idempotency_key_in_use": Kind.CONFLICT,
        },
    )

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def request(self, operation: str, arguments: JsonObject, key: str) -> HttpRequest:
        """Build the provider's request."""
        headers = {"authorization": f"Bearer {self._secret()}"}
        match operation:
            case "payment_get":
                return HttpRequest("GET", f"/v1/charges/{_path(arguments['payment_id'])}", headers)
            case "refund_get":
                return HttpRequest("GET", f"/v1/refunds/{_path(arguments['refund_id'])}", headers)
            case "payment_charge":
                amount, currency = to_minor(arguments["amount"])
                body: JsonObject = {
                    "amount": amount,
                    "currency": currency,
                    "source": arguments["source"],
                }
                path = "/v1/charges"
            case _:
                amount, _ = to_minor(arguments["amount"])
                body = {
                    "charge": arguments["payment_id"],
                    "amount": amount,
                    "reason": arguments.get("reason", ""),
                }
                path = "/v1/refunds"
        headers |= {"idempotency-key": key, "content-type": "application/json"}
        return HttpRequest("POST", path, headers, json.dumps(body).encode())

    def output(self, operation: str, body: JsonValue) -> JsonValue:
        """Read the provider's answer as the model's."""
        if not isinstance(body, dict):
            raise TypeError("expected an object")
        status = {"succeeded": "succeeded", "pending": "pending", "failed": "failed"}
        currency = str(body["currency"]).upper()
        told: JsonObject = {
            "id": body["id"],
            "status": status[str(body["status"])],
            "amount": from_minor(body["amount"], currency),
        }
        if operation.startswith("payment"):
            return told | {"refunded": from_minor(body["amount_refunded"], currency)}
        return told | {"payment_id": body["charge"]}


def to_minor(money: JsonValue) -> tuple[int, str]:
    """An exact amount as minor units and lower-case currency."""
    if not isinstance(money, dict):
        raise Refused("an amount is {amount, currency}", kind=Kind.INVALID)
    currency = str(money["currency"])
    scaled = Decimal(str(money["amount"])).scaleb(exponent_of(currency))
    if scaled != scaled.to_integral_value():
        raise Refused(f"{currency} has no such fraction", kind=Kind.INVALID)
    return int(scaled), currency.lower()


def from_minor(amount: JsonValue, currency: str) -> JsonObject:
    """Minor units as an exact amount."""
    if not isinstance(amount, int):
        raise TypeError("an amount is an integer")
    exponent = exponent_of(currency)
    return {"amount": f"{Decimal(amount).scaleb(-exponent):.{exponent}f}", "currency": currency}


def _path(value: JsonValue) -> str:
    return quote(str(value), safe="")
