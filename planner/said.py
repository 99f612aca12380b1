"""Values of one type in a person's words, each with its place: addresses, numbers, ids, lists.

What can be read in two ways is unsure, and a person is asked. All patterns of others are RE2.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import re2
from pydantic import JsonValue

MAX_WORDS = 20_000
"""Characters that are looked at."""


@dataclass(frozen=True)
class Said:
    """A value, where it stands in the words, and whether it can only be read so."""

    value: JsonValue
    start: int
    end: int
    sure: bool = True


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_URL = re.compile(r"\bhttps?://[^\s<>\"']{1,2000}[^\s<>\"'.,;:!?)]")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(Z|[+-]\d\d:\d\d)")
_INTEGER = re.compile(r"(?<![\w.,:/-])-?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?!\w|[.,:/-]\d)")
_NUMBER = re.compile(r"(?<![\w.,:/-])-?\d{1,15}(?:\.\d{1,15})?(?!\w|[.,:/-]\d)")
_TOKEN = re.compile(r"[^\s,;:!?()\[\]\"'<>#]+")
_PART = re.compile(r"(?<!\d[./-])(?<!\w)\w+(?![./-]\d|\w)")
_SMALL_NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
_SMALL_NUMBER = re.compile(rf"\b(?:{'|'.join(_SMALL_NUMBERS)})\b", re.IGNORECASE)


def emails(words: str) -> Iterator[Said]:
    """Addresses."""
    return _found(_EMAIL, words)


def urls(words: str) -> Iterator[Said]:
    """Web addresses, without the punctuation that ends a sentence."""
    return _found(_URL, words)


def uuids(words: str) -> Iterator[Said]:
    """UUIDs."""
    return _found(_UUID, words)


def moments(words: str) -> Iterator[Said]:
    """Dates with a time and its zone."""
    for each in _TIME.finditer(words):
        yield Said(f"{each[1]}T{each[2]}{each[3] or ':00'}{each[4]}", each.start(), each.end())


def integers(words: str) -> Iterator[Said]:
    """Whole numbers, small ones in letters, too."""
    for each in _INTEGER.finditer(words):
        yield Said(int(each.group().replace(",", "")), each.start(), each.end())
    for each in _SMALL_NUMBER.finditer(words):
        number = _SMALL_NUMBERS.index(each.group().casefold()) + 1
        # "one" is a pronoun as often as a number.
        yield Said(number, each.start(), each.end(), sure=number > 1)


def numbers(words: str) -> Iterator[Said]:
    """Numbers with a point."""
    for each in _NUMBER.finditer(words):
        yield Said(float(each.group()), each.start(), each.end())


def patterned(words: str, pattern: str) -> Iterator[Said]:
    """What stands alone and has the form of an identifier; nothing where RE2 cannot read it."""
    options = re2.Options()
    options.log_errors = False
    whole = pattern.removeprefix("^").removesuffix("$")
    open_end = r"\S*" if pattern.startswith("^") and not pattern.endswith("$") else ""
    try:
        compiled = re2.compile(f"(?:{whole}){open_end}", options)
    except re2.error:
        return
    # Identifiers are looked for between blanks and punctuation, so that no part of one is taken.
    for token in _TOKEN.finditer(words):
        text = token.group().rstrip(".")
        for start, end in ((0, len(text)), *_parts(text)):
            if compiled.fullmatch(text[start:end]):
                yield Said(text[start:end], token.start() + start, token.start() + end)
                break


def enumerated(words: str, values: Sequence[JsonValue], others: JsonValue) -> Iterator[Said]:
    """Listed values by their own or other words; the longest wins, and "not" takes one out."""
    spellings: list[tuple[str, JsonValue]] = []
    for value in values:
        if value is None or isinstance(value, bool | dict | list):
            continue
        more = others.get(str(value)) if isinstance(others, dict) else None
        for each in [value, *(more if isinstance(more, list) else [])]:
            spellings.append((str(each), value))
    taken: list[tuple[int, int]] = []
    for spelling, value in sorted(spellings, key=lambda pair: (-len(pair[0]), pair[0])):
        for found in _spelled(spelling).finditer(words):
            if any(found.start() < end and start < found.end() for start, end in taken):
                continue
            taken.append(found.span())
            if not _NEGATED.search(words[max(0, found.start() - 60) : found.start()]):
                yield Said(value, found.start(), found.end())


_NEGATED = re.compile(
    r"\b(?:not|no|never|without|don'?t|instead of|rather than)\s+(?:\w+\s+){0,2}$", re.IGNORECASE
)


def _spelled(spelling: str) -> "re.Pattern[str]":
    parts = [re.escape(part) for part in re.split(r"[\s_-]+", spelling) if part]
    joined = r"[\s_-]+".join(parts)
    return re.compile(rf"(?<!\w){joined}(?:s|es)?(?!\w)", re.IGNORECASE)


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """The words of a token such as order-1042, but no part of a number or date."""
    for each in _PART.finditer(text):
        yield each.span()


def _found(pattern: "re.Pattern[str]", words: str) -> Iterator[Said]:
    for each in pattern.finditer(words):
        yield Said(each.group(), each.start(), each.end())
