"""What is answered about a run: how it stands, what happened, what was found out, and approvals."""

from typing import Literal

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.store.blobs import Blob
from gateway.answers.told import Told

RunStatus = Literal[
    "queued", "running", "waiting", "cancelling", "succeeded", "failed", "undone",
    "compensation_incomplete", "cancelled", "quarantined",
]  # fmt: skip


ApprovalState = Literal["open", "granted", "refused", "expired", "void"]


class RunRowTold(Told):
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


class EventTold(Told):
    """One event of a journal; `large`, if there, are members of `data` that stand elsewhere."""

    run: str
    seq: int
    at: float
    type: str
    v: int
    data: JsonObject
    large: dict[str, Blob] = {}


class EvidenceTold(Told):
    """Whose call it was, and whether that was known already."""

    run: str
    news: bool


class SaidTold(Told):
    """What one person has decided: where several are asked, each of them."""

    by: str
    decision: Literal["approve", "refuse"]
    reason: str
    at: float


class ApprovalTold(Told):
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
    decisions: list[SaidTold]
    state: ApprovalState
    created_at: float
    expires_at: float
    rehearse: str | None = None


class DecisionTold(Told):
    """How an approval stands after a decision: of `quorum` people so many have said `yes`."""

    id: str
    state: ApprovalState
    run: str
    yes: int
    quorum: int
