"""Values that a comparison holds for, or does not: the value itself, and its neighbours."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from executor.fn.compare import NotComparableError, compare, equal, rank
from executor.rehearse.pattern import text_for

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def mirrored(op: str) -> str:
    """The operator that says the same with both sides exchanged."""
    return _MIRRORED.get(op, op)


def fitting(
    op: str, value: JsonValue, wanted: bool, others: Sequence[JsonValue]
) -> Iterator[JsonValue]:
    """Values `x` for which `x op value` is `wanted`: of `others` if there are any, or near it."""
    tried: list[JsonValue] = []
    for each in others or _candidates(op, value):
        if any(equal(each, other) for other in tried):
            continue
        tried.append(each)
        try:
            if compare(op, each, value) is wanted:
                yield each
        except NotComparableError:
            continue


def _candidates(op: str, value: JsonValue) -> Iterator[JsonValue]:
    if op == "in" and isinstance(value, list):
        yield from value
        yield from (near for each in value for near in _near(each))
    elif op == "matches" and isinstance(value, str):
        found = text_for(value) or ""
        yield from (found, f"{found}@example.com", f"https://example.com/{found}")
        yield from (text for stretch in (1, 4) if (text := text_for(value, 0, stretch)))
        yield from ("", "-", "other", "0")
    else:
        yield value
        yield from _near(value)


def _near(value: JsonValue) -> Iterator[JsonValue]:
    """Neighbours on the scale of a value."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value - 1, value + 1)
        case float():
            yield from (value - 1, value + 1)
        case str():
            yield from _near_text(value)
        case {"amount": str(amount), "currency": currency}:
            for each in _near_decimal(amount):
                yield {"amount": each, "currency": currency}
        case _:
            return


def _near_text(text: str) -> Iterator[str]:
    try:
        scale = rank(text)[0]
    except NotComparableError:
        scale = "text"
    match scale:
        case "decimal":
            yield from _near_decimal(text)
        case "date":
            yield from _near_day(text)
        case "date-time":
            yield from _near_moment(text)
        case _:
            yield from (f"{text}-", text[:-1], "other", "")


def _near_decimal(text: str) -> Iterator[str]:
    try:
        found = Decimal(text)
    except ArithmeticError:
        return
    unit = Decimal(1).scaleb(min(0, int(found.as_tuple().exponent)))
    yield from (format(found + step, "f") for step in (-1, 1, -unit, unit))


def _near_day(text: str) -> Iterator[str]:
    day = date.fromisoformat(text)
    for days in (-1, 1):
        try:
            yield (day + timedelta(days=days)).isoformat()
        except OverflowError:
            continue


def _near_moment(text: str) -> Iterator[str]:
    is_utc = text[-1] in "Zz"
    moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    for hours in (-24, 24):
        try:
            found = (moment + timedelta(hours=hours)).isoformat()
        except OverflowError:
            continue
        yield found.removesuffix("+00:00") + "Z" if is_utc else found
