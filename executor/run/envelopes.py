"""Envelopes in a run: which are to be asked for, and whether a call lies inside what was granted.

A call is inside if its step is listed with this very definition of its action, every value lies in
its band, and neither the calls of the step nor the sums of the run become more than was granted,
counting what is under way and what may have happened. Else it is asked for by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.check.budgets import Amount, amounts_of, by_currency
from executor.check.envelope import CoveredStep, Envelope
from executor.check.grant import Grant
from executor.run import events as e
from executor.run.commands import Perform
from executor.run.so_far import SoFar
from executor.run.state import WHOLE_PLAN, Gate, Place, RunState


@dataclass(frozen=True)
class Granted:
    """An envelope that somebody said yes to, as they narrowed it."""

    gate: Gate
    envelope: Envelope

    @property
    def grant(self) -> Grant:
        """What a call inside it relies on."""
        return Grant(self.gate.opened.approval, self.envelope.digest)

    @property
    def expires_at(self) -> float:
        """When it stops counting."""
        end = self.gate.opened.expires_at
        return end if self.envelope.expires_at is None else min(end, self.envelope.expires_at)


@dataclass(frozen=True)
class Envelopes:
    """The envelopes of one run at one moment."""

    accepted: Accepted
    state: RunState
    so_far: SoFar

    def gate(self, role: str) -> Gate | None:
        """The question to a role about the whole plan, if it was asked."""
        gates = self.state.gates.get(WHOLE_PLAN, ())
        return next((gate for gate in gates if gate.opened.role == role), None)

    def lists(self, role: str, step: str) -> bool:
        """Whether a role is asked about this step together with others."""
        found = self.accepted.certificate.envelopes
        return any(each.role == role and each.of(step) is not None for each in found)

    def granted(self) -> Iterator[Granted]:
        """Every one that somebody said yes to."""
        for gate in self.state.gates.get(WHOLE_PLAN, ()):
            if isinstance(gate.ruling, e.ApprovalGranted) and gate.ruling.envelope is not None:
                yield Granted(gate, gate.ruling.envelope)

    def departure(
        self,
        found: Granted,
        place: Place,
        action: ActionSpec,
        calls: Sequence[JsonObject],
        now: float,
    ) -> str | None:
        """Why these calls of one step are not covered, if they are not."""
        covered = found.envelope.of(place[0])
        if found.expires_at <= now:
            return "the approval of the plan has run out"
        if covered is None:
            return "the approval of the plan left this step out"
        if covered.action_digest != action.digest:
            return f"{action.name} is not what was approved"
        for call in calls:
            if (departure := next(covered.departures(call), None)) is not None:
                return departure
        return self._too_many(found, covered, place, calls) or self._too_much(
            found, place, action, calls
        )

    def together(
        self, commands: Sequence[Perform], not_recorded: frozenset[Place]
    ) -> list[Perform]:
        """Those calls that stay inside the sums even if all of them happen."""
        fitting = [*commands]
        for found in self.granted():
            mine = [each for each in fitting if found.grant in each.grants]
            if not found.envelope.sums or not mine:
                continue
            over = self._over(found, mine, not_recorded)
            fitting = [each for each in fitting if not any(each is other for other in over)]
        return fitting

    def _over(
        self, found: Granted, mine: Sequence[Perform], not_recorded: frozenset[Place]
    ) -> list[Perform]:
        if any(found.envelope.of(place[0]) is not None for place in not_recorded):
            return [*mine]
        money, over = dict(self._moved(found)), list[Perform]()
        for call in mine:
            place = (call.step, call.iteration)
            later = {**money, place: amounts_of(call.action, call.arguments)}
            if _excess(found.envelope, later) is None:
                money = later
            else:
                over.append(call)
        return over

    def _too_many(
        self, found: Granted, covered: CoveredStep, place: Place, calls: Sequence[JsonObject]
    ) -> str | None:
        others = {each for each in self._places(found) if each[0] == place[0]} - {place}
        made = len(others) + len(calls)
        if made <= covered.calls:
            return None
        return f"{made} calls of {place[0]}, of {covered.calls} approved"

    def _too_much(
        self, found: Granted, place: Place, action: ActionSpec, calls: Sequence[JsonObject]
    ) -> str | None:
        mine = tuple(amount for call in calls for amount in amounts_of(action, call))
        return _excess(found.envelope, {**self._moved(found), place: mine})

    def _moved(self, found: Granted) -> Mapping[Place, tuple[Amount, ...]]:
        """The amounts of what happened under it, or may have."""
        places = self._places(found)
        return {place: each for place, each in self.so_far.amounts.items() if place in places}

    def _places(self, found: Granted) -> frozenset[Place]:
        """Where calls relied on it."""
        approval = found.gate.opened.approval
        return frozenset(
            place
            for place, attempts in self.state.attempts.items()
            if any(approval in each.intent.approvals for each in attempts)
        )


def _excess(envelope: Envelope, money: Mapping[Place, tuple[Amount, ...]]) -> str | None:
    amounts = [amount for each in money.values() for amount in each]
    if envelope.sums and any(each.value is None for each in amounts):
        return "an amount cannot be read as a number, so it cannot be counted"
    sums = by_currency(amounts)
    for currency, most in envelope.sums.items():
        if sums.get(currency, Decimal(0)) > Decimal(most):
            told = currency or "of no currency"
            return f"{sums[currency]:f} {told} together, of {most} approved"
    return None
