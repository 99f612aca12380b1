"""Whether a value was said: texts token by token, numbers, amounts and dates by their value.

Grounding errs to "not said": that costs an approval, the other error would cost more.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal, Overflow
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from executor.check.said_times import days, times

MOST_READ: Final = 1_000_000_000  # characters, looking for one plan's texts
PLACE: Final = 20_000  # a place where one stands, whole or not, takes as long as so many
MOST_MARKS: Final = 30  # as many as Unicode's stream-safe text has in a row
# A point, an at sign or a hyphen between letters joins them to one token: example.com, re-send. So
# do the points and hyphens of other scripts, what is written in percent, and what has no width.
_JOINT = r"[.@+\-\u2010\u2011\u2024\u3002\uff0e\uff61]"
_NO_WIDTH = r"[\u00ad\u200b-\u200d\u2060\ufeff]{0,9}"
_GOES_ON = re.compile(rf"\w{_NO_WIDTH}{_JOINT}?{_NO_WIDTH}\Z")
_ENDS = re.compile(rf"(?![\u0300-\u036f]|{_NO_WIDTH}{_JOINT}?{_NO_WIDTH}\w|%[0-9a-f]{{2}})")
# A path or an address that says more is another one: a/b is not said by a/b/c, nor by a/b?c.
_IN_PATH = re.compile(r"\w/+\Z")
_PATH_GOES_ON = re.compile(r"[/?&#=:~;]+\w")
_APOSTROPHE = re.compile(r"(?<=\w['\u2019])")  # o'neil@example.com is not neil@example.com
_NUMBER = re.compile(
    r"((?<!\w)[-\u2212]|(?<!\w)minus\s)?"
    r"(?<![\w.,])(\d+(?:[.,]\d+)*)(?=[a-z]{3}\b|[^\w.,]|[.,](?!\d)|$)"
)
_PERCENT = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)*)\s?(?:%|percent\b|per cent\b)")
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()
_SMALL_WORD = re.compile(rf"(?<!\w)(?:{'|'.join(_SMALL)})(?!\w)")
_CURRENCIES = {
    "eur": ("€", "euro", "euros"),
    "usd": ("$", "dollar", "dollars"),
    "gbp": ("£", "pound", "pounds"),
    "jpy": ("¥", "yen"),
    "chf": ("franc", "francs"),
}
_MONTHS = (
    "january february march april may june july august september october november december"
).split()
_MONTH = "|".join(f"{each}|{each[:3]}" for each in _MONTHS)
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")
_NUMERIC_DATE = re.compile(r"(?<![\d./])(\d{1,2})([./])(\d{1,2})\2(\d{4})(?!\d)")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th|\.)?\s+({_MONTH})\b\.?,?(?:\s+(\d{{4}}))?")
_MONTH_DAY = re.compile(rf"\b({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b,?(?:\s+(\d{{4}}))?")
_NEAR = {"yesterday": -1, "today": 0, "tomorrow": 1}
# A day and a time, or a time alone; whole minutes, for nobody says seconds.
_MOMENT = re.compile(r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2})[t ])?([0-9]{2}:[0-9]{2})(?::00)?(?:\.0+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Words:
    """Texts that a person said or that were given as inputs."""

    def __init__(self, texts: Iterable[str], today: str) -> None:
        self._text = "\n".join(_fold(text) for text in texts)
        self._today = today
        self._known: dict[str, bool] = {}
        self._left = MOST_READ

    @cached_property
    def _numbers(self) -> frozenset[Decimal]:
        return frozenset(_numbers(self._text))

    @cached_property
    def _dates(self) -> frozenset[str]:
        return frozenset((*_dates(self._text, self._today), *days(self._text, self._today)))

    @cached_property
    def _times(self) -> frozenset[str]:
        return frozenset(times(self._text))

    def hold(self, value: JsonValue) -> bool:
        """Whether every leaf of the value was said; booleans and null need not be."""
        match value:
            case None | bool():
                return True
            case int() | float():
                return Decimal(repr(value)) in self._numbers
            case str():
                if value not in self._known:
                    self._known[value] = self._hold_text(value)
                return self._known[value]
            case list():
                return all(self.hold(each) for each in value)
            case _:
                return all(self.hold(each) for each in value.values())

    def _hold_text(self, value: str) -> bool:
        text = _fold(value).strip(" ")
        if not text or (text.isascii() and not value.isascii()):
            return False  # nobody says nothing: an empty id may mean all; nor K by a Kelvin sign
        if _PLAIN_NUMBER.fullmatch(text):
            return Decimal(text) in self._numbers  # by value: `1` is not said by `1,000`
        if any(self._has_token(each) for each in _spelt(text)):
            return True
        if _DATE.fullmatch(text):
            return text in self._dates
        if moment := _MOMENT.fullmatch(text):
            day, time = moment.groups()
            return time in self._times and (day is None or day in self._dates)
        signs = _CURRENCIES.get(text, ())
        return any(_says(self._text, sign) for sign in signs)

    def _has_token(self, text: str) -> bool:
        """Whether a text stands somewhere as whole tokens, as far as may be looked."""
        at = self._next(text, 0)
        while at >= 0:
            is_cut = "@" in text and _APOSTROPHE.match(self._text, at)
            end = at + len(text)
            begins = not is_cut and not _GOES_ON.search(self._text, max(0, at - 20), at)
            if begins and _ENDS.match(self._text, end) and not self._is_within_path(text, at, end):
                return True
            at = self._next(text, at + 1)
        return False

    def _next(self, text: str, start: int) -> int:
        """The next place where a text stands; -1 if there is none, or enough was read."""
        if self._left <= 0:
            return -1
        at = self._text.find(text, start)
        self._left -= PLACE + (len(self._text) if at < 0 else at) - start
        return at

    def _is_within_path(self, text: str, at: int, end: int) -> bool:
        """Whether a path stands there that is longer than this one."""
        is_longer = _IN_PATH.search(self._text, max(0, at - 20), at)
        return "/" in text and bool(is_longer or _PATH_GOES_ON.match(self._text, end))


def _spelt(text: str) -> tuple[str, ...]:
    """A text, also without the sign that only says that a number follows: `W12` says `#W12`."""
    bare = text.removeprefix("#")
    has_sign = bare != text and any(each.isdigit() for each in bare) and bare[:1].isalnum()
    return (text, bare) if has_sign else (text,)


def _fold(text: str) -> str:
    """Without regard to case; but `ß` is no `ss`: addresses may differ in such letters."""
    if not text.isascii() and not _is_piled(text):
        text = unicodedata.normalize("NFC", text)
    return text.lower()


def _is_piled(text: str) -> bool:
    """Whether more marks stand on one letter than any language has: sorting them takes long."""
    run = 0
    for each in text:
        run = run + 1 if unicodedata.combining(each) else 0
        if run > MOST_MARKS:
            return True
    return False


def _says(text: str, sign: str) -> bool:
    if not sign.isalpha():
        return sign in text
    return re.search(rf"(?<![^\W\d]){sign}(?!\w)", text) is not None


def _numbers(text: str) -> Iterator[Decimal]:
    for sign, found in _NUMBER.findall(_ISO_DATE.sub(" ", text)):
        yield from (-each if sign else each for each in _readings(found))
    for found in _PERCENT.findall(text):
        with suppress(Overflow):  # so many digits nobody says
            yield from (each.scaleb(-2) for each in _readings(found))  # `19.5 %` is 0.195 too
    for word in _SMALL_WORD.findall(text):
        yield Decimal(_SMALL.index(word))


def _readings(text: str) -> Iterator[Decimal]:
    """`18.50`, `18,50`, `1,234.50` and `1.234,50`; one comma before three digits is thousands."""
    parts = re.split(r"[.,]", text)
    signs = re.findall(r"[.,]", text)
    grouped = all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3
    if grouped and len(set(signs)) == 1 and (len(signs) > 1 or signs[0] == ","):
        yield Decimal("".join(parts))
    elif len(signs) == 1:
        yield Decimal(f"{parts[0]}.{parts[1]}")
    elif len(set(signs[:-1])) == 1 and signs[-1] != signs[0] and len(parts[0]) <= 3:
        if all(len(part) == 3 for part in parts[1:-1]):
            yield Decimal("".join(parts[:-1]) + "." + parts[-1])
    else:
        yield from map(Decimal, parts)  # a list without blanks, a date, a version


def _dates(text: str, today: str) -> Iterator[str]:
    """Every day that is said; what can be read in two ways is said in both."""
    for year, month, day in _ISO_DATE.findall(text):
        yield from _day(year, month, day)
    for first, sign, second, year in _NUMERIC_DATE.findall(text):
        yield from _day(year, second, first)
        if sign == "/":
            yield from _day(year, first, second)
    for day, month, year in _DAY_MONTH.findall(text):
        yield from _in_year(year, month, day, today)
    for month, day, year in _MONTH_DAY.findall(text):
        yield from _in_year(year, month, day, today)
    for word, ahead in _NEAR.items():
        if re.search(rf"\b{word}\b", text) and _DATE.fullmatch(today):
            with suppress(ValueError, OverflowError):  # no day, or none in any calendar
                yield (date.fromisoformat(today) + timedelta(days=ahead)).isoformat()


def _in_year(year: str, month: str, day: str, today: str) -> Iterator[str]:
    """Without a year it is this one or the next."""
    number = next(n for n, name in enumerate(_MONTHS, start=1) if name.startswith(month[:3]))
    years = [year] if year else [today[:4], str(int(today[:4]) + 1)] if today[:4].isdigit() else []
    for each in years:
        yield from _day(each, str(number), day)


def _day(year: str, month: str, day: str) -> Iterator[str]:
    try:
        yield date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return
