"""A call in the journal: its intent before it is made, and its outcome once it has ended."""

from math import inf
from typing import NamedTuple

from sqlalchemy import Connection

from connectors.spec import JsonObject, Limits
from executor.check.grant import Grant
from executor.store import approvals, attempts, drives, journal, waking
from executor.store.approvals import Called
from executor.store.attempts import AttemptRow
from executor.store.drives import Claim, Due
from executor.store.journal import NewEvent, StoredEvent
from executor.store.open_journal import OpenJournal
from executor.store.permits import Blocked, Permits, Told
from executor.store.recovery import note_progress

_UNTOLD = ("intent", "uncertain")  # how a call stands whose end nobody could tell
_FOUND_OUT = ("resolved_applied", "resolved_absent", "abandoned")


class Intent(NamedTuple):
    """A call that is about to be made."""

    step: str
    iteration: str
    n: int
    action: str
    connection: str
    effect: str
    key: str
    args_hash: str
    arguments: JsonObject
    tool_digest: str
    policy_version: str | None
    grants: tuple[Grant, ...]  # every approval that the call relies on
    timeout_s: float
    limits: Limits | None
    lease_s: float = inf  # of whoever calls, or of its key: no byte leaves later
    observed: tuple[str, ...] = ()
    takes_back: bool = False  # it is the undo of another call
    woken: int | None = None  # how often the run was woken by when this was decided on
    begins_by: float | None = None  # later it is decided on anew


class AttemptOutcome(NamedTuple):
    """How a call ended, with the event that tells it; the row's state follows the event."""

    step: str
    iteration: str
    n: int
    event: NewEvent
    told: Told | None = None  # of a call that was made: what it says of the service for later ones


def record_intent(journal: OpenJournal, intent: Intent, now: float) -> Blocked | float:
    """Write that a call may happen; returns until when its first byte may leave, or why not.

    One transaction checks the epoch (the journal is open), that the run is not being cancelled,
    that nothing has arrived since this was decided on and its time is not over, that no attempt of
    this step is open, that every approval still covers exactly these arguments, and takes the
    connection's permit.
    """
    c, claim = journal.c, journal.claim
    place = (intent.step, intent.iteration, intent.n)
    if not _may_begin_after_cancel(journal, intent):
        return Blocked("cancelled")
    if intent.woken not in (None, journal.woken):
        return Blocked("news")
    if intent.begins_by is not None and now > intent.begins_by:
        return Blocked("news")
    states = journal.attempts_at((intent.step, intent.iteration))
    if attempts.stand_in_the_way(states, intent.n, intent.effect):
        return Blocked("open_attempt")
    for grant in intent.grants:
        beside = frozenset(
            row.iteration
            for row in journal.begun
            if row.step == intent.step and grant.approval in row.approvals
        )
        call = Called(intent.step, intent.iteration, intent.tool_digest, intent.arguments, beside)
        if not approvals.covers(c, claim.tenant, grant, call, now):
            return Blocked("approval")
    blocked = journal.permits.take(
        intent.connection, intent.limits, now, intent.timeout_s, claim.id, claim.rank
    )
    if blocked is not None:
        return blocked
    send_before = now + min(intent.timeout_s, intent.lease_s)
    row = AttemptRow(
        *place,
        epoch=claim.epoch,
        action=intent.action,
        effect=intent.effect,
        key=intent.key,
        args_hash=intent.args_hash,
        approvals=tuple(grant.approval for grant in intent.grants),
        state="intent",
        send_before=send_before,
        started_at=now,
        tool_digest=intent.tool_digest,
        policy_version=intent.policy_version,
    )
    journal.begin(row)
    told: JsonObject = {
        "step": intent.step,
        "iteration": intent.iteration,
        "n": intent.n,
        "action": intent.action,
        "effect": intent.effect,
        "key": intent.key,
        "args_hash": intent.args_hash,
        "arguments": intent.arguments,
        "approvals": [grant.approval for grant in intent.grants],
        "send_before": send_before,
        "timeout_s": intent.timeout_s,
        "observed": [*intent.observed],
    }
    journal.add([NewEvent("intent.recorded", told)], now)
    return send_before


def _may_begin_after_cancel(journal: OpenJournal, intent: Intent) -> bool:
    """Whether the run is not being cancelled, or this takes back, or settles what is to be."""
    match journal.cancel_mode:
        case None:
            return True
        case "undo":
            states = journal.attempts_at((intent.step, intent.iteration))
            return intent.takes_back or "uncertain" in states.values()
        case _:
            return False


def record_outcome(journal: OpenJournal, outcome: AttemptOutcome, now: float) -> list[StoredEvent]:
    """Write how an attempt ended, once; an attempt that has ended already stays as it is."""
    event = outcome.event
    if _is_overruled(journal, outcome) or not journal.settle(event.type, event.data, now):
        return []
    if outcome.told is not None:  # a call was made; what a look-up finds out does not kill
        note_progress(journal.c, journal.claim)
        journal.permits.tell(outcome.told, now)
    return journal.add([event], now)


def _is_overruled(journal: OpenJournal, outcome: AttemptOutcome) -> bool:
    """A search in vain began when nothing was known; it counts only if nothing is known yet."""
    told, states = outcome.event.data, journal.attempts_at((outcome.step, outcome.iteration))
    is_in_vain = (told.get("resolution"), told.get("by")) == ("absent", "lookup")
    return is_in_vain and states.get(outcome.n) != "uncertain"


def record_late(c: Connection, claim: Claim, outcome: AttemptOutcome, now: float) -> bool:
    """Write how a call ended whose drive has lost the run; False if that is known already.

    It speaks of nothing but an attempt that was begun under this very claim. It settles one of
    which nobody knew, or of which somebody had said no or given it up, though it happened and no
    other call can have since; else it only stands beside what somebody found out.
    """
    due = Due(claim.kind, claim.tenant, claim.id)
    if not drives.hold_row(c, due):
        return False  # it was deleted
    stood = attempts.own(c, claim, (outcome.step, outcome.iteration), outcome.n)
    is_news = stood in _UNTOLD or (stood in _FOUND_OUT and not _is_told(c, claim, outcome))
    if not is_news:
        return False
    journal.append(c, claim.tenant, claim.id, [outcome.event], now)
    if outcome.told is not None:
        permits = Permits(c, claim.tenant)
        permits.tell(outcome.told, now)
        permits.close()
    waking.wake(c, due, now)
    return True


def _is_told(c: Connection, claim: Claim, outcome: AttemptOutcome) -> bool:
    """Whether it was written before, by a write of which its drive did not learn that it was."""
    call = {"step": outcome.step, "iteration": outcome.iteration, "n": outcome.n}
    ends = (
        each.data
        for each in journal.read(c, claim.tenant, claim.id)
        if each.type == "attempt.ended" and call.items() <= each.data.items()
    )
    return any(each["state"] != "uncertain" for each in ends)  # that, whoever took over wrote
