"""What was said: texts by their tokens, numbers, amounts and days by their value."""

from typing import Any

import pytest

from executor.check.words import Words

TODAY = "2026-03-02"


def hold(said: str, value: Any, today: str = TODAY) -> bool:
    return Words([said], today).hold(value)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("order 1042 please", "1042"),
        ("ORDER Mug-1", "mug-1"),
        ("write to ann@example.com.", "ann@example.com"),
        ("(ann@example.com)", "ann@example.com"),
        ("see example.com, then", "example.com"),
        ("it is late", " late "),
        ("it is\nlate", "is\nlate"),
        ("stra\u00dfe", "STRA\u1e9eE"),
        ("a+b", "a+b"),
        ("ann's order", "ann"),
        ("'ann@example.com'", "ann@example.com"),
        ("ann@example.com--thanks", "ann@example.com"),
        ("...ann", "ann"),
        ("100% of example.com, 20% off", "example.com"),
        ("code 007", "007"),
        ("version 1.2.3", "1.2.3"),
        ("delete /home/ann/old.", "/home/ann/old"),
        ("is it https://example.com/a?", "https://example.com/a"),
        ("see https://example.com/a/, then go", "https://example.com/a"),
        ("url:https://example.com/a", "https://example.com/a"),
        ("https://example.com/a", "example.com"),
    ],
)
def test_a_text_that_stands_alone_was_said(said: str, value: str) -> None:
    assert hold(said, value)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("ann@example.com", "example.com"),
        ("ann@example.com", "ann"),
        ("bob+ann@example.com", "ann@example.com"),
        ("re-send it", "send"),
        ("send-off", "send"),
        ("example.com.evil", "example.com"),
        ("example.com\u3002evil", "example.com"),
        ("example.com\uff0eevil", "example.com"),
        ("example.com\u200b.evil", "example.com"),
        ("evil\u200b.example.com", "example.com"),
        ("example.com%2eevil", "example.com"),
        ("evil\uff61example.com", "example.com"),
        ("re\u2010send it", "send"),
        ("o'neil@example.com", "neil@example.com"),
        ("the lateness", "late"),
        ("translate", "late"),
        ("e\u0301", "e"),
        ("nothing", ""),
        ("nothing", "  "),
        ("code 007", "07"),
        ("it is late", "is late?"),
        ("delete /home/ann/old", "/home/ann"),
        ("delete /home/ann/old", "ann/old"),
        ("post to https://example.com/a?id=1", "https://example.com/a"),
        ("post to https://example.com/a/b", "https://example.com/a"),
        ("post to https://example.com:81/", "https://example.com"),
        ("bob@bank.example", "bob@ban\u212a.example"),
        ("order 1042", "1042\u00a0"),
    ],
)
def test_a_part_of_a_longer_token_was_not_said(said: str, value: str) -> None:
    assert not hold(said, value)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("bob@stra\u00dfe.example", "bob@strasse.example"),
        ("bob@strasse.example", "bob@stra\u00dfe.example"),
        ("fix-1", "\ufb01x-1"),
        ("host-7", "ho\u017ft-7"),
    ],
)
def test_letters_that_only_look_alike_are_others(said: str, value: str) -> None:
    assert not hold(said, value)


def test_a_pile_of_marks_was_not_said_and_takes_no_time() -> None:
    pile = "a" + "\u0301\u0316" * 200_000

    assert not hold("a", pile)
    assert hold(f"say {pile} to them", "them")


@pytest.mark.parametrize(
    ("said", "values", "others"),
    [
        ("18.50", [18.5, "18.5", "18.50"], [18, 50, 1850]),
        ("18,50", [18.5, "18.50"], [1850, 18, 50]),
        ("1,234", [1234], [1.234, 1, 234]),
        ("1.234", [1.234], [1234, 1]),
        ("1234,567", [1234.567], [1234567]),
        ("1,234,567", [1234567], [1234.567]),
        ("1.234.567", [1234567], [1.234]),
        ("1,234.50", [1234.5], [1.2345, 1234]),
        ("1.234,50", [1234.5], [1.2345, 1234]),
        ("12,345,678.90", [12345678.9], [12345678]),
        ("123,456.78", [123456.78], [456.78]),
        ("1,234.567", [1234.567], [1234567]),
        ("1.234,567,89", [1, 234, 567, 89], [1234567.89]),
        ("1,23,456.78", [], [123456.78]),
        ("1,23.50", [], [123.5, 1, 23, 1.235]),
        ("1234.567,8", [1234, 567, 8], [1234567.8]),
        ("1,2,3", [1, 2, 3], [123, 1.2]),
        ("10,20,30", [10, 20, 30], [102030]),
        ("2.3.2026", [2, 3, 2026], [2.3]),
        ("1,000,5", [1, 0, 5], [10005, 1000.5]),
        ("19.5% more", [19.5, 0.195, "0.195"], [1.195, 195]),
        ("10 percent, 5 per cent", [10, 0.1, 5, 0.05], [1.1, 0.5]),
        ("10 percentages", [10], [0.1]),
        ("5eur", [5], []),
        ("5 eur", [5], []),
        ("5kg", [], [5]),
        ("x5", [], [5]),
        ("5.", [5], []),
        ("5, 6", [5, 6], [5.6]),
        ("-5", [-5], [5]),
        ("\u22125", [-5], [5]),
        ("minus 5", [-5], [5]),
        ("terminus 5", [5], [-5]),
        ("a-5", [5], [-5]),
        ("-18,50", [-18.5], [18.5]),
        ("2026-03-02", [], [2026, 3, -3, -2]),
        ("12345-03-02", [12345], []),
        ("zero or seven", [0, 7], [1, 6, 8]),
        ("Twelve and one, TWO", [12, 1, 2], [3, 11]),
        ("someone", [], [1]),
        ("tenfold", [], [10]),
        ("5", [5, 5.0, "5", "5.0"], ["05", 50, -5]),
        ("0.1", [0.1], [0.2]),
    ],
)
def test_numbers_are_said_by_their_value(said: str, values: list[Any], others: list[Any]) -> None:
    assert [each for each in values if not hold(said, each)] == []
    assert [each for each in others if hold(said, each)] == []


@pytest.mark.parametrize(
    ("said", "days", "others"),
    [
        ("2026-03-02", ["2026-03-02"], ["2026-02-03", "2026-03-01"]),
        ("12026-03-02 2026-03-021", [], ["2026-03-02"]),
        ("2026-02-30", [], ["2026-03-02", "2026-02-28"]),
        ("2.3.2026", ["2026-03-02"], ["2026-02-03"]),
        ("2/3/2026", ["2026-03-02", "2026-02-03"], []),
        ("25/3/2026", ["2026-03-25"], []),
        ("2.3/2026", [], ["2026-03-02"]),
        ("1.2.3.2026", [], ["2026-03-02"]),
        ("2.3.20261", [], ["2026-03-02"]),
        ("2 March 2026", ["2026-03-02"], ["2027-03-02"]),
        ("2nd march 2026", ["2026-03-02"], []),
        ("1st jan 2026", ["2026-01-01"], []),
        ("3rd Dec., 2026", ["2026-12-03"], []),
        ("4th of May", [], ["2026-05-04"]),
        ("2. Mar", ["2026-03-02", "2027-03-02"], ["2025-03-02", "2028-03-02"]),
        ("March 2nd, 2026", ["2026-03-02"], ["2027-03-02"]),
        ("january 5, 2026", ["2026-01-05"], []),
        ("Mar. 2", ["2026-03-02", "2027-03-02"], ["2025-03-02"]),
        ("may 2 2030", ["2030-05-02"], ["2026-05-02"]),
        ("summary 2", [], ["2026-03-02"]),
        ("2 marching", [], ["2026-03-02"]),
        ("today", ["2026-03-02"], ["2026-03-01", "2026-03-03"]),
        ("tomorrow", ["2026-03-03"], ["2026-03-02"]),
        ("yesterday", ["2026-03-01"], ["2026-03-02"]),
        ("todays", [], ["2026-03-02"]),
        ("on Friday", ["2026-03-06", "2026-02-27"], ["2026-03-05", "2026-03-13", "2026-02-20"]),
        ("next monday", ["2026-03-09", "2026-03-02"], ["2026-03-16"]),
        ("fridays, sun, sat", [], ["2026-03-06", "2026-03-07", "2026-03-08"]),
    ],
)
def test_days_are_said_in_many_ways(said: str, days: list[str], others: list[str]) -> None:
    assert [each for each in days if not hold(said, each)] == []
    assert [each for each in others if hold(said, each)] == []


@pytest.mark.parametrize(
    ("said", "times", "others"),
    [
        ("at 10:30", ["10:30", "22:30", "10:30:00"], ["10:31", "10:00", "10:30:15"]),
        ("at 3", ["03:00", "15:00"], ["03:30", "13:00"]),
        ("3", [], ["03:00", "15:00"]),
        ("at 3 o'clock, at 3.50 EUR", ["15:00"], ["15:50"]),
        ("3pm", ["15:00"], ["03:00"]),
        ("12 a.m.", ["00:00"], ["12:00"]),
        ("12:15 PM", ["12:15"], ["00:15"]),
        ("13pm at 25:00 10:75", [], ["13:00", "01:00", "10:15"]),
        ("half past 10", ["10:30", "22:30"], ["10:00"]),
        ("half past ten", ["10:30", "22:30"], ["09:30"]),
        ("quarter to one", ["00:45", "12:45"], ["13:15"]),
        ("quarter past 9", ["09:15", "21:15"], ["09:45"]),
        ("half past many", [], ["00:30"]),
        ("noon and midnight", ["12:00", "00:00"], ["12:30"]),
        ("from 9 till 17", ["09:00", "17:00"], ["05:00"]),
        ("on 2026-03-04 at 4pm", ["2026-03-04T16:00:00", "2026-03-04 16:00"], ["2026-03-05 16:00"]),
        ("tomorrow at 9", ["2026-03-03T09:00:00"], ["2026-03-03T09:00:00Z", "2026-03-03T10:00:00"]),
        ("at 2026-03-04, 10:30:15", [], ["20:26"]),
    ],
)
def test_times_of_day_are_said_in_many_ways(said: str, times: list[str], others: list[str]) -> None:
    assert [each for each in times if not hold(said, each)] == []
    assert [each for each in others if hold(said, each)] == []


def test_the_sign_before_a_number_need_not_be_said() -> None:
    assert hold("order W123 and 7", "#W123")
    assert hold("order #W123", "#W123")
    assert hold("order #W123", "W123")
    assert hold("number 7", "#7")
    assert not hold("order W1234", "#W123")
    assert not hold("the team", "#team")
    assert not hold("W123", "##W123")
    assert not hold("-1 of it", "#-1 of it")


def test_every_month_has_its_name_and_its_first_three_letters() -> None:
    names = (
        "january february march april may june july august september october november december"
    ).split()
    for number, name in enumerate(names, start=1):
        day = f"2026-{number:02}-05"
        others = [f"2026-{other:02}-05" for other in range(1, 13) if other != number]
        for word in (name, name[:3]):
            assert hold(f"5 {word} 2026", day), word
            assert not any(hold(f"5 {word} 2026", other) for other in others)


def test_without_a_day_of_admission_only_whole_days_are_said() -> None:
    assert not hold("today", "2026-03-02", today="")
    assert not hold("2 March", "2026-03-02", today="")
    assert hold("2 March 2026", "2026-03-02", today="")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("EUR", ["5 €", "5€", "5 euro", "5euros", "EUR"]),
        ("usd", ["$5", "5 dollar", "five dollars"]),
        ("gbp", ["£5", "one pound", "5 pounds"]),
        ("jpy", ["¥5", "5 yen"]),
        ("chf", ["1 franc", "5 francs"]),
    ],
)
def test_a_currency_is_said_by_its_sign_or_its_name(code: str, words: list[str]) -> None:
    assert [each for each in words if not hold(each, code)] == []
    assert not any(hold(each, code) for each in ("neuro", "europe", "eurosport", "yenta", "5"))


def test_lists_and_objects_were_said_where_all_of_them_was() -> None:
    assert hold("a and 5", ["a", 5, None, True])
    assert not hold("a and 5", ["a", 6])
    assert hold("a and 5", {"x": "a", "y": [5]})
    assert not hold("a and 5", {"x": "a", "y": ["b"]})
    assert hold("", [])
    assert hold("", None)
    assert hold("", False)


def test_texts_are_apart_from_each_other() -> None:
    words = Words(["ann", "bob"], TODAY)

    assert words.hold("ann")
    assert words.hold("bob")
    assert not words.hold("ann bob")


@pytest.mark.parametrize(
    ("said", "number", "is_said"),
    [
        ("123,456", 123456, True), ("123.456", 123.456, True), ("1234,567", 1234.567, True),
        ("1234,567", 1234567, False), ("12,34", 12.34, True), ("12,34", 1234, False),
    ],
)  # fmt: skip
def test_groups_of_three_digits_are_thousands(said: str, number: float, is_said: bool) -> None:
    assert hold(f"pay {said} now", number) is is_said


@pytest.mark.parametrize("today", ["9999-12-31", "2026-02-30", "today"])
def test_a_day_that_is_in_no_calendar_says_nothing(today: str) -> None:
    assert not Words(["tomorrow, in 3 weeks, on 3 May"], today).hold("2026-03-03")


def test_the_places_where_texts_are_looked_for_have_an_end() -> None:
    words = Words(["a" * 2_000 + " ann bob"], TODAY)

    assert words.hold("ann")
    assert not any(words.hold("a" * length) for length in range(1, 100))
    assert words.hold("ann")  # which is known
    assert not words.hold("bob")  # which would have to be looked for


def test_a_percentage_of_more_digits_than_a_number_has_says_nothing() -> None:
    assert not hold("1" * 1_000_010 + "%", 5)
