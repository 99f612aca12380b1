"""Makes a call: its intent is written, the call is made, its outcome is written.

If the outcome cannot be written, the attempt stays open and the next drive treats it by its
effect class: never as failed, never as if nothing had happened.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Protocol, TypeVar

from pydantic_core import from_json

from connectors.by_item import settled
from connectors.canonical import json_of
from connectors.connector import Applied, Call, Outcome, Unreadable
from connectors.errors import ConnectorError, Kind, Refused
from connectors.spec import ActionSpec, CallContext, Continuation, JsonObject, Limits
from executor.check.budgets import RESULT_BYTES
from executor.run import events as e
from executor.run.commands import LookUp, Perform, Poll
from executor.run.ended import answered, failed, not_sent, told_of
from executor.run.event import EventData
from executor.run.keys import idempotency_key, jitter_of
from executor.run.state import undoes
from executor.store.attempts import Place
from executor.store.calls import AttemptOutcome, Intent, record_intent, record_outcome
from executor.store.drives import Claim
from executor.store.errors import FencedError, StorePausedError, StoreUnavailableError
from executor.store.journal import NewEvent
from executor.store.open_journal import OpenJournal
from executor.store.permits import (
    Blocked,
    Need,
    Told,
    asks_for_something,
    need_of,
    need_to_tell,
)

WRITE_AGAIN_S = 0.2
SPREAD_SHARE, SPREAD_MOST_S = 0.1, 2.0  # those that were told the same time do not come together

T = TypeVar("T")


class Write(Protocol):
    """Do it in the next commit, with the run's journal open."""

    async def __call__(
        self,
        work: Callable[[OpenJournal], T],
        /,
        *places: Place,
        tells: e.AttemptEnded | None = None,
        needs: Need | None = None,
    ) -> T:
        """Return what it returns, once that is durable; `places` are those that it looks at.

        What it `tells` may be decided on before; what it `needs` is locked before it is done.
        """


def new_event(event: EventData) -> NewEvent:
    """What the journal stores of an event."""
    return NewEvent(event.type, event.data(), event.v, event)


@dataclass(frozen=True)
class Performer:
    """Calls for one run, under one claim."""

    write: Write
    tell_late: Callable[[AttemptOutcome], Awaitable[None]]
    tell_service: Callable[[Told], Awaitable[None]]
    call: Call
    key_secret: bytes
    clock: Callable[[], float]
    limits_of: Callable[[ActionSpec], Limits | None] = lambda action: action.limits
    lease_ends: Callable[[], float] = lambda: inf
    monotonic: Callable[[], float] = time.monotonic
    result_bytes: int = RESULT_BYTES

    async def perform(
        self,
        claim: Claim,
        command: Perform,
        policy_version: str | None,
        stands: Callable[[], bool] = lambda: True,
    ) -> Blocked | None:
        """Make one call; its outcome is in the journal when this returns.

        Its intent is written if what it follows from `stands` by then.
        """
        place = (command.step, command.iteration)
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
            takes_back=undoes(place) is not None,
            lease_s=min(self._lease_left(), command.within_s),
            woken=claim.wake_seq,
            begins_by=command.begins_by,
        )
        # The wall's time is stored; what holds is this clock, read before the intent is written.
        start = self.monotonic()
        try:
            write = partial(intended, intent=intent, clock=self.clock, stands=stands)
            needs = need_of(intent.connection, intent.limits)
            recorded = await self.write(write, place, needs=needs)
        except StoreUnavailableError:
            await self.keep(claim, command, not_sent(command))  # if it was kept after all
            raise
        if isinstance(recorded, Blocked):
            return _spread(recorded, self.clock(), jitter_of(key, command.n))
        until = start + command.action.timeout_s
        lasts = min(until, start + intent.lease_s)
        context = context_of(claim, command, key, until, lasts, command.continues)
        event = await self._ended(command, context)
        told = told_of(command.action.connection, event, recorded, context.heard.quota)
        await self.keep(claim, command, event, told)
        return None

    def _lease_left(self) -> float:
        """For how long this process may begin effects; raises where it may not any more."""
        left = self.lease_ends() - self.monotonic()
        if left <= 0:
            raise StoreUnavailableError("the lease of this process is over; nothing is begun")
        return left

    async def bounded(
        self, action: ActionSpec, arguments: JsonObject, context: CallContext
    ) -> Outcome:
        """Call; an answer that is too large to be kept is unusable, whatever it holds."""
        outcome = await self.call(action, arguments, context)
        if not isinstance(outcome, Applied):
            return outcome
        text = json_of(outcome.output)
        size = len(text)
        if size <= self.result_bytes:
            # A copy, for whoever answered may go on with what it holds.
            return settled(action, arguments, replace(outcome, output=from_json(text)))
        reason = f"the answer has {size:,} bytes; at most {self.result_bytes:,} are kept"
        if action.is_write:
            return Unreadable(reason, outcome.request_id)
        raise Refused(reason, kind=Kind.INTERNAL, request_id=outcome.request_id)

    async def _ended(self, command: Perform, context: CallContext) -> e.AttemptEnded:
        try:
            outcome = await self.bounded(command.action, command.arguments, context)
        except ConnectorError as error:
            return failed(command, error, self.clock())
        return answered(command, outcome, self.clock())

    async def keep(
        self,
        claim: Claim,
        command: Perform | LookUp | Poll,
        event: e.AttemptEnded | e.ReconcileResolved,
        told: Told | None = None,
    ) -> None:
        """Write what became of a call; it is kept here while the store takes nothing.

        Where the run was taken over, nobody but this drive knows how a call of its own ended.
        """
        outcome = AttemptOutcome(command.step, command.iteration, command.n, new_event(event), told)
        place = (command.step, command.iteration)
        # Of a call that is known to have begun what follows can be decided on already.
        tells = event if isinstance(event, e.AttemptEnded) and told is not None else None
        needs = None if told is None else need_to_tell(told)

        def write() -> Awaitable[object]:
            record = partial(record_outcome, outcome=outcome, now=self.clock())
            return self.write(record, place, tells=tells, needs=needs)

        try:
            await until_taken(write)
        except FencedError:
            if isinstance(event, e.AttemptEnded) and _is_evidence(command, event):
                late = new_event(event.model_copy(update={"late": True}))
                await until_taken(lambda: self.tell_late(outcome._replace(event=late)))
            elif told is not None:
                await self.keep_told(told)
            raise

    async def keep_told(self, told: Told) -> None:
        """Keep what a service asks for, though the run was taken over: it holds for all others."""
        if asks_for_something(told):
            await until_taken(lambda: self.tell_service(told))


def _is_evidence(command: Perform | LookUp | Poll, event: e.AttemptEnded) -> bool:
    """Whether it tells what became of an effect."""
    return command.action.is_write and event.state != "uncertain"


async def until_taken(write: Callable[[], Awaitable[object]]) -> None:
    """Write once the store takes it; whoever waits keeps here what nobody else knows."""
    while True:
        try:
            await write()
            return
        except StorePausedError:
            await asyncio.sleep(WRITE_AGAIN_S)


def intended(
    journal: OpenJournal, intent: Intent, clock: Callable[[], float], stands: Callable[[], bool]
) -> Blocked | float:
    """Write an intent, if what it follows from is written; returns when that was, or why not.

    It is of the moment in which it is written: calls that waited together for a busy store would
    else begin together, each with the permit of the time at which it began to wait.
    """
    if not stands():
        return Blocked("news")
    now = clock()
    recorded = record_intent(journal, intent, now)
    return recorded if isinstance(recorded, Blocked) else now


def _spread(blocked: Blocked, now: float, jitter: float) -> Blocked:
    """Come a little later than told, each call by as much as its key says: never earlier."""
    if blocked.retry_at is None:
        return blocked
    most = min(SPREAD_MOST_S, SPREAD_SHARE * max(0.0, blocked.retry_at - now))
    return replace(blocked, retry_at=blocked.retry_at + jitter * most)


def context_of(
    claim: Claim,
    command: Perform | LookUp | Poll,
    key: str,
    until: float,
    send_before: float | None = None,
    continues: Continuation | None = None,
) -> CallContext:
    """What a call is told of the run that makes it, and until when it may take."""
    return CallContext(
        tenant=claim.tenant,
        run=claim.id,
        step=command.step,
        iteration=command.iteration,
        attempt=command.n,
        idempotency_key=key,
        deadline=until,
        send_before=until if send_before is None else send_before,
        continues=continues,
    )
