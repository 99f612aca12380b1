"""How an approver narrows an envelope before saying yes: never to more than what was shown."""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.spec import Sink
from executor.check.concern import TARGETS
from executor.check.envelope import Band, CoveredStep, Decimals, Envelope

CURRENCY = r"^([A-Z]{3})?$"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewBand(_Frozen):
    """What may stand at one place: exactly one of a list of values, an amount, or anything."""

    values: list[JsonValue] | None = Field(default=None, min_length=1, max_length=1000)
    most: Decimals | None = None
    currency: str = Field(default="", pattern=CURRENCY)
    any: bool = False


class NewStep(_Frozen):
    """What is changed of one step: how often it may act, and bands by place."""

    calls: int | None = Field(default=None, ge=1)
    bands: dict[str, NewBand] = {}


class Narrowing(_Frozen):
    """What an approver changes; all that is not named stays as it was shown."""

    steps: dict[str, NewStep] = {}
    without: list[str] = []  # steps that are asked for by themselves
    sums: dict[str, Decimals] = {}  # of the run, by currency
    expires_at: float | None = None


class WideningError(Exception):
    """It is not narrower than what was shown: `at` says where, as a pointer into the narrowing."""

    def __init__(self, at: str, message: str) -> None:
        super().__init__(message)
        self.at = at


def narrowed(envelope: Envelope, new: Narrowing, ends_at: float) -> Envelope:
    """The narrower envelope; raises `WideningError`. `ends_at` is when the question ends."""
    names = {each.step for each in envelope.steps}
    for at, steps in (("/narrow/steps", new.steps), ("/narrow/without", new.without)):
        for step in steps:
            if step not in names:
                raise WideningError(at, f"{step} is not in the envelope")
    kept = [each for each in envelope.steps if each.step not in new.without]
    if not kept:
        raise WideningError("/narrow/without", "nothing is left to approve: refuse it instead")
    for currency, most in new.sums.items():
        if currency != currency.upper():  # as amounts are counted: it would limit nothing
            raise WideningError(f"/narrow/sums/{currency}", f"no currency is {currency!r}")
        if Decimal(most) > Decimal(envelope.sums.get(currency, most)):
            raise WideningError(f"/narrow/sums/{currency}", f"{most} {currency} is more than shown")
    end = min(ends_at, envelope.expires_at or ends_at)
    if new.expires_at is not None and new.expires_at > end:
        raise WideningError("/narrow/expires_at", "it is later than the question's own end")
    narrower = [_step(each, new.steps.get(each.step)) for each in kept]
    return envelope.model_copy(
        update={
            "steps": tuple(narrower),
            "sums": {**envelope.sums, **new.sums},
            "expires_at": envelope.expires_at if new.expires_at is None else new.expires_at,
        }
    )


def _step(step: CoveredStep, new: NewStep | None) -> CoveredStep:
    if new is None:
        return step
    at = f"/narrow/steps/{step.step}"
    if new.calls is not None and new.calls > step.calls:
        raise WideningError(
            f"{at}/calls", f"{new.calls} calls are more than the {step.calls} shown"
        )
    for place in new.bands.keys() - {band.at for band in step.bands}:
        raise WideningError(f"{at}/bands/{place}", f"{step.step} has no such place")
    bands = [
        band
        if band.at not in new.bands
        else _band(band, new.bands[band.at], f"{at}/bands/{band.at}")
        for band in step.bands
    ]
    calls = step.calls if new.calls is None else new.calls
    return step.model_copy(update={"bands": tuple(bands), "calls": calls})


def _band(old: Band, new: NewBand, at: str) -> Band:
    """One band made narrower."""
    for flaw in _flaws(old, new):
        raise WideningError(at, flaw)
    if new.values is not None:
        change = {"kind": "values", "values": tuple(new.values), "most": None, "currency": None}
    elif new.most is not None:
        change = {"kind": "amount", "most": new.most, "currency": new.currency}
    else:
        change = {"kind": "any"}
    return Band.model_validate(old.model_dump() | change)


def _flaws(old: Band, new: NewBand) -> Iterator[str]:
    if (new.values is not None) + (new.most is not None) + new.any != 1:
        yield "say one of values, most and any"
    beside: JsonValue = {"currency": old.currency or ""}
    for value in new.values or ():
        if old.kind in ("values", "amount") and not old.holds(value, beside):
            yield f"{value!r} is outside of what was shown"
    if new.most is not None:
        if Sink.AMOUNT not in old.sinks:
            yield "no amount stands here"
        if old.kind in ("values", "any"):
            yield "the value is known: list those that you approve"
        if old.kind == "amount" and (
            old.currency != new.currency or Decimal(new.most) > Decimal(old.most or "0")
        ):
            yield f"{new.most} {new.currency} is more than the {old.most} {old.currency} shown"
    if new.any and (old.kind not in ("open", "any") or TARGETS & set(old.sinks)):
        yield "here it has to be said which values may stand"
