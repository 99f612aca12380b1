"""`payments` over charges in minor units: Stripe, and the demo's provider, which is much like it.

A refund names no currency with either: 100 JPY as minor units would be a refund of 1.00 EUR. So
the payment is read first.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from urllib.parse import urlencode

from pydantic import JsonValue

from connectors.builtin.payments.till import Asking, Till, currency_of
from connectors.connector import Outcome
from connectors.errors import Kind, Refused
from connectors.outcome import Dialect
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.money import from_minor, read_money, to_minor
from connectors.unified.payments import PAYMENTS, PROMISES
from connectors.unified.steps import before, output_of
from connectors.unified.vendor import At, Vendor, moment, value_at, worded

# Stripe counts hundredths where there are none (ISK, UGX), and none where there are (MGA).
_ODD = ("ISK", "MGA", "UGX")
_STATUSES = {
    "succeeded": "succeeded",
    "pending": "pending",
    "requires_action": "pending",
    "failed": "failed",
    "canceled": "failed",
}


@dataclass(frozen=True)
class Charges:
    """Charges and refunds under `/v1`, as a form or as JSON; `reason` is why one is given back."""

    ask: Asking
    media: str
    write: Callable[[JsonObject], str]
    reason: Callable[[JsonValue], JsonObject]

    async def charge(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Charge a source once."""
        amount, currency = _paid(given)
        body: JsonObject = {"amount": to_minor(amount, currency), "currency": currency.lower()}
        return await self._post("payment", spec, context, body | {"source": given["source"]})

    async def get(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read a charge."""
        path = ("v1", "charges", str(given["payment_id"]))
        return await self.ask("payment", spec, context, "GET", *path)

    async def refund(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Give back a part of a charge once."""
        amount, currency = _paid(given)
        paid = currency_of(await output_of(self.get(before(spec), given, context)))
        if paid != currency:
            raise Refused(f"the payment was made in {paid}, not in {currency}", kind=Kind.INVALID)
        body: JsonObject = {"charge": given["payment_id"], "amount": to_minor(amount, currency)}
        return await self._post("refund", spec, context, body | self.reason(given.get("reason")))

    async def get_refund(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Read a refund."""
        path = ("v1", "refunds", str(given["refund_id"]))
        mapped = partial(self.ask.of_payment, given)
        return await self.ask("refund", spec, context, "GET", *path, mapped=mapped)

    async def _post(
        self, record: str, spec: ActionSpec, context: CallContext, body: JsonObject
    ) -> Outcome:
        kind = "charges" if record == "payment" else "refunds"
        headers = {"idempotency-key": context.idempotency_key, "content-type": self.media}
        content = self.write(body).encode()
        return await self.ask(
            record, spec, context, "POST", "v1", kind, body=content, headers=headers
        )


def _paid(given: JsonObject) -> tuple[Decimal, str]:
    amount, currency = read_money(given["amount"])
    if currency in _ODD:
        raise Refused(f"amounts in {currency} are not counted in its own places", kind=Kind.INVALID)
    return amount, currency


def _amount(name: str) -> At:
    def read(raw: JsonValue) -> JsonValue:
        currency = str(value_at(raw, "currency")).upper()
        if currency in _ODD:
            raise ValueError(f"amounts in {currency} are not counted in its own places")
        return from_minor(value_at(raw, name), currency)

    return At("", read, f"`{name}` of `currency`, in minor units")


def _metadata(raw: JsonObject) -> JsonObject:
    found = raw.get("metadata")
    return found if isinstance(found, dict) else {}


def _vendor(name: str) -> Vendor:
    both = {
        "id": At("id"),
        "created_at": At("created", moment),
        "status": At("status", worded(_STATUSES)),
        "status_raw": At("status"),
        "amount": _amount("amount"),
    }
    return Vendor(
        name,
        PAYMENTS,
        {
            "payment": {**both, "refunded": _amount("amount_refunded")},
            "refund": {**both, "payment_id": At("charge")},
        },
        PROMISES,
        custom={"payment": _metadata, "refund": _metadata},
    )


def _form(body: JsonObject) -> str:
    return urlencode(body)


_DIALECT = Dialect(
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
STRIPE = _vendor("stripe")
MINOR = _vendor("payments-minor")
stripe = Till(
    STRIPE,
    lambda ask: Charges(
        ask,
        "application/x-www-form-urlencoded",
        _form,
        lambda said: {} if said is None else {"metadata[reason]": said},
    ),
    _DIALECT,
    # The same key came while its first call was at work: it may be what we lost.
    under_way=frozenset({"idempotency_key_in_use", "lock_timeout"}),
)
minor_units = Till(
    MINOR,
    lambda ask: Charges(ask, "application/json", json.dumps, lambda said: {"reason": said or ""}),
    _DIALECT,
)
