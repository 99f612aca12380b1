"""Money between the unified models and a vendor: exact, or refused."""

from decimal import Decimal

from pydantic import JsonValue

from connectors.currency import exponent_of
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject

_LARGEST = Decimal(10) ** 15
_SMALLEST = Decimal(10) ** -12


def _schema(pattern: str) -> JsonObject:
    return {
        "type": "object",
        "properties": {
            "amount": {"type": "string", "pattern": pattern, "maxLength": 20},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        },
        "required": ["amount", "currency"],
        "additionalProperties": False,
    }


MONEY_OR_OWED = _schema(r"^-?[0-9]+(\.[0-9]+)?$")
"""An amount of a book: negative where it is owed the other way, as of an order that takes back."""

MONEY = _schema(r"^[0-9]+(\.[0-9]+)?$")
"""An amount that is paid; a price may have more places than its currency."""


def read_money(money: JsonValue) -> tuple[Decimal, str]:
    """An amount in the places of its currency; raises `Refused` for a fraction that is not paid."""
    if not isinstance(money, dict):
        raise Refused("an amount is {amount, currency}", kind=Kind.INVALID)
    currency, text = str(money.get("currency")), str(money.get("amount"))
    try:
        return _in_places(text, currency), currency
    except ValueError as error:
        raise Refused(str(error), kind=Kind.INVALID) from error


def told_money(amount: str, currency: str) -> JsonObject:
    """An amount as the models tell it; raises `ValueError`."""
    return {"amount": f"{_in_places(amount, currency):f}", "currency": currency}


def told_exactly(amount: str, currency: str) -> JsonObject:
    """An amount of a book as it is, in at least the places of its currency; raises `ValueError`."""
    try:
        exact = Decimal(amount)
    except ArithmeticError as error:
        raise ValueError(f"{amount[:40]!r} is no amount") from error
    is_one = exact.is_finite() and abs(exact) < _LARGEST
    if not is_one or exact != exact.quantize(_SMALLEST):
        raise ValueError(f"{amount[:40]!r} is no amount of a book")
    rounded = exact.quantize(Decimal(1).scaleb(-exponent_of(currency)))
    told = rounded if rounded == exact else exact.normalize()
    return {"amount": f"{told + 0:f}", "currency": currency}


def to_minor(amount: Decimal, currency: str) -> int:
    """How many minor units an amount is."""
    return int(amount.scaleb(exponent_of(currency)))


def from_minor(amount: JsonValue, currency: str) -> JsonObject:
    """Minor units as the models tell an amount; raises `TypeError` or `ValueError`."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise TypeError("an amount of minor units is an integer")
    exact = Decimal(amount).scaleb(-exponent_of(currency))
    return told_money(f"{exact:f}", currency)


def _in_places(text: str, currency: str) -> Decimal:
    try:
        exact = Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"{text[:40]!r} is no amount") from error
    if not exact.is_finite() or not 0 <= exact < _LARGEST:
        raise ValueError(f"{text[:40]!r} is no amount that is paid")
    places = exponent_of(currency)
    rounded = exact.quantize(Decimal(1).scaleb(-places))
    if rounded != exact:
        raise ValueError(f"{currency} has {places} decimal places, and {text[:40]} has more")
    return rounded
