"""Amounts of money in a person's words, digit for digit; what reads in two ways is unsure."""

import re
from collections.abc import Iterator
from itertools import pairwise

from pydantic import JsonValue

from planner.said import Said, Span, is_name
from planner.said_numbers import whole_number

_SIGNS = {"€": "EUR", "$": "USD", "US$": "USD", "£": "GBP", "¥": "JPY"}
_NAMES = {"EURO": "EUR", "EUROS": "EUR", "DOLLAR": "USD", "DOLLARS": "USD", "YEN": "JPY"}
_CODES = (
    "AED ARS AUD BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY "
    "KES KRW KWD MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR SEK SGD THB TND TRY TWD "
    "UAH USD UYU VND ZAR"
).split()
# Codes are words of other languages and of this one (TRY), so most are read in capitals only.
_CURRENCY = re.compile(
    rf"(?<![A-Za-z_])(?:{'|'.join(_CODES)}|(?i:euros?|eur|usd|gbp|chf|dollars?|yen))(?![A-Za-z_])"
    r"|(?<![A-Za-z])(?:US)?\$|[€£¥]"
)
_DIGITS_BESIDE = re.compile(
    rf"(?:{_CURRENCY.pattern})[ \u00a0\u202f]?[0-9]\S{{0,20}}"
    rf"|(?<![0-9])[0-9]\S{{0,20}}?[ \u00a0\u202f]?(?:{_CURRENCY.pattern})"
)
# An amount may touch a currency, and no other word; of a sum, a product or a fraction it is a part.
_AMOUNT = re.compile(
    r"(?<![\d.,\u2212\u2013-])(?<![\w)%][/*+])"
    r"(?>[0-9]{1,15}(?:[.,' \u00a0\u202f][0-9]{3}(?!\d))*(?:[.,][0-9]{1,2})?)"
    r"(?!\d|[.,/*+\u2212\u2013-]\d)"
)
_GROUPED = re.compile(
    r"([1-9]\d{0,2})((?P<by>[.,' \u00a0\u202f])\d{3}(?:(?P=by)\d{3})*)([.,]\d{1,2})?"
)
# A dash that begins a line is of a list, and no range.
_TO = re.compile(r"\s*(?:to|or|till|until|through)\s*|[^\S\n]*[\u2212\u2013-]\s*", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_FROM = re.compile(r"\bbetween\b.{0,10}$", re.IGNORECASE)
_BETWEEN = ("", " ", "\u00a0", "\u202f")


def money(words: str) -> Iterator[Said]:
    """Amounts with a currency beside them; between two amounts a currency belongs to either."""
    amounts = list(_AMOUNT.finditer(words))
    ends = {each.end(): each for each in amounts}
    starts = {each.start(): each for each in amounts}
    ranges = _other_ends(words, amounts)
    for said in _CURRENCY.finditer(words):
        code = _code(said.group())
        before = _beside(words, said.start(), -1, ends)
        after = _beside(words, said.end(), 1, starts)
        meant = _meant(said, before, after)
        linked = [other for each in meant for other in ranges[each.start()] if other not in meant]
        for each in (*meant, *linked):
            amount, sure = _read(each.group())
            if amount is not None:
                value: JsonValue = {"amount": amount, "currency": code}
                start, end = min(each.start(), said.start()), max(each.end(), said.end())
                yield from _whole(words, each, Said(value, start, end, sure))


def _other_ends(words: str, amounts: "list[re.Match[str]]") -> "dict[int, list[re.Match[str]]]":
    """What a range has at its other end, by where an amount starts: 5 to 10 EUR may be either."""
    found: dict[int, list[re.Match[str]]] = {each.start(): [] for each in amounts}
    for one, other in pairwise(amounts):
        if _is_range(words, one, other):
            found[one.start()].append(other)
            found[other.start()].append(one)
    return found


def _is_range(words: str, one: "re.Match[str]", other: "re.Match[str]") -> bool:
    between = words[one.end() : other.start()]
    if is_name(words, one.start()):
        return False
    if _AND.fullmatch(between):
        return _FROM.search(words[max(0, one.start() - 20) : one.start()]) is not None
    return _TO.fullmatch(between) is not None


def parts(words: str) -> Iterator[Span]:
    """Where digits stand beside a currency, whether or not they are an amount of it."""
    return (each.span() for each in _DIGITS_BESIDE.finditer(words))


def _whole(words: str, amount: "re.Match[str]", said: Said) -> Iterator[Said]:
    """Nothing for two thousand euros read as two, and unsure for what is only about so much."""
    if words[said.start - 1 : said.start].isalpha() or words[said.end : said.end + 1].isalpha():
        return
    if [*whole_number(words, Said(None, amount.start(), amount.end()))]:
        yield from whole_number(words, said)


def _code(said: str) -> str:
    return _SIGNS.get(said) or _NAMES.get(said.upper()) or said.upper()


def _beside(
    words: str, place: int, step: int, found: "dict[int, re.Match[str]]"
) -> "re.Match[str] | None":
    if place in found:
        return found[place]
    blank = words[place - 1 : place] if step < 0 else words[place : place + 1]
    return found.get(place + step) if blank in _BETWEEN[1:] else None


def _meant(
    said: "re.Match[str]", before: "re.Match[str] | None", after: "re.Match[str] | None"
) -> "list[re.Match[str]]":
    """The amounts that the currency may belong to; one that touches it wins over one apart."""
    found = [each for each in (before, after) if each is not None]
    touching = [each for each in found if said.start() == each.end() or said.end() == each.start()]
    return touching if len(touching) == 1 else found


def _read(text: str) -> tuple[str | None, bool]:
    """The amount, and whether its signs can only be read so: 1.234 and 1,234 are unsure."""
    if re.fullmatch(r"[0-9]+(?:[.,][0-9]{1,2})?", text):
        return text.replace(",", "."), True
    found = _GROUPED.fullmatch(text)
    if found is None or (found[4] or "").startswith(found["by"]):
        return None, False
    whole = re.sub(r"\D", "", found[1] + found[2])
    told = found["by"] in "'\u00a0\u202f" or bool(found[4]) or found[2].count(found["by"]) > 1
    return whole + (found[4] or "").replace(",", "."), told and found["by"] != " "
