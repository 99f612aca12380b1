"""`payments` over the demo's other provider, which counts in decimals and has its own words."""

from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from connectors.builtin.payments.till import Asking, Till
from connectors.connector import Outcome
from connectors.errors import Kind
from connectors.outcome import Dialect
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.money import read_money, told_money
from connectors.unified.payments import PAYMENTS, PROMISES
from connectors.unified.vendor import At, Vendor, value_at, worded

_STATES = {"SETTLED": "succeeded", "OPEN": "pending", "DECLINED": "failed"}


@dataclass(frozen=True)
class Decimals:
    """`/payments`, `X-Api-Key`, `X-Request-Key`, `{"errorCode", "errorText", "traceId"}`."""

    ask: Asking

    async def charge(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Charge an instrument once."""
        body: JsonObject = {"instrument": given["source"], **_value(given)}
        return await self._post("payment", spec, context, body)

    async def get(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read a payment."""
        payment = str(given["payment_id"])
        return await self.ask("payment", spec, context, "GET", "payments", payment)

    async def refund(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Give back once; the provider itself refuses another currency than the payment's."""
        body: JsonObject = {"note": given.get("reason", ""), **_value(given)}
        path = (str(given["payment_id"]), "refunds")
        return await self._post("refund", spec, context, body, *path)

    async def get_refund(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Read a refund."""
        path = (str(given["payment_id"]), "refunds", str(given["refund_id"]))
        mapped = partial(self.ask.of_payment, given)
        return await self.ask("refund", spec, context, "GET", "payments", *path, mapped=mapped)

    async def _post(
        self, record: str, spec: ActionSpec, context: CallContext, body: JsonObject, *path: str
    ) -> Outcome:
        headers = {"x-request-key": context.idempotency_key}
        return await self.ask(
            record, spec, context, "POST", "payments", *path, body=body, headers=headers
        )


def _value(given: JsonObject) -> JsonObject:
    amount, currency = read_money(given["amount"])
    return {"value": f"{amount:f}", "currencyCode": currency}


def _amount(name: str) -> At:
    def read(raw: JsonValue) -> JsonValue:
        return told_money(str(value_at(raw, name)), str(value_at(raw, "currencyCode")))

    return At("", read, f"`{name}` of `currencyCode`")


_BOTH = {
    "status": At("state", worded(_STATES)),
    "status_raw": At("state"),
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
decimals = Till(
    DECIMAL,
    Decimals,
    Dialect(
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
    ),
    header="X-Api-Key",
    form="{secret}",
)
