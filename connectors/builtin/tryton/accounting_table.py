"""Where Tryton keeps what `accounting` knows: its fields, its buttons, its promises."""

from collections.abc import Mapping

from pydantic import JsonValue

from connectors.builtin.tryton.commerce_table import SALE_STATES
from connectors.builtin.tryton.promises import PUSHED, made, undone_by
from connectors.builtin.tryton.records import ENVELOPE, LINE_FIELDS, LINES, STAMPS, amount, unmarked
from connectors.builtin.tryton.states import Button
from connectors.builtin.tryton.table import Table
from connectors.builtin.tryton.wire import day, number, numbers, referred, rows
from connectors.unified.accounting import ACCOUNTING
from connectors.unified.vendor import At, Vendor, worded

_TOTALS = ("untaxed_amount", "tax_amount", "total_amount")
TABLES: Mapping[str, Table] = {
    "party": Table(
        "party.party",
        (
            *STAMPS,
            "name",
            "code",
            "active",
            "tax_identifier.code",
            "contact_mechanisms.type",
            "contact_mechanisms.value",
        ),
        mark="identifiers.code",
    ),
    "invoice": Table(
        "account.invoice",
        (
            *STAMPS,
            *LINE_FIELDS,
            *_TOTALS,
            "type",
            "number",
            "reference",
            "party.id",
            "state",
            "invoice_date",
            "lines_to_pay.maturity_date",
            "amount_to_pay",
            "sales.id",
            "purchases.id",
        ),
    ),
    "purchase_order": Table(
        "purchase.purchase",
        (
            *STAMPS,
            *LINE_FIELDS,
            *_TOTALS,
            "number",
            "reference",
            "party.id",
            "state",
            "purchase_date",
            "invoices.id",
        ),
    ),
    "payment": Table(
        "account.payment",
        (
            *STAMPS,
            "number",
            "reference",
            "kind",
            "party.id",
            "line.move_origin",
            "journal.id",
            "state",
            "amount",
            "currency.code",
            "date",
        ),
        mark="reference",
    ),
    "attachment": Table(
        "ir.attachment", (*STAMPS, "name", "resource", "data_size"), mark="description"
    ),
    "account": Table("account.payment.journal", (*STAMPS, "name", "currency.code")),
}
BUTTONS: Mapping[str, Button] = {
    "invoice_validate": Button(
        "invoice", "validate_invoice", ("draft",), ("validated", "posted", "paid")
    ),
    "invoice_post": Button("invoice", "post", ("draft", "validated"), ("posted", "paid")),
    "invoice_cancel": Button(
        "invoice", "cancel", ("draft", "validated", "posted"), ("cancelled",), takes_back=True
    ),
    "payment_submit": Button(
        "payment",
        "submit",
        ("draft",),
        ("submitted", "approved", "processing", "succeeded", "failed"),
    ),
    "payment_approve": Button(
        "payment", "approve", ("submitted",), ("approved", "processing", "succeeded", "failed")
    ),
    "payment_settle": Button("payment", "succeed", ("processing", "failed"), ("succeeded",)),
    "payment_withdraw": Button(
        "payment", "draft", ("submitted", "approved"), ("draft",), takes_back=True
    ),
}
_KINDS = {"in": "payable", "out": "receivable", "payable": "payable", "receivable": "receivable"}
_BOOKED = {
    "draft": "draft",
    "validated": "validated",
    "posted": "posted",
    "paid": "paid",
    "cancelled": "canceled",
}
_PAYING = ("draft", "submitted", "approved", "processing", "succeeded", "failed")


def _reached_by(*kinds: str) -> At:
    """The contacts of some kinds."""

    def read(value: JsonValue) -> JsonValue:
        return [each.get("value") for each in rows(value) if each.get("type") in kinds]

    return At("contact_mechanisms", read, f"`contact_mechanisms` of {' or '.join(kinds)}")


def _first_due(value: JsonValue) -> JsonValue:
    """When the first of the lines to pay is due."""
    found = sorted(str(day(each.get("maturity_date")) or "") for each in rows(value))
    return found[0] or None if found else None


NOT_TAKEN_BACK = {"invoice_validate": PUSHED, "invoice_post": PUSHED}
"""What is promised of an invoice where no wizard can be run."""

TRYTON_ACCOUNTING = Vendor(
    "tryton",
    ACCOUNTING,
    {
        "party": {
            **ENVELOPE,
            "name": At("name"),
            "code": At("code"),
            "is_active": At("active", lambda said: None if said is None else bool(said)),
            "tax_number": At("tax_identifier/code"),
            "emails": _reached_by("email"),
            "phones": _reached_by("phone", "mobile"),
        },
        "invoice": {
            **ENVELOPE,
            "kind": At("type", worded(_KINDS)),
            "number": At("number"),
            "reference": At("reference"),
            "party_id": At("party", number, "`party.id`"),
            "status": At("state", worded(_BOOKED)),
            "status_raw": At("state"),
            "issued_on": At("invoice_date", day),
            "due_on": At("lines_to_pay", _first_due, "the first of `lines_to_pay`"),
            "lines": LINES,
            "subtotal": amount("untaxed_amount"),
            "tax": amount("tax_amount"),
            "total": amount("total_amount"),
            "balance": amount("amount_to_pay"),
            "order_ids": At("sales", numbers),
            "purchase_order_ids": At("purchases", numbers),
        },
        "purchase_order": {
            **ENVELOPE,
            "number": At("number"),
            "reference": At("reference"),
            "supplier_id": At("party", number, "`party.id`"),
            "status": At("state", worded(SALE_STATES)),
            "status_raw": At("state"),
            "ordered_on": At("purchase_date", day),
            "lines": LINES,
            "subtotal": amount("untaxed_amount"),
            "tax": amount("tax_amount"),
            "total": amount("total_amount"),
            "invoice_ids": At("invoices", numbers),
        },
        "payment": {
            **ENVELOPE,
            "kind": At("kind", worded(_KINDS)),
            "number": At("number"),
            "reference": At("reference", unmarked, "`reference`, without our mark"),
            "party_id": At("party", number, "`party.id`"),
            "invoice_id": At("line/move_origin", referred("account.invoice"), "`line.move_origin`"),
            "account_id": At("journal", number, "`journal.id`"),
            "status": At("state", worded({each: each for each in _PAYING})),
            "status_raw": At("state"),
            "amount": amount("amount"),
            "pays_on": At("date", day),
        },
        "attachment": {
            **ENVELOPE,
            "filename": At("name"),
            "invoice_id": At("resource", referred("account.invoice")),
            "size": At("data_size"),
        },
        "account": {**ENVELOPE, "name": At("name"), "currency": At("currency/code")},
    },
    {
        "party_get": {},
        "party_list": {},
        "party_create": made("party_find", None),
        "party_find": {},
        "invoice_get": {},
        "invoice_list": {},
        "invoice_update": PUSHED,
        "invoice_validate": {**PUSHED, **undone_by("invoice_cancel")},
        "invoice_post": {**PUSHED, **undone_by("invoice_cancel")},
        "invoice_cancel": PUSHED,
        "attachment_create": made("attachment_find", "attachment_delete"),
        "attachment_find": {},
        "attachment_delete": PUSHED,
        "purchase_order_get": {},
        "purchase_order_list": {},
        "account_list": {},
        "payment_get": {},
        "payment_create": made("payment_find", "payment_delete"),
        "payment_find": {},
        "payment_submit": {**PUSHED, **undone_by("payment_withdraw")},
        "payment_approve": {**PUSHED, **undone_by("payment_withdraw")},
        "payment_process": PUSHED,  # where `rpc_credential` is said
        "payment_settle": PUSHED,
        "payment_withdraw": PUSHED,
        "payment_delete": PUSHED,
    },
    gaps={
        f"{each}.version": "its REST interface checks no timestamp of a change"
        for each in ("party", "invoice", "purchase_order", "payment")
    },
)
