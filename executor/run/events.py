"""Everything that can happen to a run, as one closed union.

State is a fold of these events; nothing else is remembered. Each event is stored with its
type, a version, and its data; `subject` says whose it is (the run, or the request while it is
being planned).
"""

from typing import ClassVar, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

from connectors.spec import Effect, JsonObject
from executor.check.envelope import Envelope
from executor.run.event import AsItIs, EventData
from executor.run.planning_events import (
    PlanAccepted,
    PlanDrafted,
    PlanRejected,
    QuestionAnswered,
    QuestionAsked,
    RequestCancelled,
    RequestReceived,
)
from executor.store.errors import NewerSchemaError

AttemptState = Literal[
    "not_sent", "refused", "applied", "applied_unreadable", "applied_pending", "uncertain"
]
EffectHappened = Literal["no", "yes", "unknown"]


class RunStarted(EventData):
    """The first drive began."""

    type: Literal["run.started"] = "run.started"
    plan: str
    digest: str


class StepSkipped(EventData):
    """A condition was false, or what the step needs was skipped."""

    type: Literal["step.skipped"] = "step.skipped"
    step: str
    because: str


class GateOpened(EventData):
    """A step waits for an approval of exactly these arguments, or many for one inside bands.

    Of an envelope, `steps` are those that it lists, and `step` is empty.
    `policy_texts` are the digests of the policies that may ask the role for such a call.
    """

    type: Literal["gate.opened"] = "gate.opened"
    approval: str
    step: str
    iteration: str
    role: str
    quorum: int
    args_hash: str
    reasons: list[str]
    policies: list[str]
    expires_at: float
    policy_version: str | None = None
    policy_texts: list[str] = []
    kind: Literal["step", "envelope"] = "step"
    steps: list[str] = []


class ApprovalGranted(EventData):
    """An approver said yes; `envelope` is what was granted of one, bands and all."""

    type: Literal["approval.granted"] = "approval.granted"
    approval: str
    by: str
    reason: str
    envelope: Envelope | None = None


class ApprovalCounted(EventData):
    """An approver said yes, and somebody else is asked besides."""

    type: Literal["approval.counted"] = "approval.counted"
    approval: str
    by: str
    reason: str


class ApprovalRefused(EventData):
    """An approver said no."""

    type: Literal["approval.refused"] = "approval.refused"
    approval: str
    by: str
    reason: str


class ApprovalExpired(EventData):
    """Nobody answered in time."""

    type: Literal["approval.expired"] = "approval.expired"
    approval: str


class IntentRecorded(EventData):
    """A call may happen from now on."""

    type: Literal["intent.recorded"] = "intent.recorded"
    step: str
    iteration: str
    n: int
    action: str
    effect: Effect
    key: str
    args_hash: str
    arguments: JsonObject
    approvals: list[str] = []
    send_before: float
    timeout_s: float
    observed: list[str] = []  # what policy would have said, where it only observes


class Failure(BaseModel):
    """Why a call gave no result, normalised, with the vendor's own code and request id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    message: str
    vendor_code: str | None = None
    request_id: str | None = None
    status: int | None = None
    retry_at: float | None = None
    may_retry: bool = False
    link: str | None = None  # where a person can change that, in a browser


class AttemptEnded(EventData):
    """A call ended, or its process did: `state` says what became of the effect.

    `late`: told by whoever made the call and had lost the run by then. It counts where nobody
    knew, and a yes where somebody had said no or given up.
    """

    as_it_is: ClassVar[tuple[str, ...]] = ("output",)
    type: Literal["attempt.ended"] = "attempt.ended"
    step: str
    iteration: str
    n: int
    state: AttemptState
    output: AsItIs = None
    failure: Failure | None = None
    request_id: str | None = None
    replayed: bool = False
    handle: str | None = None  # of `applied_pending`: what the service is asked about it with
    asks: JsonObject | None = None  # of `applied_pending`: what a person has to answer first
    ask_from: float | None = None  # of `applied_pending`: the service is not asked before
    late: bool = False


class AttemptDeferred(EventData):
    """The service was asked what became of a call, and did not say.

    It is asked again at `again_at`; where that is None it was asked for so long that a person finds
    out. Whoever is woken asks once more, but never before `ask_from`, if the service named a time.
    """

    type: Literal["attempt.deferred"] = "attempt.deferred"
    step: str
    iteration: str
    n: int
    again_at: float | None = 0.0  # of an event of the journal's first version: it asks at once
    ask_from: float | None = None
    woken: int = 0  # how often the run had been woken by then


class ItemFailure(BaseModel):
    """Why one item of a step failed: of an each-step, or of a call that takes many at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    message: str
    effect: EffectHappened


class StepDone(EventData):
    """The step ended well; `result` is what others may refer to, with null for a failed item."""

    as_it_is: ClassVar[tuple[str, ...]] = ("result",)
    type: Literal["step.done"] = "step.done"
    step: str
    result: AsItIs
    failed_items: dict[str, ItemFailure] = {}


class StepFailed(EventData):
    """The step ended badly; `effect` says whether its effect happened all the same.

    Of a call that takes many items, `failed_items` are those that did not happen.
    """

    type: Literal["step.failed"] = "step.failed"
    step: str
    iteration: str = ""
    code: str
    message: str
    effect: EffectHappened
    failed_items: dict[str, ItemFailure] = {}


class WaitStarted(EventData):
    """The run lets go until somebody or some time wakes it."""

    type: Literal["wait.started"] = "wait.started"
    waiting_for: str
    until: float | None = None
    steps: list[str] = []


class WaitEnded(EventData):
    """The run goes on."""

    type: Literal["wait.ended"] = "wait.ended"
    waiting_for: str


class ReconcileResolved(EventData):
    """What had been uncertain is known now, and how it became known."""

    as_it_is: ClassVar[tuple[str, ...]] = ("output",)
    type: Literal["reconcile.resolved"] = "reconcile.resolved"
    step: str
    iteration: str
    n: int
    resolution: Literal["applied", "absent", "abandoned", "answered"]
    by: str  # "key", "lookup", "repetition", "status", or who said so
    reason: str = ""
    output: AsItIs = None
    answers: JsonObject | None = None  # of `answered`: the call goes on with them


class UndoStarted(EventData):
    """A compensation began: from now on the effect of this step or item is being taken back."""

    type: Literal["undo.started"] = "undo.started"
    step: str
    iteration: str = ""
    action: str


class UndoEnded(EventData):
    """A compensation ended, or cannot begin; where it is not undone, `code` says why.

    `effect` says whether the compensation itself happened.
    """

    type: Literal["undo.ended"] = "undo.ended"
    step: str
    iteration: str = ""
    undone: bool
    code: str | None = None
    message: str = ""
    effect: EffectHappened = "no"


class CancelRequested(EventData):
    """Somebody asked for no new effects."""

    type: Literal["cancel.requested"] = "cancel.requested"
    by: str
    mode: Literal["stop", "undo"]


class RunFinished(EventData):
    """Nothing more will happen; effects that stand, are unknown or were undone, by step.

    Where effects were taken back, those of an each-step are listed by item: `step[3]`.
    """

    as_it_is: ClassVar[tuple[str, ...]] = ("result",)
    type: Literal["run.finished"] = "run.finished"
    status: str
    code: str | None = None
    result: AsItIs = None
    standing: list[str] = []
    uncertain: list[str] = []
    undone: list[str] = []


Event = (
    RequestReceived
    | PlanDrafted
    | PlanRejected
    | PlanAccepted
    | QuestionAsked
    | QuestionAnswered
    | RequestCancelled
    | RunStarted
    | StepSkipped
    | GateOpened
    | ApprovalGranted
    | ApprovalCounted
    | ApprovalRefused
    | ApprovalExpired
    | IntentRecorded
    | AttemptEnded
    | AttemptDeferred
    | StepDone
    | StepFailed
    | WaitStarted
    | WaitEnded
    | ReconcileResolved
    | UndoStarted
    | UndoEnded
    | CancelRequested
    | RunFinished
)
_TYPES: Final[dict[str, type[Event]]] = {
    each.model_fields["type"].default: each for each in get_args(Event)
}


def parse_event(kind: str, v: int, data: JsonObject) -> Event:
    """Read a stored event; raises `NewerSchemaError` for a type or a version that is not known."""
    if v != 1 or kind not in _TYPES:
        raise NewerSchemaError(
            f"the journal tells of {kind} in version {v}, which this version does not know; "
            "run the version that wrote it, or a newer one"
        )
    return _TYPES[kind].model_validate(data)
