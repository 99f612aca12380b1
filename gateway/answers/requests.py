"""What is answered about a request and the plan that it became."""

from typing import Literal

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.certificate import Certificate
from executor.check.violation import Code
from executor.rehearse.report import Rehearsal
from gateway.answers.told import Told


class ViolationTold(Told):
    """One reason why a plan is not accepted; `at` is an RFC 6901 pointer into it."""

    code: Code
    at: str
    message: str
    step: str | None
    candidates: list[str]
    fix: str


class DraftTold(Told):
    """What a planner proposed, and every reason why not."""

    round: int
    text: str
    violations: list[ViolationTold]


class QuestionTold(Told):
    """What is asked instead of guessed; an answer is given by what it is `about`."""

    about: str
    ask: str
    options: list[str]


class UsageTold(Told):
    """What a model took; null where nobody knows its price."""

    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


RequestStatus = Literal[
    "received", "planning", "needs_answer", "refused", "rejected", "planner_unavailable",
    "planned", "cancelled",
]  # fmt: skip


class RequestRowTold(Told):
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


class PlanTold(Told):
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
