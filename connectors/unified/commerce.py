"""The unified model `commerce`: orders and their lines, what customers send back, what is in stock.

A return is asked for, decided on, and then leads to an order of its own with negative amounts and
to a shipment that comes back; each step is an action, so that policy can stand before any of them.
"""

from connectors.spec import JsonObject
from connectors.unified.model import (
    ID,
    TEXT,
    Model,
    closed,
    list_of,
    or_null,
    record_of,
    words,
)
from connectors.unified.money import MONEY, MONEY_OR_OWED
from connectors.unified.operations import by_id, creates, finds, lists, moves, reads

_QUANTITY: JsonObject = {"type": "number", "exclusiveMinimum": 0}
_DAY: JsonObject = {"type": "string", "format": "date"}
ORDER_STATUS = words("draft", "quoted", "confirmed", "processing", "completed", "canceled")
_LINE = closed(
    {
        "id": ID,
        "product_id": or_null(ID),
        "sku": or_null(TEXT),
        "name": or_null(TEXT),
        "quantity": or_null({"type": "number"}),
        "unit": or_null(TEXT),
        "unit_price": or_null(MONEY),
        "total": or_null(MONEY_OR_OWED),
    }
)
LINES = list_of(_LINE)
_ORDER: JsonObject = {
    "number": or_null(TEXT),
    "reference": or_null(TEXT),  # the customer's own
    "customer_id": or_null(ID),
    "status": or_null(ORDER_STATUS),
    "status_raw": or_null(TEXT),
    "payment_status": or_null(words("none", "pending", "partial", "paid")),
    "fulfillment_status": or_null(words("none", "pending", "partial", "fulfilled")),
    "lines": LINES,
    "subtotal": or_null(MONEY_OR_OWED),
    "tax": or_null(MONEY_OR_OWED),
    "total": or_null(MONEY_OR_OWED),
    "placed_on": or_null(_DAY),
    "return_id": or_null(ID),  # of the return that this order takes back
    "invoice_ids": or_null(list_of(ID)),
    "return_shipment_ids": or_null(list_of(ID)),
}
_RETURN: JsonObject = {
    "number": or_null(TEXT),
    "order_id": or_null(ID),
    "customer_id": or_null(ID),
    "status": or_null(words("draft", "requested", "approved", "rejected", "completed", "canceled")),
    "status_raw": or_null(TEXT),
    "reason": or_null(TEXT),
    "lines": list_of(closed({"line_id": or_null(ID), "quantity": or_null({"type": "number"})})),
    "amount": or_null(MONEY_OR_OWED),
    "return_order_id": or_null(ID),  # the order that was made of it once it was approved
    "requested_on": or_null(_DAY),
}
_SHIPMENT: JsonObject = {
    "number": or_null(TEXT),
    "status": or_null(words("draft", "received", "done", "canceled")),
    "status_raw": or_null(TEXT),
    "customer_id": or_null(ID),
    "lines": list_of(closed({"product_id": or_null(ID), "quantity": or_null({"type": "number"})})),
}
_LEVEL: JsonObject = {
    "product_id": ID,
    "location_id": ID,
    "sku": or_null(TEXT),
    "unit": or_null(TEXT),
    "on_hand": {"type": "number"},
    "available": or_null({"type": "number"}),
}
_PRODUCT: JsonObject = {
    "sku": or_null(TEXT),
    "name": or_null(TEXT),
    "unit": or_null(TEXT),
}
_LOCATION: JsonObject = {"code": or_null(TEXT), "name": or_null(TEXT)}

ORDER, RETURN, SHIPMENT = record_of(_ORDER), record_of(_RETURN), record_of(_SHIPMENT)
# What the shop itself assigns: ids, numbers, states, amounts. What is written into it is not.
_ORDER_TRUST = (
    "number",
    "customer_id",
    "status",
    "payment_status",
    "fulfillment_status",
    "lines/*/id",
    "lines/*/product_id",
    "lines/*/sku",
    "lines/*/quantity",
    "lines/*/unit_price",
    "lines/*/total",
    "subtotal",
    "tax",
    "total",
    "return_id",
    "invoice_ids",
    "return_shipment_ids",
)
_RETURN_TRUST = (
    "number",
    "order_id",
    "customer_id",
    "status",
    "lines",
    "amount",
    "return_order_id",
)
_SHIPMENT_TRUST = ("number", "status", "customer_id", "lines")
_ORDERED = {
    **list_of(
        closed(
            {"product_id": ID, "quantity": _QUANTITY, "unit_price": MONEY},
        )
    ),
    "minItems": 1,
    "maxItems": 200,
    "description": "what is ordered: {product_id, quantity, unit_price}",
}
_SENT_BACK = {
    **list_of(closed({"line_id": ID, "quantity": _QUANTITY})),
    "minItems": 1,
    "maxItems": 200,
    "description": "what comes back: {line_id, quantity}, of lines of the order",
}
_order = moves(ORDER, _ORDER_TRUST)
_return = moves(RETURN, _RETURN_TRUST)
_shipment = moves(SHIPMENT, _SHIPMENT_TRUST)

COMMERCE = Model(
    "commerce",
    {
        "order": _ORDER,
        "return": _RETURN,
        "return_shipment": _SHIPMENT,
        "inventory_level": _LEVEL,
        "product": _PRODUCT,
        "location": _LOCATION,
    },
    {
        "order_get": reads("Read an order with its lines.", by_id("order"), ORDER, _ORDER_TRUST),
        "order_list": lists(
            "List orders, the newest first.",
            {
                "number": {**TEXT, "description": "the order's number"},
                "customer_id": {**ID, "description": "whose orders"},
            },
            "orders",
            ORDER,
            _ORDER_TRUST,
        ),
        "order_create": creates(
            "Draft an order.",
            closed(
                {
                    "customer_id": {**ID, "description": "whose order"},
                    "currency": {
                        "type": "string",
                        "pattern": "^[A-Z]{3}$",
                        "description": "ISO 4217",
                    },
                    "lines": _ORDERED,
                    "reference": {
                        "type": "string",
                        "maxLength": 100,
                        "description": "the customer's own",
                    },
                },
                "reference",
            ),
            ORDER,
            _ORDER_TRUST,
            {
                "customer_id": "resource_id",
                "lines/*/product_id": "resource_id",
                "lines/*/unit_price": "amount",
                "reference": "content",
            },
        ),
        "order_find": finds("order", ORDER, _ORDER_TRUST),
        "order_quote": _order("Quote a draft order.", "order"),
        "order_confirm": _order("Confirm an order that was quoted.", "order"),
        "order_process": _order("Have a confirmed order shipped and invoiced.", "order"),
        "order_reopen": _order("Make a quoted order a draft again.", "order"),
        "order_cancel": _order("Cancel an order that was not confirmed.", "order"),
        "return_get": reads("Read a return.", by_id("return"), RETURN, _RETURN_TRUST),
        "return_list": lists(
            "List returns, the newest first.",
            {
                "order_id": {**ID, "description": "returns of this order"},
                "customer_id": {**ID, "description": "whose returns"},
            },
            "returns",
            RETURN,
            _RETURN_TRUST,
        ),
        "return_create": creates(
            "Draft the return of lines of an order, or of a part of them.",
            closed(
                {
                    "order_id": {**ID, "description": "the order that was delivered"},
                    "lines": _SENT_BACK,
                    "reason": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 2000,
                        "description": "why it comes back",
                    },
                }
            ),
            RETURN,
            _RETURN_TRUST,
            {"order_id": "resource_id", "lines/*/line_id": "resource_id", "reason": "content"},
        ),
        "return_find": finds("return", RETURN, _RETURN_TRUST),
        "return_submit": _return("Ask for a decision on a draft return.", "return"),
        "return_withdraw": _return("Make a return that waits a draft again.", "return"),
        "return_approve": _return("Approve a return: an order takes its lines back.", "return"),
        "return_reject": _return("Reject a return.", "return"),
        "return_cancel": _return("Cancel a return that was not decided on.", "return"),
        "return_shipment_get": reads(
            "Read a shipment that comes back.", by_id("shipment"), SHIPMENT, _SHIPMENT_TRUST
        ),
        "return_receive": _shipment("Note that a shipment has come back.", "shipment"),
        "return_restock": _shipment("Put what came back where it belongs.", "shipment"),
        "inventory_get": reads(
            "Read how much of a product there is at a location.",
            closed(
                {
                    "product_id": {**ID, "description": "the product"},
                    "location_id": {**ID, "description": "where"},
                }
            ),
            record_of(_LEVEL),
            ("product_id", "location_id", "sku", "unit", "on_hand", "available"),
            {"product_id": "resource_id", "location_id": "resource_id"},
        ),
        "product_list": lists(
            "List products by their number.",
            {"sku": {**TEXT, "description": "the product's number"}},
            "products",
            record_of(_PRODUCT),
            ("sku", "name", "unit"),
        ),
        "location_list": lists(
            "List the locations of the stock by their code.",
            {"code": {**TEXT, "description": "the location's code"}},
            "locations",
            record_of(_LOCATION),
            ("code", "name"),
            is_ours=True,
        ),
    },
)
