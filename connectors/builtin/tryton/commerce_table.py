"""Where Tryton keeps what `commerce` knows: the table of its fields, its buttons, its promises."""

from collections.abc import Mapping

from pydantic import JsonValue

from connectors.builtin.tryton.promises import PUSHED, made, undone_by
from connectors.builtin.tryton.records import ENVELOPE, LINE_FIELDS, LINES, STAMPS, amount, unmarked
from connectors.builtin.tryton.states import Button
from connectors.builtin.tryton.table import Table
from connectors.builtin.tryton.wire import day, money, number, numbers, referred, rows
from connectors.unified.commerce import COMMERCE
from connectors.unified.vendor import At, Vendor, text, value_at, worded

_ORDER_FIELDS = (
    *STAMPS,
    *LINE_FIELDS,
    "number", "reference", "party.id", "state", "invoice_state", "shipment_state",
    "untaxed_amount", "tax_amount", "total_amount", "sale_date", "origin",
    "invoices.id", "shipment_returns.id",
)  # fmt: skip
_RETURN_FIELDS = (
    *STAMPS,
    "number", "customer.id", "origin", "state", "description", "date",
    "actions.amount", "actions.currency.code", "actions.result",
    "actions.sale_lines.line.id", "actions.sale_lines.quantity",
)  # fmt: skip
_SHIPMENT_FIELDS = (
    *STAMPS,
    "number", "state", "customer.id", "incoming_moves.product.id", "incoming_moves.quantity",
)  # fmt: skip
_PRODUCT_FIELDS = (*STAMPS, "code", "rec_name", "template.default_uom.symbol")
_LEVEL_FIELDS = (*_PRODUCT_FIELDS, "quantity", "forecast_quantity")
_LOCATION_FIELDS = (*STAMPS, "code", "name")
SALE_STATES = {
    "draft": "draft",
    "quotation": "quoted",
    "confirmed": "confirmed",
    "processing": "processing",
    "done": "completed",
    "cancelled": "canceled",
}
_PAID = {
    "none": "none",
    "pending": "pending",
    "awaiting payment": "pending",
    "partially paid": "partial",
    "paid": "paid",
}
_SHIPPED = {
    "none": "none",
    "waiting": "pending",
    "partially shipped": "partial",
    "sent": "fulfilled",
}
_DECIDED = {
    "draft": "draft",
    "waiting": "requested",
    "approved": "approved",
    "rejected": "rejected",
    "done": "completed",
    "cancelled": "canceled",
}
_CAME = {"draft": "draft", "received": "received", "done": "done", "cancelled": "canceled"}


def _sent_back(value: JsonValue) -> JsonValue:
    return [
        {"line_id": number(value_at(line, "line")), "quantity": value_at(line, "quantity")}
        for each in rows(value)
        for line in rows(each.get("sale_lines"))
    ]


def _moved(value: JsonValue) -> JsonValue:
    return [
        {"product_id": number(each.get("product")), "quantity": each.get("quantity")}
        for each in rows(value)
    ]


TABLES: Mapping[str, Table] = {
    "order": Table("sale.sale", _ORDER_FIELDS, mark="comment"),
    "return": Table("sale.complaint", _RETURN_FIELDS, mark="description"),
    "return_shipment": Table("stock.shipment.out.return", _SHIPMENT_FIELDS),
    "inventory_level": Table("product.product", _LEVEL_FIELDS),
    "product": Table("product.product", _PRODUCT_FIELDS),
    "location": Table("stock.location", _LOCATION_FIELDS),
}
_SHIPPING = ("processing", "done")
_DECISIONS = ("approved", "rejected", "done")
BUTTONS: Mapping[str, Button] = {
    "order_quote": Button("order", "quote", ("draft",), ("quotation", "confirmed", *_SHIPPING)),
    "order_confirm": Button("order", "confirm", ("quotation",), ("confirmed", *_SHIPPING)),
    "order_process": Button("order", "process", ("confirmed",), _SHIPPING),
    "order_reopen": Button(
        "order", "draft", ("quotation", "confirmed"), ("draft",), takes_back=True
    ),
    "order_cancel": Button(
        "order", "cancel", ("draft", "quotation"), ("cancelled",), takes_back=True
    ),
    "return_submit": Button("return", "wait", ("draft",), ("waiting", *_DECISIONS)),
    "return_withdraw": Button("return", "draft", ("waiting",), ("draft",), takes_back=True),
    "return_approve": Button("return", "approve", ("waiting",), ("approved", "done")),
    "return_reject": Button("return", "reject", ("waiting",), ("rejected",), takes_back=True),
    "return_cancel": Button(
        "return", "cancel", ("draft", "waiting"), ("cancelled",), takes_back=True
    ),
    "return_receive": Button("return_shipment", "receive", ("draft",), ("received", "done")),
    "return_restock": Button("return_shipment", "do", ("received",), ("done",)),
}

TRYTON_COMMERCE = Vendor(
    "tryton",
    COMMERCE,
    {
        "order": {
            **ENVELOPE,
            "number": At("number"),
            "reference": At("reference"),
            "customer_id": At("party", number, "`party.id`"),
            "status": At("state", worded(SALE_STATES)),
            "status_raw": At("state"),
            "payment_status": At("invoice_state", worded(_PAID)),
            "fulfillment_status": At("shipment_state", worded(_SHIPPED)),
            "lines": LINES,
            "subtotal": amount("untaxed_amount"),
            "tax": amount("tax_amount"),
            "total": amount("total_amount"),
            "placed_on": At("sale_date", day),
            "return_id": At("origin", referred("sale.complaint"), "`origin`"),
            "invoice_ids": At("invoices", numbers),
            "return_shipment_ids": At("shipment_returns", numbers),
        },
        "return": {
            **ENVELOPE,
            "number": At("number"),
            "order_id": At("origin", referred("sale.sale"), "`origin`"),
            "customer_id": At("customer", number, "`customer.id`"),
            "status": At("state", worded(_DECIDED)),
            "status_raw": At("state"),
            "reason": At("description", unmarked, "`description`, without our mark"),
            "lines": At("actions", _sent_back, "`actions.sale_lines`"),
            "amount": At(
                "actions/0", lambda raw: money(raw, "amount"), "`amount` of the first of `actions`"
            ),
            "return_order_id": At(
                "actions/0/result", referred("sale.sale"), "`result` of the first of `actions`"
            ),
            "requested_on": At("date", day),
        },
        "return_shipment": {
            **ENVELOPE,
            "number": At("number"),
            "status": At("state", worded(_CAME)),
            "status_raw": At("state"),
            "customer_id": At("customer", number, "`customer.id`"),
            "lines": At("incoming_moves", _moved),
        },
        "inventory_level": {
            **ENVELOPE,
            "product_id": At("id", text),
            "location_id": At("location", text, "as it was asked"),
            "sku": At("code"),
            "unit": At("template/default_uom/symbol"),
            "on_hand": At("quantity"),
            "available": At("forecast_quantity"),
        },
        "product": {
            **ENVELOPE,
            "sku": At("code"),
            "name": At("rec_name"),
            "unit": At("template/default_uom/symbol"),
        },
        "location": {**ENVELOPE, "code": At("code"), "name": At("name")},
    },
    {
        "order_get": {},
        "order_list": {},
        "order_create": made("order_find", "order_cancel"),
        "order_find": {},
        "order_quote": {**PUSHED, **undone_by("order_reopen")},
        "order_confirm": PUSHED,  # it is processed, and then no one act takes it back
        "order_process": PUSHED,
        "order_reopen": PUSHED,
        "order_cancel": PUSHED,
        "return_get": {},
        "return_list": {},
        "return_create": made("return_find", "return_cancel"),
        "return_find": {},
        "return_submit": {**PUSHED, **undone_by("return_withdraw")},
        "return_withdraw": PUSHED,
        "return_approve": PUSHED,
        "return_reject": PUSHED,
        "return_cancel": PUSHED,
        "return_shipment_get": {},
        "return_receive": PUSHED,
        "return_restock": PUSHED,
        "inventory_get": {},
        "product_list": {},
        "location_list": {},
    },
    gaps={
        f"{each}.version": "its REST interface checks no timestamp of a change"
        for each in ("order", "return", "return_shipment")
    },
)
