"""Values of one type in a person's words, each with its place: addresses, ids, lists.

What can be read in two ways is unsure, and a person is asked. All patterns of others are RE2.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import re2
from pydantic import JsonValue

Span = tuple[int, int]


@dataclass(frozen=True)
class Said:
    """A value, where it stands in the words, and whether it can only be read so."""

    value: JsonValue
    start: int
    end: int
    sure: bool = True


# Half of o'brien@ or of sales&support@ is somebody else's.
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}(?:['\u2019&][\w.+-]{1,64}){0,9}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
)
_URL = re.compile(r"\bhttps?://[^\s<>\"']{1,2000}[^\s<>\"'.,;:!?)]")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(Z|[+-]\d\d:\d\d)")
_TOKEN = re.compile(r"[^\s,;:!?()\[\]\"'<>#]+")
_PART = re.compile(r"(?<!\d[./-])(?<!\w)\w+(?![./-]\d|\w)")


def emails(words: str) -> Iterator[Said]:
    """Addresses; an apostrophe in one is written as addresses have it."""
    for each in _found(_EMAIL, words):
        yield replace(each, value=str(each.value).replace("\u2019", "'"))


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
    """Listed values by their own or other words; the longest wins, and "not" takes one out.

    A value is unsure where a "not" of the same clause may be about it, or where it was said and
    taken out: a person is asked.
    """
    found = [
        (value, place, _not_before(words, place))
        for value, place in _spelled_in(words, values, others)
    ]
    denied = [value for value, _, taken_out in found if taken_out]
    used = {taken_out for _, _, taken_out in found if taken_out}
    used |= {span for _, place, _ in found for span in _inside(words, place)}
    ends = [-1, *(each.start() for each in _CLAUSE_END.finditer(words)), len(words)]
    doubted = {bisect_left(ends, start) for start, _ in negations(words) - used}
    for value, place, taken_out in found:
        if taken_out is None:
            sure = value not in denied and bisect_left(ends, place[0]) not in doubted
            yield Said(value, *place, sure)


def negations(words: str) -> frozenset[Span]:
    """Where the words deny something."""
    return frozenset(each.span() for each in _NEGATION.finditer(words))


def denials(
    words: str, values: Sequence[JsonValue], others: JsonValue
) -> Iterator[tuple[Span, JsonValue]]:
    """The denials that take out a listed value, and which; those of its own words take out none."""
    for value, place in _spelled_in(words, values, others):
        yield from ((span, None) for span in _inside(words, place))
        if (span := _not_before(words, place)) is not None:
            yield span, value


# "No 5" is a number, and denies nothing.
_NOT = (
    r"not|no(?!\.?\s*#?\d)|nor|never|neither|none|nobody|nothing|without|cannot|instead\s+of"
    r"|rather\s+than|\w+n['\u2019]t|dont"
)
_NEGATION = re.compile(rf"\b(?:{_NOT})\b", re.IGNORECASE)
_NEGATED = re.compile(rf"\b({_NOT})\s+(?:\w+\s+){{0,2}}$", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.!?;:,\n]")


_CALLED = re.compile(
    r"(?:#|\b(?:order|invoice|item|article|ticket|case|box|room|page|number|nr)|\b(?:no|nr)\.)\s*$",
    re.IGNORECASE,
)


def is_name(words: str, start: int) -> bool:
    """Whether a number there is what something is called: order 42 is no end of a range."""
    return _CALLED.search(words[max(0, start - 20) : start]) is not None


def is_denied(words: str, place: Span) -> bool:
    """Whether what stands there is what is not meant."""
    return _not_before(words, place) is not None


def _inside(words: str, place: Span) -> Iterator[Span]:
    for start, end in negations(words[slice(*place)]):
        yield start + place[0], end + place[0]


def _not_before(words: str, place: Span) -> Span | None:
    begin = max(0, place[0] - 60)
    found = _NEGATED.search(words[begin : place[0]])
    return (begin + found.start(1), begin + found.end(1)) if found else None


def _spelled_in(
    words: str, values: Sequence[JsonValue], others: JsonValue
) -> Iterator[tuple[JsonValue, Span]]:
    spellings: list[tuple[str, JsonValue]] = []
    for value in values:
        if value is None or isinstance(value, bool | dict | list):
            continue
        more = others.get(str(value)) if isinstance(others, dict) else None
        for each in [value, *(more if isinstance(more, list) else [])]:
            spellings.append((str(each), value))
    taken: list[Span] = []
    for spelling, value in sorted(spellings, key=lambda pair: (-len(pair[0]), pair[0])):
        for found in _spelled(spelling).finditer(words) if spelling.strip(" _-") else ():
            if any(found.start() < end and start < found.end() for start, end in taken):
                continue
            taken.append(found.span())
            yield value, found.span()


def _spelled(spelling: str) -> "re.Pattern[str]":
    parts = [re.escape(part) for part in re.split(r"[\s_-]+", spelling) if part]
    joined = r"[\s_-]+".join(parts)
    return re.compile(rf"(?<!\w)(?<!\d[.,:/-]){joined}(?:s|es)?(?!\w|[.,:/-]\d)", re.IGNORECASE)


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """The words of a token such as order-1042, but no part of a number or date."""
    for each in _PART.finditer(text):
        yield each.span()


def _found(pattern: "re.Pattern[str]", words: str) -> Iterator[Said]:
    for each in pattern.finditer(words):
        yield Said(each.group(), each.start(), each.end())
