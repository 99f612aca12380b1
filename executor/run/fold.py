"""The fold: from the events of a run to where it stands."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar, assert_never

from executor.run import events as e
from executor.run.planning_events import PlanningEvent
from executor.run.state import Attempt, Gate, Place, RunState, Undoing, doubt_of, is_alone

K = TypeVar("K")
V = TypeVar("V")


def fold(events: Iterable[tuple[float, e.Event]], state: RunState | None = None) -> RunState:
    """Apply events, each with its time, in order."""
    draft = _Draft(state or RunState())
    for at, event in events:
        draft.folded += 1
        draft.apply(at, event)
    state = object.__new__(RunState)
    vars(state).update(vars(draft))  # all at once: what is frozen sets its members one by one
    return state


class _Draft:
    """A state on its way; what it shares with the one before is never changed."""

    def __init__(self, state: RunState) -> None:
        self.started = state.started
        self.started_at = state.started_at
        self.done = {**state.done}
        self.skipped = {**state.skipped}
        self.failed = {**state.failed}
        self.failed_items = {**state.failed_items}
        self.first_failure = state.first_failure
        self.attempts = {**state.attempts}
        self.gates = {**state.gates}
        self.undos = {**state.undos}
        self.cancelled = state.cancelled
        self.waiting = state.waiting
        self.finished = state.finished
        self.folded = state.folded
        self.calls = {**state.calls}
        self.begun = {**state.begun}
        self.under_way = {**state.under_way}
        self.repeated = {**state.repeated}
        self.doubts = {**state.doubts}
        self.unsettled = {**state.unsettled}
        self.answers = {**state.answers}

    def apply(self, at: float, event: e.Event) -> None:  # noqa: C901 - one table
        """Take one event in."""
        match event:  # what comes most often first
            case e.IntentRecorded():
                self._begun(at, event)
            case e.AttemptEnded():
                self._ended(at, event)
            case e.StepDone():
                self._done(event)
            case e.RunStarted():
                self.started, self.started_at = True, at
            case e.StepSkipped():
                self.skipped[event.step] = event.because
            case e.StepFailed():
                self._failed(event)
            case e.GateOpened():
                self._asked(event)
            case e.ApprovalGranted() | e.ApprovalRefused() | e.ApprovalExpired():
                self._ruled(event)
            case e.ApprovalCounted():
                self._counted(event)
            case e.ReconcileResolved():
                self._resolved(event)
            case e.AttemptDeferred():
                self._change(event, lambda each: each.put_off(event, at))
            case e.CancelRequested():
                self.cancelled = event
            case e.WaitStarted():
                self.waiting = event
            case e.WaitEnded():
                self.waiting = None
            case e.RunFinished():
                self.finished = event
            case e.UndoStarted():
                self.undos[event.step, event.iteration] = Undoing(at, event)
            case e.UndoEnded():
                place = (event.step, event.iteration)
                self.undos[place] = replace(self.undos.get(place, Undoing(at)), ended=event)
                self._note(place)
            case PlanningEvent():
                pass
            case _:
                assert_never(event)

    def _begun(self, at: float, event: e.IntentRecorded) -> None:
        place = (event.step, event.iteration)
        before = self.attempts.get(place, ())
        attempt = Attempt(event, at, began=self.folded)
        self.attempts[place] = (*before, attempt)
        connection = event.action.partition(".")[0]
        self.calls[connection] = self.calls.get(connection, 0) + 1
        self.under_way[place] = attempt
        if before:
            self.repeated[place] = None
            self._note(place)
        else:
            self.begun[event.step] = self.begun.get(event.step, 0) + 1

    def _ended(self, at: float, event: e.AttemptEnded) -> None:
        attempts = self.attempts.get((event.step, event.iteration), ())
        overrules = event.late and is_alone(attempts, event.n)
        self._change(event, lambda each: each.after(event, at, self.folded, overrules=overrules))

    def _done(self, event: e.StepDone) -> None:
        self.done[event.step] = event.result
        if event.failed_items:
            code = next(each.code for each in event.failed_items.values())
            self.failed_items[event.step] = event.failed_items
            self.first_failure = self.first_failure or code

    def _failed(self, event: e.StepFailed) -> None:
        self.failed[event.step] = event
        self.first_failure = self.first_failure or event.code
        if event.failed_items:
            self.failed_items[event.step] = event.failed_items

    def _asked(self, event: e.GateOpened) -> None:
        """A new question, which makes an open one of the same place and role void."""
        place = (event.step, event.iteration)
        before = (
            replace(gate, is_void=gate.is_void or (gate.is_open and gate.opened.role == event.role))
            for gate in self.gates.get(place, ())
        )
        self.gates[place] = (*before, Gate(event))

    def _ruled(self, ruling: e.ApprovalGranted | e.ApprovalRefused | e.ApprovalExpired) -> None:
        for place, found in self.gates.items():
            self.gates[place] = tuple(
                replace(gate, ruling=ruling) if gate.opened.approval == ruling.approval else gate
                for gate in found
            )

    def _counted(self, event: e.ApprovalCounted) -> None:
        for place, found in self.gates.items():
            self.gates[place] = tuple(
                replace(gate, counted=(*gate.counted, event))
                if gate.opened.approval == event.approval
                else gate
                for gate in found
            )

    def _resolved(self, event: e.ReconcileResolved) -> None:
        attempts = self.attempts.get((event.step, event.iteration), ())
        newest, is_yes = attempts[-1].intent.n if attempts else 0, event.resolution == "applied"
        self._change(event, lambda each: each._replace(
            resolved=event, resolved_after=newest, settled=self.folded,
            overruled=each.resolved if is_yes and each.yields_to("applied") else each.overruled,
        ))  # fmt: skip

    def _change(
        self,
        event: e.AttemptEnded | e.AttemptDeferred | e.ReconcileResolved,
        change: Callable[[Attempt], Attempt],
    ) -> None:
        place: Place = (event.step, event.iteration)
        before = self.attempts.get(place, ())
        self.attempts[place] = tuple(
            [change(each) if each.intent.n == event.n else each for each in before]
        )
        self._note(place)

    def _note(self, place: Place) -> None:
        """Keep what follows from the attempts of a place; of what is undone nothing is in doubt."""
        attempts = self.attempts.get(place, ())
        applied = [each for each in attempts if each.is_applied]
        open_ones = [each for each in attempts if each.ended is None]
        undoing = self.undos.get(place)
        is_undone = undoing is not None and undoing.ended is not None and undoing.ended.undone
        doubt = unsettled = None if is_undone else doubt_of(attempts)
        if open_ones and not is_undone and attempts[-1].ended is None:
            unsettled = doubt_of(attempts[:-1])
        self.answers[place[0]] = answers = {**self.answers.get(place[0], {})}
        _keep(answers, place[1], applied[0] if applied else None)
        _keep(self.under_way, place, open_ones[0] if open_ones else None)
        _keep(self.doubts, place, doubt)
        _keep(self.unsettled, place, unsettled)


def _keep(found: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        found.pop(key, None)
    else:
        found[key] = value
