"""`payments` over PayPal's REST interface: an order that is captured at once, and its refunds.

A payment of the model is a capture of PayPal's. How much of it was given back stands at its order,
which is read only where a part was.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from pydantic import JsonValue

from connectors.builtin.payments.till import Asking, Till
from connectors.connector import Applied, Outcome
from connectors.errors import Kind
from connectors.outcome import Dialect
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.money import read_money, told_money
from connectors.unified.payments import PAYMENTS, PROMISES
from connectors.unified.vendor import At, Vendor, moment, value_at, worded

_CAPTURED = {
    "COMPLETED": "succeeded",
    "PARTIALLY_REFUNDED": "succeeded",
    "REFUNDED": "succeeded",
    "PENDING": "pending",
    "DECLINED": "failed",
    "FAILED": "failed",
}
_GIVEN_BACK = {
    "COMPLETED": "succeeded",
    "PENDING": "pending",
    "FAILED": "failed",
    "CANCELLED": "failed",
}
_PARTLY = "PARTIALLY_REFUNDED"
_REFUNDED = "@refunded"  # our own place in a capture for what its order says


@dataclass(frozen=True)
class PayPal:
    """`/v2/checkout/orders`, `/v2/payments`, an access token, `PayPal-Request-Id`."""

    ask: Asking

    async def charge(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Have what a payer agreed to pay captured once; `source` is the id of that agreement."""
        token: JsonObject = {"id": given["source"], "type": "BILLING_AGREEMENT"}
        body: JsonObject = {
            "intent": "CAPTURE",
            "purchase_units": [{"amount": _value(given)}],
            "payment_source": {"token": token},
        }
        path = ("v2", "checkout", "orders")
        return await self._post("payment", spec, context, body, *path, captured=True)

    async def get(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read a capture, and where a part was given back also its order."""
        payment = str(given["payment_id"])
        path = ("v2", "payments", "captures", payment)
        read = await self.ask("payment", spec, context, "GET", *path, mapped=_told_or_partly)
        capture = read.output if isinstance(read, Applied) else None
        if value_at(capture, "status") != _PARTLY:
            return read

        def told(order: JsonValue) -> JsonValue:
            return _told(capture, f"{_given_back(order, payment):f}")

        order = str(value_at(capture, "supplementary_data/related_ids/order_id"))
        path = ("v2", "checkout", "orders", order)
        return await self.ask("payment", spec, context, "GET", *path, mapped=told)

    async def refund(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Give back once; PayPal itself refuses another currency than the payment's."""
        body: JsonObject = {"amount": _value(given)}
        if given.get("reason"):
            body["note_to_payer"] = given["reason"]
        path = ("v2", "payments", "captures", str(given["payment_id"]), "refund")
        return await self._post("refund", spec, context, body, *path)

    async def get_refund(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Read a refund."""
        path = ("v2", "payments", "refunds", str(given["refund_id"]))
        mapped = partial(self.ask.of_payment, given)
        return await self.ask("refund", spec, context, "GET", *path, mapped=mapped)

    async def _post(
        self,
        record: str,
        spec: ActionSpec,
        context: CallContext,
        body: JsonObject,
        *path: str,
        captured: bool = False,
    ) -> Outcome:
        headers = {"paypal-request-id": context.idempotency_key, "prefer": "return=representation"}

        def told(order: JsonValue) -> JsonValue:
            return _told(_capture(value_at(order, "purchase_units/0/payments/captures/0")))

        mapped = told if captured else None
        return await self.ask(
            record, spec, context, "POST", *path, body=body, headers=headers, mapped=mapped
        )


def _value(given: JsonObject) -> JsonObject:
    amount, currency = read_money(given["amount"])
    return {"value": f"{amount:f}", "currency_code": currency}


def _capture(raw: JsonValue) -> JsonObject:
    if not isinstance(raw, dict) or raw.get("status") not in _CAPTURED:
        raise TypeError("expected a capture")
    return raw


def _told_or_partly(raw: JsonValue) -> JsonValue:
    """A capture as the model tells it, or as it came where its order has to be read, too."""
    capture = _capture(raw)
    return capture if capture["status"] == _PARTLY else _told(capture)


def _told(capture: JsonValue, refunded: JsonValue = None) -> JsonValue:
    """A capture as the model tells it; without `refunded` its status says how much that is."""
    raw = _capture(capture)
    if refunded is None:
        refunded = value_at(raw, "amount/value") if raw["status"] == "REFUNDED" else "0"
    return PAYPAL.tell("payment", {**raw, _REFUNDED: refunded}) | {"raw": raw}


def _given_back(order: JsonValue, capture: str) -> Decimal:
    """How much of one capture the refunds of its order have given back."""
    found = value_at(order, "purchase_units/0/payments/refunds")
    if not isinstance(found, list):
        raise TypeError("expected an order with refunds")
    done = [each for each in found if value_at(each, "status") in ("COMPLETED", "PENDING")]
    values = [value_at(each, "amount/value") for each in done if _capture_of(each) == capture]
    return sum((Decimal(str(each)) for each in values), Decimal(0))


def _capture_of(refund: JsonValue) -> JsonValue:
    """Which capture a refund is of: what its link `up` leads to."""
    links = value_at(refund, "links")
    for each in links if isinstance(links, list) else []:
        if value_at(each, "rel") == "up":
            return str(value_at(each, "href")).rpartition("/")[2]
    return None


def _amount(value: str, said: str) -> At:
    def read(raw: JsonValue) -> JsonValue:
        return told_money(str(value_at(raw, value)), str(value_at(raw, "amount/currency_code")))

    return At("", read, said)


def _custom(raw: JsonObject) -> JsonObject:
    return {name: raw[name] for name in ("custom_id", "invoice_id") if name in raw}


_BOTH = {
    "id": At("id"),
    "created_at": At("create_time", moment),
    "updated_at": At("update_time", moment),
    "status_raw": At("status"),
    "amount": _amount("amount/value", "`amount`"),
}
PAYPAL = Vendor(
    "paypal",
    PAYMENTS,
    {
        "payment": {
            **_BOTH,
            "status": At("status", worded(_CAPTURED)),
            "refunded": _amount(_REFUNDED, "by `status`, or the refunds of its order"),
        },
        "refund": {
            **_BOTH,
            "status": At("status", worded(_GIVEN_BACK)),
            "payment_id": At("", _capture_of, "the link `up`"),
        },
    },
    PROMISES,
    custom={"payment": _custom, "refund": _custom},
)
paypal = Till(
    PAYPAL,
    PayPal,
    Dialect(
        code_at=("details", "0", "issue"),
        message_at=("details", "0", "description"),
        request_id_at=("debug_id",),
        request_id_header="paypal-debug-id",
        kinds={"PREVIOUS_REQUEST_IN_PROGRESS": Kind.CONFLICT},
    ),
    under_way=frozenset({"PREVIOUS_REQUEST_IN_PROGRESS"}),
)
