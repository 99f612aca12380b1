"""The unified model `accounting`: parties, invoices with lines, purchase orders, payments.

An invoice and a payment go from a draft to what is final in steps that are actions of their own;
what is posted or approved was drafted, looked at and let through first.
"""

from connectors.spec import JsonObject
from connectors.unified.commerce import LINES, ORDER_STATUS
from connectors.unified.model import (
    ID,
    TEXT,
    TEXTS,
    Model,
    closed,
    list_of,
    or_null,
    record_of,
    words,
)
from connectors.unified.money import MONEY, MONEY_OR_OWED
from connectors.unified.operations import by_id, creates, finds, lists, moves, reads

_DAY: JsonObject = {"type": "string", "format": "date"}
_KIND = words("receivable", "payable")
_PARTY: JsonObject = {
    "name": or_null(TEXT),
    "code": or_null(TEXT),
    "is_active": or_null({"type": "boolean"}),
    "tax_number": or_null(TEXT),
    "emails": or_null(TEXTS),
    "phones": or_null(TEXTS),
}
_INVOICE: JsonObject = {
    "kind": or_null(_KIND),
    "number": or_null(TEXT),
    "reference": or_null(TEXT),  # the other party's own
    "party_id": or_null(ID),
    "status": or_null(words("draft", "validated", "posted", "paid", "canceled")),
    "status_raw": or_null(TEXT),
    "issued_on": or_null(_DAY),
    "due_on": or_null(_DAY),
    "lines": LINES,
    "subtotal": or_null(MONEY_OR_OWED),
    "tax": or_null(MONEY_OR_OWED),
    "total": or_null(MONEY_OR_OWED),
    "balance": or_null(MONEY_OR_OWED),
    "order_ids": or_null(list_of(ID)),
    "purchase_order_ids": or_null(list_of(ID)),
}
_PURCHASE: JsonObject = {
    "number": or_null(TEXT),
    "reference": or_null(TEXT),  # the supplier's own
    "supplier_id": or_null(ID),
    "status": or_null(ORDER_STATUS),
    "status_raw": or_null(TEXT),
    "ordered_on": or_null(_DAY),
    "lines": LINES,
    "subtotal": or_null(MONEY_OR_OWED),
    "tax": or_null(MONEY_OR_OWED),
    "total": or_null(MONEY_OR_OWED),
    "invoice_ids": or_null(list_of(ID)),
}
_PAYMENT: JsonObject = {
    "kind": or_null(_KIND),
    "number": or_null(TEXT),
    "reference": or_null(TEXT),
    "party_id": or_null(ID),
    "invoice_id": or_null(ID),
    "account_id": or_null(ID),  # what it is paid from, or into
    "status": or_null(words("draft", "submitted", "approved", "processing", "succeeded", "failed")),
    "status_raw": or_null(TEXT),
    "amount": or_null(MONEY),
    "pays_on": or_null(_DAY),
}
_ATTACHMENT: JsonObject = {
    "filename": or_null(TEXT),
    "invoice_id": or_null(ID),
    "size": or_null({"type": "integer"}),
}
_ACCOUNT: JsonObject = {"name": or_null(TEXT), "currency": or_null(TEXT)}

INVOICE, PAYMENT, ATTACHMENT = record_of(_INVOICE), record_of(_PAYMENT), record_of(_ATTACHMENT)
# Who is paid and written to is entered by whoever keeps the books, and guarded as such.
_PARTY_TRUST = ("name", "is_active", "code", "tax_number", "emails", "phones")
_TOTALS = (
    "number",
    "status",
    "lines/*/id",
    "lines/*/product_id",
    "lines/*/sku",
    "lines/*/quantity",
    "lines/*/unit_price",
    "lines/*/total",
    "subtotal",
    "tax",
    "total",
)
_INVOICE_TRUST = ("kind", "party_id", "balance", "order_ids", "purchase_order_ids", *_TOTALS)
_PURCHASE_TRUST = ("supplier_id", "invoice_ids", *_TOTALS)
_PAYMENT_TRUST = (
    "number",
    "kind",
    "party_id",
    "invoice_id",
    "account_id",
    "status",
    "amount",
    "pays_on",
)
_NAMED = {"party_id": {**ID, "description": "the party"}}
_invoice = moves(INVOICE, _INVOICE_TRUST)
_payment = moves(PAYMENT, _PAYMENT_TRUST)

ACCOUNTING = Model(
    "accounting",
    {
        "party": _PARTY,
        "invoice": _INVOICE,
        "purchase_order": _PURCHASE,
        "payment": _PAYMENT,
        "attachment": _ATTACHMENT,
        "account": _ACCOUNT,
    },
    {
        "party_get": reads(
            "Read a customer or supplier.", by_id("party"), record_of(_PARTY), _PARTY_TRUST
        ),
        "party_list": lists(
            "List customers and suppliers.",
            {
                "name": {**TEXT, "description": "the whole name"},
                "code": {**TEXT, "description": "the party's number"},
            },
            "parties",
            record_of(_PARTY),
            _PARTY_TRUST,
        ),
        "party_create": creates(
            "Enter a customer or supplier.",
            closed(
                {
                    "name": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 200,
                        "description": "who it is",
                    },
                    "email": {
                        "type": "string",
                        "format": "email",
                        "maxLength": 254,
                        "description": "where mail reaches it",
                    },
                },
                "email",
            ),
            record_of(_PARTY),
            _PARTY_TRUST,
            {"name": "content", "email": "recipient"},
        ),
        "party_find": finds("party", record_of(_PARTY), _PARTY_TRUST),
        "invoice_get": reads(
            "Read an invoice with its lines.", by_id("invoice"), INVOICE, _INVOICE_TRUST
        ),
        "invoice_list": lists(
            "List invoices, the newest first.",
            {
                "number": {**TEXT, "description": "our number"},
                "reference": {**TEXT, "description": "the other party's number"},
                **_NAMED,
            },
            "invoices",
            INVOICE,
            _INVOICE_TRUST,
        ),
        "invoice_update": {
            **_invoice("Enter the supplier's number and the date of a draft invoice.", "invoice"),
            "input_schema": closed(
                {
                    "id": {**ID, "description": "the id of the invoice"},
                    "reference": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 100,
                        "description": "the other party's number",
                    },
                    "issued_on": {**_DAY, "description": "the date that is on it"},
                },
                "reference",
                "issued_on",
            ),
            "sinks": {"id": "resource_id", "reference": "content"},
        },
        "invoice_validate": _invoice("Validate a draft invoice: it gets its number.", "invoice"),
        "invoice_post": _invoice("Post an invoice into the books.", "invoice"),
        "invoice_cancel": _invoice("Cancel an invoice that was not paid.", "invoice"),
        "attachment_create": creates(
            "Attach a file to an invoice.",
            closed(
                {
                    "invoice_id": {**ID, "description": "the invoice"},
                    "filename": {
                        "type": "string",
                        "pattern": r'^[^\x00-\x1f/\\"]{1,200}$',
                        "description": "what the file is called",
                    },
                    "base64": {
                        "type": "string",
                        "contentEncoding": "base64",
                        "pattern": r"^[A-Za-z0-9+/]*={0,2}$",
                        "maxLength": 8 * 1024 * 1024,
                        "description": "what is in it",
                    },
                }
            ),
            ATTACHMENT,
            ("invoice_id", "size"),
            {"invoice_id": "resource_id", "filename": "content", "base64": "content"},
        ),
        "attachment_find": finds("attachment", ATTACHMENT, ("invoice_id", "size")),
        "attachment_delete": {
            "description": "Take an attachment away.",
            "input_schema": by_id("attachment"),
            "output_schema": closed({"id": ID}),
            "sinks": {"id": "resource_id"},
            "reads_as": "trusted",
            "approval": None,
        },
        "purchase_order_get": reads(
            "Read a purchase order with its lines.",
            by_id("purchase order"),
            record_of(_PURCHASE),
            _PURCHASE_TRUST,
        ),
        "purchase_order_list": lists(
            "List purchase orders, the newest first.",
            {
                "number": {**TEXT, "description": "our number"},
                "supplier_id": {**ID, "description": "who supplies"},
            },
            "purchase_orders",
            record_of(_PURCHASE),
            _PURCHASE_TRUST,
        ),
        "account_list": lists(
            "List the accounts that are paid from and into.",
            {"name": {**TEXT, "description": "the whole name"}},
            "accounts",
            record_of(_ACCOUNT),
            ("name", "currency"),
            is_ours=True,
        ),
        "payment_get": reads("Read a payment.", by_id("payment"), PAYMENT, _PAYMENT_TRUST),
        "payment_create": creates(
            "Draft the payment of an invoice that is posted.",
            closed(
                {
                    "invoice_id": {**ID, "description": "the invoice"},
                    "account_id": {**ID, "description": "the account that pays"},
                    "amount": {**MONEY, "description": "how much, in the invoice's currency"},
                    "pays_on": {**_DAY, "description": "when"},
                }
            ),
            PAYMENT,
            _PAYMENT_TRUST,
            {"invoice_id": "resource_id", "account_id": "resource_id", "amount": "amount"},
        ),
        "payment_find": finds("payment", PAYMENT, _PAYMENT_TRUST),
        "payment_submit": _payment("Ask for a decision on a draft payment.", "payment"),
        "payment_approve": _payment("Approve a payment: it goes out with the next run.", "payment"),
        "payment_process": _payment("Hand an approved payment to the bank.", "payment"),
        "payment_settle": _payment("Note that a payment has gone through.", "payment"),
        "payment_withdraw": _payment(
            "Make a payment a draft again that was not processed.", "payment"
        ),
        "payment_delete": {
            "description": "Delete a draft payment.",
            "input_schema": by_id("payment"),
            "output_schema": closed({"id": ID}),
            "sinks": {"id": "resource_id"},
            "reads_as": "trusted",
            "approval": None,
        },
    },
)
