"""A value is a calculation where one alone comes to it, with every number that was said."""

from decimal import Decimal

import pytest

from benchmarks.admission.sums import Figure, sum_of
from benchmarks.admission.told import Told

VAT, FEE = Figure(Decimal("0.195"), is_share=True), Figure(Decimal("5.29"))


def test_every_number_of_the_words_is_taken_once() -> None:
    found = sum_of(Decimal("200.29"), [VAT, FEE], [Decimal(50), Decimal(1000)])

    assert found is not None
    assert found.read == 1000
    assert [(name, str(said)) for name, said, _ in found.steps] == [
        ("multiply", "0.195"),
        ("add", "5.29"),
    ]
    assert found.result == Decimal("200.29")


@pytest.mark.parametrize(
    ("value", "said", "read"),
    [
        ("195", [VAT, FEE], ["1000"]),  # the fee is left out
        ("200.29", [], ["200.29"]),  # nothing to calculate with
        ("4", [Figure(Decimal(12))], ["10"]),  # no way
        ("20", [Figure(Decimal(5))], ["15", "25"]),  # two ways
        ("20", [Figure(Decimal(1))] * 4, ["16"]),  # too many to mean anything
    ],
)
def test_what_is_no_calculation_or_not_the_only_one_is_none(
    value: str, said: list[Figure], read: list[str]
) -> None:
    assert sum_of(Decimal(value), said, map(Decimal, read)) is None


def test_figures_are_the_numbers_that_are_no_part_of_a_name_a_date_or_a_time() -> None:
    said = Told("Pay 19.5% of it + 5.29 to GB29, #7 or A-1 on 2024-05-15 at 10:00.", "2024-01-01")

    assert said.figures() == [VAT, FEE]
