"""One call that takes back what a step or an item did, decided on like any other call.

It has a place of its own, and with it attempts and a key. No approval is asked for it: who approved
the plan saw it. No budget stops it: it gives back. It is tried until its deadline (`undo.py`). It
begins once nothing of what it takes back can still come about: else it would find nothing to take
back, and the effect would stand after all.
"""

from dataclasses import dataclass, field
from math import inf

from connectors.spec import ActionSpec
from executor.check.cedar import Judgement, PolicyQuestion
from executor.check.certificate import UndoDecision
from executor.run.gates import Passage, denied
from executor.run.instance import Instance
from executor.run.state import Attempt, Place, undo_place
from executor.run.verdicts import Failed, Next, Verdict, Waiting


@dataclass(frozen=True)
class Compensation(Instance):
    """One call that takes back what a step or item did: decided on like any other call."""

    decision: UndoDecision = field(kw_only=True)
    quiet_at: float = field(kw_only=True, default=-inf)  # nothing of it can come about after that

    @property
    def place(self) -> Place:
        """A place of its own, so that its attempts and its key are its own."""
        return undo_place((self.step.id, self.iteration))

    @property
    def action(self) -> ActionSpec:
        """What takes it back."""
        return self.accepted.actions[self.decision.action or ""]

    @property
    def _is_used_up(self) -> bool:
        return False  # its deadline ends it

    @property
    def _goes_on(self) -> bool:
        return False  # taken back in part is not taken back

    def _call(self, last: Attempt | None, doubt: Attempt | None = None) -> Verdict:
        if last is None and self.outside.now < self.quiet_at:
            return Waiting("retry", self.quiet_at)
        return super()._call(last, doubt)

    def _begins_by(self, *, settles: bool) -> float | None:
        return None

    def _over_budget(self, *, settles: bool) -> str | None:
        return None

    def _passage(self) -> Failed | Next | Waiting | Passage:
        """What policy says; an approval that it asks for was given with the plan's."""
        judgement, approvals = self._judged(frozenset()), frozenset[str]()
        while (role := judgement.role) is not None and role not in approvals:
            approvals |= {role}
            judgement = self._judged(approvals)
        if judgement.verdict == "allow":
            return Passage(observed=(judgement.told,) if judgement.observed else ())
        return denied(judgement, self.outside.policy.slice_of(self.action))

    def _judged(self, approvals: frozenset[str]) -> Judgement:
        return self.outside.policy.judge(self._question(approvals))

    def _question(self, approvals: frozenset[str]) -> PolicyQuestion:
        policies = self.outside.policy.slice_of(self.action)
        target = (self.step.id, self.iteration)
        so_far = self.around.tally.so_far
        # What it takes back is itself besides where it counts, but not where its object was read:
        # that is another since, and the call's own answer may tell what it is.
        read, stale = (
            so_far.read_of(self.place, self.action, self.arguments) if policies.reads else ({}, {})
        )
        return PolicyQuestion(
            principal=self.accepted.principal,
            action=self.action,
            arguments=self.arguments,
            labels={at: each.label for at, each in self.decision.labels.items()},
            run=so_far.besides(target, self.action, self.arguments) if policies.asks_of_run else {},
            read=read,
            stale=stale,
            approvals=approvals,
        )
