"""The members of a manifest that are objects: how a call is undone, repeated, found, limited."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

JsonObject = dict[str, JsonValue]
ActionName = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$", max_length=64)]


class Frozen(BaseModel):
    """Closed, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Undo(Frozen):
    """The action that takes this back; `args` in the plan language, over `input` and `result`.

    `safe_when_absent` means that it does no harm where there is nothing to take back, so it need
    not be known first whether the effect happened. `parallel` allows it beside others.
    """

    action: ActionName
    args: tuple[JsonObject, ...] = ()
    safe_when_absent: bool = False
    parallel: bool = False
    deadline_s: float = Field(default=3600.0, gt=0)  # how long it is tried


class Idempotency(Frozen):
    """Where our key goes and how long the service remembers it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    place: Literal["header", "query", "body", "connector"] = Field(alias="in")
    name: str
    window_s: float = Field(gt=0)


class Lookup(Frozen):
    """How to find out whether a call happened.

    `action` is a read of the same connection. It is called with our key as its argument
    `by`; `found_at` points into its output: null, missing or an empty array mean absent, and
    the first element of an array, or else the value itself, is the original call's output.
    `key_at` points into that to where our key stands: then only what bears it is believed, and
    an output that holds nothing but others, or has no such place, says nothing.
    `reference` is the argument of the original call that carries our key ("" where the
    connector places the key itself).
    """

    action: ActionName
    by: str
    found_at: str = ""
    key_at: str = ""
    reference: str = ""


class AnswersAs(Frozen):
    """The read whose answer a write gives: `of` points to the ids, in it, that were read then."""

    action: ActionName
    of: tuple[str, ...] = Field(min_length=1)


class Status(Frozen):
    """How to ask what became of a call that the service accepted and has not finished (202).

    `action` is a read of the same connection, called with the handle as its argument `by`. Its
    output says at `state_at` one of the words `done` or `failed`, or another while the service is
    still at it; at `output_at` stands the output of the original call. The handle stands at
    `handle_at` of the 202's body, or is its Location where that is null. `id_at` points into the
    output to where the handle stands again: then an answer that does not bear it says nothing.
    """

    action: ActionName
    by: str
    state_at: str
    done: tuple[str, ...] = Field(min_length=1)
    failed: tuple[str, ...] = ()
    output_at: str = ""
    handle_at: str | None = None
    id_at: str = ""


class ItemAnswers(Frozen):
    """Where a write takes many items, and where its answer says of each whether it happened.

    `of` points to their list in the arguments, `at` to a list in the output ("": the output itself)
    that is as long and in the same order. In an element of that, something at `failed_at` means
    that the item did not happen, or the HTTP status at `status_at` says so; `message_at` says why.
    """

    of: str = Field(min_length=1)
    at: str = ""
    failed_at: str | None = None
    status_at: str | None = None
    message_at: str | None = None

    @model_validator(mode="after")
    def _tells_in_one_way(self) -> Self:
        if (self.failed_at is None) == (self.status_at is None):
            raise ValueError("items: say failed_at or status_at, one of them")
        return self


class Limits(Frozen):
    """How often a connection may be called: `rate` calls each `per_s` seconds, `burst` at once.

    `concurrency` is how many calls may be under way together; without `rate` only that counts.
    """

    rate: float | None = Field(default=None, gt=0)
    per_s: float = Field(default=1.0, gt=0)
    burst: int = Field(default=1, ge=1)
    concurrency: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.rate is None and (self.concurrency is None or self.burst > 1):
            raise ValueError("say a rate, a concurrency, or both; a burst is one of a rate")
        return self


class Money(Frozen):
    """An exact amount in one currency (ISO 4217)."""

    amount: str = Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
