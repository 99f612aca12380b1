"""Typed inputs read from a person's words: one reading is a value, several are a question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.spec import JsonObject
from planner.extract_inputs import captured, is_valid, read_input, spoken

TODAY = "2026-11-24"
TEXT: JsonObject = {"type": "string"}
MONEY: JsonObject = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount", "currency"],
}
ORDER: JsonObject = {"type": "string", "pattern": "^[0-9]{4}$"}
REMEDY: JsonObject = {
    "enum": ["refund", "replacement"],
    "x-words": {"refund": ["money back"], "replacement": ["a new one", "send another"]},
}
PIECE: JsonObject = {"enum": ["plate", "plate set", "tea_pot"]}
DATE: JsonObject = {"type": "string", "format": "date"}
EMAIL: JsonObject = {"type": "string", "format": "email"}
WHOLE: JsonObject = {"type": "integer"}
NUMBER: JsonObject = {"type": "number"}
KINDS = (MONEY, ORDER, REMEDY, PIECE, DATE, EMAIL, WHOLE, NUMBER, TEXT)


def value_of(schema: JsonObject, words: str) -> JsonValue:
    return read_input(schema, words, TODAY).value


def options(schema: JsonObject, words: str) -> tuple[str, ...]:
    return read_input(schema, words, TODAY).candidates


@pytest.mark.parametrize(
    ("words", "amount", "currency"),
    [
        ("refund EUR 18.50 please", "18.50", "EUR"),
        ("18.50 EUR", "18.50", "EUR"),
        ("€18,50", "18.50", "EUR"),
        ("20 euros", "20", "EUR"),
        ("$20.", "20", "USD"),
        ("1,234.50 EUR", "1234.50", "EUR"),
        ("1.234,50 €", "1234.50", "EUR"),
        ("1.234.567 EUR", "1234567", "EUR"),
        ("order 1042 €18.50", "18.50", "EUR"),
        ("pay 20 TRY", "20", "TRY"),
        ("a total of **20 EUR**", "20", "EUR"),
        ("+20 EUR", "20", "EUR"),
    ],
)
def test_money_is_read_digit_for_digit(words: str, amount: str, currency: str) -> None:
    assert value_of(MONEY, words) == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("1,234 EUR", ("1234 EUR",)),
        ("1.234 EUR", ("1234 EUR",)),
        ("1 234,50 EUR", ("1234.50 EUR",)),
        ("order 1042 EUR 18.50", ("1042 EUR", "18.50 EUR")),
        ("12 EUR or 13 EUR", ("12 EUR", "13 EUR")),
    ],
)
def test_money_that_reads_in_two_ways_is_asked_and_the_option_is_understood(
    words: str, asked: tuple[str, ...]
) -> None:
    assert options(MONEY, words) == asked
    assert all(
        spoken(read_input(MONEY, each, TODAY, answered=True).value) == each for each in asked
    )


@pytest.mark.parametrize("words", ["-20 EUR", "try 20", "18.50", "twenty euros", "1.2.3 EUR"])
def test_what_is_no_amount_is_not_made_one(words: str) -> None:
    assert read_input(MONEY, words, TODAY).kind == "nothing"


@pytest.mark.parametrize("words", ["0.125 EUR", "EUR 0,500", "0.001.250 EUR"])
def test_what_begins_with_a_zero_is_a_fraction_and_no_thousands(words: str) -> None:
    assert read_input(MONEY, words, TODAY).kind == "nothing"
    assert read_input(MONEY, words, TODAY, answered=True).kind == "nothing"


@pytest.mark.parametrize("words", ["order 1042", "#1042.", "order-1042", "(1042)", "it's 1042!"])
def test_an_identifier_is_read_by_its_pattern(words: str) -> None:
    assert value_of(ORDER, words) == "1042"


@pytest.mark.parametrize(
    "words",
    ["2026-03-12", "12 March 2026", "1042.50 EUR", "ord_1042", "10422", "a1042@example.com"],
)
def test_a_part_of_something_else_is_no_identifier(words: str) -> None:
    assert read_input(ORDER, words, TODAY).kind == "nothing"


def test_two_identifiers_are_a_question() -> None:
    assert options(ORDER, "order 1042 and 1043") == ("1042", "1043")


def test_a_pattern_that_only_backtracking_could_read_costs_nothing() -> None:
    evil: JsonObject = {"type": "string", "pattern": "^(a+)+$"}
    assert value_of(evil, "a" * 5000 + "!") == "a" * 5000

    looking: JsonObject = {"type": "string", "pattern": "^(?=x)x$"}
    assert read_input(looking, "x", TODAY).kind == "nothing"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("I want my money back", "refund"),
        ("Refunds!", "refund"),
        ("no refund, a new one", "replacement"),
        ("instead of a refund, send another", "replacement"),
    ],
)
def test_listed_values_are_read_by_their_other_words_and_not_against_them(
    words: str, value: str
) -> None:
    assert value_of(REMEDY, words) == value


def test_the_longest_listed_value_wins_and_spaces_stand_for_underscores() -> None:
    assert value_of(PIECE, "the plate set is cracked") == "plate set"
    assert value_of(PIECE, "two tea pots") == "tea_pot"
    assert options(PIECE, "a plate and a plate set") == ("plate", "plate set")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("mail o'brien@example.com", "o'brien@example.com"),
        ("mail o\u2019brien@example.com", "o'brien@example.com"),
        ("R&D@example.com, please", "R&D@example.com"),
        ("it's for 'bob@example.com'", "bob@example.com"),
    ],
)
def test_an_address_is_read_whole_or_it_would_be_somebody_else_s(words: str, value: str) -> None:
    assert value_of(EMAIL, words) == value


def test_two_addresses_are_two_whatever_stands_between_them() -> None:
    for between in ("&", "'", "' '", "','", "/", " & "):
        words = f"a@example.com{between}b@example.com"

        assert options(EMAIL, words) == ("a@example.com", "b@example.com"), words


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("tomorrow", "2026-11-25"),
        ("on 12 March 2026", "2026-03-12"),
        ("March 12th, 2026", "2026-03-12"),
        ("12.03.2026", "2026-03-12"),
        ("13/4/2026", "2026-04-13"),
    ],
)
def test_dates_are_read_as_people_write_them(words: str, value: str) -> None:
    assert value_of(DATE, words) == value


def test_a_date_that_is_two_dates_is_asked_and_one_that_is_none_is_not_read() -> None:
    assert options(DATE, "3/4/2026") == ("2026-04-03", "2026-03-04")
    assert read_input(DATE, "2026-02-31", TODAY).kind == "nothing"


@pytest.mark.parametrize(
    ("words", "value"),
    [("two mugs", 2), ("-3", -3), ("1,042 pieces", 1042), ("2.", 2), ("at 10:30", None),
     ("20 EUR", None), ("2.5", None), ("3 March 2026", None)],
)  # fmt: skip
def test_whole_numbers_are_read_where_they_are_nothing_else(words: str, value: int | None) -> None:
    assert value_of(WHOLE, words) == value


def test_what_the_schema_forbids_is_not_read() -> None:
    assert value_of({**WHOLE, "maximum": 5}, "take 4 of 9") == 4
    assert read_input(EMAIL, "a@b and c", TODAY).kind == "nothing"


def test_answers_may_be_free_text_or_yes() -> None:
    assert read_input(TEXT, " it leaks ", TODAY, answered=True).value == "it leaks"
    assert read_input({"type": "boolean"}, "Yes.", TODAY, answered=True).value is True
    assert read_input(TEXT, "it leaks", TODAY).kind == "nothing"


def test_a_place_of_an_utterance_holds_free_text_too() -> None:
    assert captured(TEXT, "it leaks", TODAY).value == "it leaks"
    assert captured(ORDER, "it leaks", TODAY).kind == "nothing"


def test_a_list_takes_every_value() -> None:
    several: JsonObject = {"type": "array", "items": ORDER}

    assert value_of(several, "orders 1042, 1043 and 1042") == ["1042", "1043"]


@pytest.mark.parametrize(
    ("items", "words", "asked"),
    [
        (WHOLE, "3 and about 5", ("3", "5")),
        (MONEY, "5 EUR and 1.234 EUR", ("5 EUR", "1234 EUR")),
        (MONEY, "$20 CAD", ("20 USD", "20 CAD")),
        (DATE, "on 5/6/2026 and 2026-01-01", ("2026-06-05", "2026-05-06", "2026-01-01")),
        (ORDER, "orders 1042 to 1045", ("1042", "1045")),
        (WHOLE, "1 \u2013 5", ("1", "5")),
        ({"enum": ["mug", "bowl"]}, "a mug and a bowl; the bowl is not it", ("mug", "bowl")),
    ],
)
def test_a_list_of_which_a_part_is_unsure_is_asked(
    items: JsonObject, words: str, asked: tuple[str, ...]
) -> None:
    several: JsonObject = {"type": "array", "items": items}

    assert options(several, words) == asked
    told = read_input(several, ", ".join(asked), TODAY, answered=True)
    assert told.kind == "value"
    assert isinstance(told.value, list)
    assert [spoken(each) for each in told.value] == [*asked]


@pytest.mark.parametrize("mark", ["-", "  -", "\u2013"])
def test_a_dash_that_begins_a_line_is_of_a_list_and_no_range(mark: str) -> None:
    several: JsonObject = {"type": "array", "items": ORDER}

    assert value_of(several, f"close\n{mark} 1042\n{mark} 1043") == ["1042", "1043"]
    told = value_of(MONEY, f"{mark} 1042\n{mark} 10 EUR")
    assert told == {"amount": "10", "currency": "EUR"}


@given(st.text(max_size=80) | st.from_regex(r"[ 0-9.,€EUR/@a-c'-]{0,40}"), st.booleans())
def test_whatever_is_read_is_valid(words: str, answered: bool) -> None:
    for schema in KINDS:
        reading = read_input(schema, words, TODAY, answered=answered)

        assert reading.kind != "value" or is_valid(schema, reading.value)


@pytest.mark.parametrize(
    "words",
    ["two hundred mugs", "2 thousand", "twenty-two", "two dozen", "3%", "2k", "two and a half",
     "minus 5", "\u22125", "half a dozen", "hundred and two", "1.5", "1e5", "٣٣"],
)  # fmt: skip
def test_a_part_of_a_number_is_no_number(words: str) -> None:
    assert read_input(WHOLE, words, TODAY).kind == "nothing"


@pytest.mark.parametrize("between", [" - ", " \u2013 ", " \u2212 ", " to ", " or "])
def test_a_range_is_two_numbers_and_asked(between: str) -> None:
    assert options(WHOLE, f"send 5{between}6 mugs") == ("5", "6")


@pytest.mark.parametrize(
    "words",
    ["5 to 10 EUR", "EUR 5 to 10", "between 5 and 10 EUR", "between EUR 5 and 10",
     "5 \u2013 10 EUR", "5 or 10 EUR"],
)  # fmt: skip
def test_both_ends_of_a_range_have_its_currency(words: str) -> None:
    assert options(MONEY, words) == ("5 EUR", "10 EUR")
    assert read_input(MONEY, words, TODAY, answered=True).kind == "several"


def test_what_stands_beside_an_amount_is_no_other_end() -> None:
    assert value_of(MONEY, "order 1042 and 10 EUR") == {"amount": "10", "currency": "EUR"}


@pytest.mark.parametrize(
    "words",
    [
        "order 1042 - 10 EUR",
        "purchase order 4 \u2013 10 EUR",
        "set item 7 to 10 EUR",
        "no. 4 - 10 EUR",
    ],
)
def test_what_something_is_called_by_is_no_end_of_a_range(words: str) -> None:
    assert value_of(MONEY, words) == {"amount": "10", "currency": "EUR"}
    assert value_of(DATE, f"{words}, box 7 - 5 May 2027") == "2027-05-05"


def test_a_no_before_a_range_is_no_name_of_its_first_number() -> None:
    assert options(MONEY, "no 5 to 10 EUR") == ("5 EUR", "10 EUR")


def test_an_order_before_a_dash_is_read_beside_the_amount_after_it() -> None:
    assert value_of(ORDER, "refund order 1042 - 10 EUR") == "1042"


@pytest.mark.parametrize("words", ["about 5", "at least 5", "more than 5", "up to 5", ">5", "~5"])
def test_a_number_that_is_only_about_so_much_is_asked(words: str) -> None:
    assert options(WHOLE, words) == ("5",)
    assert options(MONEY, f"{words} EUR") == ("5 EUR",)


@pytest.mark.parametrize(
    "words", ["EUR 2k", "2 million EUR", "€1.5m", "minus 20 EUR", "\u221220 EUR", "A$20", "٣٠ EUR"]
)
def test_a_part_of_an_amount_is_no_amount(words: str) -> None:
    assert read_input(MONEY, words, TODAY).kind == "nothing"


@pytest.mark.parametrize(
    "words",
    ["$5B", "x5 EUR", "INR 5 lakh", "EUR 2 Mio", "$5 trillion", "50 euro cents", "5 dollars fifty",
     "5 dollars and fifty cents", "1/2 EUR", "5 1/2 EUR", "EUR 5 1/2", "5*3 EUR", "EUR 5+3",
     "two thirds of EUR 5/6", "EUR 5-10", "EUR 1 000/2"],
)  # fmt: skip
def test_a_part_of_an_amount_is_not_taken_from_an_answer_either(words: str) -> None:
    assert read_input(MONEY, words, TODAY).kind == "nothing"
    assert read_input(MONEY, words, TODAY, answered=True).kind == "nothing"


@pytest.mark.parametrize("words", ["two thirds", "5 lakh", "2 1/2", "5 cents", "3 trillion"])
def test_a_fraction_or_a_larger_number_is_not_its_first_word(words: str) -> None:
    assert read_input(WHOLE, words, TODAY).kind == "nothing"


@pytest.mark.timeout(15)  # where each number was held against each address, this took a minute
def test_many_numbers_beside_many_addresses_are_read_in_a_moment() -> None:
    assert value_of(WHOLE, "7 a@b.cd " * 20_000) == 7


def test_a_sign_with_its_country_is_that_currency() -> None:
    assert value_of(MONEY, "US$20") == {"amount": "20", "currency": "USD"}
    assert options(MONEY, "$20 CAD") == ("20 USD", "20 CAD")


@pytest.mark.parametrize("words", ["the day after tomorrow", "a week from today", "not today"])
def test_another_day_than_the_one_that_is_named_is_not_read(words: str) -> None:
    assert read_input(DATE, words, TODAY).kind == "nothing"


@pytest.mark.parametrize(
    "words",
    ["the day before 2026-12-05", "a week after 1 May 2026", "two days prior to 5.12.2026",
     "three months from the 1st of May 2026", "the day following 5/5/2026"],
)  # fmt: skip
def test_a_day_that_is_counted_from_another_is_not_that_other(words: str) -> None:
    assert read_input(DATE, words, TODAY).kind == "nothing"
    assert read_input(DATE, words, TODAY, answered=True).kind == "nothing"


def test_the_digits_of_a_day_are_no_number_though_another_day_is_meant() -> None:
    assert value_of(WHOLE, "two mugs a week after 1 May 2026") == 2


def test_a_day_before_which_something_is_wanted_is_that_day() -> None:
    assert value_of(DATE, "deliver it before 2026-12-05") == "2026-12-05"


@pytest.mark.parametrize(
    "words",
    ["1st to 5th May 2026", "the 1st and the 5th of May 2026", "1-5 May 2026", "1/5 May 2026",
     "1 \u2013 5 May 2026", "1 or 5 May 2026"],
)  # fmt: skip
def test_days_of_one_month_are_several(words: str) -> None:
    assert sorted(options(DATE, words)) == ["2026-05-01", "2026-05-05"]


@pytest.mark.parametrize(
    "words", ["a refund is not what they want", "Refund it. No, they don't want a refund"]
)
def test_a_listed_value_that_may_be_denied_is_asked(words: str) -> None:
    assert options(REMEDY, words) == ("refund",)
    assert read_input(REMEDY, words, TODAY, answered=True).kind == "several"


@pytest.mark.parametrize(
    ("schema", "words"),
    [(WHOLE, "not 5"), (MONEY, "not 20 EUR"), (DATE, "not on 2026-12-01"), (ORDER, "not 1042"),
     (EMAIL, "don't write to bob@example.com"), (NUMBER, "anything but never 2.5")],
)  # fmt: skip
def test_an_answer_that_says_what_is_not_meant_is_asked_again(
    schema: JsonObject, words: str
) -> None:
    assert read_input(schema, words, TODAY, answered=True).kind == "several"


def test_a_no_before_an_answer_is_no_denial_of_it() -> None:
    assert read_input(WHOLE, "No, 5", TODAY, answered=True).value == 5
    assert read_input(ORDER, "no. 1042", TODAY, answered=True).value == "1042"
    assert read_input(WHOLE, "5, not more", TODAY, answered=True).value == 5


def test_a_denial_among_the_other_words_of_a_value_is_part_of_it() -> None:
    remedy: JsonObject = {
        "enum": ["refund", "nothing", "replacement"],
        "x-words": {"replacement": ["no refund but a new one"], "nothing": ["nothing at all"]},
    }

    assert value_of(remedy, "they want no refund but a new one") == "replacement"
    assert value_of(remedy, "they want nothing at all") == "nothing"


def test_a_listed_number_is_no_part_of_another() -> None:
    size: JsonObject = {"enum": [1, 2, 10]}

    assert value_of(size, "size 2") == 2
    assert read_input(size, "size 1.5 or 2/3", TODAY).kind == "nothing"
