"""The unified model `payments`: charge, refund, get; the same actions over every vendor.

Every vendor promises the same of them, so a plan keeps its digest when the vendor behind the
connection changes. Money is an exact decimal with its currency.
"""

from collections.abc import Mapping

from connectors.spec import JsonObject
from connectors.unified.model import ID, TEXT, Model, closed, or_null, record_of, words
from connectors.unified.money import MONEY
from connectors.unified.operations import creates, reads

# The shortest time for which every vendor of the model remembers a key.
KEY_WINDOW_S = 6 * 3600.0

_STATUS = words("pending", "succeeded", "failed")
_PAYMENT: JsonObject = {
    "status": _STATUS,
    "status_raw": or_null(TEXT),
    "amount": MONEY,
    "refunded": MONEY,
}
_REFUND: JsonObject = {
    "payment_id": ID,
    "status": _STATUS,
    "status_raw": or_null(TEXT),
    "amount": MONEY,
}
PAYMENT, REFUND = record_of(_PAYMENT), record_of(_REFUND)
_KEYED: JsonObject = {
    "effect": "keyed",
    "idempotency": {"in": "connector", "name": "key", "window_s": KEY_WINDOW_S},
}
_OF_PAYMENT: JsonObject = {**ID, "description": "the payment"}

PAYMENTS = Model(
    "payments",
    {"payment": _PAYMENT, "refund": _REFUND},
    {
        "payment_charge": creates(
            "Charge a payment source.",
            closed(
                {
                    "source": {**ID, "description": "what is charged, as the vendor names it"},
                    "amount": {**MONEY, "description": "how much"},
                }
            ),
            PAYMENT,
            tuple(_PAYMENT),
            {"source": "resource_id", "amount": "amount"},
        ),
        "payment_get": reads(
            "Read a payment: its amount and how much was refunded.",
            closed({"payment_id": _OF_PAYMENT}),
            PAYMENT,
            tuple(_PAYMENT),
            {"payment_id": "resource_id"},
        ),
        "refund_create": creates(
            "Give back all or a part of a payment.",
            closed(
                {
                    "payment_id": _OF_PAYMENT,
                    "amount": {**MONEY, "description": "how much, in the payment's currency"},
                    "reason": {"type": "string", "maxLength": 200, "description": "why"},
                },
                "reason",
            ),
            REFUND,
            tuple(_REFUND),
            {"payment_id": "resource_id", "amount": "amount", "reason": "content"},
        ),
        "refund_get": reads(
            "Read a refund.",
            closed({"payment_id": _OF_PAYMENT, "refund_id": {**ID, "description": "the refund"}}),
            REFUND,
            tuple(_REFUND),
            {"payment_id": "resource_id", "refund_id": "resource_id"},
        ),
    },
)
PROMISES: Mapping[str, JsonObject] = {
    "payment_charge": _KEYED,
    "payment_get": {},
    "refund_create": _KEYED,
    "refund_get": {},
}
"""What every vendor of the model promises."""
