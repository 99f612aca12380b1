"""What one request and its run may use at the most, and how the amounts of a call are read.

Money is counted by currency, exactly, and without its sign: a negative amount makes no room.
Where any currency has a budget, one that has none may not be spent, unless `*` says how much of
each other one may be; `*` is also for amounts that name no currency.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.currency import exponent_of
from connectors.spec import ActionSpec, Sink
from executor.check.unknown import Unknown
from executor.plan.refs import split_pointer

EXACT = Context(prec=200)
RESULT_BYTES = 8 * 1024 * 1024  # of one answer, as JSON
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_Limit = Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,6})?$")]
Placed = tuple[JsonValue, JsonValue, tuple[str, ...]]
"""A value, what it stands in, and where."""
_Currency = Annotated[str, Field(pattern=r"^([A-Z]{3}|\*)$")]


class Budgets(BaseModel):
    """What a plan, its run and its planning may use; sealed into the certificate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=50, ge=1)
    items: int = Field(default=1_000, ge=0)  # of one step's `each`
    all_items: int = Field(default=5_000, ge=0)  # of every `each` of a run
    calls: int = Field(default=5_000, ge=0)  # of one connection, repetitions among them
    money: dict[_Currency, _Limit] = {}  # by currency; without any, money is not limited
    run_s: int = Field(default=7 * 24 * 3600, ge=1)  # from a run's start to its last call
    planning_tokens: int = Field(default=200_000, ge=1)  # of all drafts of one request

    def most(self, currency: str) -> Decimal | None:
        """How much of a currency may be spent; None where money is not limited."""
        if not self.money:
            return None
        return Decimal(self.money.get(currency, self.money.get("*", "0")))


@dataclass(frozen=True)
class Amount:
    """One amount of a call: None is what is not known yet, or cannot be read as a number."""

    at: tuple[str, ...]
    currency: str | None  # "" where the call names none
    value: Decimal | None


def amounts_of(action: ActionSpec, arguments: JsonValue) -> tuple[Amount, ...]:
    """Every amount that a write is called with; what is not given is none."""
    if not action.is_write:
        return ()
    found = (_of(*each) for each in at_sinks(action, Sink.AMOUNT, arguments))
    return tuple(amount for amounts in found for amount in amounts)


def at_sinks(action: ActionSpec, sink: Sink, arguments: JsonValue) -> Iterator[Placed]:
    """Every value at a place of this sink class; what is not known yet may hide some."""
    for at, each in action.sinks.items():
        if each is sink:
            yield from _below(arguments, None, split_pointer(at), ())


def minor_units(currency: str, value: Decimal) -> int:
    """An amount in minor units of its currency, a part of one counted as a whole."""
    scaled = EXACT.scaleb(value, exponent_of(currency))
    return int(scaled.to_integral_value(ROUND_CEILING))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    found = Decimal(0)
    for each in amounts:
        found = EXACT.add(found, each)
    return found


def by_currency(amounts: Iterable[Amount]) -> Mapping[str, Decimal]:
    """The sum of each currency, of what can be read."""
    sums: dict[str, Decimal] = {}
    for each in amounts:
        if each.value is not None and each.currency is not None:
            sums[each.currency] = total((sums.get(each.currency, Decimal(0)), each.value))
    return sums


def _below(
    here: JsonValue, parent: JsonValue, rest: tuple[str, ...], path: tuple[str, ...]
) -> Iterator[Placed]:
    if isinstance(here, Unknown):
        yield here, parent, (*path, *rest)
    elif not rest:
        yield here, parent, path
    elif isinstance(here, list):
        for index, each in enumerate(here):
            if rest[0] in ("*", str(index)):
                yield from _below(each, here, rest[1:], (*path, str(index)))
    elif isinstance(here, dict):
        for name, each in here.items():
            if rest[0] in ("*", name):
                yield from _below(each, here, rest[1:], (*path, name))


def _of(here: JsonValue, parent: JsonValue, path: tuple[str, ...]) -> Iterator[Amount]:
    match here:
        case Unknown():
            yield Amount(path, None, None)
        case None:
            return
        case list():
            for index, each in enumerate(here):
                yield from _of(each, here, (*path, str(index)))
        case {"amount": amount, "currency": currency}:
            yield Amount(path, _currency(currency), _number(amount))
        case _:
            beside = parent.get("currency") if isinstance(parent, dict) else None
            yield Amount(path, _currency(beside), _number(here))


def _currency(value: JsonValue) -> str | None:
    if isinstance(value, Unknown):
        return None
    return value.upper() if isinstance(value, str) else ""


def _number(value: JsonValue) -> Decimal | None:
    found = number_of(value)
    return None if found is None else found.copy_abs()


def number_of(value: JsonValue) -> Decimal | None:
    """An amount's exact value, with its sign; None for what cannot be read as a number."""
    match value:
        case bool():
            return None
        case int():
            return Decimal(value)
        case float():
            return Decimal(repr(value))
        case str() if _NUMBER.fullmatch(value):
            return Decimal(value)
        case _:
            return None
