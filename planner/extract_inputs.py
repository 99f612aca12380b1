"""Reads typed inputs from a person's words: what the type allows and the words say, or nothing.

No guessing: one reading is a value, several are a question with options, none is a question.
"""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from connectors.spec import JsonObject

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_INTEGER = re.compile(r"(?<![\w.,-])-?\d+(?![\w]|[.,]\d)")
_NUMBER = re.compile(r"(?<![\w.,-])-?\d+(?:\.\d+)?(?![\w])")
_MONEY = re.compile(
    r"(?P<first>EUR|USD|GBP|CHF|€|\$|£)?\s?(?P<amount>\d+(?:[.,]\d\d)?)(?!\d)\s?(?P<last>EUR|USD|GBP|CHF|€|£)?",
    re.IGNORECASE,
)
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}


@dataclass(frozen=True)
class Reading:
    """What the words say of one input: a value, several candidates, or nothing."""

    kind: Literal["value", "several", "nothing"]
    value: JsonValue = None
    candidates: tuple[str, ...] = ()


def read_input(schema: JsonObject, words: str, *, answered: bool = False) -> Reading:
    """Read one input; an answer to its own question may also be free text."""
    found = _candidates(schema, words)
    if not found and answered and _is_free_text(schema) and words.strip():
        found = [words.strip()]
    distinct: list[JsonValue] = []
    for value in found:
        if value not in distinct:
            distinct.append(value)
    if len(distinct) == 1:
        return Reading("value", distinct[0])
    if distinct:
        return Reading("several", candidates=tuple(str(each) for each in distinct))
    return Reading("nothing")


def options_of(schema: JsonObject) -> tuple[str, ...]:
    """What to offer when asking."""
    for key in ("x-options", "enum"):
        values = schema.get(key)
        if isinstance(values, list):
            return tuple(str(each) for each in values)
    return ()


def _candidates(schema: JsonObject, words: str) -> list[JsonValue]:
    if isinstance(values := schema.get("enum"), list):
        return [value for value in values if _is_said(value, schema, words)]
    match schema.get("type"), schema.get("format"):
        case "object", _:
            return _money(words)
        case "string", "email":
            return [found.group() for found in _EMAIL.finditer(words)]
        case "string", "date":
            return [found.group() for found in _DATE.finditer(words)]
        case "integer", _:
            return [int(found.group()) for found in _INTEGER.finditer(words)]
        case "number", _:
            return [float(found.group()) for found in _NUMBER.finditer(words)]
        case "string", _ if isinstance(pattern := schema.get("pattern"), str):
            bare = pattern.removeprefix("^").removesuffix("$")
            return [found.group() for found in re.finditer(rf"(?<!\w)(?:{bare})(?!\w)", words)]
        case _:
            return []


def _is_said(value: JsonValue, schema: JsonObject, words: str) -> bool:
    others = schema.get("x-words")
    synonyms = others.get(str(value)) if isinstance(others, dict) else None
    spellings = [str(value), *(synonyms if isinstance(synonyms, list) else [])]
    return any(
        re.search(rf"(?<!\w){re.escape(str(each))}s?(?!\w)", words, re.IGNORECASE)
        for each in spellings
    )


def _money(words: str) -> list[JsonValue]:
    found: list[JsonValue] = []
    for each in _MONEY.finditer(words):
        currency = each["first"] or each["last"]
        if currency:
            code = _SIGNS.get(currency, currency.upper())
            amount = each["amount"].replace(",", ".")
            found.append({"amount": amount if "." in amount else f"{amount}.00", "currency": code})
    return found


def _is_free_text(schema: JsonObject) -> bool:
    return schema.get("type") == "string" and not {"enum", "pattern", "format"} & schema.keys()
