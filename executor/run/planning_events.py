"""What happens to a request until its plan is accepted; what then happens is in `events.py`."""

from typing import Literal

from connectors.spec import JsonObject
from executor.run.event import EventData


class PlanningEvent(EventData):
    """It tells nothing of a run."""


class RequestReceived(PlanningEvent):
    """A request was accepted for planning."""

    type: Literal["request.received"] = "request.received"
    text: str


class PlanDrafted(PlanningEvent):
    """The planner wrote a draft."""

    type: Literal["plan.drafted"] = "plan.drafted"
    round: int
    planner: str


class PlanRejected(PlanningEvent):
    """A draft was refused, with every reason."""

    type: Literal["plan.rejected"] = "plan.rejected"
    round: int
    violations: list[JsonObject]


class PlanAccepted(PlanningEvent):
    """A plan was accepted."""

    type: Literal["plan.accepted"] = "plan.accepted"
    plan: str
    digest: str


class QuestionAsked(PlanningEvent):
    """The person is asked instead of guessed about."""

    type: Literal["question.asked"] = "question.asked"
    questions: list[JsonObject]


class RequestCancelled(PlanningEvent):
    """Somebody gave up a request that waited for an answer, or for a model."""

    type: Literal["request.cancelled"] = "request.cancelled"
    by: str


class QuestionAnswered(PlanningEvent):
    """The person answered."""

    type: Literal["question.answered"] = "question.answered"
    answers: dict[str, str]
