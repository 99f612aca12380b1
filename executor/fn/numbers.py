"""Functions over numbers, money and dates: exact decimals, never binary fractions."""

import datetime
import re
from collections.abc import Callable
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow

from pydantic import JsonValue

from connectors.currency import exponent_of
from connectors.spec import JsonObject
from executor.fn.compare import NotComparableError, decimal
from executor.fn.function import FnError, Function, Types, arguments
from executor.fn.shades import summed
from executor.plan.refs import array_index, split_pointer
from executor.plan.types import UNKNOWN, Type, constants_of, descend, items_of, kinds

_PLAIN = r"^-?[0-9]+(\.[0-9]+)?$"
_SOME_MONEY: JsonObject = {
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": _PLAIN},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "required": ["amount", "currency"],
}
MONEY: JsonObject = _SOME_MONEY | {"additionalProperties": False}
_CURRENCY = re.compile(r"[A-Z]{3}")
_DECIMAL: JsonObject = {"type": "string", "format": "decimal", "pattern": _PLAIN}
_QUANTITY: JsonObject = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": _PLAIN}, _SOME_MONEY]
}
_WHEN: JsonObject = {
    "anyOf": [
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}"},
    ]
}

# Sixty digits, and an error rather than a rounded result.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
MAX_SAFE = 2**53 - 1

Quantity = tuple[str, str, Decimal]  # scale (number, decimal, money), currency, amount


def _sum(given: JsonObject) -> JsonValue:
    elements = given["list"] if isinstance(given["list"], list) else []
    tokens = split_pointer(str(given.get("field", "")))
    total: Quantity | None = None
    for element in elements:
        found = _quantity(_at(element, tokens))
        total = found if total is None else _combine(total, found, _EXACT.add)
    return 0 if total is None else _written(total)


def _binary(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[[JsonObject], JsonValue]:
    def call(given: JsonObject) -> JsonValue:
        return _written(_combine(_quantity(given["left"]), _quantity(given["right"]), operation))

    return call


def _multiply(given: JsonObject) -> JsonValue:
    left, right = _quantity(given["left"]), _quantity(given["right"])
    if left[0] == "money" and right[0] == "money":
        raise FnError("not-comparable", "money times money is nothing")
    money = left if left[0] == "money" else right
    scale = "decimal" if "decimal" in (left[0], right[0]) else "number"
    product = _exactly(_EXACT.multiply, left[2], right[2])
    return _written((money[0], money[1], product) if money[0] == "money" else (scale, "", product))


def _format_money(given: JsonObject) -> JsonValue:
    scale, currency, amount = _quantity(given["money"])
    if scale != "money":
        raise FnError("type-mismatch", "expected {amount, currency}")
    places = max(exponent_of(currency), len(f"{amount:f}".partition(".")[2]))
    return f"{amount:,.{places}f} {currency}"


def _date_add(given: JsonObject) -> JsonValue:
    start = _moment(given["date"])
    days = given.get("days", 0)
    if not isinstance(days, int | float) or not float(days).is_integer():
        raise FnError("type-mismatch", "days is a whole number")
    try:
        return (start + datetime.timedelta(days=int(days))).isoformat()
    except OverflowError as error:
        raise FnError("number-out-of-range", "no calendar reaches that far") from error


def _days_between(given: JsonObject) -> JsonValue:
    start, end = _moment(given["start"]), _moment(given["end"])
    return (_day(end) - _day(start)).days


def _day(moment: datetime.date) -> datetime.date:
    return moment.date() if isinstance(moment, datetime.datetime) else moment


def _moment(value: JsonValue) -> datetime.date:
    try:
        if isinstance(value, str) and len(value) == 10:
            return datetime.date.fromisoformat(value)
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError as error:
        raise FnError("type-mismatch", f"{value!r} is no date") from error
    raise FnError("type-mismatch", "expected a date")


def _quantity(value: JsonValue) -> Quantity:
    try:
        match value:
            case bool():
                raise FnError("type-mismatch", "a boolean is no quantity")
            case int() | float():
                return ("number", "", Decimal(repr(value)))
            case str():
                return ("decimal", "", decimal(value))
            case {"amount": str(amount), "currency": str(unit)} if _CURRENCY.fullmatch(unit):
                return ("money", unit, decimal(amount))
            case _:
                raise FnError("type-mismatch", "expected a number, a decimal or money")
    except NotComparableError as error:
        raise FnError("type-mismatch", str(error)) from error


def _combine(
    left: Quantity, right: Quantity, operation: Callable[[Decimal, Decimal], Decimal]
) -> Quantity:
    if "money" in (left[0], right[0]) and left[:2] != right[:2]:
        raise FnError("not-comparable", "money combines with money of the same currency only")
    scale = left[0] if left[0] == right[0] else "decimal"
    return (scale, left[1], _exactly(operation, left[2], right[2]))


def _exactly(
    operation: Callable[[Decimal, Decimal], Decimal], left: Decimal, right: Decimal
) -> Decimal:
    try:
        return operation(left, right)
    except DecimalException as error:
        message = "the exact result has more than 60 digits"
        raise FnError("number-out-of-range", message) from error


def _written(quantity: Quantity) -> JsonValue:
    scale, currency, amount = quantity
    if scale == "money":
        return {"amount": f"{amount:f}", "currency": currency}
    if scale == "decimal":
        return f"{amount:f}"
    if abs(amount) > MAX_SAFE:
        raise FnError("number-out-of-range", f"{amount} is beyond ±(2^53-1)")
    if amount == int(amount):
        return int(amount)
    if Decimal(repr(float(amount))) != amount:
        raise FnError("number-out-of-range", f"{amount} is no double, send decimals as texts")
    return float(amount)


def _at(element: JsonValue, tokens: tuple[str, ...]) -> JsonValue:
    here = element
    for token in tokens:
        index = array_index(token)
        if isinstance(here, dict) and token in here:
            here = here[token]
        elif isinstance(here, list) and index is not None and index < len(here):
            here = here[index]
        else:
            raise FnError("missing-value", f"an element has no {'/'.join(tokens)!r}")
    return here


def _like(*names: str) -> Callable[[Types], Type]:
    """The result has the scale of the operands, as far as their types tell."""

    def type_of(types: Types) -> Type:
        found = [kinds(types.get(name, UNKNOWN)) for name in names]
        if frozenset({"object"}) in found:
            return Type.of(MONEY)  # money goes with money or a number alone, else it fails
        if all(each is not None and each <= {"integer", "number"} for each in found):
            return Type.of({"type": "number"})
        if frozenset({"string"}) in found and all(
            each is not None and "object" not in each for each in found
        ):
            return Type.of(_DECIMAL)
        return UNKNOWN

    return type_of


def _sum_type(types: Types) -> Type:
    """Like its elements; but a list that may be empty has the sum 0, which is no money."""
    fields = constants_of(types.get("field", Type.of({"const": ""})).keywords)
    if "list" not in types or not fields or len(fields) != 1:
        return UNKNOWN
    found = descend(items_of(types["list"]), split_pointer(str(fields[0])))
    one = _like("it")({"it": found}) if isinstance(found, Type) else UNKNOWN
    least = (types["list"].keywords).get("minItems")
    is_sure = isinstance(least, int | float) and least >= 1
    if is_sure or one == UNKNOWN or kinds(one) == frozenset({"number"}):
        return one
    return Type.of({"anyOf": [one.node, {"const": 0}]})


def _date_type(types: Types) -> Type:
    given = types.get("date", UNKNOWN)
    node = given.keywords
    constants = constants_of(node)
    if constants and all(isinstance(each, str) and len(each) == 10 for each in constants):
        return Type.of({"type": "string", "format": "date"})
    if node.get("format") in ("date", "date-time"):
        return Type.of({"type": "string", "format": node["format"]})
    return Type.of({"type": "string"})


_PAIR = arguments({"left": _QUANTITY, "right": _QUANTITY})

NUMBERS: tuple[Function, ...] = (
    Function(
        "sum",
        "The exact sum of the values at `field`; 0 for an empty list.",
        arguments({"list": {"type": "array"}}, {"field": {"type": "string"}}),
        _sum_type,
        _sum,
        frozenset({"field"}),
        summed,
    ),
    Function("add", "left + right.", _PAIR, _like("left", "right"), _binary(_EXACT.add)),
    Function("subtract", "left - right.", _PAIR, _like("left", "right"), _binary(_EXACT.subtract)),
    Function(
        "multiply",
        "left * right; money times a number is money.",
        _PAIR,
        _like("left", "right"),
        _multiply,
    ),
    Function(
        "format_money",
        "Money as a text for people: 1,234.50 EUR.",
        arguments({"money": _SOME_MONEY}),
        lambda _: Type.of({"type": "string"}),
        _format_money,
    ),
    Function(
        "date_add",
        "A date, so many days later.",
        arguments({"date": _WHEN, "days": {"type": "integer"}}),
        _date_type,
        _date_add,
    ),
    Function(
        "days_between",
        "Whole calendar days from start to end.",
        arguments({"start": _WHEN, "end": _WHEN}),
        lambda _: Type.of({"type": "integer"}),
        _days_between,
    ),
)
