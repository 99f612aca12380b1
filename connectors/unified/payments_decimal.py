"""`payments` over a provider that counts in decimals and has its own words and error codes."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.errors import Kind
from connectors.http import HttpRequest
from connectors.outcome import Dialect
from connectors.spec import JsonObject
from connectors.unified.money import read_money, told_money
from connectors.unified.payments import PAYMENTS, PROMISES, path_of
from connectors.unified.vendor import At, Vendor

_STATES = {"SETTLED": "succeeded", "OPEN": "pending", "DECLINED": "failed"}


def _amount(name: str) -> At:
    def read(raw: JsonValue) -> JsonValue:
        if not isinstance(raw, dict):
            raise TypeError("expected an object")
        return told_money(str(raw[name]), str(raw["currencyCode"]))

    return At("", read, f"`{name}` of `currencyCode`")


_BOTH = {
    "status": At("state", lambda said: _STATES[str(said)]),
    "amount": _amount("value"),
}
DECIMAL = Vendor(
    "payments-decimal",
    PAYMENTS,
    {
        "payment": {"id": At("paymentId"), **_BOTH, "refunded": _amount("refundedValue")},
        "refund": {"id": At("refundId"), **_BOTH, "payment_id": At("paymentId")},
    },
    PROMISES,
)


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
        record = operation.partition("_")[0]
        return DECIMAL.read(record, body, PAYMENTS.records[record])
