"""What `commerce` does over Tryton: `sale.sale`, `sale.complaint`, shipments that return, stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from connectors.builtin.tryton import states
from connectors.builtin.tryton.commerce_table import BUTTONS, TRYTON_COMMERCE
from connectors.builtin.tryton.records import marked
from connectors.builtin.tryton.table import Records
from connectors.builtin.tryton.wire import as_decimal, number_of, numbers, rows
from connectors.connector import Outcome
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.vendor import Ask, value_at


@dataclass(frozen=True)
class Sales:
    """The functions of the model over the records of one Tryton."""

    records: Records

    def functions(self) -> Mapping[str, Ask]:
        """Each operation with what does it."""
        kept = self.records
        return {
            **{name: partial(states.pushed, kept, each) for name, each in BUTTONS.items()},
            "order_get": partial(kept.read, "order"),
            "order_list": partial(
                kept.list, "order", "orders", {"number": "number", "customer_id": "party"}
            ),
            "order_create": self.order,
            "order_find": partial(kept.find, "order"),
            "return_get": partial(kept.read, "return"),
            "return_list": partial(
                kept.list,
                "return",
                "returns",
                {"order_id": "origin,sale.sale", "customer_id": "customer"},
            ),
            "return_create": self.send_back,
            "return_find": partial(kept.find, "return"),
            "return_shipment_get": partial(kept.read, "return_shipment"),
            "inventory_get": self.level,
            "product_list": partial(kept.list, "product", "products", {"sku": "code"}),
            "location_list": partial(kept.list, "location", "locations", {"code": "code"}),
        }

    async def level(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read how much of a product there is at a location."""
        product, location = number_of(given["product_id"]), number_of(given["location_id"])

        def told(raw: JsonValue) -> JsonValue:
            if not isinstance(raw, dict):
                raise TypeError("expected a product")
            found = TRYTON_COMMERCE.tell("inventory_level", {**raw, "location": location})
            return found | {"raw": raw}

        table = self.records.tables["inventory_level"]
        return await self.records.tryton.read(
            spec, context, table.model, product, table.fields, told, locations=[location]
        )

    async def order(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Draft an order; what a client would fill in by itself is read first."""
        party, code = number_of(given["customer_id"]), given["currency"]
        lines = rows(given["lines"])
        if any(value_at(each, "unit_price/currency") != code for each in lines):
            raise Refused(f"the order is in {code}, and a line is not", kind=Kind.INVALID)
        known = partial(self.records.known, spec, context)
        currencies = await known("currency.currency", [["code", "=", code]], ("code",))
        addresses = await known("party.address", [["party.id", "=", party]], ("party.id",))
        if not currencies or not addresses:
            what = f"the currency {code}" if not currencies else f"an address of customer {party}"
            raise Refused(f"Tryton does not have {what}", kind=Kind.NOT_FOUND)
        units = await self._units(spec, context, lines)
        address = addresses[0]["id"]
        values: JsonObject = {
            "company": self.records.tryton.company,
            "party": party,
            "currency": currencies[0]["id"],
            "invoice_address": address,
            "shipment_address": address,
            "reference": given.get("reference"),
            "comment": marked("", context.idempotency_key),
            "lines": [["create", [_ordered(each, units) for each in lines]]],
        }
        return await self.records.create("order", values, spec, context)

    async def send_back(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Draft a return of lines of one order."""
        order, known = number_of(given["order_id"]), partial(self.records.known, spec, context)
        orders = await known("sale.sale", [["id", "=", order]], ("party.id", "lines.id"))
        if not orders:
            raise Refused(f"there is no order {order}", kind=Kind.NOT_FOUND)
        lines, there = rows(given["lines"]), numbers(orders[0].get("lines"))
        for each in lines:
            if not isinstance(there, list) or each["line_id"] not in there:
                told = f"order {order} has no line {each['line_id']}"
                raise Refused(told, kind=Kind.INVALID)
        kinds = await known("sale.complaint.type", [["origin.name", "=", "sale.sale"]])
        if not kinds:
            told = "Tryton has no type of complaint about a sale; its administrator makes one"
            raise Refused(told, kind=Kind.CONFLICT)
        back: list[JsonValue] = [
            {"line": number_of(each["line_id"]), "quantity": each["quantity"]} for each in lines
        ]
        values: JsonObject = {
            "company": self.records.tryton.company,
            "customer": value_at(orders[0], "party/id"),
            "type": kinds[0]["id"],
            "origin": f"sale.sale,{order}",
            "description": marked(str(given["reason"]), context.idempotency_key),
            "actions": [["create", [{"action": "sale_return", "sale_lines": [["create", back]]}]]],
        }
        return await self.records.create("return", values, spec, context)

    async def _units(
        self, spec: ActionSpec, context: CallContext, lines: Sequence[JsonObject]
    ) -> Mapping[JsonValue, JsonValue]:
        """The unit that each product is sold in."""
        products: list[JsonValue] = [number_of(each["product_id"]) for each in lines]
        fields = ("template.sale_uom.id", "template.default_uom.id")
        domain: list[JsonValue] = [["id", "in", products]]
        found = await self.records.known(
            spec, context, "product.product", domain, fields, len(products)
        )
        units = {
            each["id"]: value_at(each, "template/sale_uom/id")
            or value_at(each, "template/default_uom/id")
            for each in found
        }
        for product in products:
            if product not in units:
                raise Refused(f"there is no product {product}", kind=Kind.NOT_FOUND)
        return units


def _ordered(line: JsonObject, units: Mapping[JsonValue, JsonValue]) -> JsonValue:
    product = number_of(line["product_id"])
    return {
        "product": product,
        "unit": units[product],
        "quantity": line["quantity"],
        "unit_price": as_decimal(value_at(line, "unit_price/amount")),
    }
