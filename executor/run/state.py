"""Where a run stands: a fold of its events (`fold.py`), and nothing else.

What every round asks of all attempts is kept beside them as they change, so that a round of a run
that has made a thousand calls costs no more than one of a run that has made two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import NamedTuple

from pydantic import JsonValue

from connectors.errors import Kind
from connectors.spec import Effect
from executor.run import events as e

Place = tuple[str, str]
"""One step, or one item of it: (step id, iteration); its undo is at a place of its own."""
FRESH_LOOK_S = 1.0  # at least, between two questions about one call
WHOLE_PLAN: Place = ("", "")  # where envelopes are asked for

_UNDO = "undo/"  # no step is called so


def undo_place(place: Place) -> Place:
    """Where the calls stand that take back what was done at a place."""
    return (_UNDO + place[0], place[1])


def undoes(place: Place) -> Place | None:
    """What is taken back at a place; None where a step itself acts."""
    return (place[0].removeprefix(_UNDO), place[1]) if place[0].startswith(_UNDO) else None


class Attempt(NamedTuple):
    """One call: its intent, how it ended, and what became known later."""

    intent: e.IntentRecorded
    at: float
    ended: e.AttemptEnded | None = None
    ended_at: float | None = None
    resolved: e.ReconcileResolved | None = None
    resolved_after: int = 0  # the newest attempt of the place by then; clocks may go back
    began: int = 0  # the number of the event that it began with, in an order that no clock has
    settled: int = 0  # and of the event that last told of it
    late: e.AttemptEnded | None = None  # its own end, told after something had been found out
    overruled: e.ReconcileResolved | None = None  # a no, or a giving up; but it had happened
    deferred: e.AttemptDeferred | None = None  # what came of the last question in vain
    asked_at: float = 0.0  # and when that was

    def after(
        self, ended: e.AttemptEnded, at: float, settled: int, *, overrules: bool = False
    ) -> "Attempt":
        """The same once it has ended; what was found out of it stays.

        But for what it `overrules`: nothing is called again that is known to have happened.
        """
        found, after = self.resolved, self.resolved_after
        if not ended.late or found is None:
            return Attempt(self.intent, self.at, ended, at, found, after, self.began, settled)
        if not (overrules and self.yields_to(ended.state)):
            return self._replace(late=ended)
        return Attempt(self.intent, self.at, ended, at, None, 0, self.began, settled, ended, found)

    @property
    def is_applied(self) -> bool:
        """Whether the effect is known to have happened and its output is known."""
        if self.resolved is not None:
            return self.resolved.resolution == "applied"
        return self.ended is not None and self.ended.state == "applied"

    @property
    def has_happened(self) -> bool:
        """Whether the effect is known to have happened, whatever its answer was."""
        unreadable = self.ended is not None and self.ended.state == "applied_unreadable"
        return self.is_applied or (unreadable and self.resolved is None)

    @property
    def is_taken(self) -> bool:
        """Whether the service has it, and no usable answer came: it happened, or will yet."""
        ended = self.ended
        if ended is None or ended.asks is not None or self.resolved is not None:
            return False
        return ended.state in ("applied_unreadable", "applied_pending")

    @property
    def may_have_happened(self) -> bool:
        """Whether an effect cannot be ruled out, be it that the call is still under way."""
        if self.intent.effect is Effect.READ:
            return False
        open_or_given_up = self.ended is None or self.is_uncertain or self.is_abandoned
        return open_or_given_up or self.has_happened

    @property
    def is_abandoned(self) -> bool:
        """Whether somebody decided to leave it unknown."""
        return self.resolved is not None and self.resolved.resolution == "abandoned"

    @property
    def is_answered(self) -> bool:
        """Whether it asked something and somebody answered: of other calls that says nothing."""
        return self.resolved is not None and self.resolved.resolution == "answered"

    @property
    def is_denied(self) -> bool:
        """Whether somebody has found out that it did not happen."""
        return self.resolved is not None and self.resolved.resolution == "absent"

    def yields_to(self, state: e.AttemptState) -> bool:
        """Whether a late yes says more than what is known: any more than that somebody said no.

        One with an answer that can be used says more than whoever left it unknown, and than the
        service that had refused it.
        """
        if self.intent.effect is Effect.READ:
            return False
        if self.is_denied:
            return state.startswith("applied")
        is_refused = self.ended is not None and self.ended.state == "refused"
        is_open = self.is_abandoned or (is_refused and self.resolved is None)
        return is_open and state == "applied"

    @property
    def is_uncertain(self) -> bool:
        """Whether the effect may have happened and nobody knows yet."""
        if self.resolved is not None:
            return False
        return self.ended is not None and self.ended.state in _OPEN

    @property
    def waits(self) -> bool:
        """Whether nothing at all was heard of what became of it: a question is an answer, too."""
        return self.is_uncertain and self.ended is not None and self.ended.state == "uncertain"

    @property
    def is_lost(self) -> bool:
        """Whether it was taken over: the process that makes it may be dead, or only seem so."""
        if self.ended is None or self.ended.state != "uncertain":
            return False
        return self.ended.failure is not None and self.ended.failure.kind == Kind.CANCELLED

    @property
    def is_unheard(self) -> bool:
        """Whether nobody was told by the call itself how it ended: it may come through later."""
        return self.ended is None or self.ended.state in ("uncertain", "applied_pending")

    def put_off(self, deferred: e.AttemptDeferred, at: float) -> "Attempt":
        """The same after a question in vain: what the service said before holds beside it."""
        ask_from = max(self.ask_from, deferred.ask_from or 0.0) or None
        kept = deferred.model_copy(update={"ask_from": ask_from})
        return self._replace(deferred=kept, asked_at=at)

    @property
    def ask_from(self) -> float:
        """Before when the service does not want to be asked what became of it."""
        told = (self.ended, self.deferred)
        return max((each.ask_from or 0.0 for each in told if each is not None), default=0.0)

    def again_at(self, woken: int, now: float) -> float:
        """Before when we do not ask again what became of it; infinite once that is futile.

        Of a run that was `woken` since it is asked once more: something may be otherwise now.
        However often it is woken, that is a while after the question before.
        """
        if self.deferred is None:
            return 0.0
        again_at = inf if self.deferred.again_at is None else self.deferred.again_at
        if woken <= self.deferred.woken:
            return again_at
        is_past = self.asked_at <= now  # or else a clock has gone back
        return min(again_at, self.asked_at + FRESH_LOOK_S if is_past else 0.0)

    @property
    def told_at(self) -> float:
        """When something was last heard of the call itself: its end, or else its beginning."""
        return self.at if self.ended_at is None else self.ended_at

    @property
    def over_at(self) -> float:
        """When nothing of it is on its way to the service any more, whoever makes it.

        The service goes on with a call whose process has died as long as with any other.
        """
        is_known = self.ended is not None and not self.is_lost
        return self.told_at if is_known else max(self.told_at, self.at + self.intent.timeout_s)

    @property
    def output(self) -> JsonValue:
        """The output of an applied attempt."""
        if self.resolved is not None:
            return self.resolved.output
        return self.ended.output if self.ended else None


_OPEN = ("uncertain", "applied_unreadable", "applied_pending")


def doubt_of(attempts: Sequence[Attempt]) -> Attempt | None:
    """The one of the attempts of a place that may have happened, if nobody has found out yet.

    A later call that was refused, never left, or only asked something, says nothing about the
    earlier one.
    """
    if not attempts or attempts[-1].intent.effect is Effect.READ:
        return None
    taken = next((each for each in reversed(attempts) if each.is_applied or each.is_taken), None)
    if taken is not None and not taken.is_applied and attempts[-1].ended is not None:
        return taken  # whatever is known of the others
    for attempt in reversed(attempts):
        if attempt.is_answered:
            continue
        if attempt.is_applied or attempt.resolved is not None or attempt.ended is None:
            return None
        if attempt.is_uncertain:
            return attempt
    return None


def yielding_of(attempts: Sequence[Attempt]) -> Attempt | None:
    """The newest of a place that yields to a yes, if no other one speaks against that."""
    newest = next((each for each in reversed(attempts) if each.yields_to("applied")), None)
    return newest if newest is not None and is_alone(attempts, newest.intent.n) else None


def is_alone(attempts: Sequence[Attempt], n: int) -> bool:
    """Whether nothing says, or may say yet, that another call of a place acted than this one.

    What somebody gave up nobody finds out any more, and what is found out of a call holds for those
    in doubt before it.
    """
    return not any(
        each.may_have_happened and not each.is_abandoned and not (each.intent.n < n and each.waits)
        for each in attempts
        if each.intent.n != n
    )


@dataclass(frozen=True)
class Undoing:
    """One compensation, from its beginning to its end."""

    at: float
    started: e.UndoStarted | None = None  # None: it could not begin
    ended: e.UndoEnded | None = None


@dataclass(frozen=True)
class Gate:
    """One question to an approver, and the answer; void once the same is asked anew.

    Where several have to say yes, `counted` are those before the one that settled it.
    """

    opened: e.GateOpened
    ruling: e.ApprovalGranted | e.ApprovalRefused | e.ApprovalExpired | None = None
    counted: tuple[e.ApprovalCounted, ...] = ()
    is_void: bool = False

    @property
    def is_open(self) -> bool:
        """Whether somebody may still answer."""
        return self.ruling is None and not self.is_void

    @property
    def is_granted(self) -> bool:
        """Whether the answer was yes."""
        return isinstance(self.ruling, e.ApprovalGranted)


@dataclass(frozen=True)
class RunState:
    """What is known of a run."""

    started: bool = False
    started_at: float | None = None
    done: Mapping[str, JsonValue] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, e.StepFailed] = field(default_factory=dict)
    failed_items: Mapping[str, Mapping[str, e.ItemFailure]] = field(default_factory=dict)
    first_failure: str | None = None  # the code of the first step or item that failed
    attempts: Mapping[Place, tuple[Attempt, ...]] = field(default_factory=dict)
    gates: Mapping[Place, tuple[Gate, ...]] = field(default_factory=dict)
    undos: Mapping[Place, Undoing] = field(default_factory=dict)  # by what is taken back
    cancelled: e.CancelRequested | None = None
    waiting: e.WaitStarted | None = None
    finished: e.RunFinished | None = None
    folded: int = 0  # how many events this comes of
    # What follows from the attempts: how many calls were begun of each connection, and at how many
    # places of each step; where one was not enough; which are under way; which may have happened,
    # as far as nobody knows; the same while such a call is being made again to find out; and, by
    # step and item, which are known to have happened.
    calls: Mapping[str, int] = field(default_factory=dict)
    begun: Mapping[str, int] = field(default_factory=dict)
    repeated: Mapping[Place, None] = field(default_factory=dict)
    under_way: Mapping[Place, Attempt] = field(default_factory=dict)
    doubts: Mapping[Place, Attempt] = field(default_factory=dict)
    unsettled: Mapping[Place, Attempt] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, Attempt]] = field(default_factory=dict)

    def has_ended(self, step: str) -> bool:
        """Whether nothing more will happen to the step."""
        return step in self.done or step in self.skipped or step in self.failed

    def last(self, place: Place) -> Attempt | None:
        """The newest attempt of a step or item."""
        found = self.attempts.get(place)
        return found[-1] if found else None

    def applied(self, place: Place) -> Attempt | None:
        """The attempt whose effect is known to have happened, if there is one."""
        found = self.answers.get(place[0])
        return found.get(place[1]) if found else None

    def is_undone(self, place: Place) -> bool:
        """Whether what was done there, or may have been, is taken back."""
        undoing = self.undos.get(place)
        return undoing is not None and undoing.ended is not None and undoing.ended.undone

    def in_doubt(self, place: Place) -> Attempt | None:
        """The attempt of a write that may have happened, if nobody has found out yet."""
        return self.doubts.get(place)

    def asked_at(self, place: Place) -> float | None:
        """When it was last asked in vain what became of a call there; None: none is in doubt."""
        doubt = self.doubts.get(place)
        return None if doubt is None else doubt.asked_at

    def over_at(self, place: Place) -> float:
        """When nothing that is in doubt there is on its way to the service any more."""
        calls = self.attempts.get(place, ())
        return max((each.over_at for each in calls if each.is_uncertain), default=-inf)

    def yielding(self, place: Place) -> Attempt | None:
        """The attempt of which was said no, or nothing for good: a yes overrules that."""
        return yielding_of(self.attempts.get(place, ()))

    def effects_besides(self, place: Place) -> int:
        """At how many other places an effect has happened or may have."""
        return len(self._effects - {place})

    @cached_property
    def awaited(self) -> frozenset[Place]:
        """Where something may have happened that somebody finds out: no step there has ended.

        Of a step that has ended, and did something after all, nobody does any more.
        """
        return frozenset(place for place in self.unsettled if not self.has_ended(place[0]))

    @cached_property
    def _effects(self) -> frozenset[Place]:
        """What happened or may have, and was not taken back."""
        return frozenset(
            place
            for place, attempts in self.attempts.items()
            if any(each.may_have_happened for each in attempts)
            and undoes(place) is None
            and not self.is_undone(place)
        )

    @property
    def open_gates(self) -> tuple[Gate, ...]:
        """Every gate that nobody has decided on."""
        return tuple(gate for gates in self.gates.values() for gate in gates if gate.is_open)
