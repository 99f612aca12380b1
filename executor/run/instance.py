"""What becomes of one step, or of one item of it: the decision table of a single call.

what is known of the last attempt        what follows
---------------------------------------  -----------------------------------------------
none                                     policy and approval, then the call
applied                                  `expect`, then done or failed
refused, not sent; may be tried again    the same call later, never before Retry-After
refused for its credentials              the same call later, when somebody has renewed them
refused                                  failed, and no effect
uncertain: read, idempotent              the same call again
uncertain: keyed, window open            the same call under the same key
uncertain: lookup                        search; found = applied, absent counts once settled
uncertain: blind, or nothing of these    a person decides
applied, but its answer is unusable      never again: search for the answer, or a person
asks for input, also a read              a person answers, or finds out
answered                                 the same call under the same key, with the answers;
                                         an earlier one in doubt stays so
resolved as absent                       the same call under the same key
resolved as abandoned                    failed, effect unknown

An earlier attempt that is uncertain stays so whatever a later one is told: a service that
refuses the second call may have done what the first one asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from connectors.errors import Kind
from connectors.spec import ActionSpec, Continuation, Effect, JsonObject
from executor.check.admit import Accepted
from executor.plan.model import Step
from executor.run import events as e
from executor.run.bulk import PARTLY, UNTOLD, missed_by, told_of
from executor.run.commands import LookUp, Perform, Poll
from executor.run.course import goes_on
from executor.run.gates import Asked, Gatekeeper, Passage
from executor.run.keys import args_hash, jitter_of
from executor.run.prepare import expected
from executor.run.resolve import Scope
from executor.run.retry import CREDENTIALS_AGAIN_S, MOST_ATTEMPTS, retry_at
from executor.run.state import Attempt, Place, RunState
from executor.run.verdicts import (
    Done,
    Failed,
    Halted,
    Next,
    Outside,
    Surroundings,
    Verdict,
    Waiting,
)

EVIDENCE = "evidence:"  # what the service said later, by whoever reported it
WINDOW_SHARE = 0.8  # a key is trusted for this share of the service's window
JUST_AFTER_S = 0.001  # what is looked at again when a time is over finds that it is over


@dataclass(frozen=True)
class Instance:
    """One call of a step, with all that its next move depends on."""

    accepted: Accepted
    state: RunState
    outside: Outside
    around: Surroundings
    step: Step
    iteration: str
    scope: Scope
    arguments: JsonObject
    asked: Callable[[], Asked]

    @property
    def place(self) -> Place:
        """The step and the item."""
        return (self.step.id, self.iteration)

    @property
    def action(self) -> ActionSpec:
        """What is called."""
        return self.accepted.actions[self.step.action]

    def verdict(self) -> Verdict:
        """Say what becomes of it now."""
        if self.place in self.outside.in_flight:
            return Waiting("flight")
        if self.place in self.state.undos:
            return Halted()  # it is being taken back
        last = self.state.last(self.place)
        if last is None:
            return self._call(None)
        applied = self.state.applied(self.place)
        if applied is not None:
            return self._applied(applied)
        told, doubt = self._resolved_last(last), self.state.in_doubt(self.place)
        is_given_up = told is not None and told.is_abandoned
        if doubt is not None and not is_given_up:
            is_newer = told is not None and doubt.intent.n > told.intent.n
            if doubt.is_taken or is_newer:
                return self._class_rule(doubt, last)  # whatever was found out of the others
        if told is not None:
            return self._told(told, last)
        doubt = last if last.is_uncertain else doubt
        if doubt is not None:
            return self._class_rule(doubt, last)
        return self._refused(last)

    def _applied(self, applied: Attempt) -> Done | Failed:
        """Done or not as expected; what some of its items missed fails it, or stands beside it."""
        missed = missed_by(self.action, applied)
        if isinstance(missed, str):
            return Failed(UNTOLD, missed, "yes")
        if missed and not self._goes_on:
            return Failed(PARTLY, told_of(missed), "yes", missed)
        effect: e.EffectHappened = "yes" if self.action.is_write else "no"
        found = expected(self.step, applied.output, self.scope, effect)
        return replace(found, failed_items=missed) if missed else found

    @property
    def _goes_on(self) -> bool:
        """Whether what one item missed leaves the rest of the run to go on."""
        return goes_on(self.accepted, self.state)

    def _resolved_last(self, last: Attempt) -> Attempt | None:
        """The attempt of which something was found out after the last call began.

        The newest of them, but for one that was given up: that ends all of it.
        """
        known = [each for each in reversed(self.state.attempts[self.place])
                 if each.resolved is not None and each.resolved_after >= last.intent.n]  # fmt: skip
        return next((each for each in known if each.is_abandoned), known[0] if known else None)

    def _told(self, told: Attempt, last: Attempt) -> Verdict:
        found = told.resolved
        if found is None or found.resolution == "abandoned":
            return Failed("abandoned", found.reason if found else "", "unknown")
        if found.resolution == "answered":
            doubt = self.state.in_doubt(self.place)  # of an earlier one, which stays
            return self._call(last) if doubt is None else self._class_rule(doubt, last)
        pending = told.ended is not None and told.ended.state == "applied_pending"
        is_said = found.by == "status" or found.by.startswith(EVIDENCE)
        if pending and is_said:
            return Failed("refused", found.reason or "the service gave it up")
        if found.by != "lookup" and not is_said:
            return self._call(last)  # a person said: send it again
        if told is not last:
            return self._refused(last)
        if self._is_used_up:
            return Failed("unavailable", f"given up after {last.intent.n} calls without effect")
        return self._call(last)

    @property
    def _is_used_up(self) -> bool:
        """Whether it was tried often enough.

        Tries without credentials do not count, nor do those that a service puts off by its limits:
        it works, and others of us may have used what it takes.
        """
        attempts = self.state.attempts.get(self.place, ())
        put_off = (_lacks_credentials(each) or _came_too_soon(each) for each in attempts)
        return len(attempts) - sum(put_off) >= MOST_ATTEMPTS

    def _refused(self, last: Attempt) -> Verdict:
        failure = last.ended.failure if last.ended else None
        if _lacks_credentials(last):
            return Halted() if self.around.is_stopping else self._renewed(last)
        if failure is None or not failure.may_retry:
            kind = failure.kind if failure else "internal"
            return Failed(kind, failure.message if failure else "refused")
        if self._is_used_up:
            return Failed(failure.kind, f"{failure.message}; given up after {last.intent.n} calls")
        return self._call(last)

    def _renewed(self, last: Attempt, doubt: Attempt | None = None) -> Verdict:
        """Wait for new credentials; try now and then, and once the run was woken since the call."""
        again = last.told_at + CREDENTIALS_AGAIN_S
        if self.outside.now < again and last.at >= self.outside.woken_at:
            return Waiting("credentials", again)
        return self._call(last, doubt)

    def _class_rule(self, doubt: Attempt, last: Attempt) -> Verdict:
        """What the effect class says of a call that may have happened."""
        if doubt.ended is not None and doubt.ended.asks is not None:
            is_read = not self.action.is_write
            needs_nobody = self.around.is_cancelled or (is_read and self.around.is_stopping)
            return Halted() if needs_nobody else Waiting("reconcile", left=True)
        unusable = doubt.ended is not None and doubt.ended.state != "uncertain"
        match self.action.effect:
            case Effect.READ if self.around.is_stopping:
                return Halted()
            case Effect.READ if unusable or self._is_used_up:
                return Failed("unavailable", f"no usable answer after {last.intent.n} calls")
            case Effect.READ:
                return self._call(last)
            case _ if unusable and self.around.is_cancelled:
                return Halted()  # it happened, and nobody needs its answer any more
            case _ if unusable:
                return self._find_out(doubt, absent_from=inf)
            case _ if self._repeating_helps(last):
                lacks = _lacks_credentials(last)
                again = self._renewed(last, doubt) if lacks else self._call(last, doubt)
                return self._while_its_key_lasts(again)
        return self._search(doubt)

    def _while_its_key_lasts(self, again: Verdict) -> Verdict:
        """Whatever a repetition waits for: when its key is too old, another way is to be found."""
        if not isinstance(again, Waiting) or self.action.effect is not Effect.KEYED:
            return again
        end = self.outside.now + self._key_lasts_s + JUST_AFTER_S
        return replace(again, until=end if again.until is None else min(again.until, end))

    def _repeating_helps(self, last: Attempt) -> bool:
        """Whether the same call may be made again to settle what was begun before."""
        if self.around.is_cancelled or self._is_used_up:
            return False
        failure = last.ended.failure if last.ended else None
        if failure is not None and not failure.may_retry and not _lacks_credentials(last):
            return False
        effect = self.action.effect
        return effect is Effect.IDEMPOTENT or (effect is Effect.KEYED and self._key_lasts_s > 0)

    @property
    def _key_lasts_s(self) -> float:
        """For how long the service surely knows the key of what may have happened."""
        attempts = self.state.attempts[self.place]
        window = self.action.idempotency.window_s if self.action.idempotency else 0.0
        # It is at least as late as the journal says: a clock that went back makes no key younger.
        now = max(self.outside.now, *(each.told_at for each in attempts))
        return WINDOW_SHARE * window - (now - attempts[0].at)

    def _search(self, doubt: Attempt, *, left: bool = True) -> Verdict:
        """Find out whether it happened: an absence counts once nothing of it can come any more."""
        absent_from = self.state.over_at(self.place) + self.action.settle_s
        return self._find_out(doubt, absent_from=absent_from, left=left)

    def _find_out(self, doubt: Attempt, *, absent_from: float, left: bool = True) -> Verdict:
        """Search at the service where one can, or else let a person decide.

        It is `left` to them unless it may be called again once something else has changed. What was
        searched for long enough is not: the service may be reached otherwise one day.
        """
        lookup, status = self.action.lookup, self.action.status
        call, since, now = doubt.intent, doubt.told_at, self.outside.now
        of = (*self.place, call.n, self.action, call.arguments, call.key)
        handle = doubt.ended.handle if doubt.ended else None
        again_at = doubt.again_at(self.outside.woken, now)
        held = max(self.outside.look_again.get(self.place, 0.0), again_at, doubt.ask_from)
        if status is not None and handle is not None and status.action in self.accepted.actions:
            if again_at == inf:
                return Waiting("reconcile")  # it was asked long enough: a person finds out
            if held > now:
                return Waiting("callback", held)
            if self._is_stopped(status.action):
                return Waiting("stop")
            return Next(Poll(*of, handle, since))
        if lookup is None or lookup.action not in self.accepted.actions:
            return Waiting("reconcile", left=left)
        if held > now:
            return Waiting("reconcile", None if held == inf else held)
        if self._is_stopped(lookup.action):
            return Waiting("stop")
        return Next(LookUp(*of, since, absent_from))

    def _is_stopped(self, action: str) -> bool:
        """Whether a stop keeps what finds something out from being asked: it is a call, too."""
        held = self.outside.not_before.get(self.accepted.actions[action].connection)
        return held is not None and held.reason == "stop"

    def _may_still_be_sent(self, doubt: Attempt) -> bool:
        """Whether another process may be about to make the call that this one took over."""
        return doubt.is_lost and not self.outside.is_alone

    def _call(self, last: Attempt | None, doubt: Attempt | None = None) -> Verdict:
        """Call, once its time has come; with a doubt, to settle what was begun before."""
        if self.around.is_stopping and doubt is None:
            return Halted()
        n = last.intent.n + 1 if last else 1
        hashed = last.intent.args_hash if last else args_hash(self.arguments)
        if last is not None and last.resolved is None:
            due = retry_at(last, n - 1, jitter_of(last.intent.key, n))
            if doubt is not None and self._may_still_be_sent(doubt):
                due = max(due, doubt.intent.send_before)
            if due > self.outside.now:
                return Waiting(_wait_name(last), due)
        held = self.outside.held(self.place, self.action.connection)
        if held is not None:
            return Waiting(held.reason, None if held.until == inf else held.until)
        message = self._over_budget(settles=doubt is not None)
        if message is not None:
            over = Failed("budget-exceeded", message)
            return over if doubt is None else self._search(doubt)
        passage = self._passage()
        is_asked_in_vain = self.state.cancelled is not None and not isinstance(passage, Passage)
        if doubt is not None and (isinstance(passage, Failed) or is_asked_in_vain):
            return self._search(doubt, left=False)  # as policy is now
        if doubt is None and self.waits_for_doubts(passage):
            return Waiting("elsewhere")
        if not isinstance(passage, Passage):
            return passage
        key = last.intent.key if last else None
        settles_by_key = doubt is not None and self.action.effect is Effect.KEYED
        return Next(
            Perform(
                *self.place, n, self.action, self.arguments, hashed, key,
                passage.grants, passage.observed, self._continuation(),
                self._key_lasts_s if settles_by_key else inf,
                self._begins_by(settles=doubt is not None),
            )
        )  # fmt: skip

    def _continuation(self) -> Continuation | None:
        """The answers that the last call was to go on with, if nothing has come of it."""
        for attempt in reversed(self.state.attempts.get(self.place, ())):
            told, ended = attempt.resolved, attempt.ended
            if told is not None and told.answers is not None and ended and ended.handle:
                return Continuation(ended.handle, told.answers)
            failure = ended.failure if ended else None
            is_over = failure is None or not (failure.may_retry or _lacks_credentials(attempt))
            if attempt.is_uncertain or is_over:
                return None
        return None

    def _passage(self) -> Failed | Next | Waiting | Passage:
        """Whether policy and approvals let it pass."""
        tally, place = self.around.tally, self.place
        keeper = Gatekeeper(self.accepted, self.state, self.outside, tally, *place, self.action)
        return keeper.judge((self.arguments,), self.asked)

    def waits_for_doubts(self, passage: Failed | Next | Waiting | Passage) -> bool:
        """Whether a write that may pass, or may not as far as that can change, waits for doubts."""
        is_open = isinstance(passage, Passage) or (
            isinstance(passage, Failed) and passage.may_change
        )
        return is_open and self.action.is_write and self.around.uncertain_elsewhere

    def _begins_by(self, *, settles: bool) -> float | None:
        """Until when it may begin, if that is limited."""
        return None if settles else self.around.tally.ends_at

    def _over_budget(self, *, settles: bool) -> str | None:
        tally = self.around.tally
        too_late = None if settles else tally.too_late(self.outside.now)
        return too_late or tally.too_much(self.place, self.action, (self.arguments,))


def _lacks_credentials(attempt: Attempt) -> bool:
    failure = attempt.ended.failure if attempt.ended else None
    return failure is not None and failure.kind == Kind.AUTH and not failure.may_retry


def _came_too_soon(attempt: Attempt) -> bool:
    failure = attempt.ended.failure if attempt.ended else None
    return failure is not None and failure.kind == Kind.RATE_LIMITED and failure.may_retry


def _wait_name(last: Attempt) -> str:
    return "rate_limit" if _came_too_soon(last) else "retry"
