"""The moves of one round: what becomes of every step whose turn it is, or will surely come.

A verdict (`instance.py`, `items.py`) ends the step, which is recorded, or names the next call, gate
or look-up, or says what it waits for. Approvals are asked for as soon as all is known that they
show: of the whole plan (`envelopes.py`), and of a step even if it is still to come `after` others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.fn import FUNCTIONS
from executor.plan.graph import data_sources
from executor.plan.model import Step
from executor.run import events as e
from executor.run.commands import Command, OpenEnvelope, OpenGate, Perform, Record
from executor.run.course import Course, course, matters_to_undo
from executor.run.envelopes import Envelopes
from executor.run.gates import SAID_NO, Asked, Gatekeeper, Passage, said_no, standing
from executor.run.hold import has_acted, held, is_final
from executor.run.instance import Instance
from executor.run.items import Items
from executor.run.prepare import compute, prepare
from executor.run.resolve import Scope
from executor.run.state import RunState
from executor.run.tally import Tally
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


@dataclass(frozen=True)
class Moves:
    """The verdicts on every step that is ready, sorted by what is to be done with them."""

    records: list[Record] = field(default_factory=list)
    denials: list[Record] = field(default_factory=list)  # that may still change
    commands: list[Command] = field(default_factory=list)
    waits: list[tuple[str, Waiting]] = field(default_factory=list)

    def add(self, step: str, verdict: Next | Waiting | Halted) -> None:
        """Take what leaves a step open."""
        match verdict:
            case Next(command=OpenGate() as gate) if any(
                isinstance(each, OpenGate) and (each.step, each.role) == (gate.step, gate.role)
                for each in self.commands
            ):
                pass  # another item asks for the whole list already
            case Next(command=command):
                self.commands.append(command)
            case Waiting():
                self.waits.append((step, verdict))

    def end(self, step: str, verdict: Done | Skipped | Failed, iteration: str = "") -> None:
        """Take what ends a step."""
        match verdict:
            case Done(output=output, failed_items=failed, may_change=may_change):
                done = e.StepDone(step=step, result=output, failed_items={**failed})
                self._ends(may_change=may_change).append(Record(done))
            case Skipped(because=because):
                self.records.append(Record(e.StepSkipped(step=step, because=because)))
            case Failed(code=code, message=message, effect=effect, failed_items=items) as failed:
                failure = e.StepFailed(
                    step=step,
                    iteration=iteration,
                    code=code,
                    message=message,
                    effect=effect,
                    failed_items={**items},
                )
                self._ends(may_change=failed.may_change).append(Record(failure))

    def _ends(self, *, may_change: bool) -> list[Record]:
        return self.denials if may_change else self.records

    def hold(self, tally: Tally, outside: Outside) -> None:
        """Let no call begin that has to wait for what else begins or is under way.

        While policy's no may change nothing acts, and nobody is asked: it may be the run's end.
        """
        if self.denials:
            self.commands[:] = [each for each in self.commands if not _acts_or_asks(each)]
        waits = [each for _, each in self.waits]
        for command, waiting in [*held(tally, outside, self.commands, waits)]:
            self.commands.remove(command)
            self.waits.append((command.step, waiting))


def _acts_or_asks(command: Command) -> bool:
    is_write = isinstance(command, Perform) and command.action.is_write
    return is_write or isinstance(command, OpenGate | OpenEnvelope)


@dataclass(frozen=True)
class Round:
    """One run at one moment."""

    accepted: Accepted
    state: RunState
    outside: Outside
    tally: Tally

    def moves(self) -> Moves:
        """Judge every step whose turn it is, and ask early about those whose turn will come."""
        moves, state, accepted = Moves(), self.state, self.accepted
        refused = {*self._ask_for_the_whole(moves)}
        passed = state.done.keys() | state.skipped.keys()
        ended = passed | state.failed.keys() | refused
        for name, step in self._in_turn:
            if name in ended:
                continue
            if accepted.waits_for[name] <= passed:
                self._judge(step, moves)
            elif self._can_be_asked_for(step) and self._still_comes(name):
                self._ask(step, moves)
        return moves

    @property
    def _in_turn(self) -> list[tuple[str, Step]]:
        """What cannot be undone last, so that it takes no room from what it waits for."""
        actions = self.accepted.actions
        return sorted(
            self.accepted.steps.items(),
            key=lambda each: each[1].action in actions and is_final(actions[each[1].action]),
        )

    def _ask_for_the_whole(self, moves: Moves) -> Iterator[str]:
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

    def _can_be_asked_for(self, step: Step) -> bool:
        """Whether all that its arguments are made of is there, and an approval may be needed.

        What policy says by what the run did, or of each item of a list, is asked in its turn.
        """
        if step.action in FUNCTIONS:
            return False
        policies = self.outside.policy.slice_of(self.accepted.actions[step.action])
        is_asked = step.each is None and policies.asks_early
        if not is_asked and self.accepted.certificate.of(step.id).approval is None:
            return False
        return self.accepted.sources[step.id] <= self.state.done.keys()

    def _still_comes(self, step: str) -> bool:
        """Whether a step's turn may still come."""
        if self.state.has_ended(step) or self._is_stopping:
            return False
        return not self.accepted.upstream[step] & self.state.failed.keys()

    def _ask(self, step: Step, moves: Moves) -> None:
        """Ask for the approval before anything else acts; a no ends the step at once."""
        gates = self.state.gates.get((step.id, ""), ())
        is_settled = bool(gates) and (not gates[-1].is_granted or has_acted(self.state))
        if is_settled and step.each is not None:
            # A long list is not judged again in every round.
            passage: _Passage = standing(gates[-1])
        else:
            passage = self._passage(step)
        match passage:
            case Next() | Waiting():
                moves.add(step.id, passage)
            case Failed(code=code) if code in SAID_NO:
                moves.end(step.id, passage)
            case _:
                pass  # what else stands in its way is told when its turn comes

    def _passage(self, step: Step) -> _Passage:
        if step.each is not None:
            whole = self._instance(step, self._scope, lambda: Asked.of({}), {})
            return Items(whole, 0).passage()
        prepared = prepare(self.accepted, self.state, step, "", self._scope)
        if not isinstance(prepared, dict):
            return prepared
        action = self.accepted.actions[step.action]
        if message := self.tally.too_much((step.id, ""), action, (prepared,)):
            return Failed("budget-exceeded", message)
        keeper = Gatekeeper(
            self.accepted, self.state, self.outside, self.tally, step.id, "", action
        )
        return keeper.judge((prepared,), lambda: Asked.of(prepared))

    def _judge(self, step: Step, moves: Moves) -> None:
        if (step.id, "") in self.outside.in_flight:
            moves.add(step.id, Waiting("flight"))
            return
        gone = self.state.skipped and sorted(data_sources(step) & self.state.skipped.keys())
        if gone and step.action != "fn.first_of":
            moves.end(step.id, Skipped(f"{gone[0]} was skipped"))
            return
        if step.each is not None:
            self._judge_items(step, moves)
            return
        verdict = self._verdict(step)
        if isinstance(verdict, Done | Skipped | Failed):
            moves.end(step.id, verdict)
        else:
            moves.add(step.id, verdict)

    def _verdict(self, step: Step) -> Verdict:
        prepared = prepare(self.accepted, self.state, step, "", self._scope)
        if not isinstance(prepared, dict):
            return prepared
        if step.action in FUNCTIONS:
            return compute(step, prepared, self._scope)
        return self._instance(step, self._scope, lambda: Asked.of(prepared), prepared).verdict()

    def _judge_items(self, step: Step, moves: Moves) -> None:
        whole = self._instance(step, self._scope, lambda: Asked.of({}), {})
        room = MOST_AT_ONCE - len(self.outside.in_flight) - len(moves.commands)
        match Items(whole, room).outcome():
            case Done() as done:
                moves.end(step.id, done)
            case (str(iteration), Failed() as failed):
                moves.end(step.id, failed, iteration)
            case is_open:
                for each in is_open:
                    moves.add(step.id, each)

    def _instance(
        self, step: Step, scope: Scope, asked: Callable[[], Asked], arguments: JsonObject
    ) -> Instance:
        around = self._around(step.id)
        return Instance(
            self.accepted, self.state, self.outside, around, step, "", scope, arguments, asked
        )

    def _around(self, step: str) -> Surroundings:
        if not self.state.unsettled and self.state.cancelled is None:
            return self._calm
        options = self.accepted.certificate.options
        is_cancelled = self.state.cancelled is not None
        doubtful = any(place[0] != step for place in self.state.awaited)
        return Surroundings(
            tally=self.tally,
            is_stopping=self._is_stopping,
            is_cancelled=is_cancelled and not matters_to_undo(self.accepted, self.state, step),
            uncertain_elsewhere=doubtful and options.on_uncertain != "continue",
        )

    @cached_property
    def _calm(self) -> Surroundings:
        """What most steps have around them: nobody has cancelled, and nothing is in doubt."""
        return Surroundings(self.tally, self._is_stopping)

    @cached_property
    def _scope(self) -> Scope:
        return Scope(self.accepted.inputs.values, self.state.done)

    @cached_property
    def _is_stopping(self) -> bool:
        return course(self.accepted, self.state) is not Course.FORWARD
