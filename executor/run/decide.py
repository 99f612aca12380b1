"""What to do next with a run: a pure function of the plan, the journal and a few values.

Three questions, in this order:

1. What has become true without being written down? It is recorded, and nothing else is done.
2. What becomes of every step that is ready? Its verdict (`instance.py`, `items.py`) ends the
   step, which is recorded, or names the next call, gate or look-up, or says what it waits for.
3. If nothing can be done now: wait for the first of what is awaited, or finish.

A run that goes back (`course.py`) asks between the first and the second what is to be undone next
(`undo.py`); its own steps then only find out what may have happened.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.fn import FUNCTIONS
from executor.plan.graph import data_sources
from executor.plan.model import Step
from executor.plan.refs import OWN_ROOTS
from executor.run import events as e
from executor.run.commands import Abort, Command, Finish, OpenEnvelope, Record, Wait
from executor.run.course import Course, course, matters_to_undo
from executor.run.course import goes_on as may_go_on
from executor.run.effects import effects_of
from executor.run.envelopes import Envelopes
from executor.run.facts import facts
from executor.run.gates import SAID_NO, Asked, Gatekeeper, Passage, said_no, standing
from executor.run.hold import held
from executor.run.instance import Instance, compute, prepare
from executor.run.items import Items, outcome
from executor.run.resolve import Scope, build_answer
from executor.run.state import Place, RunState
from executor.run.tally import Tally
from executor.run.undo import Saga
from executor.run.verdicts import (
    Done,
    Failed,
    Halted,
    Next,
    Outside,
    Skipped,
    Surroundings,
    Verdict,
    Waiting,
)

_Passage = tuple[str, Failed] | Failed | Skipped | Next | Waiting | Passage
MOST_AT_ONCE = 32  # calls of one run that are under way together
# What a run is said to wait for, if it waits for several things: what needs a person comes first.
_REASONS = (
    "reconcile", "credentials", "approval", "stop", "callback", "service", "rate_limit", "retry",
)  # fmt: skip


def decide(accepted: Accepted, state: RunState, outside: Outside) -> tuple[Command, ...]:
    """Return what to do now: records alone, or calls and gates, or one `Wait` or `Finish`."""
    if state.finished is not None:
        return ()
    if records := tuple(facts(accepted, state, outside)):
        return records
    if aborts := tuple(_aborts(accepted, state, outside)):
        return aborts
    tally = Tally(accepted, state, outside.in_flight)
    goes_back = course(accepted, state) is Course.BACK
    saga = Saga(accepted, state, outside, tally)
    if goes_back and (records := tuple(saga.records())):
        return records
    moves = _Round(accepted, state, outside, tally).moves()
    if moves.records:
        return tuple(moves.records)
    moves.hold(tally, outside)
    for step, each in saga.verdicts() if goes_back else ():
        moves.add(step, each)
    if moves.commands:
        return tuple(moves.commands)
    return (_wait_or_finish(accepted, state, outside, moves.waits),)


def _aborts(accepted: Accepted, state: RunState, outside: Outside) -> Iterator[Abort]:
    """Reads that are under way after a cancel: nobody needs their answers."""
    if state.cancelled is None:
        return
    steps = {step.id: step for step in accepted.plan.steps}
    for place in sorted(outside.in_flight):
        step = steps.get(place[0])
        action = None if step is None else accepted.actions.get(step.action)
        if action is not None and not action.is_write:
            yield Abort(*place)


@dataclass(frozen=True)
class _Moves:
    """The verdicts on every step that is ready, sorted by what is to be done with them."""

    records: list[Record] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    waits: list[tuple[str, Waiting]] = field(default_factory=list)

    def add(self, step: str, verdict: Next | Waiting | Halted) -> None:
        """Take what leaves a step open."""
        match verdict:
            case Next(command=command):
                self.commands.append(command)
            case Waiting():
                self.waits.append((step, verdict))

    def end(self, step: str, verdict: Done | Skipped | Failed, iteration: str = "") -> None:
        """Take what ends a step."""
        match verdict:
            case Done(output=output, failed_items=failed):
                self.records.append(
                    Record(e.StepDone(step=step, result=output, failed_items={**failed}))
                )
            case Skipped(because=because):
                self.records.append(Record(e.StepSkipped(step=step, because=because)))
            case Failed(code=code, message=message, effect=effect, failed_items=items):
                failure = e.StepFailed(
                    step=step,
                    iteration=iteration,
                    code=code,
                    message=message,
                    effect=effect,
                    failed_items={**items},
                )
                self.records.append(Record(failure))

    def hold(self, tally: Tally, outside: Outside) -> None:
        """Let no call begin that has to wait for what else begins or is under way."""
        waits = [each for _, each in self.waits]
        for command, waiting in [*held(tally, outside, self.commands, waits)]:
            self.commands.remove(command)
            self.waits.append((command.step, waiting))


@dataclass(frozen=True)
class _Round:
    accepted: Accepted
    state: RunState
    outside: Outside
    tally: Tally

    def moves(self) -> _Moves:
        """Judge every step whose turn it is, and ask early about those whose turn will come."""
        moves = _Moves()
        refused = {*self._ask_for_the_whole(moves)}
        for step_id, step in self.accepted.steps.items():
            if self.state.has_ended(step_id) or step_id in refused:
                continue
            if self._is_ready(step_id):
                self._judge(step, moves)
            elif self._asks_early(step):
                self._ask(step, moves)
        return moves

    def _ask_for_the_whole(self, moves: _Moves) -> Iterator[str]:
        """Ask for envelopes before anything acts; a no ends all that surely needed a yes."""
        for envelope in self.accepted.certificate.envelopes:
            gate = Envelopes(self.accepted, self.state, self.tally.so_far).gate(envelope.role)
            steps = [each for each in envelope.steps if self._still_comes(each.step)]
            if gate is None and steps:
                moves.commands.append(OpenEnvelope(envelope))
            elif gate is not None and gate.is_open:
                waiting = Waiting("approval", gate.opened.expires_at)
                moves.waits.extend((each.step, waiting) for each in steps)
            elif gate is not None and (refusal := said_no(gate)) is not None:
                for each in steps:
                    if each.is_sure:
                        moves.end(each.step, refusal)
                        yield each.step

    def _still_comes(self, step: str) -> bool:
        """Whether a step's turn may still come."""
        if self.state.has_ended(step) or self._is_stopping:
            return False
        return not self.accepted.upstream[step] & self.state.failed.keys()

    def _is_ready(self, step: str) -> bool:
        needs = self.accepted.waits_for[step]
        return all(need in self.state.done or need in self.state.skipped for need in needs)

    def _asks_early(self, step: Step) -> bool:
        """Whether an approval is needed for arguments that are known from the start."""
        if step.action in FUNCTIONS:
            return False
        if self.accepted.certificate.of(step.id).approval is None or self._is_stopping:
            return False
        if self.accepted.upstream[step.id] & self.state.failed.keys():
            return False  # its turn never comes
        return data_sources(step) <= OWN_ROOTS | {"input"}

    def _ask(self, step: Step, moves: _Moves) -> None:
        """Ask for the approval before anything else acts; a no ends the step at once."""
        gates = self.state.gates.get((step.id, ""), ())
        if gates and step.each is not None:
            # A long list is not judged again in every round.
            passage: _Passage = standing(gates[-1])
        else:
            passage = self._passage(step, Scope(self.accepted.inputs.values, {}))
        match passage:
            case Next() | Waiting():
                moves.add(step.id, passage)
            case Failed(code=code) if code in SAID_NO:
                moves.end(step.id, passage)
            case _:
                pass  # what else stands in its way is told when its turn comes

    def _passage(self, step: Step, scope: Scope) -> _Passage:
        if step.each is not None:
            return Items(self._instance(step, scope, lambda: Asked.of({}), {}), 0).passage()
        prepared = prepare(self.accepted, self.state, step, "", scope)
        if not isinstance(prepared, dict):
            return prepared
        action = self.accepted.actions[step.action]
        if message := self.tally.too_much((step.id, ""), action, (prepared,)):
            return Failed("budget-exceeded", message)
        keeper = Gatekeeper(
            self.accepted, self.state, self.outside, self.tally, step.id, "", action
        )
        return keeper.judge((prepared,), lambda: Asked.of(prepared))

    def _judge(self, step: Step, moves: _Moves) -> None:
        if (step.id, "") in self.outside.in_flight:
            moves.add(step.id, Waiting("flight"))
            return
        gone = self.state.skipped and sorted(data_sources(step) & self.state.skipped.keys())
        if gone and step.action != "fn.first_of":
            moves.end(step.id, Skipped(f"{gone[0]} was skipped"))
            return
        scope = Scope(self.accepted.inputs.values, self.state.done)
        if step.each is not None:
            self._judge_items(step, scope, moves)
            return
        verdict = self._verdict(step, scope)
        if isinstance(verdict, Done | Skipped | Failed):
            moves.end(step.id, verdict)
        else:
            moves.add(step.id, verdict)

    def _verdict(self, step: Step, scope: Scope) -> Verdict:
        prepared = prepare(self.accepted, self.state, step, "", scope)
        if not isinstance(prepared, dict):
            return prepared
        if step.action in FUNCTIONS:
            return compute(step, prepared, scope)
        return self._instance(step, scope, lambda: Asked.of(prepared), prepared).verdict()

    def _judge_items(self, step: Step, scope: Scope, moves: _Moves) -> None:
        whole = self._instance(step, scope, lambda: Asked.of({}), {})
        room = MOST_AT_ONCE - len(self.outside.in_flight) - len(moves.commands)
        verdicts = [*Items(whole, room).verdicts()]
        goes_on = may_go_on(self.accepted, self.state)
        if not goes_on and any(place and isinstance(each, Failed) for place, each in verdicts):
            # An item has failed: begin no other one, but settle what may have happened.
            stopping = replace(whole, around=replace(whole.around, is_stopping=True))
            stopped = dict(Items(stopping, room).verdicts())
            verdicts = [
                (place, each if isinstance(each, Failed) else stopped.get(place, each))
                for place, each in verdicts
            ]
        match outcome(verdicts, goes_on=goes_on):
            case Done() as done:
                moves.end(step.id, done)
            case (iteration, failed):
                moves.end(step.id, failed, iteration)
            case None:
                for _, each in verdicts:
                    if isinstance(each, Next | Waiting):
                        moves.add(step.id, each)

    def _instance(
        self, step: Step, scope: Scope, asked: Callable[[], Asked], arguments: JsonObject
    ) -> Instance:
        around = self._around(step.id)
        return Instance(
            self.accepted, self.state, self.outside, around, step, "", scope, arguments, asked
        )

    def _around(self, step: str) -> Surroundings:
        options = self.accepted.certificate.options
        is_cancelled = self.state.cancelled is not None
        doubtful = any(place[0] != step for place in self._unsettled)
        return Surroundings(
            tally=self.tally,
            is_stopping=self._is_stopping,
            is_cancelled=is_cancelled and not matters_to_undo(self.accepted, self.state, step),
            uncertain_elsewhere=doubtful and options.on_uncertain != "continue",
        )

    @cached_property
    def _is_stopping(self) -> bool:
        return course(self.accepted, self.state) is not Course.FORWARD

    @cached_property
    def _unsettled(self) -> tuple[Place, ...]:
        return self.state.unsettled


def _wait_or_finish(
    accepted: Accepted, state: RunState, outside: Outside, waits: list[tuple[str, Waiting]]
) -> Wait | Finish:
    if state.cancelled is not None:
        # Whoever cancelled is told what is in doubt; nobody is waited for, but to undo it.
        waits = [
            (step, each)
            for step, each in waits
            if each.until is not None or matters_to_undo(accepted, state, step)
        ]
    times = [each.until for _, each in waits if each.until is not None]
    if outside.in_flight:
        return Wait("flight", min(times, default=None), ())
    named = [each for each in waits if each[1].waiting_for in _REASONS]
    if not named:
        return _finish(accepted, state)
    reason = min((each.waiting_for for _, each in named), key=_REASONS.index)
    steps = {step for step, each in named if each.waiting_for == reason}
    return Wait(reason, min(times, default=None), tuple(sorted(steps)))


def _finish(accepted: Accepted, state: RunState) -> Finish:
    effects = effects_of(state)
    result = build_answer(accepted.plan.answer, Scope(accepted.inputs.values, state.done))
    code = state.first_failure
    status = "failed" if code else "succeeded"
    if state.cancelled is not None:
        status = code = "cancelled"
    if status == "succeeded":
        _check_all_ended(accepted, state)
    went_back = bool(state.undos) or course(accepted, state) is Course.BACK
    if went_back and (effects.standing or effects.uncertain):
        status = "compensation_incomplete"
    elif went_back and effects.undone:
        status = "undone"
    return Finish(status, code, result, effects.standing, effects.uncertain, effects.undone)


def _check_all_ended(accepted: Accepted, state: RunState) -> None:
    left = [step.id for step in accepted.plan.steps if not state.has_ended(step.id)]
    if left:  # a mistake of ours; whatever it is, it must not be called a success
        raise RuntimeError(f"{', '.join(left)}: can neither go on nor wait for anything")
