"""What `accounting` does over Tryton: parties, `account.invoice`, purchases, `account.payment`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from connectors.builtin.tryton import states
from connectors.builtin.tryton.accounting_table import BUTTONS
from connectors.builtin.tryton.records import marked
from connectors.builtin.tryton.rpc import Wizards
from connectors.builtin.tryton.table import Records
from connectors.builtin.tryton.wire import as_bytes, as_day, as_decimal, number_of, rows
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.money import read_money
from connectors.unified.vendor import Ask, value_at

_KINDS = {"in": "payable", "out": "receivable"}


@dataclass(frozen=True)
class Books:
    """The functions of the model over the records of one Tryton."""

    records: Records
    wizards: Wizards | None = None

    def functions(self) -> Mapping[str, Ask]:
        """Each operation with what does it."""
        kept = self.records
        numbered = {"number": "number", "reference": "reference", "party_id": "party"}
        supplied = {"number": "number", "supplier_id": "party"}
        return {
            **{name: partial(states.pushed, kept, each) for name, each in BUTTONS.items()},
            "invoice_cancel": self.cancel,
            **({} if self.wizards is None else {"payment_process": self.wizards.process}),
            "party_get": partial(kept.read, "party"),
            "party_list": partial(kept.list, "party", "parties", {"name": "name", "code": "code"}),
            "party_create": self.party,
            "party_find": partial(kept.find, "party"),
            "invoice_get": partial(kept.read, "invoice"),
            "invoice_list": partial(kept.list, "invoice", "invoices", numbered),
            "invoice_update": self.update,
            "attachment_create": self.attach,
            "attachment_find": partial(kept.find, "attachment"),
            "attachment_delete": partial(self.delete, "attachment"),
            "purchase_order_get": partial(kept.read, "purchase_order"),
            "purchase_order_list": partial(
                kept.list, "purchase_order", "purchase_orders", supplied
            ),
            "account_list": partial(kept.list, "account", "accounts", {"name": "name"}),
            "payment_get": partial(kept.read, "payment"),
            "payment_create": self.pay,
            "payment_find": partial(kept.find, "payment"),
            "payment_delete": partial(self.delete, "payment"),
        }

    async def party(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Enter a party with an address of its own, marked by an identifier."""
        values: JsonObject = {
            "name": given["name"],
            "addresses": [["create", [{}]]],
            "identifiers": [["create", [{"code": marked("", context.idempotency_key)}]]],
        }
        if "email" in given:
            reached: JsonObject = {"type": "email", "value": given["email"]}
            values["contact_mechanisms"] = [["create", [reached]]]
        return await self.records.create("party", values, spec, context)

    async def update(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Enter what stands on the supplier's paper."""
        values: JsonObject = {}
        if "reference" in given:
            values["reference"] = given["reference"]
        if "issued_on" in given:
            values["invoice_date"] = as_day(given["issued_on"])
        table = self.records.tables["invoice"]
        number, told = number_of(given["id"]), self.records.one("invoice")
        return await self.records.tryton.write(
            spec, context, table.model, number, values, table.fields, told
        )

    async def cancel(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Cancel an invoice; a customer's that is posted is credited, where a wizard can."""
        try:
            return await states.pushed(
                self.records, BUTTONS["invoice_cancel"], spec, given, context
            )
        except Refused as error:
            if self.wizards is None or error.kind is not Kind.INVALID:
                raise
            standing = await self.records.read("invoice", spec, given, context)
            found = standing.output if isinstance(standing, Applied) else None
            if (value_at(found, "raw/type"), value_at(found, "raw/state")) != ("out", "posted"):
                raise
        return await self.wizards.credit(spec, given, context)

    async def attach(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Attach a file to an invoice."""
        values: JsonObject = {
            "name": given["filename"],
            "type": "data",
            "resource": f"account.invoice,{number_of(given['invoice_id'])}",
            "data": as_bytes(given["base64"]),
            "description": marked("", context.idempotency_key),
        }
        return await self.records.create("attachment", values, spec, context)

    async def pay(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Draft the payment of what is open of an invoice."""
        amount, currency = read_money(given["amount"])
        invoice, account = number_of(given["invoice_id"]), number_of(given["account_id"])
        known = partial(self.records.known, spec, context)
        invoices = await known(
            "account.invoice",
            [["id", "=", invoice]],
            ("type", "party.id", "currency.code", "reference", "lines_to_pay.id"),
        )
        accounts = await known(
            "account.payment.journal", [["id", "=", account]], ("currency.code",)
        )
        if not invoices or not accounts:
            what = f"invoice {invoice}" if not invoices else f"account {account}"
            raise Refused(f"there is no {what}", kind=Kind.NOT_FOUND)
        for each in (invoices[0], accounts[0]):
            if value_at(each, "currency/code") != currency:
                told = f"the invoice or the account is in {value_at(each, 'currency/code')}"
                raise Refused(f"{told}, not in {currency}", kind=Kind.INVALID)
        lines = rows(invoices[0].get("lines_to_pay"))
        if len(lines) != 1:
            told = f"invoice {invoice} has {len(lines)} lines to pay, where one is paid"
            raise Refused(told, kind=Kind.CONFLICT)
        reference = str(invoices[0].get("reference") or "")
        values: JsonObject = {
            "company": self.records.tryton.company,
            "journal": account,
            "kind": _KINDS.get(str(invoices[0]["type"])),
            "party": value_at(invoices[0], "party/id"),
            "amount": as_decimal(f"{amount:f}"),
            "line": lines[0]["id"],
            "date": as_day(given["pays_on"]),
            "reference": marked(reference, context.idempotency_key).replace("\n\n", " "),
        }
        return await self.records.create("payment", values, spec, context)

    async def delete(
        self, record: str, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Delete a record."""
        table = self.records.tables[record]
        number = number_of(given["id"])
        return await self.records.tryton.delete(spec, context, table.model, number)
