"""Finds out what became of a call, by a search for its effect or by asking how it stands.

A search is no attempt: it takes a permit like every call, and what it was told of the service is
kept. The journal holds what was found out, or else when it is asked again, whoever drives the run
by then: where several wait for the permits of one connection, none is asked about before its time.
"""

from dataclasses import dataclass
from functools import partial
from math import inf

from pydantic import JsonValue

from connectors.by_item import none_happened
from connectors.connector import Applied
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.looked_up import NotAskedForError, found_in, is_of
from connectors.members import Lookup, Status
from connectors.quota import Heard
from connectors.spec import ActionSpec, JsonObject
from executor.breaker import Evidence, evidence_of
from executor.run import events as e
from executor.run.commands import LookUp, Poll
from executor.run.perform import Performer, context_of, new_event, until_taken
from executor.run.resolve import Absent, Scope, value_at
from executor.store.drives import Claim
from executor.store.errors import FencedError
from executor.store.open_journal import OpenJournal
from executor.store.permits import Blocked, Told, need_of, need_to_tell

LOOKUP_TIMEOUT_S = 10.0
LOOK_AGAIN_S, LOOK_AGAIN_MOST_S = 1.0, 1800.0
LOOK_FOR_S = 24 * 3600.0  # then a person has to find out


@dataclass(frozen=True)
class _Unclear:
    """An answer that tells nothing, or none; perhaps with when to ask again."""

    retry_after_s: float | None = None


_Answer = Applied | _Unclear | None
"""None: there is no such thing."""


@dataclass(frozen=True)
class Reconciler:
    """Finds out for one run, under one claim."""

    performer: Performer

    async def look_up(
        self, claim: Claim, command: LookUp, lookup: ActionSpec
    ) -> Blocked | float | None:
        """Search for an attempt's effect; None once it is written what came of that.

        Or when it may be asked, or what stops it, which somebody has to lift.
        """
        by = command.action.lookup
        assert by is not None  # noqa: S101 - `decide` looks up only what has a look-up
        asked_at = self.performer.clock()  # an absence is one of then, however late it is heard
        answer = await self._ask(claim, command, lookup, {by.by: command.key})
        if isinstance(answer, Blocked | float):
            return answer
        await self._keep(claim, command, self._searched(claim, command, by, answer, asked_at))
        return None

    async def poll(self, claim: Claim, command: Poll, asked: ActionSpec) -> Blocked | float | None:
        """Ask how an accepted call stands; returns as `look_up`."""
        status = command.action.status
        assert status is not None  # noqa: S101 - `decide` polls only what has a status
        answer = await self._ask(claim, command, asked, {status.by: command.handle})
        if isinstance(answer, Blocked | float):
            return answer
        await self._keep(claim, command, self._told(claim, command, status, answer))
        return None

    def _searched(
        self, claim: Claim, command: LookUp, by: Lookup, answer: _Answer, asked_at: float
    ) -> e.ReconcileResolved | e.AttemptDeferred:
        """What follows from an answer to a search."""
        if isinstance(answer, _Unclear):
            return self._deferred(claim, command, answer.retry_after_s)
        try:
            found = None if answer is None else found_in(answer.output, by, command.key)
        except NotAskedForError:
            return self._deferred(claim, command)
        if found is None and asked_at < command.absent_from:
            return self._deferred(claim, command, latest=command.absent_from)
        why_not = none_happened(command.action, command.arguments, found)
        if why_not is not None and command.absent_from == inf:
            return self._deferred(claim, command)  # its own answer said that something happened
        if why_not is not None:
            return _resolved(command, False, "lookup", None, why_not)
        return _resolved(command, found is not None, "lookup", found)

    def _told(
        self, claim: Claim, command: Poll, status: Status, answer: _Answer
    ) -> e.ReconcileResolved | e.AttemptDeferred:
        """What follows from an answer to the question how a call stands."""
        if not isinstance(answer, Applied):
            return self._deferred(claim, command, answer.retry_after_s if answer else None)
        word = _at(answer.output, status.state_at)
        ends = (*status.done, *status.failed)
        if word not in ends or not is_of(answer.output, status, command.handle):
            return self._deferred(claim, command, answer.retry_after_s)
        if word in status.failed:
            return _resolved(command, False, "status", None, f"the service says {word}")
        output = _at(answer.output, status.output_at)
        if isinstance(output, Absent):
            return _resolved(command, True, "status", None)
        why_not = none_happened(command.action, command.arguments, output)
        if why_not is not None:
            return _resolved(command, False, "status", None, why_not)
        return _resolved(command, True, "status", output)

    def _deferred(
        self,
        claim: Claim,
        command: LookUp | Poll,
        after_s: float | None = None,
        latest: float = inf,
    ) -> e.AttemptDeferred:
        """Ask again soon at first, then ever more rarely; once it is futile, not by ourselves.

        Never before the service wants to be asked, and else no later than `latest`.
        """
        now = self.performer.clock()
        age = now - command.since
        again_at = now + min(max(age, LOOK_AGAIN_S), LOOK_AGAIN_MOST_S)
        found = min(inf if age > LOOK_FOR_S else again_at, latest)
        return e.AttemptDeferred(
            step=command.step,
            iteration=command.iteration,
            n=command.n,
            again_at=None if found == inf else found,
            ask_from=now + after_s if after_s else None,
            woken=claim.wake_seq,
        )

    async def _keep(
        self,
        claim: Claim,
        command: LookUp | Poll,
        event: e.ReconcileResolved | e.AttemptDeferred,
    ) -> None:
        """Write it before the next question can be decided on, by whoever drives the run then."""
        if isinstance(event, e.ReconcileResolved):
            await self.performer.keep(claim, command, event)
            return
        new, now = [new_event(event)], self.performer.clock()
        await until_taken(lambda: self.performer.write(lambda journal: journal.append(new, now)))

    async def _ask(
        self, claim: Claim, command: LookUp | Poll, asked: ActionSpec, arguments: JsonObject
    ) -> _Answer | Blocked | float:
        """Make a call that finds something out: its answer, or when it may be made."""
        began = self.performer.clock()
        allowed = self.performer.limits_of(asked)

        def permit(journal: OpenJournal) -> Blocked | None:
            return journal.permits.take(
                asked.connection, allowed, began, LOOKUP_TIMEOUT_S, claim.id, claim.rank
            )

        needs = need_of(asked.connection, allowed)
        blocked = await self.performer.write(permit, needs=needs)
        if blocked is not None:
            return blocked if blocked.retry_at is None else blocked.retry_at
        context = context_of(
            claim, command, command.key, self.performer.monotonic() + LOOKUP_TIMEOUT_S
        )
        try:
            outcome = await self.performer.bounded(asked, arguments, context)
        except ConnectorError as error:
            after_s = error.retry_after_s if isinstance(error, Unavailable | Uncertain) else None
            hold_until = self.performer.clock() + (after_s or 0.0)
            await self._tell(claim, asked, hold_until, error, began, context.heard)
            if isinstance(error, Refused) and error.kind is Kind.NOT_FOUND:
                return None
            return _Unclear(after_s)
        await self._tell(claim, asked, None, None, began, context.heard)
        return outcome if isinstance(outcome, Applied) else _Unclear()

    async def _tell(
        self,
        claim: Claim,
        lookup: ActionSpec,
        hold_until: float | None,
        error: ConnectorError | None,
        began: float,
        heard: Heard,
    ) -> None:
        """Keep what a search was told of the service; a search is in no journal.

        While the store takes nothing it is kept here: nobody else knows before when not to ask.
        """
        found: Evidence | None = "answered"
        if error is not None:
            found = evidence_of(error.kind.value, error.status)
        because = str(error or "")
        told = Told(lookup.connection, found, began, because, hold_until, heard.quota)
        now = self.performer.clock()
        tell = partial(self.performer.write, needs=need_to_tell(told))
        try:
            await until_taken(lambda: tell(lambda journal: journal.permits.tell(told, now)))
        except FencedError:
            await self.performer.keep_told(told)
            raise


def _resolved(
    command: LookUp | Poll, happened: bool, by: str, output: JsonValue, reason: str = ""
) -> e.ReconcileResolved:
    return e.ReconcileResolved(
        step=command.step,
        iteration=command.iteration,
        n=command.n,
        resolution="applied" if happened else "absent",
        by=by,
        reason=reason,
        output=output,
    )


def _at(output: JsonValue, at: str) -> JsonValue | Absent:
    return value_at(Scope({}, {"it": output}), f"it/{at}" if at else "it")
