"""Finds out what became of a call, by a search for its effect or by asking how it stands.

A search is no attempt: it takes a permit like every call, and what it was told of the service is
kept, but the journal holds only what was found out, and before when the service is not asked again.
"""

from dataclasses import dataclass
from functools import partial
from math import inf

from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.looked_up import NotAskedForError, found_in, is_of
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
class Reconciler:
    """Finds out for one run, under one claim."""

    performer: Performer

    async def look_up(
        self, claim: Claim, command: LookUp, lookup: ActionSpec
    ) -> Blocked | float | None:
        """Search for an attempt's effect; returns when to look again, or None once it is known.

        Or what stops it, which somebody has to lift.
        """
        by = command.action.lookup
        assert by is not None  # noqa: S101 - `decide` looks up only what has a look-up
        asked_at = self.performer.clock()  # an absence is one of then, however late it is heard
        answer = await self._ask(claim, command, lookup, {by.by: command.key})
        if isinstance(answer, Blocked | float):
            return answer
        try:
            found = None if answer is None else found_in(answer.output, by, command.key)
        except NotAskedForError:
            return self._again(command)
        if found is None and asked_at < command.absent_from:
            return min(self._again(command), command.absent_from)
        await self._learn(claim, command, found is not None, "lookup", found)
        return None

    async def poll(self, claim: Claim, command: Poll, asked: ActionSpec) -> Blocked | float | None:
        """Ask how an accepted call stands; returns as `look_up`, None once it is over."""
        status = command.action.status
        assert status is not None  # noqa: S101 - `decide` polls only what has a status
        answer = await self._ask(claim, command, asked, {status.by: command.handle})
        if isinstance(answer, Blocked | float):
            return answer
        word = None if answer is None else _at(answer.output, status.state_at)
        ends = (*status.done, *status.failed)
        if answer is None or word not in ends or not is_of(answer.output, status, command.handle):
            if answer is not None and answer.retry_after_s:
                await self._defer(command, answer.retry_after_s)
            return self._again(command)
        if word in status.failed:
            await self._learn(claim, command, False, "status", None, f"the service says {word}")
            return None
        output = _at(answer.output, status.output_at)
        known = None if isinstance(output, Absent) else output
        await self._learn(claim, command, True, "status", known)
        return None

    async def _defer(self, command: Poll, seconds: float) -> None:
        """Whoever drives the run next, and whatever wakes it, does not ask before."""
        now = self.performer.clock()
        event = e.AttemptDeferred(
            step=command.step, iteration=command.iteration, n=command.n, ask_from=now + seconds
        )
        new = [new_event(event)]
        await until_taken(lambda: self.performer.write(lambda journal: journal.append(new, now)))

    async def _ask(
        self, claim: Claim, command: LookUp | Poll, asked: ActionSpec, arguments: JsonObject
    ) -> Applied | Blocked | float | None:
        """Make a call that finds something out: its answer, None for "no such thing", or when."""
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
        await self.performer.keep(claim, command, event)

    def _again(self, command: LookUp | Poll) -> float:
        """When to look again: soon at first, then ever more rarely; infinite once it is futile."""
        now = self.performer.clock()
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

    def _asked(self, error: ConnectorError) -> float:
        """Before when the service does not want to be asked again."""
        seconds = error.retry_after_s if isinstance(error, Unavailable | Uncertain) else None
        return self.performer.clock() + (seconds or 0.0)


def _at(output: JsonValue, at: str) -> JsonValue | Absent:
    return value_at(Scope({}, {"it": output}), f"it/{at}" if at else "it")
