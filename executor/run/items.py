"""What becomes of a step with `each`: one call for each item, one result for all of them.

Nothing is called before every item's arguments are known and checked, so that a flaw in the
last item is found before the first one acts, and so that an approver sees the whole list.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.fn import FUNCTIONS
from executor.plan.model import Step
from executor.plan.refs import parse_ref
from executor.run.events import ItemFailure
from executor.run.gates import Asked, Gatekeeper, Passage
from executor.run.instance import Instance, compute, prepare
from executor.run.resolve import Scope, value_at
from executor.run.verdicts import Done, Failed, Next, Skipped, Verdict, Waiting

MOST_ITEMS = 1000


@dataclass(frozen=True)
class Items:
    """All items of one step; `whole` is the step as it would be judged without `each`."""

    whole: Instance
    room: int  # how many calls may begin now

    def verdicts(self) -> Iterator[tuple[str, Verdict]]:
        """What becomes of the items, or with the place "" of the step as a whole."""
        items = self._items
        if isinstance(items, Failed):
            yield "", items
        elif self._is_fresh:
            yield from self._begin()
        else:
            yield from self._go_on()

    @property
    def _step(self) -> Step:
        return self.whole.step

    @cached_property
    def _items(self) -> list[JsonValue] | Failed:
        found = value_at(self.whole.scope, self._step.each or "")
        if not isinstance(found, list):
            return Failed("missing-value", f"no list is at {self._step.each}")
        if len(found) > MOST_ITEMS:
            message = f"{len(found)} items; at most {MOST_ITEMS} are allowed"
            return Failed("budget-exceeded", message)
        return found

    @cached_property
    def _makers(self) -> list[JsonValue] | None:
        """The items that made the list, where it is the whole result of an each-step."""
        ref = parse_ref(self._step.each or "")
        steps = self.whole.accepted.plan.steps
        source = next((each for each in steps if each.id == ref.root), None)
        if source is None or source.each is None or ref.tokens:
            return None
        found = value_at(self.whole.scope, source.each)
        return found if isinstance(found, list) else None

    @property
    def _is_fresh(self) -> bool:
        places = (*self.whole.state.attempts, *self.whole.outside.in_flight)
        return all(place[0] != self._step.id for place in places)

    def _scope(self, index: int, item: JsonValue) -> Scope:
        own: dict[str, JsonValue] = {"each": item}
        if self._makers is not None and index < len(self._makers):
            own["each_item"] = self._makers[index]
        return self.whole.scope.with_own(**own)

    def _prepared(self, index: int, item: JsonValue) -> JsonObject | Skipped | Failed:
        if item is None and self._makers is not None:
            return Skipped("the step before skipped this item")
        scope = self._scope(index, item)
        return prepare(self.whole.accepted, self.whole.state, self._step, str(index), scope)

    @cached_property
    def _asked(self) -> Asked:
        """What an approver is shown: the arguments of every call."""
        items = self._items if isinstance(self._items, list) else []
        found = (self._prepared(index, item) for index, item in enumerate(items))
        return Asked.of_items([each for each in found if isinstance(each, dict)])

    def _begin(self) -> Iterator[tuple[str, Verdict]]:
        items = self._items if isinstance(self._items, list) else []
        prepared = [self._prepared(index, item) for index, item in enumerate(items)]
        flaws = [(str(i), each) for i, each in enumerate(prepared) if isinstance(each, Failed)]
        if flaws:
            yield flaws[0]
            return
        calls = [each for each in prepared if isinstance(each, dict)]
        if self._step.action not in FUNCTIONS and calls and not self.whole.around.is_stopping:
            action = self.whole.action
            keeper = Gatekeeper(
                self.whole.accepted, self.whole.state, self.whole.outside, self._step.id, action
            )
            passage = keeper.judge(calls, lambda: Asked.of_items(calls))
            if not isinstance(passage, Passage):
                yield "", passage
                return
        yield from self._go_on()

    def _go_on(self) -> Iterator[tuple[str, Verdict]]:
        room = self.room
        items = self._items if isinstance(self._items, list) else []
        for index, item in enumerate(items):
            verdict = self._verdict(index, item, room)
            if isinstance(verdict, Next):
                room -= 1
            yield str(index), verdict

    def _verdict(self, index: int, item: JsonValue, room: int) -> Verdict:
        iteration, scope = str(index), self._scope(index, item)
        state, outside = self.whole.state, self.whole.outside
        is_begun = state.last((self._step.id, iteration)) is not None
        if (self._step.id, iteration) in outside.in_flight or (
            not is_begun and room <= 0 and self._step.action not in FUNCTIONS
        ):
            return Waiting("flight")
        prepared = self._prepared(index, item)
        if not isinstance(prepared, dict):
            return prepared
        if self._step.action in FUNCTIONS:
            return compute(self._step, prepared, scope)
        instance = replace(
            self.whole,
            iteration=iteration,
            scope=scope,
            arguments=prepared,
            asked=lambda: self._asked,
        )
        return instance.verdict()


def outcome(
    verdicts: list[tuple[str, Verdict]], *, goes_on: bool
) -> Done | tuple[str, Failed] | None:
    """The step's own end once no item is open: all results, or its first failed item.

    Where the run goes on after failures, a failed item gives null and stands beside the result.
    """
    ended = [(place, each) for place, each in verdicts if isinstance(each, Done | Skipped | Failed)]
    failed = {place: each for place, each in ended if isinstance(each, Failed)}
    if failed and not (goes_on and "" not in failed):
        is_open = any(isinstance(each, Next | Waiting) for _, each in verdicts)
        return None if is_open else next(iter(failed.items()))
    if len(ended) < len(verdicts):
        return None
    results = [each.output if isinstance(each, Done) else None for _, each in ended]
    told = {
        place: ItemFailure(code=each.code, message=each.message, effect=each.effect)
        for place, each in failed.items()
    }
    return Done(results, told)
