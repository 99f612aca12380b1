"""What a run did and read so far, as policy sees it: counts, sums, successes, and answers.

What was read of an object counts until a write of it has happened or may have: only a read that
began after the write had ended tells of it again, or the write itself, where its answer does. What
was outdated so is kept apart.
`executor/check/foreseen.py` tells the same members beforehand, as far as the plan proves them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.check.budgets import Amount, amounts_of, by_currency, minor_units
from executor.check.objects import Answer, answer_of, nearest, objects_of, touched_by
from executor.run.effects import may_stand_besides
from executor.run.state import Attempt, Place, RunState, undo_place, undoes


@dataclass(frozen=True)
class SoFar:
    """The journal of one run at one moment."""

    accepted: Accepted
    state: RunState

    def besides(self, place: Place, action: ActionSpec, arguments: JsonObject) -> JsonObject:
        """What happened besides one call, which is about to be made or made again."""
        mine = objects_of(action, arguments) or frozenset()
        same = {each for name in mine for each in self._by_object.get(name, ())}
        succeeded: list[JsonValue] = [*sorted(self._succeeded)]
        same_object: list[JsonValue] = [*sorted(same)]
        return {
            "writes": self.state.effects_besides(place),
            "calls": self._calls_besides(place),
            "sums": self._sums_besides(place),
            "succeeded": succeeded,
            "same_object": same_object,
        }

    def read_of(
        self, place: Place, action: ActionSpec, arguments: JsonObject
    ) -> tuple[JsonObject, JsonObject]:
        """What was read of the objects of one call, by operation: what holds, what is outdated."""
        objects = objects_of(action, arguments) or frozenset()
        answers = {other: each for other, each in self._answers.items() if other != place}
        fresh = [
            each
            for other, each in answers.items()
            if not self._is_outdated(each, besides={place, other})
        ]
        holds, every = nearest(objects, fresh), nearest(objects, answers.values())
        return {**holds}, {name: each for name, each in every.items() if name not in holds}

    def _is_outdated(self, answer: Answer, besides: set[Place]) -> bool:
        """Whether a write about the same object came after it, or beside it."""
        return any(
            not answer.about.isdisjoint(touched) and (until is None or until > answer.began)
            for place, touched, until in self._touched
            if place not in besides
        )

    @cached_property
    def _answers(self) -> Mapping[Place, Answer]:
        found: dict[Place, Answer] = {}
        for place in self._good:
            call = self.state.applied(place)
            if call is not None:
                action = self.accepted.actions[call.intent.action]
                answer = answer_of(action, call.intent.arguments, call.output, call.began)
                found |= {place: answer} if answer else {}
        return found

    @cached_property
    def _touched(self) -> tuple[tuple[Place, frozenset[str], int | None], ...]:
        """Where objects may have been changed, and until when; None: it may be still to come."""
        return tuple(
            (place, self._objects(each), each.settled if each.has_happened else None)
            for place, attempts in self.state.attempts.items()
            for each in attempts
            if each.may_have_happened
        )

    def _objects(self, call: Attempt) -> frozenset[str]:
        action = self.accepted.actions[call.intent.action]
        return touched_by(action, call.intent.arguments, call.output)

    def _calls_besides(self, place: Place) -> JsonObject:
        names = {step.action for step in self.accepted.plan.steps} & self.accepted.actions.keys()
        own = Counter(  # and what takes it back, which is asked about as if it were that call
            self._action_at(each)
            for each in (place, undo_place(place))
            if each in self.state.attempts
        )
        return {name: self._calls[name] - own[name] for name in sorted(names)}

    def _sums_besides(self, place: Place) -> JsonObject:
        found = [each for other, amounts in self.amounts.items() if other != place
                 for each in amounts]  # fmt: skip
        return {name: minor_units(name, sum_) for name, sum_ in by_currency(found).items() if name}

    @cached_property
    def _calls(self) -> Counter[str]:
        """At how many places each operation was called; a call made again counts once."""
        return Counter(self._action_at(place) for place in self.state.attempts)

    @cached_property
    def _succeeded(self) -> frozenset[str]:
        """The operations of steps that are done, where they were called and acted."""
        return frozenset(self._action_at(place) for place in self._good)

    @cached_property
    def _by_object(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for place in self._good:
            call = self.state.attempts[place][-1].intent
            for each in objects_of(self.accepted.actions[call.action], call.arguments) or ():
                found.setdefault(each, set()).add(call.action)
        return {each: frozenset(names) for each, names in found.items()}

    @cached_property
    def _good(self) -> tuple[Place, ...]:
        """Every place of a step that is done, whose call acted or was answered."""
        failed = self.state.failed_items
        return tuple(
            place
            for place, attempts in self.state.attempts.items()
            if place[0] in self.state.done
            and not any(_is_of(name, place) for name in failed.get(place[0], {}))
            and any(each.has_happened for each in attempts)
        )

    @cached_property
    def amounts(self) -> Mapping[Place, tuple[Amount, ...]]:
        """The amounts of every place whose effect happened, or may have."""
        found = {}
        for place, attempts in self.state.attempts.items():
            last = attempts[-1].intent
            if undoes(place) is not None or self.state.is_undone(place):
                continue  # it was given back
            if any(each.may_have_happened for each in attempts):
                mine = amounts_of(self.accepted.actions[last.action], last.arguments)
                # What somebody had denied, and happened after all, moved besides.
                found[place] = mine * (1 + sum(may_stand_besides(each) for each in attempts))
        return found

    def _action_at(self, place: Place) -> str:
        return self.state.attempts[place][-1].intent.action


def _is_of(failed_item: str, place: Place) -> bool:
    """Whether a failed item is the item of a place, or one of those that its call took."""
    return place[1] in ("", failed_item) or failed_item.startswith(f"{place[1]}/")
