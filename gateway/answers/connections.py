"""What is answered about what can be called, and what keeps calls from beginning."""

from typing import Literal

from pydantic import Field

from connectors.spec import ActionSpec, Limits
from executor.breaker import State
from gateway.answers.told import Told
from planner.models.build import Adapter


class BreakerTold(Told):
    """Whether a service is taken for down, until when and why."""

    state: State
    failures: int
    until: float | None
    because: str


class QuotaTold(Told):
    """How many calls a service has said that it still takes, until it counts anew."""

    left: int
    renews_at: float


class SkippedTold(Told):
    """What a source has and cannot be offered."""

    name: str
    reason: str


class ConnectionTold(Told):
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


class ChangeTold(Told):
    """One definition that is not what was accepted."""

    tool: str
    kind: str
    notes: list[str]
    diff: list[str]


class ReviewTold(Told):
    """What a server says of itself beside what was accepted."""

    connection: str
    digest: str
    reached_by: list[str]
    changes: list[ChangeTold]
    notes: list[str]


class AcceptedTold(Told):
    """The tools that are on offer from now on."""

    connection: str
    digest: str
    accepted: list[str]


class StopTold(Told):
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


class LiftTold(Told):
    """How many runs waited for a stop, and look again now that it is lifted."""

    id: str
    woken: int


class ModelTold(Told):
    """What plans under a name that a request may say; `playbooks` is no model, and needs none."""

    name: str
    adapter: Adapter | None
    model: str | None
    is_default: bool
    standing: Literal["ready", "absent"]
    reason: str | None


class HealthTold(Told):
    """That the store answers; how many actions there are, and how connections and models stand.

    `stuck` is how many requests and runs can neither be driven nor put aside: the log has them.
    `time` is what time it is for the gateway, in seconds since the epoch.
    """

    status: Literal["ok"]
    time: float
    actions: int
    connections: dict[Literal["ready", "stale", "absent"], int]
    models: dict[Literal["ready", "absent"], int]
    stuck: int


class ActionTold(ActionSpec):
    """An action with its manifest, and the digest that plans are accepted with."""

    is_accepted_as: str = Field(alias="digest")
