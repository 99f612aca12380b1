"""What becomes of a step with `each`: one call for each item, one result for all of them.

Nothing is called before every item's arguments are known and checked, so that a flaw in the
last item is found before the first one acts, and so that an approver sees the whole list.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.fn import FUNCTIONS
from executor.plan import size
from executor.plan.model import Step
from executor.plan.refs import parse_ref
from executor.run.commands import OpenGate
from executor.run.course import goes_on
from executor.run.events import ItemFailure
from executor.run.gates import Asked, Gatekeeper, Passage
from executor.run.in_turn import in_turn
from executor.run.instance import Instance
from executor.run.prepare import compute, prepare
from executor.run.resolve import Scope, value_at
from executor.run.state import Attempt
from executor.run.verdicts import Done, Failed, Halted, Next, Skipped, Verdict, Waiting

_ITS_TURN_COMES = Waiting("flight")


@dataclass(frozen=True)
class Items:
    """All items of one step; `whole` is the step as it would be judged without `each`."""

    whole: Instance
    room: int  # how many calls may begin now

    def outcome(self) -> Done | tuple[str, Failed] | tuple[Next | Waiting, ...]:
        """The step's own end once no item is open, or what becomes of those that are."""
        verdicts = [*self._verdicts()]
        has_failed = any(place and isinstance(each, Failed) for place, each in verdicts)
        if has_failed and not self._goes_on:
            # An item has failed: begin no other one, but settle what may have happened.
            stopping = replace(self.whole, around=replace(self.whole.around, is_stopping=True))
            stopped = dict(Items(stopping, self.room)._verdicts())
            verdicts = [
                (place, each if isinstance(each, Failed) else stopped.get(place, each))
                for place, each in verdicts
            ]
        return self._end(verdicts)

    def _verdicts(self) -> Iterator[tuple[str, Verdict]]:
        """What becomes of the items that have no answer yet, or with "" of the step as a whole."""
        if isinstance(self._items, Failed):
            yield "", self._items
            return
        if self._is_fresh:
            passage = self.passage()
            if isinstance(passage, tuple):
                yield passage
                return
            if not isinstance(passage, Passage):
                waits = self.whole.waits_for_doubts(passage)
                yield "", Waiting("elsewhere") if waits else passage
                return
        yield from self._go_on(self._items)

    def passage(self) -> tuple[str, Failed] | Failed | Next | Waiting | Passage:
        """Whether all calls together may be made: none has a flaw, and nobody is to be asked."""
        if isinstance(self._items, Failed):
            return self._items
        if (message := self._too_many(self._items)) is not None:
            return Failed("budget-exceeded", message)
        calls, left = list[JsonObject](), size.MOST_TOGETHER
        for index, item in enumerate(self._items):
            prepared = self._prepared(index, item)
            if isinstance(prepared, Failed) and not self._goes_on:
                return str(index), prepared
            if isinstance(prepared, dict) and self._step.action not in FUNCTIONS:
                calls.append(prepared)
                left -= size.size_of(prepared, left)
            if left < 0:
                told = size.told("the arguments of all items", size.MOST_TOGETHER)
                return Failed(size.TOO_LARGE, told)
        whole = self.whole
        if not calls or whole.around.is_stopping:
            return Passage()
        if message := whole.around.tally.too_much(whole.place, whole.action, calls):
            return Failed("budget-exceeded", message)
        keeper = Gatekeeper(
            whole.accepted,
            whole.state,
            whole.outside,
            whole.around.tally,
            *whole.place,
            whole.action,
        )
        return keeper.judge(calls, lambda: Asked.of_items(calls))

    @property
    def _goes_on(self) -> bool:
        return goes_on(self.whole.accepted, self.whole.state)

    @property
    def _step(self) -> Step:
        return self.whole.step

    @cached_property
    def _items(self) -> list[JsonValue] | Failed:
        found = value_at(self.whole.scope, self._step.each or "")
        if not isinstance(found, list):
            return Failed("missing-value", f"no list is at {self._step.each}")
        most = self.whole.accepted.certificate.budgets.items
        if len(found) > most:
            message = f"{len(found)} items; at most {most} are allowed"
            return Failed("budget-exceeded", message)
        return found

    def _too_many(self, items: list[JsonValue]) -> str | None:
        """Why the list is too long beside those of the steps before it, and of what has begun."""
        state, before, found = self.whole.state, True, len(items)
        begun = state.done.keys() | state.begun.keys()
        for name, step in self.whole.accepted.steps.items():
            before = before and name != self._step.id
            each = step.each
            if each is None or name == self._step.id or not (before or name in begun):
                continue
            other = value_at(self.whole.scope, each)
            found += len(other) if isinstance(other, list) else 0
        most = self.whole.accepted.certificate.budgets.all_items
        return f"{found} items of all steps; at most {most} are allowed" if found > most else None

    @cached_property
    def _makers(self) -> list[JsonValue] | None:
        """The items that made the list, where it is the whole result of an each-step."""
        ref = parse_ref(self._step.each or "")
        source = self.whole.accepted.steps.get(ref.root)
        if source is None or source.each is None or ref.tokens:
            return None
        found = value_at(self.whole.scope, source.each)
        return found if isinstance(found, list) else None

    @cached_property
    def _tells_items(self) -> bool:
        """Whether each call takes many items itself, and tells of each."""
        action = self.whole.accepted.actions.get(self._step.action)
        return action is not None and action.items is not None

    @property
    def _is_fresh(self) -> bool:
        name, in_flight = self._step.id, self.whole.outside.in_flight
        return name not in self.whole.state.begun and all(place[0] != name for place in in_flight)

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

    def _go_on(self, items: list[JsonValue]) -> Iterator[tuple[str, Verdict]]:
        """The verdicts on the items; what has ended, or cannot begin yet, costs next to nothing."""
        step, state, in_flight = self._step, self.whole.state, self.whole.outside.in_flight
        room = self.room if step.action not in FUNCTIONS else len(items)
        left = size.MOST  # of what functions give: together it is one value
        for index in self._order(len(items)):
            item, iteration = items[index], str(index)
            if iteration in self._answers:
                continue
            place = (step.id, iteration)
            verdict: Verdict
            if place in in_flight or (room <= 0 and place not in state.attempts):
                verdict = _ITS_TURN_COMES
            else:
                verdict = self._verdict(index, item)
            if isinstance(verdict, Next) and not isinstance(verdict.command, OpenGate):
                room -= 1
                verdict = verdict if room >= 0 else _ITS_TURN_COMES
            if isinstance(verdict, Done) and step.action in FUNCTIONS:
                left -= size.size_of(verdict.output, left)
            if left < 0:
                yield "", Failed(size.TOO_LARGE, size.told("the results of all items"))
                return
            yield iteration, verdict

    def _order(self, count: int) -> Sequence[int]:
        """As in the list; those in doubt, which are asked about, by how long ago they were."""
        step, state = self._step.id, self.whole.state
        if not state.doubts:
            return range(count)
        return in_turn(range(count), lambda index: state.asked_at((step, str(index))))

    @cached_property
    def _answers(self) -> Mapping[str, Attempt]:
        """The items that are done as soon as they are answered, whatever the answer is."""
        if self._step.expect or self._tells_items:
            return {}
        return self.whole.state.answers.get(self._step.id, {})

    def _verdict(self, index: int, item: JsonValue) -> Verdict:
        prepared = self._prepared(index, item)
        if not isinstance(prepared, dict):
            return prepared
        scope = self._scope(index, item)
        if self._step.action in FUNCTIONS:
            return compute(self._step, prepared, scope)
        instance = replace(
            self.whole,
            iteration=str(index),
            scope=scope,
            arguments=prepared,
            asked=lambda: self._asked,
        )
        return instance.verdict()

    def _end(
        self, verdicts: list[tuple[str, Verdict]]
    ) -> Done | tuple[str, Failed] | tuple[Next | Waiting, ...]:
        """The end: all results, or the first failed item, once no item is open.

        Where the run goes on after failures, a failed item gives null and stands beside the result.
        """
        is_open = tuple(each for _, each in verdicts if isinstance(each, Next | Waiting))
        failed = {place: each for place, each in verdicts if isinstance(each, Failed)}
        is_over = bool(failed) and not (self._goes_on and "" not in failed)
        if is_open or (not is_over and any(isinstance(each, Halted) for _, each in verdicts)):
            return is_open
        missed = {
            f"{place}/{item}": each
            for place, end in verdicts
            if isinstance(end, Done | Failed)
            for item, each in end.failed_items.items()
        }
        if is_over:
            place, first = next(iter(failed.items()))
            return place, replace(first, failed_items=missed)
        told = {
            place: ItemFailure(code=each.code, message=each.message, effect=each.effect)
            for place, each in failed.items()
        }
        may_change = any(each.may_change for each in failed.values())
        return Done(self._results(dict(verdicts)), told | missed, may_change)

    def _results(self, verdicts: Mapping[str, Verdict]) -> list[JsonValue]:
        """What each item gave; null where it was skipped, or failed."""
        outputs: dict[str, JsonValue] = {name: each.output for name, each in self._answers.items()}
        for name, each in verdicts.items():
            if isinstance(each, Done):
                outputs[name] = each.output
        count = len(self._items) if isinstance(self._items, list) else 0
        return [outputs.get(str(index)) for index in range(count)]
