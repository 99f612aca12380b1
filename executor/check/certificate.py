"""What admission decided of each step, and what is left to be checked on real values."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from connectors.canonical import canonical
from connectors.spec import Effect, Integrity, JsonObject, Label
from executor.check.budgets import Budgets
from executor.check.envelope import Envelope
from executor.plan.model import Arg
from executor.plan.refs import refs_of_args

_Args: TypeAdapter[tuple[Arg, ...]] = TypeAdapter(tuple[Arg, ...])


def read_args(given: tuple[JsonObject, ...]) -> tuple[Arg, ...]:
    """Arguments in the plan language; raises `ValueError` for what is none."""
    return _Args.validate_json(canonical([*given]))


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

    def told(self, why: str) -> "ApprovalNeed":
        """The same with one more reason."""
        return self.model_copy(update={"reasons": (*self.reasons, why)})


class ValueLabel(_Frozen):
    """The label of one value, as certified."""

    integrity: Integrity
    readers: tuple[str, ...] | None = None

    @property
    def label(self) -> Label:
        """The same, as it is joined with others."""
        return Label(self.integrity, None if self.readers is None else frozenset(self.readers))


class StepDecision(_Frozen):
    """One step of the certificate; `labels` is by target pointer of each bound argument."""

    step: str
    action: str
    effect: Effect
    standing: Standing
    guards: tuple[Guard, ...] = ()
    approval: ApprovalNeed | None = None
    may_need: ApprovalNeed | None = None  # what policy may ask once it can see the values
    labels: dict[str, ValueLabel] = {}
    result_label: ValueLabel
    policies: tuple[str, ...] = ()  # the deciding policies, where already known
    note: str | None = None  # what else people should know: that a model is called
    observed: str | None = None  # what policy would have said, where it only observes

    @cached_property
    def labelled(self) -> Mapping[str, Label]:
        """The label of each bound argument, as policy is asked about it."""
        return {at: each.label for at, each in self.labels.items()}


class UndoDecision(_Frozen):
    """Whether the effect of a step can be taken back: `can`, `cannot`, or not after this `pivot`.

    `args` are in the plan language, over the call's own arguments (`input`) and its output
    (`result`); `labels` are by target pointer.
    """

    step: str
    kind: Literal["can", "cannot", "pivot"]
    why: str = ""
    action: str | None = None
    args: tuple[JsonObject, ...] = ()
    labels: dict[str, ValueLabel] = Field(default_factory=dict)
    safe_when_absent: bool = False
    parallel: bool = False
    deadline_s: float = 0.0

    @property
    def bound(self) -> tuple[Arg, ...]:
        """Its arguments, read."""
        return read_args(self.args)

    @property
    def needs_result(self) -> bool:
        """Whether it takes the output of the call that it undoes."""
        return any(use.ref.root == "result" for use in refs_of_args(self.bound))


class Options(_Frozen):
    """Run options, set by an operator or a playbook, never by a model."""

    on_failure: Literal["stop", "undo", "continue"] = "stop"
    on_uncertain: Literal["wait", "continue"] = "wait"
    envelope: bool = False  # one approval for all that is known to need one, inside bands


class Certificate(_Frozen):
    """The outcome of admission for an accepted plan."""

    plan_digest: str
    policy: Literal["evaluated", "not-evaluated"]
    policy_version: str | None
    options: Options = Options()
    budgets: Budgets = Budgets()  # a run keeps those that its plan was accepted under
    playbooks: dict[str, str] = {}  # the digests of those that the plan called, by name
    steps: tuple[StepDecision, ...] = ()
    undo: tuple[UndoDecision, ...] = ()  # of every step that acts
    envelopes: tuple[Envelope, ...] = ()  # one a role, asked before the first effect

    def undo_of(self, step: str) -> UndoDecision | None:
        """How a step is taken back; None for one that does not act."""
        return next((each for each in self.undo if each.step == step), None)

    def of(self, step: str) -> StepDecision:
        """The decision on one step; `KeyError` if the plan has no such step."""
        return self._decisions[step]

    @cached_property
    def _decisions(self) -> Mapping[str, StepDecision]:
        return {each.step: each for each in self.steps}
