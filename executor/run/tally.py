"""What a run has used of the budgets it was accepted under, counted from its journal.

A call counts for its connection each time it is made. An amount counts once for its place, if its
effect happened or may have; what was refused gives its share back. A call that would be too much
ends its step with `budget-exceeded` before anything is sent. While calls are under way whose end
is not known, one that may turn out to be too much waits for them; so it does for those that are in
doubt, unless the run goes on beside a doubt.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.check.budgets import Budgets, amounts_of, by_currency, total
from executor.run.commands import Perform
from executor.run.so_far import SoFar
from executor.run.state import Attempt, Place, RunState, undoes

_NONE = Decimal(0)


@dataclass(frozen=True)
class Tally:
    """The counts of one run at one moment."""

    accepted: Accepted
    state: RunState
    in_flight: frozenset[Place]

    @property
    def budgets(self) -> Budgets:
        """Those that the plan was accepted under."""
        return self.accepted.certificate.budgets

    def too_much(self, place: Place, action: ActionSpec, calls: Sequence[JsonObject]) -> str | None:
        """Why these calls of one step are more than what is left, if they are."""
        made = self.state.calls.get(action.connection, 0) + len(calls)
        if made > self.budgets.calls:
            return f"{made} calls of {action.connection}; at most {self.budgets.calls} are allowed"
        return self._too_much_money(place, action, calls)

    @property
    def ends_at(self) -> float | None:
        """Until when calls may begin."""
        started = self.state.started_at
        return None if started is None else started + self.budgets.run_s

    def too_late(self, now: float) -> str | None:
        """Why no call may begin any more, if that is so; settling a doubt is never too late."""
        ends_at, most = self.ends_at, self.budgets.run_s
        if ends_at is None or now <= ends_at:
            return None
        return f"the run has lasted {now - ends_at + most:.0f} s; at most {most:.0f} are allowed"

    def together(self, commands: Iterable[Perform]) -> Iterator[Perform]:
        """Those calls that are not too much even if all that is under way happens."""
        most, calls = self.budgets.calls, {**self.state.calls}
        for place in self.not_recorded:
            if (action := self.action_at(place)) is not None:
                calls[action.connection] = calls.get(action.connection, 0) + 1
        money = self._money
        for command in commands:
            connection = command.action.connection
            if calls.get(connection, 0) >= most:
                continue
            if self.budgets.money:
                mine = by_currency(amounts_of(command.action, command.arguments))
                later = {**money, (command.step, command.iteration): mine}
                if mine and not self._fits(later, mine):
                    continue
                money = later
            calls[connection] = calls.get(connection, 0) + 1
            yield command

    @property
    def _money(self) -> Mapping[Place, Mapping[str, Decimal]]:
        """What moved, or may have, where it is limited."""
        amounts = self.so_far.amounts if self.budgets.money else {}
        return {place: by_currency(found) for place, found in amounts.items()}

    def _too_much_money(
        self, place: Place, action: ActionSpec, calls: Sequence[JsonObject]
    ) -> str | None:
        if not self.budgets.money:
            return None
        new = [amount for call in calls for amount in amounts_of(action, call)]
        if any(each.value is None for each in new):
            return "an amount cannot be read as a number, so it cannot be counted"
        settled = [
            amount
            for other, amounts in self.so_far.amounts.items()
            if other != place and other not in self._open
            if other[0] == place[0] or other not in self._awaited
            for amount in amounts
        ]
        sums = by_currency([*settled, *new])
        for currency in by_currency(new):
            most = self.budgets.most(currency)
            if most is not None and sums[currency] > most:
                told = currency or "of no currency"
                return f"{sums[currency]:f} {told}; at most {most:f} are allowed in a run"
        return None

    def _fits(self, money: Mapping[Place, Mapping[str, Decimal]], asked: Collection[str]) -> bool:
        """Whether all of it together is allowed; what is not in the journal yet may be anything."""
        if any(self._moves_money(place) for place in self.not_recorded):
            return False
        sums: dict[str, Decimal] = {}
        for each in money.values():
            for currency, value in each.items():
                sums[currency] = total((sums.get(currency, _NONE), value))
        return all(sums[each] <= (self.budgets.most(each) or _NONE) for each in asked)

    @cached_property
    def so_far(self) -> SoFar:
        """What policy is told of the run."""
        return SoFar(self.accepted, self.state)

    @cached_property
    def _open(self) -> frozenset[Place]:
        """Where a call is under way of which nothing else is in doubt."""
        attempts = self.state.attempts
        return frozenset(
            place for place in self.state.under_way if _is_only_under_way(attempts[place])
        )

    @cached_property
    def _awaited(self) -> Collection[Place]:
        """What is in doubt, where writes of other steps wait for it."""
        goes_on = self.accepted.certificate.options.on_uncertain == "continue"
        return () if goes_on else self.state.awaited

    @cached_property
    def not_recorded(self) -> frozenset[Place]:
        """What is under way without being in the journal; a search is taken for a call."""
        return frozenset(self.in_flight - self.state.under_way.keys())

    def action_at(self, place: Place) -> ActionSpec | None:
        """What a step calls, or what takes it back; None for a function."""
        if (target := undoes(place)) is not None:
            decision = self.accepted.certificate.undo_of(target[0])
            return self.accepted.actions.get(decision.action or "") if decision else None
        return self.accepted.actions.get(self.accepted.steps[place[0]].action)

    def _moves_money(self, place: Place) -> bool:
        if undoes(place) is not None:
            return False  # it gives back
        action = self.action_at(place)
        is_settled = place in self.so_far.amounts  # repeated, or searched for: it counts already
        return action is not None and not is_settled and _has_amounts(action)


def _is_only_under_way(attempts: tuple[Attempt, ...]) -> bool:
    *before, last = attempts
    return last.ended is None and not any(each.may_have_happened for each in before)


def _has_amounts(action: ActionSpec) -> bool:
    return action.is_write and "amount" in action.sinks.values()
