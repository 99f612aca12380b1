"""What the API answers, member by member, so that clients can be made from its document.

Every member is always there: null or empty where there is nothing to say.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.spec import ActionSpec, JsonObject, Limits
from executor.breaker import State
from executor.check.certificate import Certificate
from executor.check.violation import Code
from executor.rehearse.report import Rehearsal
from executor.store.blobs import Blob
from gateway.credentials import CredentialKind


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_json(self) -> JsonObject:
        """The same as JSON."""
        return self.model_dump(mode="json")


class Made(_Told):
    """Something new, or asked for, by its id."""

    id: str


class ViolationTold(_Told):
    """One reason why a plan is not accepted; `at` is an RFC 6901 pointer into it."""

    code: Code
    at: str
    message: str
    step: str | None
    candidates: list[str]
    fix: str


class DraftTold(_Told):
    """What a planner proposed, and every reason why not."""

    round: int
    text: str
    violations: list[ViolationTold]


class QuestionTold(_Told):
    """What is asked instead of guessed; an answer is given by what it is `about`."""

    about: str
    ask: str
    options: list[str]


class UsageTold(_Told):
    """What a model took; null where nobody knows its price."""

    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


RequestStatus = Literal[
    "received", "planning", "needs_answer", "refused", "rejected", "planner_unavailable",
    "planned", "cancelled",
]  # fmt: skip
RunStatus = Literal[
    "queued", "running", "waiting", "cancelling", "succeeded", "failed", "undone",
    "compensation_incomplete", "cancelled", "quarantined",
]  # fmt: skip
ApprovalState = Literal["open", "granted", "refused", "expired", "void"]


class RequestRowTold(_Told):
    """A request, short."""

    id: str
    status: RequestStatus
    code: str | None
    requester: str
    text: str
    plan: str | None
    run: str | None
    created_at: float
    updated_at: float


class RequestTold(RequestRowTold):
    """Where a request stands: `violations` are those of the last draft."""

    answers: dict[str, str]
    planner: str = ""
    drafts: list[DraftTold] = []
    violations: list[ViolationTold] = []
    usage: UsageTold | None = None
    questions: list[QuestionTold] = []
    unable: str | None = None
    message: str | None = None
    retry_after_s: float | None = None


class PlanTold(_Told):
    """An accepted plan in the plan language, its certificate, and how it reads."""

    id: str
    digest: str
    plan: JsonValue
    rendered: str
    inputs: JsonObject
    certificate: Certificate
    request: str | None
    requester: str


class RehearsalTold(Rehearsal):
    """What a run of a plan would do, as data and as it reads."""

    plan: str
    rendered: str


class RunRowTold(_Told):
    """Where a run stands."""

    id: str
    plan: str
    request: str | None
    words: str | None
    requester: str
    status: RunStatus
    waiting_for: str | None
    code: str | None
    wake_at: float | None
    result: JsonValue
    large: Blob | None
    recoveries: int
    created_at: float
    updated_at: float


class RunTold(RunRowTold):
    """The same with what became of its effects, by step: null until it has ended."""

    standing: list[str] | None
    uncertain: list[str] | None
    undone: list[str] | None


class EventTold(_Told):
    """One event of a journal; `large`, if there, are members of `data` that stand elsewhere."""

    run: str
    seq: int
    at: float
    type: str
    v: int
    data: JsonObject
    large: dict[str, Blob] = {}


class EvidenceTold(_Told):
    """Whose call it was, and whether that was known already."""

    run: str
    news: bool


class ApprovalTold(_Told):
    """What waits for a person, never in part; of a whole plan `rendered` says its bands.

    `rehearse` is where its plan is rehearsed: of one that is asked for by its id.
    """

    id: str
    run: str
    kind: Literal["step", "envelope"]
    step: str
    steps: list[str]
    rendered: str | None
    iteration: str
    action: str
    arguments: JsonObject
    args_hash: str
    action_digest: str
    plan_digest: str
    policy_version: str | None
    role: str
    quorum: int
    reasons: list[str]
    policies: list[str]
    requester: str
    state: ApprovalState
    created_at: float
    expires_at: float
    rehearse: str | None = None


class DecisionTold(_Told):
    """How an approval stands after a decision."""

    id: str
    state: str
    run: str


class BreakerTold(_Told):
    """Whether a service is taken for down, until when and why."""

    state: State
    failures: int
    until: float | None
    because: str


class QuotaTold(_Told):
    """How many calls a service has said that it still takes, until it counts anew."""

    left: int
    renews_at: float


class SkippedTold(_Told):
    """What a source has and cannot be offered."""

    name: str
    reason: str


class ConnectionTold(_Told):
    """What a connection offers, and what keeps its calls waiting."""

    name: str
    connector: str
    standing: Literal["ready", "stale", "absent"]
    actions: int
    held: int
    skipped: list[SkippedTold]
    stale_since: str | None
    reason: str | None
    limits: Limits | None
    breaker: BreakerTold
    hold_until: float | None
    quota: QuotaTold | None
    stops: list[str]


class ChangeTold(_Told):
    """One definition that is not what was accepted."""

    tool: str
    kind: str
    notes: list[str]
    diff: list[str]


class ReviewTold(_Told):
    """What a server says of itself beside what was accepted."""

    connection: str
    digest: str
    reached_by: list[str]
    changes: list[ChangeTold]
    notes: list[str]


class AcceptedTold(_Told):
    """The tools that are on offer from now on."""

    connection: str
    digest: str
    accepted: list[str]


class StopTold(_Told):
    """A stop; without a connection it is of all of them."""

    id: str
    tenants: Literal["own", "all"]
    connection: str | None
    by: str
    reason: str
    at: float
    lifted_at: float | None
    lifted_by: str | None
    lift_reason: str | None


class NewStopTold(StopTold):
    """A stop that begins; `under_way` are the calls that will still end."""

    under_way: int


class LiftTold(_Told):
    """How many runs go on now that a stop is lifted."""

    id: str
    woken: int


class KeyTold(_Told):
    """A key, never its secret."""

    id: str
    principal: str
    roles: list[str]
    created_at: float
    revoked_at: float | None


class NewKeyTold(_Told):
    """A key that was made; its secret is told once, and no replay has it."""

    id: str
    principal: str
    roles: list[str]
    secret: str | None


class RevokedTold(_Told):
    """A key that is over."""

    id: str
    revoked: bool


class ActTold(BaseModel):
    """What somebody did with a credential; what else is said depends on `act`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    at: float
    by: str
    act: str


class CredentialTold(_Told):
    """What is kept of a credential, never its secret; `connect` is where a consent is begun."""

    id: str
    kind: CredentialKind
    settings: JsonObject
    standing: Literal["ready", "unconnected", "refused"]
    reason: str | None
    connect: str | None
    expires_at: float | None
    key: str
    is_current: bool
    created_at: float
    updated_at: float


class CredentialStoryTold(CredentialTold):
    """The same with who did what with it, and when."""

    history: list[ActTold]


class RemovedTold(_Told):
    """A credential that is gone."""

    id: str
    removed: bool


class ConsentTold(_Told):
    """Where a browser begins a consent."""

    id: str
    link: str
    expires_at: float


class RotatedTold(_Told):
    """The newest master key, and how many credentials it had to be put around."""

    key: str
    resealed: int


class HealthTold(_Told):
    """That the store answers; how many actions there are, and how connections stand."""

    status: Literal["ok"]
    actions: int
    connections: dict[Literal["ready", "stale", "absent"], int]


class ActionTold(ActionSpec):
    """An action with its manifest, and the digest that plans are accepted with."""

    is_accepted_as: str = Field(alias="digest")
