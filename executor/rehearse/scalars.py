"""Scalars that a schema may take: texts by format, pattern and length, and small numbers."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.rehearse.pattern import text_for

MOST_CHARACTERS = 100_000  # of one text: a schema may ask for more than there is memory
_FIRST_DAY = date(2030, 1, 1)
# What patterns often ask for: tried before a text is put together from the pattern itself.
_USUAL = (
    "1.00", "1", "DE", "2030-01-01", "2030-01-01T00:00:00Z", "made-up@example.com",
    "https://example.com/1", "+4930123456", "00000000-0000-4000-8000-000000000001",
)  # fmt: skip


def scalars_for(
    kind: str, node: JsonObject, name: str, index: int, known: tuple[str, ...]
) -> Iterator[JsonValue]:
    """Scalars of a kind to try, in order."""
    match kind:
        case "string":
            yield from _texts(node, name, index, known)
        case "integer" | "number":
            yield from _numbers(node, index, whole=kind == "integer")
        case "boolean":
            yield True
            yield False
        case _:
            yield None


def _numbers(node: JsonObject, index: int, *, whole: bool) -> Iterator[JsonValue]:
    """A small number within the bounds, near one."""
    low, high = exact(node.get("minimum")), exact(node.get("maximum"))
    above, below = exact(node.get("exclusiveMinimum")), exact(node.get("exclusiveMaximum"))
    unit = exact(node.get("multipleOf")) or Decimal(1)
    lows = [each for each in (low, above) if each is not None]
    highs = [each for each in (high, below) if each is not None]
    start = max((Decimal(1), *lows))
    if highs and start > min(highs):
        start = min(highs)
    base = (start / unit).to_integral_value(ROUND_CEILING) * unit
    last = (start / unit).to_integral_value(ROUND_FLOOR) * unit
    tries = [base + index * unit, base, base + unit, last, last - unit, Decimal(0)]
    if not whole and lows and highs:
        tries.append((max(lows) + min(highs)) / 2)
    for each in (*tries, *lows, *highs):
        if each == each.to_integral_value():
            yield int(each)
        elif not whole:
            yield float(each)


def exact(value: JsonValue) -> Decimal | None:
    """A number of a schema, exactly; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(repr(value))


def _texts(node: JsonObject, name: str, index: int, known: tuple[str, ...]) -> Iterator[str]:
    """Texts to try, in order; `name` is what the place is called, `known` what the plan holds."""
    least, most = _bound(node, "minLength", 0), _bound(node, "maxLength", None)
    pattern, kind = node.get("pattern"), node.get("format")
    if isinstance(kind, str) and kind in FORMATS:
        yield FORMATS[kind](index)
    codes = tuple(each for each in (*known, "EUR") if _is_code(each))
    if name == "currency":
        yield from codes  # one for all: amounts of several are not comparable
    if isinstance(pattern, str):
        yield from (*codes, *_USUAL) if index == 0 else ()
        for stretch in dict.fromkeys((0, 1, least or 0, *(range(2, 9)))):
            if (found := text_for(pattern, index, stretch)) is not None:
                yield found
    if name == "amount":
        yield FORMATS["decimal"](index)  # of money, which is counted
    if (least or 0) <= MOST_CHARACTERS:
        yield _fitted(f"{name or 'text'}-{index + 1}", least or 0, most, index)


def _is_code(text: str) -> bool:
    """Whether this may be a currency or the like: what a plan says once, it says everywhere."""
    return len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()


def _fitted(text: str, least: int, most: int | None, index: int) -> str:
    """As long as it has to be; what tells it from others stands at the end."""
    text = text.ljust(least, "-")
    if most is None or len(text) <= most:
        return text
    tail = str(index + 1)
    return text[: max(0, most - len(tail))] + tail[-most:] if most else ""


def _bound(node: JsonObject, name: str, default: int | None) -> int | None:
    found = node.get(name)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else default


def _day(index: int) -> str:
    return (_FIRST_DAY + timedelta(days=index % 36_500)).isoformat()


FORMATS: dict[str, Callable[[int], str]] = {
    "date": _day,
    "date-time": lambda index: f"{_day(index)}T00:00:00Z",
    "time": lambda index: f"00:{index // 60 % 60:02}:{index % 60:02}Z",
    "duration": lambda index: f"P{index + 1}D",
    "email": lambda index: f"made-up-{index + 1}@example.com",
    "idn-email": lambda index: f"made-up-{index + 1}@example.com",
    "hostname": lambda index: f"made-up-{index + 1}.example.com",
    "idn-hostname": lambda index: f"made-up-{index + 1}.example.com",
    "ipv4": lambda index: f"192.0.2.{index % 254 + 1}",
    "ipv6": lambda index: f"2001:db8::{index % 65_535 + 1:x}",
    "uri": lambda index: f"https://example.com/{index + 1}",
    "uri-reference": lambda index: f"/made-up/{index + 1}",
    "iri": lambda index: f"https://example.com/{index + 1}",
    "iri-reference": lambda index: f"/made-up/{index + 1}",
    "uri-template": lambda index: f"/made-up/{index + 1}",
    "uuid": lambda index: f"00000000-0000-4000-8000-{index + 1:012}",
    "json-pointer": lambda index: f"/{index + 1}",
    "relative-json-pointer": lambda index: f"{index + 1}",
    "regex": lambda index: f"{index + 1}",
    "decimal": lambda index: f"{index + 1}.00",
}
"""Example values of the formats that a validator checks, another one for another index."""
