"""Numbers in a person's words; what is only a part of one, or about one, is not taken for it."""

import re
from collections.abc import Iterator

from planner.said import Said, Span

_BEFORE = r"(?<![\w.,:/\u2212\u2013-])"
_AFTER = r"(?!\w|[.,:/\u2013-]\d)"
_INTEGER = re.compile(rf"{_BEFORE}-?(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]{{1,15}}){_AFTER}")
_NUMBER = re.compile(rf"{_BEFORE}-?[0-9]{{1,15}}(?:\.[0-9]{{1,15}})?{_AFTER}")
_SMALL = "one two three four five six seven eight nine ten eleven twelve".split()
_TEENS = "thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_IN_LETTERS = re.compile(rf"(?<![\w-])(?:{'|'.join(_SMALL)})(?![\w-])", re.IGNORECASE)
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_LARGE = "dozens?|hundreds?|thousands?|millions?|billions?|trillions?|lakhs?|crores?"
_SHORT = "k|m|mn|mio|bn|mrd|tn"
_PARTS = "percent|per\\s+cent|cents?|pence|halves|thirds?|quarters?|fifths?|tenths?"
# Two hundred is not two, and neither are two and a half, two thirds, two cents and 2 1/2.
_GOES_ON = re.compile(
    rf"\s*(?:%|\u00bd|\u00bc|\u00be|[0-9]+/[0-9]+(?![0-9/])"
    rf"|(?:{_SHORT}|{_LARGE}|{_PARTS}|and\s+a|(?:and\s+)?(?:{_TENS})|point)\b)",
    re.IGNORECASE,
)
_TIMES = r"(?:\s+of)?\s+(?:times?|hours?|days?|weeks?|months?|years?)\b"
# What is around the clock, "both this and that" and "several days ago" count nothing.
_PART = re.compile(
    rf"{_BEFORE}(?:[0-9]++(?:[.,][0-9]++)*+|{'|'.join(_SMALL)})"
    rf"(?:{_GOES_ON.pattern}|\s?[x\u00d7](?!\w))"
    r"|(?<![\w.,:/\u2013-])(?!24/7\b)[0-9]{1,4}\s*[/\u2013-]\s*[0-9]{1,4}(?![\w/\u2013-]|[.,:]\d)"
    rf"|\b(?:{_TEENS}|{_TENS}|{_LARGE}|both(?!\s+\w+\s+and\b)|(?:several|couple)(?!{_TIMES}))\b",
    re.IGNORECASE,
)
_GOES_BEFORE = re.compile(
    rf"(?:(?<!\d)(?<!\d\s)[\u2212\u2013]"
    rf"|\b(?:minus|point|half(?:\s+an?)?|{_TENS}|(?:{_LARGE})(?:\s+and)?))[\s-]*$",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"(?:[~<>\u2248\u2264\u2265]|\b(?:about|around|roughly|approximately|approx\.?|circa|almost"
    r"|nearly|at\s+least|at\s+most|up\s+to|under|over|below|above|(?:more|less|fewer)\s+than"
    r"|not|minimum|maximum|max|min))\s*$",
    re.IGNORECASE,
)


def integers(words: str) -> Iterator[Said]:
    """Whole numbers, small ones in letters, too."""
    for each in _INTEGER.finditer(words):
        value = int(each.group().replace(",", ""))
        yield from whole_number(words, Said(value, each.start(), each.end()))
    for each in _IN_LETTERS.finditer(words):
        number = _SMALL.index(each.group().casefold()) + 1
        # "one" is a pronoun as often as a number.
        said = Said(number, each.start(), each.end(), sure=number > 1)
        yield from whole_number(words, said)


def numbers(words: str) -> Iterator[Said]:
    """Numbers with a point."""
    for each in _NUMBER.finditer(words):
        value = float(each.group())
        yield from whole_number(words, Said(value, each.start(), each.end()))


def parts(words: str) -> Iterator[Span]:
    """Where a number is said that is read as none, for it is only a part of what is said."""
    return (each.span() for each in _PART.finditer(words))


def whole_number(words: str, said: Said) -> Iterator[Said]:
    """A number that is all of what is said; "about" one is unsure, and a part of one is none."""
    before = words[max(0, said.start - 30) : said.start]
    if _GOES_ON.match(words, said.end) or _GOES_BEFORE.search(before):
        return
    sure = said.sure and not _ABOUT.search(before)
    yield Said(said.value, said.start, said.end, sure)
