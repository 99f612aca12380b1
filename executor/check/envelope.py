"""An envelope: one approval for several steps of a plan, each argument inside a band.

A place whose value is known at admission has a band of exactly that value. One that is not known
is *open*: nothing there is approved unless the approver gives it a band. An approver may narrow an
envelope, never widen it; a call is covered only if every one of its values lies in its band.

band         what may stand there
-----------  ------------------------------------------------------------------------
values       one of these, and nothing else
amount       an amount of one currency from nothing up to `most`, with no other member; of a list,
             all together
any          anything; never at a place that says to whom, how much, which or where
open         nothing yet
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.canonical import canonical, digest
from connectors.spec import Effect, Integrity, JsonObject, Sink
from executor.check.budgets import number_of, total
from executor.plan.refs import array_index, join_pointer, split_pointer

DECIMALS = r"^[0-9]{1,15}(\.[0-9]{1,6})?$"
Decimals = Annotated[str, Field(pattern=DECIMALS)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Frozen):
    """What one place of a step's arguments may be; `sinks` are those that a value there reaches."""

    at: str
    kind: Literal["values", "amount", "any", "open"]
    values: tuple[JsonValue, ...] = ()
    most: Decimals | None = None
    currency: str | None = None
    sinks: tuple[Sink, ...] = ()
    integrity: Integrity | None = None

    @cached_property
    def place(self) -> tuple[str, ...]:
        """Where it is, token by token."""
        return split_pointer(self.at)

    @cached_property
    def texts(self) -> frozenset[bytes]:
        """The values that it allows, in canonical form."""
        return frozenset(canonical(each) for each in self.values)

    def holds(self, value: JsonValue, parent: JsonValue = None) -> bool:
        """Whether a value lies inside; `parent` is what it stands in."""
        match self.kind:
            case "values":
                return canonical(value) in self.texts
            case "amount":
                return self._is_amount(value, parent)
            case "any":
                return True
            case "open":
                return False

    def _is_amount(self, value: JsonValue, parent: JsonValue) -> bool:
        found = [*self._amounts(value, parent)]
        known = [each for each in found if each is not None and each >= 0]
        return len(known) == len(found) and total(known) <= Decimal(self.most or "0")

    def _amounts(self, value: JsonValue, parent: JsonValue) -> Iterator[Decimal | None]:
        """Each amount there; None for one that is none, or is of another currency."""
        match value:
            case list():
                for each in value:
                    yield from self._amounts(each, value)
            case {"amount": amount, "currency": str(currency), **rest}:
                yield None if rest else self._of_currency(amount, currency)
            case _:
                beside = parent.get("currency", "") if isinstance(parent, dict) else ""
                yield self._of_currency(value, beside) if isinstance(beside, str) else None

    def _of_currency(self, amount: JsonValue, currency: str) -> Decimal | None:
        return number_of(amount) if currency.upper() == (self.currency or "") else None


class CoveredStep(_Frozen):
    """One step of an envelope: how often, of exactly which action, with which values."""

    step: str
    action: str
    action_digest: str
    effect: Effect
    irreversible: bool
    call: str  # the step as people read it
    is_sure: bool  # whether it surely needs this approval; else policy may still ask for it
    calls: int = Field(ge=0)  # places: a step, or items of it; a call made again counts once
    bands: tuple[Band, ...] = ()

    @property
    def open_places(self) -> tuple[str, ...]:
        """Where nothing is approved yet: with one of these no call is covered."""
        return tuple(band.at for band in self.bands if band.kind == "open")

    def departures(self, arguments: JsonObject) -> Iterator[str]:
        """Every value that lies outside its band, in words."""
        found = {band.place: _at(arguments, band.place) for band in self.bands}
        for band in self.bands:
            value = found[band.place]
            if value is None:
                yield f"{band.at or 'the arguments'} is missing"
            elif not band.holds(*value):
                yield f"{band.at or 'the arguments'} is {_shown(value[0])}, {outside(band)}"
        yield from (f"{each} was not shown" for each in _unseen(arguments, (), set(found)))


class Envelope(_Frozen):
    """What one role may approve at once, or has approved; `sums` are of a whole run."""

    role: str
    quorum: int = Field(default=1, ge=1)
    reasons: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    expires_s: float | None = None
    expires_at: float | None = None  # earlier than the question's end, where an approver said so
    steps: tuple[CoveredStep, ...]
    sums: dict[str, Decimals] = {}

    @cached_property
    def digest(self) -> str:
        """Identifies exactly what was shown."""
        return digest(self.model_dump(mode="json"))

    def of(self, step: str) -> CoveredStep | None:
        """What is approved of one step, if it is among them."""
        return next((each for each in self.steps if each.step == step), None)


def outside(band: Band) -> str:
    """Why a value is outside, in words."""
    match band.kind:
        case "values":
            return "none of the approved values"
        case "amount":
            return f"not an amount up to {band.most} {band.currency or 'of no currency'}"
        case _:
            return "for which no band was approved"


def _at(arguments: JsonValue, place: Sequence[str]) -> tuple[JsonValue, JsonValue] | None:
    """The value at a place and what it stands in; None where nothing is."""
    here, parent = arguments, None
    for token in place:
        index = array_index(token)
        if isinstance(here, dict) and token in here:
            here, parent = here[token], here
        elif isinstance(here, list) and index is not None and index < len(here):
            here, parent = here[index], here
        else:
            return None
    return here, parent


def _unseen(here: JsonValue, place: tuple[str, ...], bands: set[tuple[str, ...]]) -> Iterator[str]:
    """Every place of the arguments that no band speaks of."""
    if place in bands:
        return
    below = any(each[: len(place)] == place for each in bands)
    if isinstance(here, dict) and (below or not place):
        for name, each in here.items():
            yield from _unseen(each, (*place, name), bands)
    elif isinstance(here, list) and below:
        for index, each in enumerate(here):
            yield from _unseen(each, (*place, str(index)), bands)
    else:
        yield join_pointer(place)


def _shown(value: JsonValue) -> str:
    text = canonical(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
