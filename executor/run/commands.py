"""What `decide` may want done next."""

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from pydantic import JsonValue

from connectors.spec import ActionSpec, Continuation, JsonObject
from executor.check.envelope import Envelope
from executor.check.grant import Grant
from executor.run.events import Event


@dataclass(frozen=True)
class Record:
    """Write down what follows from what is known; nothing is called for it."""

    event: Event


@dataclass(frozen=True)
class OpenGate:
    """Ask for an approval of exactly these arguments."""

    step: str
    iteration: str
    action: ActionSpec
    arguments: JsonObject
    args_hash: str
    role: str
    quorum: int
    reasons: tuple[str, ...]
    policies: tuple[str, ...]
    expires_s: float | None = None  # None: as long as a question stands by default


@dataclass(frozen=True)
class OpenEnvelope:
    """Ask for one approval of many steps, each inside its bands."""

    envelope: Envelope


class Perform(NamedTuple):
    """Call an action: intent first, then the call, then its outcome."""

    step: str
    iteration: str
    n: int
    action: ActionSpec
    arguments: JsonObject
    args_hash: str
    key: str | None  # that of the earlier attempts, if there were any
    grants: tuple[Grant, ...] = ()  # every approval that it relies on
    observed: tuple[str, ...] = ()  # what policy would have said, where it only observes
    continues: Continuation | None = None  # with what it goes on, if it was asked something
    within_s: float = inf  # its first byte leaves within this time, or never
    begins_by: float | None = None  # or not at all: it is decided on anew


@dataclass(frozen=True)
class LookUp:
    """Ask the service whether an attempt's effect happened; absent counts from `absent_from` on.

    `since` is when it became uncertain.
    """

    step: str
    iteration: str
    n: int
    action: ActionSpec
    arguments: JsonObject  # of the call
    key: str
    since: float
    absent_from: float


@dataclass(frozen=True)
class Wait:
    """Nothing can be done before a call ends (`flight`), a time has come, or somebody acts.

    `left`: it is left to people alone, and whatever else changes before `until`, nothing can be
    done.
    """

    waiting_for: str
    until: float | None
    steps: tuple[str, ...]
    left: bool = False


@dataclass(frozen=True)
class Finish:
    """Nothing more will happen."""

    status: str
    code: str | None
    result: JsonValue
    standing: tuple[str, ...]
    uncertain: tuple[str, ...]
    undone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Abort:
    """Cut off a read that is under way: nobody needs its answer any more."""

    step: str
    iteration: str


@dataclass(frozen=True)
class Poll:
    """Ask the service how a call stands that it accepted and has not finished."""

    step: str
    iteration: str
    n: int
    action: ActionSpec
    arguments: JsonObject  # of the call
    key: str
    handle: str
    since: float


Command = Record | OpenGate | OpenEnvelope | Perform | LookUp | Poll | Abort | Wait | Finish
