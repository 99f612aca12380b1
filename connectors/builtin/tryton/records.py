"""What every record of Tryton has: its envelope, its lines, and the mark that our key leaves."""

from collections.abc import Mapping

from pydantic import JsonValue

from connectors.builtin.tryton.wire import moment, money, number
from connectors.spec import JsonObject
from connectors.unified.vendor import At, text, value_at

STAMPS = ("create_date", "write_date")
LINE_FIELDS = (
    "lines.product.code",
    "lines.product.rec_name",
    "lines.quantity",
    "lines.unit.symbol",
    "lines.unit_price",
    "lines.amount",
    "currency.code",
)
ENVELOPE: Mapping[str, At] = {
    "id": At("id", text),
    "created_at": At("create_date", moment),
    "updated_at": At("write_date", moment),
}
_MARK = "lamgate:"


def marked(said: str, key: str) -> str:
    """A text with the mark of a call at its end, by which the call is looked up."""
    return f"{said}\n\n{_MARK}{key}" if said else f"{_MARK}{key}"


def mark_of(key: JsonValue) -> str:
    """What is looked for; `%` and `_` in it are not wildcards."""
    plain = str(key).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{_MARK}{plain}"


def unmarked(value: JsonValue) -> JsonValue:
    """A text without our mark, or null."""
    said = str(value or "").rpartition(_MARK)[0] if _MARK in str(value or "") else str(value or "")
    return said.strip() or None


def amount(name: str) -> At:
    """An amount of a record in the record's currency."""
    return At("", lambda raw: money(raw, name), f"`{name}`, `currency.code`")


def lines_of(raw: JsonValue) -> JsonValue:
    """The lines of an order or an invoice."""
    found = value_at(raw, "lines")
    code = value_at(raw, "currency")
    return [_line(each, code) for each in found] if isinstance(found, list) else []


LINES = At("", lines_of, "`lines`")


def _line(line: JsonValue, currency: JsonValue) -> JsonObject:
    inside: JsonObject = {"line": line, "currency": currency}
    return {
        "id": number(line),
        "product_id": number(value_at(line, "product")),
        "sku": value_at(line, "product/code"),
        "name": value_at(line, "product/rec_name"),
        "quantity": value_at(line, "quantity"),
        "unit": value_at(line, "unit/symbol"),
        "unit_price": money(inside, "line/unit_price"),
        "total": money(inside, "line/amount"),
    }
