"""What admission decided of each step, and what is left to be checked on real values."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.spec import Effect, Integrity
from executor.check.budgets import Budgets


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Mode = Literal["enforce", "observe"]  # whether policy blocks, or only says what it would have done


class Standing(StrEnum):
    """How a step stands when its plan is accepted."""

    ALLOWED = "allowed"
    CONDITIONAL = "conditional"
    NEEDS_APPROVAL = "needs_approval"


class Guard(_Frozen):
    """A check left for run time, before the call: `at` is a target pointer in the arguments.

    A `type` guard holds the JSON Schema that the value must meet; a `policy` guard means that
    the policy could not decide without the value; a `budget` guard is counted in the run.
    """

    kind: Literal["type", "policy", "budget"]
    at: str
    why: str
    expected: JsonValue = None  # the JSON Schema of a type guard
    policies: tuple[str, ...] = ()  # of a policy guard: those that could not decide yet
    needs: tuple[str, ...] = ()  # and the places in their context that they wait for


class ApprovalNeed(_Frozen):
    """Who must say yes before a step may act, and why."""

    role: str
    quorum: int = 1
    reasons: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    expires_s: float | None = None  # how long the question stands; None: the gateway's default

    def with_(self, other: "ApprovalNeed") -> "ApprovalNeed":
        """Both at once, of one role: the most people, for the shortest time."""
        expiries = [each for each in (self.expires_s, other.expires_s) if each is not None]
        return ApprovalNeed(
            role=self.role,
            quorum=max(self.quorum, other.quorum),
            reasons=tuple(dict.fromkeys((*self.reasons, *other.reasons))),
            policies=tuple(dict.fromkeys((*self.policies, *other.policies))),
            expires_s=min(expiries, default=None),
        )


class ValueLabel(_Frozen):
    """The label of one value, as certified."""

    integrity: Integrity
    readers: tuple[str, ...] | None = None


class StepDecision(_Frozen):
    """One step of the certificate; `labels` is by target pointer of each bound argument."""

    step: str
    action: str
    effect: Effect
    standing: Standing
    guards: tuple[Guard, ...] = ()
    approval: ApprovalNeed | None = None
    labels: dict[str, ValueLabel] = {}
    result_label: ValueLabel | None = None
    policies: tuple[str, ...] = ()  # the deciding policies, where already known
    note: str | None = None  # what else people should know: that a model is called
    observed: str | None = None  # what policy would have said, where it only observes


class Options(_Frozen):
    """Run options, set by an operator or a playbook, never by a model."""

    on_failure: Literal["stop", "continue"] = "stop"
    on_uncertain: Literal["wait", "continue"] = "wait"


class Certificate(_Frozen):
    """The outcome of admission for an accepted plan."""

    plan_digest: str
    policy: Literal["evaluated", "not-evaluated"]
    policy_version: str | None
    options: Options = Options()
    budgets: Budgets = Budgets()  # a run keeps those that its plan was accepted under
    steps: tuple[StepDecision, ...] = ()

    def of(self, step: str) -> StepDecision:
        """The decision on one step; `KeyError` if the plan has no such step."""
        for decision in self.steps:
            if decision.step == step:
                return decision
        raise KeyError(step)
