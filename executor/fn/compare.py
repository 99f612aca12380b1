"""How two values compare: the same for conditions, `where` clauses and sorting."""

import datetime
import re as syntax
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import re2
from pydantic import JsonValue

from connectors.canonical import canonical

MAX_PATTERN = 200
# A short pattern may say very much: `x{0,1000}` twenty times over takes most of a second to read.
MOST_PROGRAM = 64 * 1024  # bytes of memory, of which two thirds are for what it is compiled to
_DECIMAL = syntax.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATE = syntax.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = syntax.compile(
    _DATE.pattern + r"[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)


class NotComparableError(Exception):
    """The two values have no common order."""


Rank = tuple[str, str, Decimal | datetime.date | str]


def equal(left: JsonValue, right: JsonValue) -> bool:
    """JSON equality: 1 equals 1.0, true does not equal 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return type(left) is type(right) and left == right


def compare(op: str, left: JsonValue, right: JsonValue) -> bool:
    """Apply `== != < <= > >= matches in`; raises `NotComparableError`."""
    match op:
        case "==":
            return equal(left, right)
        case "!=":
            return not equal(left, right)
        case "matches":
            return _matches(left, right)
        case "in":
            return isinstance(right, list) and any(equal(left, each) for each in right)
        case _:
            first, second = rank(left), rank(right)
            if first[:2] != second[:2]:
                raise NotComparableError(f"{_name(first)} has no order with {_name(second)}")
            return _ordered(op, first, second)


def among(values: Sequence[JsonValue]) -> Callable[[JsonValue], bool]:
    """`in` for many values to ask about: it takes no longer for a list of many."""
    known = frozenset(map(_same, values))
    return lambda value: _same(value) in known


def _same(value: JsonValue) -> Hashable:
    """Equal for equal values, and for no others."""
    match value:
        case bool():
            return ("boolean", value)  # Python takes it for a number
        case list() | dict():
            return canonical(value)
        case _:
            return value


def rank(value: JsonValue) -> Rank:
    """Place a value on its own scale: (scale, unit, position); raises `NotComparableError`."""
    match value:
        case bool():
            raise NotComparableError("a boolean has no order")
        case int() | float():
            return ("number", "", Decimal(repr(value)))
        case str() if _DECIMAL.fullmatch(value):
            return ("decimal", "", Decimal(value))
        case str() if _DATE.fullmatch(value):
            return ("date", "", _date(value))
        case str() if _DATE_TIME.fullmatch(value):
            return _instant(value)
        case str():
            return ("text", "", value)
        case {"amount": str(amount), "currency": str(currency), **rest} if not rest:
            return ("money", currency, decimal(amount))
        case None:
            raise NotComparableError("null has no order")
        case _:
            raise NotComparableError("an object or array has no order")


def decimal(text: str) -> Decimal:
    """Read a plain decimal; raises `NotComparableError`."""
    try:
        if not _DECIMAL.fullmatch(text):
            raise NotComparableError(f"{text!r} is no plain decimal")
        return Decimal(text)
    except InvalidOperation as error:  # pragma: no cover - the pattern leaves nothing to refuse
        raise NotComparableError(str(error)) from error


def pattern_flaw(pattern: JsonValue) -> str | None:
    """Why a literal cannot be a pattern, or None if it can."""
    if not isinstance(pattern, str):
        return "a pattern is a text"
    if len(pattern) > MAX_PATTERN:
        return f"a pattern has at most {MAX_PATTERN} characters"
    try:
        re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        return f"not an RE2 pattern: {error}"
    return None


def _options() -> "re2.Options":
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MOST_PROGRAM
    return options


_OPTIONS: Final = _options()  # one for all: `re2` keeps what it compiled with the same ones


def _matches(left: JsonValue, pattern: JsonValue) -> bool:
    if flaw := pattern_flaw(pattern):
        raise NotComparableError(flaw)
    if not isinstance(left, str):
        raise NotComparableError("only a text can match a pattern")
    return re2.compile(pattern, _OPTIONS).search(left) is not None


def _ordered(op: str, left: Rank, right: Rank) -> bool:
    # Same scale, so the positions are of one type; the sum type cannot say so.
    below = left[2] < right[2]  # type: ignore[operator]  # see the line above
    same = left[2] == right[2]
    return {
        "<": below,
        "<=": below or same,
        ">": not (below or same),
        ">=": not below,
    }[op]


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise NotComparableError(f"{text!r} is no date") from error


def _instant(text: str) -> Rank:
    try:
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError as error:
        raise NotComparableError(f"{text!r} is no date-time") from error
    if found.tzinfo is None:
        return ("date-time", "local", found)
    try:
        return ("date-time", "", found.astimezone(datetime.UTC))
    except OverflowError as error:
        raise NotComparableError(f"{text!r} is beyond every calendar") from error


def _name(rank_of: Rank) -> str:
    return f"{rank_of[0]} {rank_of[1]}".strip()
