"""The one place that acts: the intent is written, the call is made, its outcome is written.

If the outcome cannot be written, the attempt stays open and the next drive treats it by its
effect class: never as failed, never as if nothing had happened.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Protocol, TypeVar

from pydantic import JsonValue

from connectors.by_item import settled
from connectors.canonical import canonical
from connectors.connector import Applied, Call, Outcome, Pending, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.quota import Heard
from connectors.spec import ActionSpec, CallContext, JsonObject, Limits
from executor.breaker import Evidence, evidence_of
from executor.run import events as e
from executor.run.commands import LookUp, Perform, Poll
from executor.run.keys import idempotency_key, jitter_of
from executor.run.resolve import Absent, Scope, value_at
from executor.run.state import undoes
from executor.store.calls import AttemptOutcome, Intent, record_intent, record_outcome
from executor.store.drives import Claim
from executor.store.errors import StorePausedError, StoreUnavailableError
from executor.store.journal import NewEvent, OpenJournal
from executor.store.permits import Blocked, Told

LOOKUP_TIMEOUT_S = 10.0
LOOK_AGAIN_S, LOOK_AGAIN_MOST_S = 1.0, 1800.0
LOOK_FOR_S = 24 * 3600.0  # then a person has to find out
WRITE_AGAIN_S = 0.2
RESULT_BYTES = 8 * 1024 * 1024  # of one answer, as JSON
STOPPED_AGAIN_S = 30.0  # when to look whether searches are still stopped
SPREAD_SHARE, SPREAD_MOST_S = 0.1, 2.0  # those that were told the same time do not come together

T = TypeVar("T")


class Write(Protocol):
    """Do it in the next commit, with the run's journal open."""

    async def __call__(self, work: Callable[[OpenJournal], T], /) -> T:
        """Return what it returns, once that is durable."""


def new_event(event: e.Event) -> NewEvent:
    """What the journal stores of an event."""
    return NewEvent(event.type, event.data(), event.v)


@dataclass(frozen=True)
class Performer:
    """Calls for one run, under one claim."""

    write: Write
    call: Call
    key_secret: bytes
    clock: Callable[[], float]
    limits_of: Callable[[ActionSpec], Limits | None] = lambda action: action.limits
    lease_ends: Callable[[], float] = lambda: inf
    monotonic: Callable[[], float] = time.monotonic
    result_bytes: int = RESULT_BYTES

    async def perform(
        self, claim: Claim, command: Perform, policy_version: str | None
    ) -> Blocked | None:
        """Make one call; its outcome is in the journal when this returns."""
        key = command.key or idempotency_key(
            self.key_secret,
            claim.tenant,
            claim.id,
            command.step,
            command.iteration,
            command.action.name,
            command.args_hash,
        )
        intent = Intent(
            step=command.step,
            iteration=command.iteration,
            n=command.n,
            action=command.action.name,
            connection=command.action.connection,
            effect=command.action.effect.value,
            key=key,
            args_hash=command.args_hash,
            arguments=command.arguments,
            tool_digest=command.action.digest,
            policy_version=policy_version,
            grants=command.grants,
            observed=command.observed,
            timeout_s=command.action.timeout_s,
            limits=self.limits_of(command.action),
            takes_back=undoes((command.step, command.iteration)) is not None,
            lease_s=self._lease_left(),
            woken=claim.wake_seq,
        )
        # The wall's time is stored; what holds is this clock, read before the intent is written.
        start, now = self.monotonic(), self.clock()
        try:
            recorded = await self.write(partial(record_intent, intent=intent, now=now))
        except StoreUnavailableError:
            await self._write(claim, command, _not_sent(command))  # if it was kept after all
            raise
        if isinstance(recorded, Blocked):
            return _spread(recorded, now, jitter_of(key, command.n))
        context = _context(claim, command, key, start + command.action.timeout_s)
        lasts = min(context.send_before, start + intent.lease_s)
        context = replace(context, send_before=lasts, continues=command.continues)
        event = await self._ended(command, context)
        told = replace(_told(command.action.connection, event, now), quota=context.heard.quota)
        await self._write(claim, command, event, told)
        return None

    def _lease_left(self) -> float:
        """For how long this process may begin effects; raises where it may not any more."""
        left = self.lease_ends() - self.monotonic()
        if left <= 0:
            raise StoreUnavailableError("the lease of this process is over; nothing is begun")
        return left

    async def look_up(self, claim: Claim, command: LookUp, lookup: ActionSpec) -> float | None:
        """Search for an attempt's effect; returns when to look again, or None once it is known."""
        by = command.action.lookup
        assert by is not None  # noqa: S101 - `decide` looks up only what has a look-up
        asked_at = self.clock()  # an absence is one of then, however late it is heard
        answer = await self._ask(claim, command, lookup, {by.by: command.key})
        if isinstance(answer, float):
            return answer
        found = None if answer is None else _found(answer.output, by.found_at)
        if found is None and asked_at < command.absent_from:
            return min(self._again(command), command.absent_from)
        await self._learn(claim, command, found is not None, "lookup", found)
        return None

    async def poll(self, claim: Claim, command: Poll, asked: ActionSpec) -> float | None:
        """Ask how an accepted call stands; returns when to ask again, or None once it is over."""
        status = command.action.status
        assert status is not None  # noqa: S101 - `decide` polls only what has a status
        answer = await self._ask(claim, command, asked, {status.by: command.handle})
        if isinstance(answer, float):
            return answer
        word = None if answer is None else _at(answer.output, status.state_at)
        if answer is None or word not in (*status.done, *status.failed):
            return self._again(command)
        if word in status.failed:
            await self._learn(claim, command, False, "status", None, f"the service says {word}")
            return None
        output = _at(answer.output, status.output_at)
        known = None if isinstance(output, Absent) else output
        await self._learn(claim, command, True, "status", known)
        return None

    async def _ask(
        self, claim: Claim, command: LookUp | Poll, asked: ActionSpec, arguments: JsonObject
    ) -> Applied | float | None:
        """Make a call that finds something out: its answer, None for "no such thing", or when."""
        began = self.clock()
        allowed = self.limits_of(asked)

        def permit(journal: OpenJournal) -> Blocked | None:
            return journal.permits.take(asked.connection, allowed, began, LOOKUP_TIMEOUT_S)

        blocked = await self.write(permit)
        if blocked is not None:
            return began + STOPPED_AGAIN_S if blocked.retry_at is None else blocked.retry_at
        context = _context(claim, command, command.key, self.monotonic() + LOOKUP_TIMEOUT_S)
        try:
            outcome = await self._bounded(asked, arguments, context)
        except ConnectorError as error:
            await self._tell(claim, asked, self._asked(error), error, began, context.heard)
            if isinstance(error, Refused) and error.kind is Kind.NOT_FOUND:
                return None
            return max(self._again(command), self._asked(error))
        await self._tell(claim, asked, None, None, began, context.heard)
        return outcome if isinstance(outcome, Applied) else self._again(command)

    async def _learn(
        self,
        claim: Claim,
        command: LookUp | Poll,
        happened: bool,
        by: str,
        output: JsonValue,
        reason: str = "",
    ) -> None:
        event = e.ReconcileResolved(
            step=command.step,
            iteration=command.iteration,
            n=command.n,
            resolution="applied" if happened else "absent",
            by=by,
            reason=reason,
            output=output,
        )
        await self._write(claim, command, event)

    def _again(self, command: LookUp | Poll) -> float:
        """When to look again: soon at first, then ever more rarely; infinite once it is futile."""
        now = self.clock()
        age = now - command.since
        return inf if age > LOOK_FOR_S else now + min(max(age, LOOK_AGAIN_S), LOOK_AGAIN_MOST_S)

    async def _tell(
        self,
        claim: Claim,
        lookup: ActionSpec,
        hold_until: float | None,
        error: ConnectorError | None,
        began: float,
        heard: Heard,
    ) -> None:
        """Keep what a search was told of the service; a search is in no journal."""
        found: Evidence | None = "answered"
        if error is not None:
            found = evidence_of(error.kind.value, error.status)
        because = str(error or "")
        told = Told(lookup.connection, found, began, because, hold_until, heard.quota)
        now = self.clock()
        await self.write(lambda journal: journal.permits.tell(told, now))

    def _asked(self, error: ConnectorError) -> float:
        """Before when the service does not want to be asked again."""
        seconds = error.retry_after_s if isinstance(error, Unavailable | Uncertain) else None
        return self.clock() + (seconds or 0.0)

    async def _bounded(
        self, action: ActionSpec, arguments: JsonObject, context: CallContext
    ) -> Outcome:
        """Call; an answer that is too large to be kept is unusable, whatever it holds."""
        outcome = await self.call(action, arguments, context)
        size = len(canonical(outcome.output)) if isinstance(outcome, Applied) else 0
        if size <= self.result_bytes:
            return settled(action, arguments, outcome)
        reason = f"the answer has {size:,} bytes; at most {self.result_bytes:,} are kept"
        if action.is_write:
            return Unreadable(reason, outcome.request_id)
        raise Refused(reason, kind=Kind.INTERNAL, request_id=outcome.request_id)

    async def _ended(self, command: Perform, context: CallContext) -> e.AttemptEnded:
        try:
            outcome = await self._bounded(command.action, command.arguments, context)
        except ConnectorError as error:
            state, failure = self._failure(error)
            return e.AttemptEnded(
                step=command.step,
                iteration=command.iteration,
                n=command.n,
                state=state,
                failure=failure,
                request_id=error.request_id,
            )
        state, output = _state(outcome)
        return e.AttemptEnded(
            step=command.step,
            iteration=command.iteration,
            n=command.n,
            state=state,
            output=output,
            failure=_unreadable(outcome),
            request_id=outcome.request_id,
            replayed=isinstance(outcome, Applied) and outcome.replayed,
            handle=outcome.handle or None if isinstance(outcome, Pending) else None,
            asks=outcome.asks if isinstance(outcome, Pending) else None,
        )

    def _failure(self, error: ConnectorError) -> tuple[e.AttemptState, e.Failure]:
        retry_at, may_retry = None, False
        state: e.AttemptState = "refused"
        match error:
            case Unavailable(retry_after_s=seconds, sent=sent):
                retry_at = None if seconds is None else self.clock() + seconds
                may_retry, state = True, "refused" if sent else "not_sent"
            case Uncertain(retry_after_s=seconds):
                retry_at = None if seconds is None else self.clock() + seconds
                may_retry, state = True, "uncertain"
        return state, e.Failure(
            kind=error.kind.value,
            message=error.message,
            vendor_code=error.vendor_code,
            request_id=error.request_id,
            status=error.status,
            retry_at=retry_at,
            may_retry=may_retry,
            link=error.link if isinstance(error, Refused) else None,
        )

    async def _write(
        self,
        claim: Claim,
        command: Perform | LookUp | Poll,
        event: e.AttemptEnded | e.ReconcileResolved,
        told: Told | None = None,
    ) -> None:
        """Write what became of a call; it is kept here while the store takes nothing."""
        outcome = AttemptOutcome(command.step, command.iteration, command.n, new_event(event), told)
        while True:
            now = self.clock()
            try:
                await self.write(partial(record_outcome, outcome=outcome, now=now))
                return
            except StorePausedError:
                await asyncio.sleep(WRITE_AGAIN_S)


def _told(connection: str, event: e.AttemptEnded, began_at: float) -> Told:
    """What the end of a call says of its service."""
    failure = event.failure
    if failure is None or event.state.startswith("applied"):
        return Told(connection, "answered", began_at)
    evidence = evidence_of(failure.kind, failure.status)
    return Told(connection, evidence, began_at, failure.message, failure.retry_at)


def _spread(blocked: Blocked, now: float, jitter: float) -> Blocked:
    """Come a little later than told, each call by as much as its key says: never earlier."""
    if blocked.retry_at is None:
        return blocked
    most = min(SPREAD_MOST_S, SPREAD_SHARE * (blocked.retry_at - now))
    return replace(blocked, retry_at=blocked.retry_at + jitter * most)


def _not_sent(command: Perform) -> e.AttemptEnded:
    """What is written of a call that was not made, for it was not known whether its intent was."""
    return e.AttemptEnded(
        step=command.step,
        iteration=command.iteration,
        n=command.n,
        state="not_sent",
        failure=e.Failure(
            kind="unavailable", message="the journal did not answer in time", may_retry=True
        ),
    )


def _context(claim: Claim, command: Perform | LookUp | Poll, key: str, until: float) -> CallContext:
    return CallContext(
        tenant=claim.tenant,
        run=claim.id,
        step=command.step,
        iteration=command.iteration,
        attempt=command.n,
        idempotency_key=key,
        deadline=until,
        send_before=until,
    )


def _state(outcome: Outcome) -> tuple[e.AttemptState, JsonValue]:
    match outcome:
        case Applied(output=output):
            return "applied", output
        case Unreadable():
            return "applied_unreadable", None
        case Pending():
            return "applied_pending", None


def _unreadable(outcome: Outcome) -> e.Failure | None:
    if not isinstance(outcome, Unreadable):
        return None
    return e.Failure(kind="internal", message=outcome.reason)


def _at(output: JsonValue, at: str) -> JsonValue | Absent:
    return value_at(Scope({}, {"it": output}), f"it/{at}" if at else "it")


def _found(output: JsonValue, at: str) -> JsonValue:
    here = _at(output, at)
    if isinstance(here, Absent):
        return None
    if isinstance(here, list):
        return here[0] if here else None
    return here
