"""Plays one scenario: the production `decide` and `fold`, a made-up time, answers from a script.

    decide ─▶ commands ─▶ what a machine would write of them ─▶ fold ─▶ decide ...

A call gets its answer from `answers.py` and never leaves: there is nothing here that could send
it. An approval is granted when it is asked for, so no time of people is counted. A scenario ends
with its run, or where only a person or a real answer could tell how it goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.rehearse.answers import Answer, Answers, Script
from executor.rehearse.fake import Unfakeable
from executor.rehearse.lanes import Lanes, LimitsOf
from executor.run import events as e
from executor.run.commands import (
    Abort,
    Command,
    Finish,
    LookUp,
    OpenEnvelope,
    OpenGate,
    Perform,
    Poll,
    Record,
    Wait,
)
from executor.run.decide import decide
from executor.run.fold import fold
from executor.run.state import WHOLE_PLAN, Place, RunState
from executor.run.verdicts import Held, Outside

MOST_WORK = 50_000  # of one scenario: decisions, each with the calls that it looks back on
NOBODY = "rehearsal"  # who approves, and whose keys calls carry
GATE_S = 24 * 3600.0
LOOKUP_S = 10.0  # a look-up takes no longer
LOST_AGAIN = e.Failure(kind="timeout", message="the answer was lost, as rehearsed", may_retry=True)
SAID_NO = e.Failure(kind="invalid", message="refused, as rehearsed")
DurationOf = Callable[[ActionSpec], float]


@dataclass(frozen=True)
class Terms:
    """What a plan is rehearsed under."""

    policy: Policy
    limits_of: LimitsOf
    now: float


@dataclass(frozen=True)
class Performance:
    """How one scenario went."""

    script: Script
    state: RunState
    answers: Mapping[Place, Answer]
    unfakeable: Mapping[Place, str]
    asked: tuple[OpenGate | OpenEnvelope, ...]
    searches: Mapping[str, int]  # look-ups and polls, by connection
    waited_s: Mapping[str, float]  # for the rate, by connection
    waiting_for: str | None  # what would have to come from outside for it to go on
    lasted_s: float
    work: int


@dataclass(frozen=True)
class _Flight:
    """A call under way, and what will have happened when it ends."""

    ends_at: float
    connection: str
    event: e.AttemptEnded | e.ReconcileResolved | None  # None: nobody can say


@dataclass
class Stage:
    """One scenario being played."""

    answers: Answers
    terms: Terms
    duration_of: DurationOf
    script: Script
    now: float = field(init=False)
    state: RunState = field(default_factory=RunState)
    given: dict[Place, Answer] = field(default_factory=dict)
    unfakeable: dict[Place, str] = field(default_factory=dict)
    asked: list[OpenGate | OpenEnvelope] = field(default_factory=list)
    searches: dict[str, int] = field(default_factory=dict)
    work: int = 0

    def __post_init__(self) -> None:
        self.now = self.terms.now
        self._lanes = Lanes(self.terms.limits_of)
        self._flights: dict[Place, _Flight] = {}
        self._held: dict[Place | str, Held] = {}

    def play(self) -> Performance:
        """Play until nothing more happens by itself."""
        waiting: str | None = None
        while self.work < MOST_WORK:
            self.work += 1 + len(self.state.attempts)
            commands = decide(self._accepted, self.state, self._outside())
            if not commands:
                break
            waiting = self._round(commands)
            if waiting is not None:
                break
        else:
            waiting = "too-long"
        return Performance(
            script=self.script,
            state=self.state,
            answers=self.given,
            unfakeable=self.unfakeable,
            asked=tuple(self.asked),
            searches=self.searches,
            waited_s=self._lanes.waited_s,
            waiting_for=waiting,
            lasted_s=self.now - self.terms.now,
            work=self.work,
        )

    @property
    def _accepted(self) -> Accepted:
        return self.answers.accepted

    def _outside(self) -> Outside:
        return Outside(
            policy=self.terms.policy,
            now=self.now,
            plan=NOBODY,
            in_flight=frozenset(self._flights),
            not_before=self._held,
        )

    def _round(self, commands: tuple[Command, ...]) -> str | None:
        match commands:
            case (Wait() as wait,):
                return self._wait(wait)
        records = [each.event for each in commands if isinstance(each, Record)]
        if records:
            self._happen(*records)
            return None
        for command in commands:
            self._do(command)
        return None

    def _do(self, command: Command) -> None:
        match command:
            case OpenGate() | OpenEnvelope():
                self._ask(command)
            case Perform():
                self._perform(command)
            case LookUp():
                self._find_out(command, "lookup")
            case Poll():
                self._find_out(command, "status")
            case Abort():
                self._flights.pop((command.step, command.iteration), None)
            case Finish():
                self._finish(command)

    def _wait(self, wait: Wait) -> str | None:
        """Let time pass until something ends or may begin; or say what would have to come."""
        ends = min((each.ends_at for each in self._flights.values()), default=inf)
        until = min(ends, inf if wait.until is None else wait.until)
        if until == inf:
            return "answer" if self._flights else wait.waiting_for
        self.now = max(self.now, until)
        for place, flight in sorted(self._flights.items(), key=lambda each: each[1].ends_at):
            if flight.ends_at <= self.now and flight.event is not None:
                del self._flights[place]
                self._happen(flight.event)
        return None

    def _ask(self, command: OpenGate | OpenEnvelope) -> None:
        """Ask, and be told yes at once, or no where that is the setback."""
        self.asked.append(command)
        approval = f"apr_{len(self.asked)}"
        place = WHOLE_PLAN if isinstance(command, OpenEnvelope) else (command.step, "")
        self._happen(self._opened(command, approval))
        setback = self.script.setback
        if setback is not None and setback.upset == "not_approved" and setback.place == place:
            self._happen(e.ApprovalRefused(approval=approval, by=NOBODY, reason="as rehearsed"))
            return
        envelope = command.envelope if isinstance(command, OpenEnvelope) else None
        self._happen(
            e.ApprovalGranted(
                approval=approval, by=NOBODY, reason="as rehearsed", envelope=envelope
            )
        )

    def _opened(self, command: OpenGate | OpenEnvelope, approval: str) -> e.GateOpened:
        is_step = isinstance(command, OpenGate)
        asked = command if isinstance(command, OpenGate) else command.envelope
        return e.GateOpened(
            approval=approval,
            step=command.step if isinstance(command, OpenGate) else "",
            iteration="",
            role=asked.role,
            quorum=asked.quorum,
            args_hash=(
                command.args_hash if isinstance(command, OpenGate) else command.envelope.digest
            ),
            reasons=list(asked.reasons),
            policies=list(asked.policies),
            expires_at=self.now + (asked.expires_s or GATE_S),
            policy_version=self.terms.policy.version,
            kind="step" if is_step else "envelope",
            steps=(
                []
                if isinstance(command, OpenGate)
                else [each.step for each in command.envelope.steps]
            ),
        )

    def _perform(self, command: Perform) -> None:
        place, action = (command.step, command.iteration), command.action
        if self._is_held(action):
            return
        approvals = [grant.approval for grant in command.grants]
        self._happen(
            e.IntentRecorded(
                step=command.step,
                iteration=command.iteration,
                n=command.n,
                action=action.name,
                effect=action.effect,
                key=command.key or f"{NOBODY}-{'-'.join(place)}",
                args_hash=command.args_hash,
                arguments=command.arguments,
                approvals=approvals,
                send_before=self.now + action.timeout_s,
                timeout_s=action.timeout_s,
                observed=[*command.observed],
            )
        )
        event = self._ended(command, place)
        took = self.duration_of(action) if event is not None else inf
        self._flights[place] = _Flight(self.now + took, action.connection, event)

    def _ended(self, command: Perform, place: Place) -> e.AttemptEnded | None:
        """How a call will have ended: as the script says."""
        setback, action = self.script.setback, command.action
        ended = e.AttemptEnded(
            step=command.step, iteration=command.iteration, n=command.n, state="refused"
        )
        upset = setback.upset if setback is not None and setback.place == place else None
        if upset == "refused":
            return ended.model_copy(update={"failure": SAID_NO})
        answer = self._answer(place, action, command.arguments)
        if isinstance(answer, Unfakeable):
            return None
        if upset == "lost" and command.n == 1:
            return ended.model_copy(update={"state": "uncertain", "failure": LOST_AGAIN})
        if action.status is not None and action.status.action in self._accepted.actions:
            return ended.model_copy(update={"state": "applied_pending", "handle": NOBODY})
        told = {"state": "applied", "output": answer.output, "replayed": upset == "lost"}
        return ended.model_copy(update=told)

    def _answer(
        self, place: Place, action: ActionSpec, arguments: JsonObject
    ) -> Answer | Unfakeable:
        if place in self.given:
            return self.given[place]
        answer = self.answers.to(self.script, place, action, arguments)
        if isinstance(answer, Unfakeable):
            self.unfakeable[place] = str(answer)
        else:
            self.given[place] = answer
        return answer

    def _find_out(self, command: LookUp | Poll, by: str) -> None:
        """A search finds that it happened, with the answer that the call would have had."""
        asked = command.action.lookup if by == "lookup" else command.action.status
        spec = self._accepted.actions[asked.action if asked else ""]
        if self._is_held(spec):
            return
        place = (command.step, command.iteration)
        self.searches[spec.connection] = self.searches.get(spec.connection, 0) + 1
        event = e.ReconcileResolved(
            step=command.step,
            iteration=command.iteration,
            n=command.n,
            resolution="applied",
            by=by,
            output=self.given[place].output,
        )
        took = min(LOOKUP_S, self.duration_of(spec))
        self._flights[place] = _Flight(self.now + took, spec.connection, event)

    def _is_held(self, action: ActionSpec) -> bool:
        """Whether a call of a connection has to wait; if not, its permit is taken."""
        connection = action.connection
        under_way = [
            each.ends_at for each in self._flights.values() if each.connection == connection
        ]
        until = self._lanes.take(action, self.now, under_way)
        if until is None:
            return False
        self._held[connection] = Held(until, "rate_limit")
        return True

    def _finish(self, finish: Finish) -> None:
        self._happen(
            e.RunFinished(
                status=finish.status,
                code=finish.code,
                result=finish.result,
                standing=list(finish.standing),
                uncertain=list(finish.uncertain),
                undone=list(finish.undone),
            )
        )

    def _happen(self, *events: e.Event) -> None:
        self.state = fold(((self.now, event) for event in events), self.state)
