"""Days of the calendar in a person's words, in the ways that people write them."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from planner.said import Said, is_name

_MONTHS = (
    "january february march april may june july august september october november december"
).split()
_MONTH = "|".join(f"{each}|{each[:3]}" for each in _MONTHS)
_ISO = re.compile(r"(?<![\w-])(\d{4})-(\d\d)-(\d\d)(?![\w-])")
_DOTTED = re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\w)")
_SLASHED = re.compile(r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\w/])")
_DAY_MONTH = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?({_MONTH})\.?,?\s+(\d{{4}})\b", re.IGNORECASE
)
_MONTH_DAY = re.compile(
    rf"\b({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", re.IGNORECASE
)
_RELATIVE = re.compile(r"\b(yesterday|today|tomorrow)\b", re.IGNORECASE)
_FROM_THERE = re.compile(r"\b(?:after|before|from|not)\s+$", re.IGNORECASE)
_AWAY_FROM = re.compile(
    r"\b(?:days?|weeks?|fortnights?|months?|years?)\s+"
    r"(?:after|before|from|past|following|preceding|prior\s+to)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_OTHER_DAY = re.compile(
    r"(?<![\w.,/-])(\d{1,2})(?:st|nd|rd|th)?\s*"
    r"(?:[/\u2013-]|to|till|until|through|and|or)\s*(?:the\s+)?$",
    re.IGNORECASE,
)
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def dates(words: str, today: str) -> Iterator[Said]:
    """Days of the calendar that are meant themselves: the day before one is another."""
    for each in named(words, today):
        if not _AWAY_FROM.search(words[max(0, each.start - 40) : each.start]):
            yield each


def named(words: str, today: str) -> Iterator[Said]:
    """Days that are named; 3/4/2026 is two of them, and so is 3 to 4 March 2026."""
    for each in _ISO.finditer(words):
        yield from _day(each, each[1], each[2], each[3])
    for each in _DOTTED.finditer(words):
        yield from _day(each, each[3], each[2], each[1])
    for each in _SLASHED.finditer(words):
        yield from _day(each, each[3], each[2], each[1])
        if each[1] != each[2]:
            yield from _day(each, each[3], each[1], each[2])
    for each in _DAY_MONTH.finditer(words):
        month = str(_month(each[2]))
        yield from _day(each, each[3], month, each[1])
        other = _OTHER_DAY.search(words, max(0, each.start() - 30), each.start())
        if other and not is_name(words, other.start()):
            yield from _day(each, each[3], month, other[1])
    for each in _MONTH_DAY.finditer(words):
        yield from _day(each, each[3], str(_month(each[1])), each[2])
    for each in _RELATIVE.finditer(words):
        # The day after tomorrow is another day.
        if _FROM_THERE.search(words[max(0, each.start() - 20) : each.start()]):
            continue
        moved = date.fromisoformat(today) + timedelta(days=_DAYS[each.group().casefold()])
        yield Said(moved.isoformat(), each.start(), each.end())


def _month(name: str) -> int:
    return next(
        number for number, each in enumerate(_MONTHS, 1) if each.startswith(name.casefold())
    )


def _day(found: "re.Match[str]", year: str, month: str, day: str) -> Iterator[Said]:
    try:
        value = date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return
    yield Said(value, found.start(), found.end())
