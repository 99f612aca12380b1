"""`payments` over a provider that counts in decimals and has its own words and error codes."""

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

_STATES = {"SETTLED": "succeeded", "OPEN": "pending", "DECLINED": "failed"}


class Decimals:
    """`/payments`, `X-Api-Key`, `X-Request-Key`, `{"errorCode", "errorText", "traceId"}`."""

    dialect = Dialect(
        code_at=("errorCode",),
        message_at=("errorText",),
        request_id_header="x-trace",
        replayed_header="x-replayed",
        kinds={"4040": Kind.NOT_FOUND, "4007": Kind.INVALID, "4020": Kind.INVALID},
    )

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def request(self, operation: str, arguments: JsonObject, key: str) -> HttpRequest:
        """Build the provider's request."""
        headers = {"x-api-key": self._secret()}
        payment = quote(str(arguments.get("payment_id", "")), safe="")
        match operation:
            case "payment_get":
                return HttpRequest("GET", f"/payments/{payment}", headers)
            case "refund_get":
                refund = quote(str(arguments["refund_id"]), safe="")
                return HttpRequest("GET", f"/payments/{payment}/refunds/{refund}", headers)
            case "payment_charge":
                path = "/payments"
                body: JsonObject = {"instrument": arguments["source"]}
            case _:
                path = f"/payments/{payment}/refunds"
                body = {"note": arguments.get("reason", "")}
        headers |= {"x-request-key": key, "content-type": "application/json"}
        body |= _value(arguments["amount"])
        return HttpRequest("POST", path, headers, json.dumps(body).encode())

    def output(self, operation: str, body: JsonValue) -> JsonValue:
        """Read the provider's answer as the model's."""
        if not isinstance(body, dict):
            raise TypeError("expected an object")
        currency = str(body["currencyCode"])
        told: JsonObject = {
            "id": body["paymentId"] if operation.startswith("payment") else body["refundId"],
            "status": _STATES[str(body["state"])],
            "amount": {"amount": str(body["value"]), "currency": currency},
        }
        if operation.startswith("payment"):
            return told | {"refunded": {"amount": str(body["refundedValue"]), "currency": currency}}
        return told | {"payment_id": body["paymentId"]}


def _value(money: JsonValue) -> JsonObject:
    if not isinstance(money, dict):
        raise Refused("an amount is {amount, currency}", kind=Kind.INVALID)
    currency = str(money["currency"])
    exact = Decimal(str(money["amount"]))
    rounded = exact.quantize(Decimal(1).scaleb(-exponent_of(currency)))
    if rounded != exact:
        raise Refused(f"{currency} has no such fraction", kind=Kind.INVALID)
    return {"value": str(rounded), "currencyCode": currency}
