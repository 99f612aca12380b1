"""Reads typed inputs from a person's words: what the type allows and the words say, or nothing.

No guessing: one reading is a value, several are a question with options, none is a question.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.types import Flow, validity
from executor.plan.types import Type
from planner import said, said_money, said_numbers
from planner.said import Said, Span
from planner.said_dates import dates, named
from planner.said_money import money
from planner.said_numbers import integers, numbers

BLANK = "\N{OBJECT REPLACEMENT CHARACTER}"  # no word, no blank: nothing is read across it
# A dash that begins a line is of a list, and no range.
_TO = re.compile(r"\s*(?:to|till|until|through)\s*|[^\S\n]*[\u2212\u2013-]\s*", re.IGNORECASE)
_YES = frozenset("yes y true on sure ok okay".split())
_NO = frozenset("no n false off".split())


@dataclass(frozen=True)
class Reading:
    """What the words say of one input: a value and where it stands, several, or nothing."""

    kind: Literal["value", "several", "nothing"]
    value: JsonValue = None
    candidates: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


_NOTHING = Reading("nothing")


def read_input(schema: JsonObject, words: str, today: str, *, answered: bool = False) -> Reading:
    """Read one input; an answer to its own question may also be free text."""
    if answered:
        whole = _whole(schema, words.strip())
        if whole is not None and is_valid(schema, whole):
            return Reading("value", whole, spans=((0, len(words)),))
    if schema.get("type") == "array":
        return _listed(schema, words, today)
    found = [each for each in _candidates(schema, words, today) if is_valid(schema, each.value)]
    distinct: dict[str, Said] = {}
    for each in sorted(found, key=lambda one: one.start):
        distinct.setdefault(spoken(each.value), each)
    # An answer may say "one" or "about 5"; one that says "no refund" in other words is no refund.
    taken = any(each.sure for each in found) or (answered and "enum" not in schema)
    # An answer that says "not 5" is no 5; elsewhere the playbook is doubted for its "not".
    denied = answered and any(said.is_denied(words, (each.start, each.end)) for each in found)
    if len(distinct) == 1 and taken and not denied:
        return Reading("value", found[0].value, spans=_spans(found))
    if not distinct:
        return _NOTHING
    return Reading("several", candidates=tuple(distinct), spans=_spans(found))


def captured(schema: JsonObject, words: str, today: str) -> Reading:
    """Read an input from words that stand in its very place; there even free text is one."""
    if is_free_text(schema) and is_valid(schema, words):
        return Reading("value", words, spans=((0, len(words)),))
    return read_input(schema, words, today)


def options_of(schema: JsonObject) -> tuple[str, ...]:
    """What to offer when asking."""
    for key in ("x-options", "enum"):
        values = schema.get(key)
        if isinstance(values, list):
            return tuple(str(each) for each in values if each is not None)
    return ("yes", "no") if schema.get("type") == "boolean" else ()


def spoken(value: JsonValue) -> str:
    """A value as a person would say it, and as it is read again."""
    match value:
        case {"amount": str(amount), "currency": str(currency)}:
            return f"{amount} {currency}"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(spoken(each) for each in value)
        case _:
            return str(value)


def is_valid(schema: JsonObject, value: JsonValue) -> bool:
    """Whether an input's schema allows a value."""
    return validity(value, Type.of(schema)) is Flow.YES


def without_specific(words: str, schemas: Iterable[JsonObject], today: str) -> str:
    """The words with what other inputs take by their form blanked out: 1042 is no quantity."""
    specific = [
        (each.start, each.end)
        for schema in schemas
        if not is_plain_number(schema)
        for each in _candidates(_item(schema), words, today)
        if is_valid(_item(schema), each.value)
    ]
    return without(words, specific)


def without(words: str, spans: Iterable[Span]) -> str:
    """The words with some places blanked out; every other place stays where it is."""
    shown = list(words)
    for start, end in spans:
        shown[start:end] = BLANK * (end - start)
    return "".join(shown)


def _item(schema: JsonObject) -> JsonObject:
    items = schema.get("items")
    return items if schema.get("type") == "array" and isinstance(items, dict) else schema


def is_plain_number(schema: JsonObject) -> bool:
    """Whether any number would do, so that it must not be one that means something else."""
    return schema.get("type") in ("integer", "number") and "enum" not in schema


def parts(words: str) -> set[Span]:
    """Where a number or an amount is said, though it may be read as none."""
    return {*said_numbers.parts(words), *said_money.parts(words)}


def takes_numbers(schema: JsonObject) -> bool:
    """Whether a part of a number or of an amount may be meant for it."""
    return is_plain_number(schema) or (schema.get("type") == "object" and _is_money(schema))


def is_free_text(schema: JsonObject) -> bool:
    """Whether any words at all are a value."""
    return schema.get("type") == "string" and not {"enum", "pattern", "format"} & schema.keys()


def _whole(schema: JsonObject, words: str) -> JsonValue:
    """An answer that is the value itself."""
    if schema.get("type") == "boolean":
        word = words.casefold().rstrip(".!")
        return True if word in _YES else (False if word in _NO else None)
    if isinstance(values := schema.get("enum"), list):
        return next((each for each in values if str(each).casefold() == words.casefold()), None)
    return words if words and schema.get("type") == "string" else None


def _listed(schema: JsonObject, words: str, today: str) -> Reading:
    items = schema.get("items")
    if not isinstance(items, dict):
        return _NOTHING
    found = [each for each in _candidates(items, words, today) if is_valid(items, each.value)]
    found.sort(key=lambda one: one.start)
    values: list[JsonValue] = []
    for each in found:
        if each.value not in values:
            values.append(each.value)
    if not values or not is_valid(schema, values):
        return _NOTHING
    if not all(each.sure for each in found) or _may_be_others(words, found):
        return Reading("several", candidates=tuple(map(spoken, values)), spans=_spans(found))
    return Reading("value", values, spans=_spans(found))


def _may_be_others(words: str, found: list[Said]) -> bool:
    """Whether two of them are readings of the same words, or the ends of a range."""
    return any(
        one.value != other.value
        and (other.start < one.end or _TO.fullmatch(words, one.end, other.start) is not None)
        for one, other in pairwise(found)
    )


def _spans(found: Iterable[Said]) -> tuple[Span, ...]:
    return tuple((each.start, each.end) for each in found)


def _candidates(schema: JsonObject, words: str, today: str) -> list[Said]:
    if isinstance(values := schema.get("enum"), list):
        return list(said.enumerated(words, values, schema.get("x-words")))
    match schema.get("type"), schema.get("format"):
        case "object", _ if _is_money(schema):
            return list(money(words))
        case "string", "email":
            return list(said.emails(words))
        case "string", "date":
            return list(dates(words, today))
        case "string", "date-time":
            return list(said.moments(words))
        case "string", "uri":
            return list(said.urls(words))
        case "string", "uuid":
            return list(said.uuids(words))
        case "integer", _:
            return _outside(integers(words), [*_wider(words, today), *money(words)])
        case "number", _:
            return _outside(numbers(words), _wider(words, today))
        case "string", _ if isinstance(pattern := schema.get("pattern"), str):
            return _outside(said.patterned(words, pattern), [*_wider(words, today), *money(words)])
        case _:
            return []


def _wider(words: str, today: str) -> list[Said]:
    """What is no number or identifier, though it holds digits: dates and addresses."""
    readers = (said.emails, said.urls, said.uuids, said.moments)
    return [*(each for reader in readers for each in reader(words)), *named(words, today)]


def _outside(found: Iterable[Said], wider: Iterable[Said]) -> list[Said]:
    """Leave out what is only a part of something else."""
    spans = sorted((each.start, each.end) for each in wider)
    furthest = [0, *accumulate((end for _, end in spans), max)]  # of so many
    kept = []
    for each in found:
        before = bisect_left(spans, (each.start, 0))
        here = bisect_left(spans, (each.start + 1, 0))
        is_part = furthest[before] >= each.end or (before < here and spans[here - 1][1] > each.end)
        if not is_part:
            kept.append(each)
    return kept


def _is_money(schema: JsonObject) -> bool:
    properties = schema.get("properties")
    return isinstance(properties, dict) and {"amount", "currency"} <= properties.keys()
