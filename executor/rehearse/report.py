"""What a rehearsal tells: everything that would happen, as data for whoever decides on the plan."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.spec import Effect, JsonObject
from executor.check.budgets import Budgets
from executor.rehearse.answers import Source, Upset
from executor.rehearse.branches import Kind


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Act(_Frozen):
    """One effect: a write with its arguments.

    `made_up` are the targets whose values rest on made-up answers; `undo` says whether it could be
    taken back.
    """

    step: str
    iteration: str
    action: str
    effect: Effect
    arguments: JsonObject
    made_up: list[str]
    undo: Literal["can", "cannot", "pivot"]
    undone: bool = False


class Message(_Frozen):
    """What others would get to read: to whom, if it is sent to somebody, and every text."""

    step: str
    iteration: str
    action: str
    to: list[JsonValue]
    content: list[JsonValue]
    made_up: list[str]


class Asked(_Frozen):
    """An approval that would be asked for; of the whole plan it is an envelope, with its steps."""

    kind: Literal["step", "envelope"]
    steps: list[str]
    role: str
    quorum: int
    reasons: list[str]
    arguments: JsonObject


class Given(_Frozen):
    """An answer that the scenario takes for granted."""

    step: str
    iteration: str
    action: str
    source: Source
    output: JsonValue


class StepEnd(_Frozen):
    """How a step ended; `open` where it cannot be told."""

    step: str
    ended: Literal["done", "skipped", "failed", "open"]
    why: str = ""
    code: str | None = None


class Figures(_Frozen):
    """Counts and sums; money is exact, by currency. Repeated calls and searches count as calls.

    `messages` are those with a recipient.

    `rate_limit_s` is how long calls would wait for their turn, by connection. `at_most_s` is how
    long it lasts if every call takes all of its time-out, `expected_s` if each takes as long as
    such calls took before: null where one was never made.
    """

    writes: int
    messages: int
    approvals: int
    money: dict[str, str]
    calls: dict[str, int]
    rate_limit_s: dict[str, float]
    at_most_s: float
    expected_s: float | None


class Scenario(_Frozen):
    """One way the plan may go; `because` is what was chosen of the answers to come there.

    `waiting_for` is what would have to come from outside for it to go on.
    """

    number: int
    because: list[str]
    status: str
    code: str | None
    waiting_for: str | None
    steps: list[StepEnd]
    effects: list[Act]
    messages: list[Message]
    approvals: list[Asked]
    figures: Figures
    answers: list[Given]
    result: JsonValue = None


class SetbackEnd(_Frozen):
    """What becomes of a scenario if something goes wrong at one place of it."""

    scenario: int
    step: str
    iteration: str
    upset: Upset
    status: str
    code: str | None
    waiting_for: str | None
    standing: list[str]
    uncertain: list[str]
    undone: list[str]


class Way(_Frozen):
    """A branch with the scenarios in which it goes each way.

    Where there is none, `why` says if nothing could turn it (`fixed`: it hangs on no answer), or
    if no answer was found that does (`not_found`), or if it was not come to (`not_reached`).
    """

    step: str
    kind: Kind
    text: str
    yes: list[int]
    no: list[int]
    why: Literal["fixed", "not_found", "not_reached"] | None = None


class Unmet(_Frozen):
    """A check on real values that no answer passed, or an answer that could not be made up."""

    step: str
    scenario: int
    code: str
    message: str


class Rehearsal(_Frozen):
    """The whole of it; `most` are the largest figures of all scenarios, each for itself.

    A run may come to more: `open_lists` are steps that go through as many elements, `open_amounts`
    steps that move as much as services will say.
    """

    digest: str
    policy: Literal["evaluated", "not-evaluated"]
    policy_version: str | None
    on_failure: str
    size: int
    tried: int
    scenarios: list[Scenario]
    setbacks: list[SetbackEnd]
    setbacks_left_out: int
    ways: list[Way]
    unmet: list[Unmet]
    most: Figures
    open_lists: list[str]
    open_amounts: list[str]
    budgets: Budgets
    unmeasured: list[str]  # actions that were never called, so nobody knows how long they take
