"""`payments` over a provider that counts in decimals and has its own words and error codes."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.errors import Kind
from connectors.http import HttpRequest
from connectors.outcome import Dialect
from connectors.spec import JsonObject
from connectors.unified.money import read_money, told_money
from connectors.unified.payments import path_of

_STATES = {"SETTLED": "succeeded", "OPEN": "pending", "DECLINED": "failed"}


class Decimals:
    """`/payments`, `X-Api-Key`, `X-Request-Key`, `{"errorCode", "errorText", "traceId"}`."""

    refunds_name_a_currency = True
    dialect = Dialect(
        code_at=("errorCode",),
        message_at=("errorText",),
        request_id_at=("traceId",),
        request_id_header="x-trace",
        replayed_header="x-replayed",
        kinds={
            "4007": Kind.INVALID,
            "4008": Kind.INVALID,
            "4020": Kind.INVALID,
            "4040": Kind.NOT_FOUND,
            "4090": Kind.CONFLICT,
        },
    )

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def request(self, operation: str, arguments: JsonObject, key: str) -> HttpRequest:
        """Build the provider's request."""
        headers = {"x-api-key": self._secret()}
        payment = arguments.get("payment_id", "")
        match operation:
            case "payment_get":
                return HttpRequest("GET", path_of("/payments/", payment), headers)
            case "refund_get":
                path = path_of("/payments/", payment, "/refunds/", arguments["refund_id"])
                return HttpRequest("GET", path, headers)
            case "payment_charge":
                path = "/payments"
                body: JsonObject = {"instrument": arguments["source"]}
            case _:
                path = path_of("/payments/", payment, "/refunds")
                body = {"note": arguments.get("reason", "")}
        amount, currency = read_money(arguments["amount"])
        body |= {"value": f"{amount:f}", "currencyCode": currency}
        headers |= {"x-request-key": key, "content-type": "application/json"}
        return HttpRequest("POST", path, headers, canonical(body))

    def output(self, operation: str, body: JsonValue) -> JsonObject:
        """Read the provider's answer as the model's."""
        if not isinstance(body, dict):
            raise TypeError("expected an object")
        currency = str(body["currencyCode"])
        is_payment = operation.startswith("payment")
        told: JsonObject = {
            "id": body["paymentId"] if is_payment else body["refundId"],
            "status": _STATES[str(body["state"])],
            "amount": told_money(str(body["value"]), currency),
        }
        if is_payment:
            return told | {"refunded": told_money(str(body["refundedValue"]), currency)}
        return told | {"payment_id": body["paymentId"]}
