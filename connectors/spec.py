"""What an action is, who asks for it, and what a connector may know of one call.

Defaults are the cautious ones: an action that nobody described is a blind, irreversible
write that leaves the building and needs an approval.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.canonical import canonical, digest_of
from connectors.members import (
    ActionName,
    AnswersAs,
    Frozen,
    Idempotency,
    ItemAnswers,
    JsonObject,
    Limits,
    Lookup,
    Money,
    Status,
    Undo,
)
from connectors.quota import Heard

__all__ = [
    "ActionName",
    "ActionSpec",
    "AnswersAs",
    "CallContext",
    "Continuation",
    "Effect",
    "Heard",
    "Idempotency",
    "Integrity",
    "ItemAnswers",
    "JsonObject",
    "Label",
    "Limits",
    "Lookup",
    "Money",
    "Principal",
    "Sink",
    "Status",
    "Trust",
    "Undo",
]


class Effect(StrEnum):
    """What calling twice would do, and how one can find out whether a call happened."""

    READ = "read"
    IDEMPOTENT = "idempotent"  # the same call twice acts once
    KEYED = "keyed"  # the service remembers our key for a window
    LOOKUP = "lookup"  # we can search for our own reference
    BLIND = "blind"  # nobody can tell us


class Integrity(StrEnum):
    """How far a value may be trusted, declared from high to low."""

    CONFIG = "config"
    REQUEST = "request"
    TRUSTED = "trusted"
    MODEL = "model"
    UNTRUSTED = "untrusted"

    @cached_property
    def rank(self) -> int:
        """0 is the highest."""
        return _RANKS[self]

    def at_least(self, floor: "Integrity") -> bool:
        """Whether this is as trustworthy as `floor` or more."""
        return self.rank <= floor.rank


_RANKS = {each: rank for rank, each in enumerate(Integrity)}


class Sink(StrEnum):
    """What an argument does in the world; an argument without a declared sink is plain."""

    RECIPIENT = "recipient"
    AMOUNT = "amount"
    RESOURCE_ID = "resource_id"
    URL = "url"
    CONTENT = "content"
    PLAIN = "plain"


@dataclass(frozen=True)
class Label:
    """Where a value comes from and who may see it; `readers=None` means everyone."""

    integrity: Integrity
    readers: frozenset[str] | None = None

    def join(self, other: "Label") -> "Label":
        """The lower integrity, and only the readers that both allow."""
        if self is other:
            return self
        low = self if other.integrity.at_least(self.integrity) else other
        if self.readers is other.readers:
            return low
        if self.readers is None:
            return Label(low.integrity, other.readers)
        if other.readers is None:
            return Label(low.integrity, self.readers)
        return Label(low.integrity, self.readers & other.readers)


Trust = Literal["trusted", "untrusted"]


class ActionSpec(Frozen):
    """One action of the catalogue with its manifest: `<connection>.<operation>`.

    `sinks` maps an argument's pointer ("to", "amount", "lines/*/sku") to its sink class.
    `shown_to` names the arguments that say who sees the content of a call: one that gives none of
    them shows it to nobody else.
    `approval` is the role that must approve every call whatever the policy says, or null.
    `fields_read_as` maps a pointer in the output ("*/id", "lines/*/note") to how it reads, where
    that is not what `reads_as` says of the whole; of a list `reads_as` is also who fills it.
    `own_where` maps a field of a list's elements ("*/sender", "payments/*/direction") to the value
    that it has in those which the caller alone wrote.
    `answer_ids` are the pointers into the answer where ids of objects are ("user_id", or "" where
    the answer itself is one).
    """

    name: ActionName
    description: str = ""
    input_schema: JsonObject
    output_schema: JsonObject | None = None
    effect: Effect = Effect.BLIND
    undo: Undo | None = None
    irreversible: bool = True
    pivot: bool = False
    egress: bool = True
    approval: str | None = "approver"
    sinks: dict[str, Sink] = {}
    shown_to: tuple[str, ...] = ()
    reads_as: Trust = "untrusted"
    fields_read_as: dict[str, Trust] = {}
    own_where: dict[str, str | bool] = {}
    readers: tuple[str, ...] | None = None
    answer_ids: tuple[str, ...] = ()
    answers_as: AnswersAs | None = None
    idempotency: Idempotency | None = None
    lookup: Lookup | None = None
    status: Status | None = None
    items: ItemAnswers | None = None
    settle_s: float = Field(default=0.0, ge=0)
    transactional_errors: tuple[int, ...] = ()
    limits: Limits | None = None
    timeout_s: float = Field(default=30.0, gt=0)
    cost: Money | None = None

    @model_validator(mode="before")
    @classmethod
    def _reads_need_no_approval(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("effect") in (Effect.READ, "read"):
            return {"irreversible": False, "approval": None} | data
        if isinstance(data, dict) and data.get("undo"):
            return {"irreversible": False} | data
        return data

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.undo and (self.irreversible or self.pivot):
            raise ValueError("irreversible and pivot exclude undo")
        if self.effect is Effect.READ and (self.undo or self.irreversible or self.pivot):
            raise ValueError("a read has no effect to undo, to be irreversible or to be a pivot")
        if "" in self.fields_read_as:
            raise ValueError("fields_read_as names places inside; `reads_as` is for the whole")
        for pointer in self.own_where:
            if pointer.split("/").count("*") != 1 or pointer.endswith("*"):
                raise ValueError("own_where names fields of a list's elements: `*/sender`")
            if self.fields_read_as.get(pointer, self.reads_as) != "trusted":
                raise ValueError("own_where goes by a field that reads as trusted")
        if self.effect is Effect.READ and self.items:
            raise ValueError("items are of writes: a read has no effect that could happen in part")
        if self.effect is Effect.READ and self.answers_as:
            raise ValueError("a read answers as itself: answers_as is for writes")
        if self.answers_as and self.answers_as.action.partition(".")[0] != self.connection:
            raise ValueError("answers_as names a read of the same connection")
        if self.effect is Effect.KEYED and not self.idempotency:
            raise ValueError("a keyed action says where its key goes: idempotency is missing")
        if self.effect is Effect.LOOKUP and not self.lookup:
            raise ValueError("a lookup action says how to look it up: lookup is missing")
        return self

    def __hash__(self) -> int:
        """By name: a catalogue has one of each, and what is worked out of one can be kept."""
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        """By the whole definition, kept as text: the same catalogue is read again and again."""
        if self is other or not isinstance(other, ActionSpec):
            return self is other
        return self.canonical == other.canonical

    def model_copy(self, *, update: Mapping[str, object] | None = None, deep: bool = False) -> Self:
        """A copy is another definition: what was worked out of this one is not its own."""
        copied = super().model_copy(update=update, deep=deep)
        for kept in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[kept]
        return copied

    @cached_property
    def connection(self) -> str:
        """The part of the name before the first dot."""
        return self.name.partition(".")[0]

    @cached_property
    def is_write(self) -> bool:
        """Whether a call may change something."""
        return self.effect is not Effect.READ

    @cached_property
    def digest(self) -> str:
        """Identifies this definition; plans and approvals are bound to it."""
        return digest_of(self.canonical)

    @cached_property
    def canonical(self) -> bytes:
        """This definition as canonical JSON."""
        return canonical(self.model_dump(mode="json", by_alias=True))


@dataclass(frozen=True)
class Principal:
    """Who asks: always one of a tenant, known from the credential alone."""

    id: str
    tenant: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Continuation:
    """What a call that was asked something goes on with: its handle, and an answer by name.

    An answer is `{action: accept, content}`, or `{action: decline}` or `cancel`.
    """

    handle: str
    answers: JsonObject


@dataclass(frozen=True)
class CallContext:
    """What a connector is told of one call besides its arguments.

    `deadline` and `send_before` are readings of `time.monotonic()` in seconds: the call
    must end by the first, and its first byte must leave before the second. `heard` is where the
    way out notes what the service says of its own limits.
    """

    tenant: str
    run: str
    step: str
    iteration: str
    attempt: int
    idempotency_key: str
    deadline: float
    send_before: float
    extra: Mapping[str, str] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)
    continues: Continuation | None = None
