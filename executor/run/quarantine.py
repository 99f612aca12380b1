"""A run that cannot be driven is put aside, with what is known of its effects."""

import logging
from collections.abc import Sequence
from functools import partial

from pydantic import JsonValue
from sqlalchemy import Connection

from connectors.spec import Effect
from executor.run import events as e
from executor.run.effects import LOST, Effects, shown
from executor.run.facts import lost
from executor.run.perform import new_event
from executor.run.state import Place, undoes
from executor.store import approvals, attempts, drives, journal, recovery
from executor.store.attempts import AttemptRow
from executor.store.drives import Claim, Due
from executor.store.journal import Seen, StoredEvent
from executor.store.store import Store

BROKEN, KILLED = "drive-broken", "process-killed"
# Of a call that takes many items an unusable answer does not say for which it happened, if for any;
# which calls do is said by the plan, and that is not looked at: it may be what kills.
_UNKNOWN = ("intent", "uncertain", "applied_pending", "applied_unreadable", "abandoned")
_HAPPENED = ("applied", "resolved_applied")
_DENIED = "resolved_absent"
_THE_SAME = (Effect.IDEMPOTENT.value, Effect.KEYED.value)  # all calls together happen once
_Call = tuple[JsonValue, JsonValue, JsonValue]  # step, iteration, n
_log = logging.getLogger("lamgate.run")


async def quarantine(
    store: Store,
    due: Due,
    driver: str,
    now: float,
    code: str = BROKEN,
) -> None:
    """End a run as quarantined: it sends nothing more, and a person looks at what it had begun."""
    await store.write(partial(_put_aside, due=due, driver=driver, now=now, code=code))


async def put_aside_lost(
    store: Store, claim: Claim, now: float, known: Effects | None, seen: Seen | None = None
) -> None:
    """The same by whoever knows more of it than the journal tells, which was lost in part.

    Who is said to drive it under an earlier claim drives it no more. Where what was `seen` is there
    after all, nothing is done.
    """
    put = partial(_put_aside_lost, claim=claim, now=now, known=known, seen=seen)
    if await store.write(put):
        _log.error("run %s is put aside (%s): the database lacks what it had kept", claim.id, LOST)


def _put_aside_lost(
    c: Connection, claim: Claim, now: float, known: Effects | None, seen: Seen | None
) -> bool:
    if seen is not None and not journal.lost(c, [(claim, seen)]):
        return False
    recovery.free_of_earlier(c, claim, now)
    return _put_aside(c, Due(claim.kind, claim.tenant, claim.id), claim.driver, now, LOST, known)


def _put_aside(
    c: Connection, due: Due, driver: str, now: float, code: str, known: Effects | None = None
) -> bool:
    """Whether it was; not where somebody else drives it, or it has ended."""
    claim = drives.claim(c, due, driver, now)
    if claim is None:
        return False
    calls = attempts.read(c, due.tenant, due.id)
    found = _effects(calls, journal.read(c, due.tenant, due.id))
    found = known.beside(found) if known else found
    finished = e.RunFinished(
        status="quarantined",
        code=code,
        standing=list(found.standing),
        uncertain=list(found.uncertain),
        undone=list(found.undone),
    )
    # Nobody drives it any more who would find out: so a person can say what became of them.
    open_ones = [lost(_place(row), row.n) for row in calls if row.state == "intent"]
    told = [new_event(each) for each in (*open_ones, finished)]
    journal.append(c, due.tenant, due.id, told, now, claim=claim)
    approvals.close(c, (due.tenant, due.id), state="void")
    return drives.end_drive(c, claim, status="quarantined", now=now, code=code)


def effects_so_far(c: Connection, due: Due) -> Effects:
    """What its rows tell of a run's effects, whatever its plan is."""
    calls = attempts.read(c, due.tenant, due.id)
    return _effects(calls, journal.read(c, due.tenant, due.id))


def _undone(told: Sequence[StoredEvent]) -> set[Place]:
    """What the journal tells to be taken back."""
    ends = (each.data for each in told if each.type == "undo.ended")
    return {(str(each["step"]), str(each["iteration"])) for each in ends if each["undone"]}


def _contradicted(told: Sequence[StoredEvent]) -> set[_Call]:
    """The calls that happened though somebody had said no before, as the journal tells."""
    denied, found = set[_Call](), set[_Call]()
    for event in told:
        data = event.data
        call = (data.get("step"), data.get("iteration"), data.get("n"))
        if event.type == "reconcile.resolved" and data["resolution"] == "absent":
            denied.add(call)
        happened = str(data.get("state")).startswith("applied") and not data.get("replayed")
        if event.type == "attempt.ended" and data.get("late") and happened and call in denied:
            found.add(call)
    return found


def _effects(calls: Sequence[AttemptRow], told: Sequence[StoredEvent]) -> Effects:
    """What stands, may have happened, and was taken back; by item where a way back had begun.

    What is taken back is one call of those that were made, so another one may stand besides.
    """
    undone, contradicted = _undone(told), _contradicted(told)
    writes = [row for row in calls if row.effect != Effect.READ.value]
    others = [row for row in writes if row.state == _DENIED and row.effect not in _THE_SAME]
    besides = {_place(row) for row in others if (*_place(row), row.n) in contradicted}
    standing, uncertain = set[Place](), besides & undone
    back = {undoes(_place(row)) for row in writes if row.state in (*_UNKNOWN, *_HAPPENED)}
    for row in writes:
        place = _place(row)
        if undoes(place) is not None or place in undone:
            continue
        if row.state in _UNKNOWN or (row.state in _HAPPENED and place in back):
            uncertain.add(place)  # or nobody has told whether it was taken back
        elif row.state in _HAPPENED:
            standing.add(place)
    by_item = any(undoes(_place(row)) is not None for row in calls)
    return Effects(
        *(
            tuple(sorted({shown(each) if by_item else each[0] for each in places}))
            for places in (standing, uncertain, undone)
        )
    )


def _place(row: AttemptRow) -> Place:
    return (row.step, row.iteration)
