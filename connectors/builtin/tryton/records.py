"""What every record of Tryton has: its envelope, its lines, and the mark that our key leaves."""

import re
from collections.abc import Iterator, Mapping, Sequence

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


def bearing(place: str, key: JsonValue) -> JsonValue:
    """A clause for the records that have the mark of a call, whatever somebody added to it."""
    behind = ("", " %", "\n%", "\r%")
    either: list[JsonValue] = [[place, "like", f"{mark_of(key)}{each}"] for each in behind]
    return ["OR", *either]


def bears(row: JsonValue, place: str, key: JsonValue) -> bool:
    """Whether a record has the mark of a call."""
    mark = re.compile(rf"{_MARK}{re.escape(str(key))}(?!\S)")
    return any(mark.search(each) for each in _texts(row, place.split(".")))


def unmarked(value: JsonValue) -> JsonValue:
    """A text without our mark, or null."""
    before, mark, behind = str(value or "").rpartition(_MARK)
    if not mark:
        return behind.strip() or None
    more = re.sub(r"^\S*", "", behind).strip()
    return " ".join(each for each in (before.strip(), more) if each) or None


def _texts(value: JsonValue, place: Sequence[str]) -> Iterator[str]:
    """Every text at a place, in each element of a list."""
    if isinstance(value, list):
        for each in value:
            yield from _texts(each, place)
    elif place:
        yield from _texts(value_at(value, place[0]), place[1:])
    elif isinstance(value, str):
        yield value


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
