"""A run that cannot be driven is put aside, with what is known of its effects."""

from functools import partial

from sqlalchemy import Connection

from connectors.spec import Effect
from executor.run import events as e
from executor.run.facts import lost
from executor.run.perform import new_event
from executor.run.state import Place, undoes
from executor.store import approvals, attempts, drives, journal
from executor.store.attempts import AttemptRow
from executor.store.drives import Due
from executor.store.store import Store

BROKEN, KILLED = "drive-broken", "process-killed"
_UNKNOWN = ("intent", "uncertain", "applied_pending", "abandoned")
_HAPPENED = ("applied", "applied_unreadable", "resolved_applied")


async def quarantine(store: Store, due: Due, driver: str, now: float, code: str = BROKEN) -> None:
    """End a run as quarantined: it sends nothing more, and a person looks at what it had begun."""
    await store.write(partial(_put_aside, due=due, driver=driver, now=now, code=code))


def _put_aside(c: Connection, due: Due, driver: str, now: float, code: str) -> None:
    claim = drives.claim(c, due, driver, now)
    if claim is None:
        return
    calls = attempts.read(c, due.tenant, due.id)
    writes = [row for row in calls if row.effect != Effect.READ.value]
    # An effect is taken back once a call of its undo happened.
    undone = {undoes(_place(row)) for row in writes if row.state in _HAPPENED}
    acts = [row for row in writes if undoes(_place(row)) is None and _place(row) not in undone]
    finished = e.RunFinished(
        status="quarantined",
        code=code,
        standing=sorted({row.step for row in acts if row.state in _HAPPENED}),
        uncertain=sorted({row.step for row in acts if row.state in _UNKNOWN}),
        undone=sorted({place[0] for place in undone if place is not None}),
    )
    # Nobody drives it any more who would find out: so a person can say what became of them.
    open_ones = [lost(_place(row), row.n) for row in calls if row.state == "intent"]
    told = [new_event(each) for each in (*open_ones, finished)]
    journal.append(c, due.tenant, due.id, told, now, claim=claim)
    approvals.close(c, (due.tenant, due.id), state="void")
    drives.end_drive(c, claim, status="quarantined", now=now, code=code)


def _place(row: AttemptRow) -> Place:
    return (row.step, row.iteration)
