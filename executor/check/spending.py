"""What a plan uses of its budgets: what is certain is refused, what is not is counted at run time.

Each budget is a pot. A step takes at least so much when it runs, and at most so much, where that
is known. It is too much for certain if one step alone takes more than there is, or if all steps
that surely run do together. Otherwise, where the most is not known or is more than there is, the
steps that it depends on carry a guard, and the run counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.spec import ActionSpec, Sink
from executor.check.analysis import Analysis
from executor.check.budgets import EXACT, Amount, amounts_of, total
from executor.check.certificate import Guard, Standing, StepDecision
from executor.check.context import AdmissionContext
from executor.check.entry import declared_input, sinks_at
from executor.check.known import known_arguments, known_input
from executor.check.order import Order
from executor.check.say import say
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.plan.model import Step
from executor.plan.refs import Ref, join_pointer, parse_ref
from executor.plan.types import Type, as_list, constants_of

Length = tuple[int, int | None]  # at least, and at most where that is known
_ANY: Length = (0, None)
_FIX = "Split the request, or ask the operator for a larger budget."


@dataclass(frozen=True)
class Share:
    """What one step takes of a pot when it runs; `most` is None where nobody knows."""

    step: Step
    at: str  # in the plan
    target: str  # the argument that says so, as guards name it
    least: Decimal
    most: Decimal | None
    is_sure: bool  # whether it surely runs


@dataclass(frozen=True)
class Pot:
    """One budget with all that is taken of it."""

    name: str  # "calls of pay"
    limit: Decimal
    shares: tuple[Share, ...]

    def violation(self) -> Violation | None:
        """The first step with which it is too much for certain."""
        sure = Decimal(0)
        for share in self.shares:
            if share.is_sure:
                sure = total((sure, share.least))
            most = max(share.least, sure)
            if most > self.limit:
                message = f"{most:f} {self.name}; at most {self.limit:f} are allowed in a run"
                return say("budget-exceeded", share.at, message, share.step, (), _FIX)
        return None

    def guards(self) -> Iterator[tuple[str, Guard]]:
        """What is counted at run time, by step."""
        known = total(share.most for share in self.shares if share.most is not None)
        for share in self.shares:
            if share.most is None or known > self.limit:
                why = f"counted at run time: at most {self.limit:f} {self.name}"
                yield share.step.id, Guard(kind="budget", at=share.target, why=why)


class _Moved:
    """The amounts of one call by currency: a plan may name thousands of them."""

    def __init__(self, amounts: Sequence[Amount]) -> None:
        self.named: dict[str, list[Amount]] = {}
        self._of_any: list[Amount] = []  # whose currency is not known yet
        self._place = {id(each): place for place, each in enumerate(amounts)}
        for each in amounts:
            currency = each.currency
            own = self._of_any if currency is None else self.named.setdefault(currency, [])
            own.append(each)

    def of(self, currency: str) -> tuple[Decimal, Decimal | None, str] | None:
        """The least that is surely of this currency, the most, if all are known, and where.

        None where nothing can be of it.
        """
        own = self.named.get(currency, [])
        if not own and not self._of_any:
            return None
        known = [each.value for each in own if each.value is not None]
        least, is_known = total(known), not self._of_any and len(known) == len(own)
        first = min((*own[:1], *self._of_any[:1]), key=lambda each: self._place[id(each)])
        return least, least if is_known else None, join_pointer(first.at)


class Spending:
    """What one plan uses of the budgets of its context."""

    def __init__(self, analysis: Analysis, order_: Order, context: AdmissionContext) -> None:
        self._analysis = analysis
        self._context = context
        self._inputs = context.inputs.values
        self._skippable = order_.skippable
        self._lengths: dict[str, Length] = {}
        for step_id in analysis.order:
            step = analysis.by_id[step_id]
            if step.each is not None:
                self._lengths[step_id] = self._length(step, parse_ref(step.each))
        self._pots = (*self._items(), *self._calls(), *self._money())
        self._guards: dict[str, list[Guard]] = {}
        for step_id, guard in (each for pot in self._pots for each in pot.guards()):
            self._guards.setdefault(step_id, []).append(guard)
        self._violations = tuple(
            violation for pot in self._pots if (violation := pot.violation()) is not None
        )

    def violations(self) -> Iterator[Violation]:
        """Everything that is too much for certain, once a budget."""
        most, steps = self._context.budgets.steps, len(self._analysis.plan.steps)
        if steps > most:
            yield too_many_steps(steps, most)
        yield from self._violations

    def limited(self, decision: StepDecision) -> StepDecision:
        """The decision with the guards of what is counted at run time."""
        guards = self._guards.get(decision.step)
        if not guards:
            return decision
        standing = decision.standing
        if standing is Standing.ALLOWED:
            standing = Standing.CONDITIONAL
        return decision.model_copy(
            update={"guards": (*decision.guards, *guards), "standing": standing}
        )

    def _share(
        self, step: Step, at: str, least: Decimal, most: Decimal | None, target: str = ""
    ) -> Share:
        """What a step takes of which each item takes so much."""
        place = f"/steps/{self._analysis.place[step.id]}/{at}"
        is_sure = step.id not in self._skippable
        if step.each is None:
            return Share(step, place, target, least, most, is_sure)
        fewest, longest = self._lengths.get(step.id, _ANY)
        if step.when:
            fewest = 0  # each item may be skipped
        most = None if most is None or longest is None else _times(most, longest)
        return Share(step, place, target, _times(least, fewest), most, is_sure)

    def _items(self) -> Iterator[Pot]:
        """The lists of `each`, whole: what becomes of an item is not asked."""
        budgets, shares = self._context.budgets, []
        for step in self._analysis.plan.steps:
            if step.id not in self._lengths:
                continue
            fewest, longest = self._lengths[step.id]
            most = None if longest is None else Decimal(longest)
            at = f"/steps/{self._analysis.place[step.id]}/each"
            is_sure = step.id not in self._skippable
            share = Share(step, at, "", Decimal(fewest), most, is_sure)
            yield Pot(f"items of {step.id}", Decimal(budgets.items), (share,))
            # No list is longer than the budget of one.
            longest = budgets.items if longest is None else min(longest, budgets.items)
            most = Decimal(longest)
            shares.append(Share(step, at, "", Decimal(fewest), most, is_sure))
        yield Pot("items of all steps", Decimal(budgets.all_items), tuple(shares))

    def _calls(self) -> Iterator[Pot]:
        """One call a step or item; those that are made again are counted at run time."""
        limit, one = Decimal(self._context.budgets.calls), Decimal(1)
        shares: dict[str, list[Share]] = {}
        for step, action in self._called():
            share = self._share(step, "action", one, one)
            shares.setdefault(action.connection, []).append(share)
        for connection, found in shares.items():
            yield Pot(f"calls of {connection}", limit, tuple(found))

    def _money(self) -> Iterator[Pot]:
        """The amounts of writes; one whose currency is not known may be of any."""
        if not self._context.budgets.money:
            return
        found = [
            (step, self._member(step, action), _Moved(amounts))
            for step, action in self._called()
            if (amounts := self._amounts(step, action))
        ]
        named = {name for _, _, moved in found for name in moved.named}
        for currency in sorted(named.union(self._context.budgets.money)):
            limit = self._context.budgets.most(currency)
            shares = tuple(
                self._share(step, at, *share)
                for step, at, moved in found
                if (share := moved.of(currency)) is not None
            )
            yield Pot(currency or "of no currency", limit or Decimal(0), shares)

    def _amounts(self, step: Step, action: ActionSpec) -> tuple[Amount, ...]:
        bindings = self._analysis.bindings(step)
        into = declared_input(action)
        return amounts_of(action, known_arguments(bindings, self._inputs, into))

    def _member(self, step: Step, action: ActionSpec) -> str:
        """The argument that brings the amount."""
        bindings = self._analysis.bindings(step)
        places = (each.at for each in bindings if Sink.AMOUNT in sinks_at(action, each.to))
        return next(places).removeprefix("/")

    def _called(self) -> Iterator[tuple[Step, ActionSpec]]:
        for step in self._analysis.plan.steps:
            action = self._analysis.action(step)
            if action is not None and step.action not in FUNCTIONS:
                yield step, action

    def _length(self, step: Step, ref: Ref) -> Length:
        """How long the list of an `each` is: at least, and at most where that is known."""
        source = self._analysis.by_id.get(ref.root)
        if source is not None and source.each is not None and not ref.tokens:
            return self._lengths.get(source.id, _ANY)
        known = known_input(str(ref), self._inputs)
        if isinstance(known, list):
            return len(known), len(known)
        found = self._analysis.type_of(step, ref)
        return _bounds(found) if isinstance(found, Type) else _ANY


def too_many_steps(steps: int, most: int) -> Violation:
    """The plan as a whole is too long."""
    message = f"{steps} steps; at most {most} are allowed"
    return Violation("budget-exceeded", "/steps", message, fix="Split the request.")


def _bounds(found: Type) -> Length:
    node = found.keywords
    constants = constants_of(node)
    if constants:
        lengths = [len(as_list(value)) for value in constants]
        return min(lengths), max(lengths)
    fewest, longest = node.get("minItems"), node.get("maxItems")
    is_array = node.get("type") == "array"
    return (
        fewest if is_array and isinstance(fewest, int) else 0,
        longest if isinstance(longest, int) else None,
    )


def _times(one: Decimal, many: int) -> Decimal:
    return EXACT.multiply(one, Decimal(many))
