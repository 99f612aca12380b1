"""Which days and times of day a text says; what can be read in two ways is said in both.

A weekday is the one before and the one after the day of the request, whichever is meant; `next`
and `last` also say the one a week further on. Days and weeks are counted from the day of the
request (`in 3 days`, `two weeks ago`), and a span that reaches to it says both its ends (`the last
5 weeks`, `since Monday`). A time without `am` or `pm` is one of the morning and one of the
afternoon.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta

_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_WEEKDAY = re.compile(rf"\b(?:(next|last|previous)\s+)?({'|'.join(_DAYS)})\b")
_CLOCK = re.compile(r"(?<![\d.:,])(\d{1,2})(?::(\d\d)(?::\d\d)?)?\s*([ap])\.?m\b")
_DIGITAL = re.compile(r"(?<![\d.:,+-])(\d{1,2}):(\d\d)(?::\d\d)?(?![\d:]|\s*[ap]\.?m\b)")
_HOUR = re.compile(r"\b(?:at|from|until|till|by|before|after)\s+(\d{1,2})(?![\w:./-]|[.,]\d)")
_PARTS = {"quarter past": 15, "half past": 30, "quarter to": -15}
_PART = re.compile(rf"\b({'|'.join(_PARTS)})\s+(\d{{1,2}}|[a-z]+)\b")
_WORDS = "one two three four five six seven eight nine ten eleven twelve".split()
_HOURS = {
    written: hour
    for hour, word in enumerate(_WORDS, start=1)
    for written in (word, str(hour), f"{hour:02}")
}
_AMOUNTS = {"a": 1} | {word: number for number, word in enumerate(_WORDS, start=1)}
_UNITS = {"day": 1, "week": 7, "fortnight": 14}
_COUNTED = re.compile(
    r"\b(?:(last|past|previous|next|coming|in|within)\s+)?"
    rf"(\d{{1,3}}|{'|'.join(_AMOUNTS)})\s+({'|'.join(_UNITS)})s?(?:\s+(ago|from now|from today))?\b"
)
_BACK = frozenset({"last", "past", "previous", "ago"})
_SINCE = re.compile(r"\bsince\b")
_NAMED = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}


def days(text: str, today: str) -> Iterator[str]:
    """The days that are said by how they stand to the day of the request."""
    try:
        start = date.fromisoformat(today)
    except ValueError:
        return
    for ahead in {*_weekdays(text, start.weekday()), *_counted(text)}:
        with suppress(OverflowError):
            yield (start + timedelta(days=ahead)).isoformat()


def _weekdays(text: str, today: int) -> Iterator[int]:
    for which, name in set(_WEEKDAY.findall(text)):
        ahead = (_DAYS.index(name) - today) % 7 or 7
        yield from (ahead, ahead - 7)
        if which == "next":
            yield ahead + 7 if ahead < 7 else ahead
        elif which:
            yield ahead - 14


def _counted(text: str) -> Iterator[int]:
    """Days and weeks ahead or ago; a number of them alone may count anything."""
    for before, amount, unit, after in _COUNTED.findall(text):
        distance = (_AMOUNTS.get(amount) or int(amount)) * _UNITS[unit]
        if not _BACK.isdisjoint((before, after)):
            yield -distance
        elif before or after:
            yield distance
        if before not in ("", "in"):
            yield 0  # a span has two ends
    if _SINCE.search(text):
        yield 0


def times(text: str) -> Iterator[str]:
    """The times of day that are said, as HH:MM."""
    for hour, minute, half in _CLOCK.findall(text):
        if 1 <= int(hour) <= 12:
            yield from _time(int(hour) % 12 + (12 if half == "p" else 0), int(minute or 0))
    for hour, minute in _DIGITAL.findall(text):
        yield from _either(int(hour), int(minute))
    for hour in _HOUR.findall(text):
        yield from _either(int(hour), 0)
    for part, hour in _PART.findall(text):
        number, past = _HOURS.get(hour, 0), _PARTS[part]
        if number:
            yield from _either(number - (past < 0), past % 60)
    for name, value in _NAMED.items():
        if re.search(rf"\b{name}\b", text):
            yield value


def _either(hour: int, minute: int) -> Iterator[str]:
    yield from _time(hour, minute)
    if hour <= 12:
        yield from _time((hour + 12) % 24, minute)


def _time(hour: int, minute: int) -> Iterator[str]:
    if hour <= 23 and minute <= 59:
        yield f"{hour:02}:{minute:02}"
