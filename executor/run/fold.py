"""The fold: from the events of a run to where it stands."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

from executor.run import events as e
from executor.run.state import Attempt, Gate, Place, RunState, Undoing


def fold(events: Iterable[tuple[float, e.Event]], state: RunState | None = None) -> RunState:
    """Apply events, each with its time, in order."""
    draft = _Draft(state or RunState())
    for at, event in events:
        draft.apply(at, event)
        draft.folded += 1
    return RunState(**vars(draft))


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

    def apply(self, at: float, event: e.Event) -> None:  # noqa: C901 - one table
        """Take one event in."""
        match event:
            case e.RunStarted():
                self.started, self.started_at = True, at
            case e.StepSkipped():
                self.skipped[event.step] = event.because
            case e.StepDone():
                self._done(event)
            case e.StepFailed():
                self._failed(event)
            case e.GateOpened():
                self._asked(event)
            case e.ApprovalGranted() | e.ApprovalRefused() | e.ApprovalExpired():
                self._ruled(event)
            case e.IntentRecorded():
                place = (event.step, event.iteration)
                begun = Attempt(event, at, began=self.folded + 1)
                self.attempts[place] = (*self.attempts.get(place, ()), begun)
            case e.AttemptEnded():
                settled = self.folded + 1
                self._change(
                    event, lambda each: replace(each, ended=event, ended_at=at, settled=settled)
                )
            case e.ReconcileResolved():
                self._resolved(event)
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
            case (
                e.RequestReceived()
                | e.PlanDrafted()
                | e.PlanRejected()
                | e.PlanAccepted()
                | e.QuestionAsked()
                | e.QuestionAnswered()
            ):
                pass
            case _:
                assert_never(event)

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

    def _resolved(self, event: e.ReconcileResolved) -> None:
        attempts = self.attempts.get((event.step, event.iteration), ())
        newest = attempts[-1].intent.n if attempts else 0
        settled = self.folded + 1
        self._change(
            event,
            lambda each: replace(each, resolved=event, resolved_after=newest, settled=settled),
        )

    def _change(
        self, event: e.AttemptEnded | e.ReconcileResolved, change: Callable[[Attempt], Attempt]
    ) -> None:
        place: Place = (event.step, event.iteration)
        self.attempts[place] = tuple(
            change(each) if each.intent.n == event.n else each
            for each in self.attempts.get(place, ())
        )
