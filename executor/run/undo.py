"""Taking back what a run did: which effects, in which order, and what becomes of each.

An undo is registered before the call that it takes back: what it calls and how its arguments come
about is sealed with the plan, and the values are those of the journal, recorded before the call
(`input`) and with its answer (`result`). Nothing is asked of anybody anew.

1. Targets are the effects that happened, item by item. One that may have happened is found out
   first, unless its undo is safe where there is nothing to take back. It is called only once no
   call of what it takes back can still come through.
2. An effect is taken back once everything is that depends on it; where that failed, it stays.
   What has no undo stays too, and holds nobody up. So it is up to the first call: what proves to
   have happened by then goes first.
3. Of several that could be next the one goes first that happened last, and one at a time; beside
   each other only those whose manifests allow it.
4. An undo has attempts, a key and a journal of its own, waits for rate limits, and asks policy. No
   approval is asked for it: who approved the plan saw it. No budget stops it: it gives back.
5. It is tried until its deadline, and at least once: neither a stop nor an outage of ours ends it
   untried, or in a doubt that nobody could settle meanwhile. What could not be undone is listed
   as standing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

from connectors.by_item import happened_only
from connectors.spec import ActionSpec, Effect, JsonObject
from executor.check.admit import Accepted
from executor.check.certificate import UndoDecision
from executor.run import events as e
from executor.run.bulk import UNTOLD, missed_by
from executor.run.commands import Record
from executor.run.compensation import Compensation
from executor.run.course import finds_out_pivots, has_happened, may_undo_more
from executor.run.effects import is_doubtful, shown
from executor.run.gates import Asked
from executor.run.resolve import ResolveError, Scope, bind_args, check_arguments
from executor.run.state import Attempt, Place, RunState, undo_place, undoes
from executor.run.tally import Tally
from executor.run.verdicts import (
    Failed,
    Next,
    Outside,
    Surroundings,
    Verdict,
    Waiting,
)


@dataclass(frozen=True)
class Saga:
    """The way back of one run at one moment."""

    accepted: Accepted
    state: RunState
    outside: Outside
    tally: Tally

    def records(self) -> Iterator[Record]:
        """What begins or ends now: compensations that are next, and those that are over."""
        for place in self._open:
            if (ended := self._ended(place)) is not None:
                yield Record(ended)
        if self._acts_forward or not may_undo_more(self.accepted, self.state):
            return
        for place in self.targets:
            if place not in self.state.undos and (why := self._stands_in_the_way(place)):
                yield Record(_not_undone(place, "undo-blocked", why))
        if not any(self._ended(place) for place in self._open):
            yield from (self._begun(place) for place in self._next())

    def verdicts(self) -> Iterator[tuple[str, Next | Waiting]]:
        """What is to be done, or waited for, of the compensations that have begun."""
        for place in self._open:
            verdict = self._verdict(place)
            if isinstance(verdict, Waiting):
                yield undo_place(place)[0], self._until_its_end(place, verdict)
            elif isinstance(verdict, Next):
                yield undo_place(place)[0], verdict
            else:  # policy says no, so far
                yield undo_place(place)[0], Waiting("retry", self._deadline(place))

    @cached_property
    def targets(self) -> tuple[Place, ...]:
        """What can be taken back and happened, or may have, where that makes no difference."""
        return tuple(
            place
            for place, attempts in self.state.attempts.items()
            if undoes(place) is None
            and attempts[0].intent.effect is not Effect.READ
            and self._is_target(place)
        )

    def _is_target(self, place: Place) -> bool:
        decision = self._decision(place)
        if decision is None:
            return False
        happened = has_happened(self.state, place)
        if decision.safe_when_absent:
            return happened is not False and not self._is_accepted(place)
        known = any(each.has_happened for each in self.state.attempts[place])
        needs = decision.needs_result or self._has_items(place)
        return known and not (needs and self._is_unreadable(place))

    def _is_accepted(self, place: Place) -> bool:
        """Whether the service has accepted it, and will do it at a time that nobody knows.

        Be it that somebody gave up finding out: it may be done all the same.
        """
        calls = self.state.attempts[place]
        return any(
            each.ended is not None and each.ended.handle is not None and each.ended.asks is None
            for each in calls
            if is_doubtful(each, calls)
        )

    def _quiet_at(self, place: Place) -> float:
        """From when on no call of this place can come through any more, whose end nobody heard.

        One that is known to have happened comes about once, but for an idempotent one: that does
        anew what was taken back before it came.
        """
        attempts = self.state.attempts[place]
        action = self.accepted.actions[attempts[0].intent.action]
        comes_again = action.effect is Effect.IDEMPOTENT
        if not comes_again and any(each.has_happened for each in attempts):
            return -inf
        unheard = (each.over_at for each in attempts if each.is_unheard)
        return max(unheard, default=-inf) + action.settle_s

    def _has_items(self, place: Place) -> bool:
        """Whether the answer says which of its items happened."""
        return self.accepted.actions[self.state.attempts[place][0].intent.action].items is not None

    def _is_unreadable(self, place: Place) -> bool:
        """Whether the output may still be found out."""
        return self.state.applied(place) is None and self.state.in_doubt(place) is not None

    def _decision(self, place: Place) -> UndoDecision | None:
        decision = self.accepted.certificate.undo_of(place[0])
        return decision if decision is not None and decision.kind == "can" else None

    @cached_property
    def _open(self) -> tuple[Place, ...]:
        """The compensations that have begun and not ended."""
        return tuple(place for place, each in self.state.undos.items() if each.ended is None)

    @cached_property
    def _acts_forward(self) -> bool:
        """Whether a call of the way forward is under way: its end may change what is to be done."""
        for place in self.outside.in_flight:
            attempts = self.state.attempts.get(place, ())
            is_search = bool(attempts) and self.state.in_doubt(place) is not None
            if undoes(place) is None and not (is_search and attempts[-1].ended is not None):
                return True
        return False

    def _dependants(self, place: Place) -> Iterator[Place]:
        for other in self.state.attempts:
            if undoes(other) is None and place[0] in self.accepted.upstream.get(other[0], ()):
                yield other

    def _stands_in_the_way(self, place: Place) -> str | None:
        """Why this can never be taken back: what depends on it could not be."""
        return self._blocked.get(place[0])

    @cached_property
    def _blocked(self) -> Mapping[str, str]:
        """The same by step: a long list is not gone through once for each of its items."""
        found: dict[str, str] = {}
        for other in self.state.attempts:
            if undoes(other) is None and (why := self._stays(other)) is not None:
                for step in self.accepted.upstream.get(other[0], ()):
                    found.setdefault(step, why)
        return found

    def _stays(self, place: Place) -> str | None:
        """Why what happened there, or may have, is there for good."""
        undoing = self.state.undos.get(place)
        if undoing is not None and undoing.ended is not None and not undoing.ended.undone:
            return f"{shown(place)}, which depends on it, was not undone"
        given_up = any(each.is_abandoned for each in self.state.attempts[place])
        if given_up and self._decision(place) is not None and place not in self.targets:
            return f"{shown(place)}, which depends on it, was given up and may have happened"
        return None

    def _is_free(self, place: Place) -> bool:
        """Whether everything that depends on it is taken back, or never will be asked to be."""
        return place[0] not in self._needed

    @cached_property
    def _needed(self) -> frozenset[str]:
        """The steps on which something depends that is to be taken back first, or found out."""
        found = {
            each[0]
            for each in (*self.targets, *filter(self._is_awaited, self.state.awaited))
            if not self.state.is_undone(each) and self._decision(each) is not None
        }
        return frozenset(one for each in found for one in self.accepted.upstream.get(each, ()))

    def _is_awaited(self, place: Place) -> bool:
        return self.state.in_doubt(place) is not None and place in self.state.awaited

    def _is_held_back(self, place: Place) -> bool:
        """Whether it was begun, and what depends on it proved to be there before it was called."""
        return undo_place(place) not in self.state.attempts and not self._is_free(place)

    def _while_held_back(self, place: Place) -> Failed | Waiting:
        """It waits for those that go first now, if they do."""
        why, run = self._stands_in_the_way(place), (self.accepted, self.state)
        if why is None and not (may_undo_more(*run) or finds_out_pivots(*run)):
            found = (each for each in self._dependants(place) if each in self.targets)
            late = next((each for each in found if each not in self.state.undos), None)
            why = late and f"{shown(late)}, which depends on it, stands, past a pivot"
        return Waiting("elsewhere") if why is None else Failed("undo-blocked", why)

    def _next(self) -> list[Place]:
        free = [
            place
            for place in self.targets
            if place not in self.state.undos
            and self._is_free(place)
            and self._stands_in_the_way(place) is None
        ]
        free.sort(key=self._happened_at, reverse=True)
        held = {each[0]: each for each in self._open if self._is_held_back(each)}
        free = [each for each in free if all(self._goes_before(each, x) for x in held.values())]
        if under_way := [each for each in self._open if not self._is_held_back(each)]:
            together = all(self._goes_beside(place) for place in under_way)
            return [each for each in free if together and self._goes_beside(each)]
        if not free or not self._goes_beside(free[0]):
            return free[:1]
        return [each for each in free if self._goes_beside(each)]

    def _goes_before(self, place: Place, held: Place) -> bool:
        """Whether what is held back still is once this is under way, or goes beside it."""
        depends = held[0] in self.accepted.upstream.get(place[0], ())
        return depends or (self._goes_beside(place) and self._goes_beside(held))

    def _goes_beside(self, place: Place) -> bool:
        decision = self._decision(place)
        if decision is None or not decision.parallel:
            return False
        # What policy is told of the run is true only if nothing else changes it meanwhile.
        policies = self.outside.policy.slice_of(self._action(decision))
        return not (policies.asks_of_run or policies.reads)

    def _happened_at(self, place: Place) -> int:
        return max(each.settled for each in self.state.attempts[place])

    def _action(self, decision: UndoDecision) -> ActionSpec:
        return self.accepted.actions[decision.action or ""]

    def _begun(self, place: Place) -> Record:
        decision = self._decision(place)
        action = decision.action if decision else None
        return Record(e.UndoStarted(step=place[0], iteration=place[1], action=action or ""))

    def _ended(self, place: Place) -> e.UndoEnded | None:
        verdict = self._verdict(place)
        match verdict:
            case Failed(may_change=True) if self._may_change(place):
                return None
            case Failed(code=code, message=message, effect=effect):
                return _not_undone(place, code, message, effect)
            case _ if self._is_too_late(place) and not self._has_a_try_left(place, verdict):
                at = undo_place(place)
                doubtful = self.state.in_doubt(at) is not None
                message = "it could not be done in time; look at its calls in the trace"
                return _not_undone(place, "undo-too-late", message, "unknown" if doubtful else "no")
            case _:
                return None

    def _may_change(self, place: Place) -> bool:
        """Whether what policy says no to may be another matter, in time, once more is known."""
        is_open = self.outside.in_flight or self.state.awaited - {undo_place(place)}
        return bool(is_open) and not self._is_too_late(place)

    def _is_too_late(self, place: Place) -> bool:
        """Whether its time is over, and nothing of it is under way."""
        is_quiet = undo_place(place) not in self.outside.in_flight
        return is_quiet and self.outside.now >= self._deadline(place)

    def _has_a_try_left(self, place: Place, verdict: Verdict) -> bool:
        """Whether it was never called, or is in doubt, and only a stop kept it, or our absence."""
        is_stopped = isinstance(verdict, Waiting) and verdict.waiting_for in ("stop", "elsewhere")
        is_kept, at = is_stopped or isinstance(verdict, Next), undo_place(place)
        return is_kept and (at not in self.state.attempts or self.state.in_doubt(at) is not None)

    def _deadline(self, place: Place) -> float:
        decision = self._decision(place)
        begins = max(self.state.undos[place].at, self._quiet_at(place))
        return begins + (decision.deadline_s if decision else 0.0)

    def _until_its_end(self, place: Place, waiting: Waiting) -> Waiting:
        if waiting.waiting_for == "flight" or self._has_a_try_left(place, waiting):
            return waiting
        end = self._deadline(place)
        return replace(waiting, until=end if waiting.until is None else min(waiting.until, end))

    def _verdict(self, place: Place) -> Verdict:
        decision = self._decision(place)
        if decision is None:
            return Failed("internal", "there is no undo")
        if self._is_held_back(place):
            return self._while_held_back(place)
        action = self._action(decision)
        last = self.state.last(undo_place(place))
        try:
            arguments = (
                self._arguments(place, decision, action) if last is None else last.intent.arguments
            )
        except ResolveError as error:
            return Failed(error.code, f"{error.message} at {error.at!r}")
        step = next(each for each in self.accepted.plan.steps if each.id == place[0])
        return Compensation(
            self.accepted, self.state, self.outside, Surroundings(self.tally), step, place[1],
            Scope({}, {}), arguments, lambda: Asked.of(arguments), decision=decision,
            quiet_at=self._quiet_at(place),
        ).verdict()  # fmt: skip

    def _arguments(self, place: Place, decision: UndoDecision, action: ActionSpec) -> JsonObject:
        """From recorded values alone: those of the call, and its output."""
        attempts = self.state.attempts[place]
        applied: Attempt | None = self.state.applied(place)
        given, own = attempts[-1].intent.arguments, {}
        if applied is not None:  # of a call that takes many items, those that happened
            acted = self.accepted.actions[applied.intent.action]
            if isinstance(flaw := missed_by(acted, applied), str):
                raise ResolveError(UNTOLD, flaw)
            given, result = happened_only(acted, given, applied.output)
            own = {"result": result}
        scope = Scope(given, {}, own)
        arguments = bind_args(decision.bound, scope, action.input_schema)
        check_arguments(action, arguments)
        return arguments


def _not_undone(
    place: Place, code: str, message: str, effect: e.EffectHappened = "no"
) -> e.UndoEnded:
    return e.UndoEnded(
        step=place[0], iteration=place[1], undone=False, code=code, message=message, effect=effect
    )
