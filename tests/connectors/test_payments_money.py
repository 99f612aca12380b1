"""An amount is exact in the places of its currency, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.currency import exponent_of
from connectors.errors import Refused
from connectors.spec import JsonObject
from connectors.unified.money import from_minor, read_money, to_minor, told_exactly, told_money

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "USD", "CLP"])


@given(st.integers(0, 10**14), CURRENCIES)
def test_minor_units_there_and_back_are_the_same_money(units: int, currency: str) -> None:
    told = from_minor(units, currency)
    amount, same = read_money(told)

    assert same == currency
    assert to_minor(amount, currency) == units
    assert told == told_money(str(told["amount"]), currency)


@pytest.mark.parametrize("amount", ["1E-500000", "0.000000000000000000001", "1E+500000", "NaN"])
def test_an_amount_of_a_book_is_never_written_longer_than_any_is(amount: str) -> None:
    with pytest.raises(ValueError, match="no amount of a book"):
        told_exactly(amount, "EUR")


def test_an_amount_of_a_book_keeps_its_places() -> None:
    told = [told_exactly(each, "EUR")["amount"] for each in ("1", "-2.50", "0.00000001", "1.2E1")]

    assert told == ["1.00", "-2.50", "0.00000001", "12.00"]


@given(st.integers(0, 10**9), st.integers(0, 6), CURRENCIES)
def test_an_amount_is_exact_or_refused(number: int, places: int, currency: str) -> None:
    text = f"{number:0{places + 1}}"
    text = f"{text[:-places]}.{text[-places:]}" if places else text
    money: JsonObject = {"amount": text, "currency": currency}
    if Decimal(text) != round(Decimal(text), exponent_of(currency)):
        with pytest.raises(Refused, match="decimal places"):
            read_money(money)
    else:
        assert read_money(money) == (Decimal(text), currency)
