"""What a trace says of a run, its steps and its calls."""

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.spec import JsonObject
from executor.run.events import ItemFailure


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AttemptTrace(_Frozen):
    """One call."""

    n: int
    iteration: str
    at: float
    ended_at: float | None
    state: str
    told: str
    key: str
    vendor_code: str | None = None
    request_id: str | None = None
    link: str | None = None  # where a person can change what was refused, in a browser


class GateTrace(_Frozen):
    """One approval that a step needed."""

    approval: str
    role: str
    reasons: tuple[str, ...]
    told: str


class UndoTrace(_Frozen):
    """How the effect of a step or item was taken back, or why it was not."""

    iteration: str
    action: str
    undone: bool
    told: str
    attempts: tuple[AttemptTrace, ...] = ()


class StepTrace(_Frozen):
    """One step: its state, what became of its effect, and why."""

    step: str
    action: str
    call: str
    state: str
    effect: str
    told: str
    result: JsonValue = None
    large: JsonObject | None = None  # digest and bytes of a result that stands elsewhere
    attempts: tuple[AttemptTrace, ...] = ()
    gates: tuple[GateTrace, ...] = ()
    undo: tuple[UndoTrace, ...] = ()
    failed_items: dict[str, ItemFailure] = {}  # by their place in the list: what did not happen


class Trace(_Frozen):
    """A whole run, explained."""

    run: str
    requester: str
    words: str  # what was asked for; empty where a plan was sent without any
    understanding: str  # what the plan says that it does
    created_at: float
    ended_at: float | None
    plan_digest: str
    status: str
    waiting_for: str | None
    code: str | None
    next: str
    result: JsonValue
    steps: tuple[StepTrace, ...]
    notes: tuple[str, ...]
