"""`payments` over a provider that counts in integer minor units and answers with one error body."""

from collections.abc import Callable

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.errors import Kind
from connectors.http import HttpRequest
from connectors.outcome import Dialect
from connectors.spec import JsonObject
from connectors.unified.money import from_minor, read_money, to_minor
from connectors.unified.payments import PAYMENTS, PROMISES, path_of
from connectors.unified.vendor import At, Vendor

_STATUSES = {"succeeded": "succeeded", "pending": "pending", "failed": "failed"}


def _amount(name: str) -> At:
    def read(raw: JsonValue) -> JsonValue:
        if not isinstance(raw, dict):
            raise TypeError("expected an object")
        return from_minor(raw[name], str(raw["currency"]).upper())

    return At("", read, f"`{name}` of `currency`, in minor units")


_BOTH = {
    "id": At("id"),
    "status": At("status", lambda said: _STATUSES[str(said)]),
    "amount": _amount("amount"),
}
MINOR = Vendor(
    "payments-minor",
    PAYMENTS,
    {
        "payment": {**_BOTH, "refunded": _amount("amount_refunded")},
        "refund": {**_BOTH, "payment_id": At("charge")},
    },
    PROMISES,
)


class MinorUnits:
    """`/v1`, a bearer token, `Idempotency-Key`, `{"error": {"type", "code", "message"}}`."""

    refunds_name_a_currency = False
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
                return HttpRequest("GET", path_of("/v1/charges/", arguments["payment_id"]), headers)
            case "refund_get":
                return HttpRequest("GET", path_of("/v1/refunds/", arguments["refund_id"]), headers)
        amount, currency = read_money(arguments["amount"])
        body: JsonObject = {"amount": to_minor(amount, currency)}
        if operation == "payment_charge":
            path = "/v1/charges"
            body |= {"currency": currency.lower(), "source": arguments["source"]}
        else:
            path = "/v1/refunds"
            body |= {"charge": arguments["payment_id"], "reason": arguments.get("reason", "")}
        headers |= {"idempotency-key": key, "content-type": "application/json"}
        return HttpRequest("POST", path, headers, canonical(body))

    def output(self, operation: str, body: JsonValue) -> JsonObject:
        """Read the provider's answer as the model's."""
        if not isinstance(body, dict):
            raise TypeError("expected an object")
        record = operation.partition("_")[0]
        return MINOR.read(record, body, PAYMENTS.records[record])
