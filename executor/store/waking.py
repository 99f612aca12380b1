"""Runs and requests are woken: one, or all that wait for the same.

However many wait, one transaction wakes a bounded number of them: all of a hundred thousand took a
server longer than a statement may take, and then none was woken. That others are to be woken is
noted (`wakes`) in the transaction that wakes the first, so that it outlives every process; whoever
looks for what is due wakes them bit by bit.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from executor.store import drive_statements, tables
from executor.store import wake_statements as statements
from executor.store.drives import Due
from executor.store.statement import NOTHING, Query, Values
from executor.store.wake_statements import Name, Note, Waiting

# What a run is said to wait for, if it waits for several things: what needs a person comes first.
REASONS = (
    "reconcile", "credentials", "approval", "stop", "callback", "service", "rate_limit", "retry",
)  # fmt: skip
AT_ONCE = 1_000  # that sleep, in one transaction
EVERY = ""  # tenant


class _Found(NamedTuple):
    driven: Sequence[Waiting]
    waiting: Sequence[Waiting]


def wake(c: Connection, due: Due, now: float) -> None:
    """Note that something arrived: whoever drives it looks again before it lets go.

    A row that waits is due from now on, so that a wake outlives the process that was told.
    """
    woken = {"whose": due.tenant, "which": due.id, "now": now}
    drive_statements.WAKE[due.kind].once(c, woken)


def wake_waiting(
    c: Connection, waiting_for: str, now: float, tenant: str | None = None
) -> list[Due]:
    """Wake every run that waits for this, and have those look again that are being driven.

    So are those that are said to wait for what comes before it: they may wait for this as well.
    But those sleep on that are left to people alone (`Wait.left`), for nothing else changes them.
    The rows are held in the order in which drives hold theirs.

    Of more than `AT_ONCE` the highest and oldest are woken, and returned, and the others soon.
    """
    return _wake_all(c, waiting_for, now, tenant, statements.HOLD)


def wake_waiting_free(
    c: Connection, waiting_for: str, now: float, tenant: str | None = None
) -> list[Due]:
    """The same, but for what another process is writing about: it holds the row.

    For whoever holds what others wait for, and would wait for them crosswise. So what writes about
    a run has to look for itself.
    """
    return _wake_all(c, waiting_for, now, tenant, statements.HOLD_FREE)


def wake_some(c: Connection, waiting_for: str, now: float, tenant: str, most: int) -> None:
    """Wake what is driven, and of what is said to wait for this the highest and oldest.

    It is for waits that end by themselves: the others wait on, and so does what another process is
    writing about.
    """
    found = _found(c, (waiting_for,), now, tenant, most)
    _wake_these(c, [*found.driven, *found.waiting], now, statements.HOLD_FREE)


def is_to_wake_on(c: Connection) -> bool:
    """Whether it is noted that others are to be woken."""
    return statements.ANY_NOTE.one(c, NOTHING) is not None


def wake_on(c: Connection, now: float) -> bool:
    """Wake the next of those that are noted, unless another process is at it; False if none are.

    They go by their names, so that each is looked at once: what waits anew since has seen for
    itself what it was to be woken for. What another process is writing about is waited for: that
    may come to nothing.
    """
    note = statements.NEXT_NOTE.one(c, NOTHING)
    if note is None:
        return False
    reasons = reasons_to(note.waiting_for)
    reason = note.reason or reasons[0]
    page = _page(c, note, reason)
    _wake_these(c, [each for each in page if each.sleeps(now)], now, statements.HOLD)
    if len(page) == AT_ONCE:
        _go_on_at(c, note, reason, page[-1])
    elif reason != reasons[-1]:
        _go_on_at(c, note, reasons[reasons.index(reason) + 1], None)
    else:
        statements.DROP_NOTE.once(c, {"whose": note.tenant, "what": note.waiting_for})
    return True


def count_waiting(c: Connection, waiting_for: str, tenant: str | None = None) -> int:
    """How many runs are said to wait for this."""
    table = tables.runs
    meant = select(func.count()).select_from(table).where(table.c.waiting_for == waiting_for)
    of_whom = meant if tenant is None else meant.where(table.c.tenant == tenant)
    return c.execute(of_whom).scalar_one()


def reasons_to(waiting_for: str) -> Sequence[str]:
    """What a run may be said to wait for that waits for this: it comes first, or nothing does."""
    return REASONS[: REASONS.index(waiting_for) + 1]


def _wake_all(
    c: Connection, waiting_for: str, now: float, tenant: str | None, hold: Query[Name]
) -> list[Due]:
    found = _found(c, reasons_to(waiting_for), now, tenant, AT_ONCE + 1)
    if any(each.sleeps(now) for each in found.waiting[AT_ONCE:]):
        # Before a row is held: whoever wakes others of them holds the note first, too.
        start = Note(tenant or EVERY, waiting_for, reason="", after_tenant="", after_id="")
        statements.NOTE.once(c, start._asdict())
    return _wake_these(c, [*found.driven, *found.waiting[:AT_ONCE]], now, hold)


def _found(
    c: Connection, reasons: Sequence[str], now: float, tenant: str | None, most: int
) -> _Found:
    """What is driven, which is no more than there are places, and the first of what waits."""
    driven, waiting = statements.finding(reasons, is_of_one=tenant is not None)
    whose = {} if tenant is None else {"whose": tenant}
    return _Found(driven.all(c, whose), waiting.all(c, {**whose, "now": now, "most": most}))


def _page(c: Connection, note: Note, reason: str) -> list[Waiting]:
    which = {"reason": reason, "after_id": note.after_id, "most": AT_ONCE}
    if note.tenant == EVERY:
        return statements.PAGE_OF_ALL.all(c, {**which, "after_tenant": note.after_tenant})
    return statements.PAGE_OF_ONE.all(c, {**which, "whose": note.tenant})


def _go_on_at(c: Connection, note: Note, reason: str, after: Waiting | None) -> None:
    at = ("", "") if after is None else (after.tenant, after.id)
    which = {"whose": note.tenant, "what": note.waiting_for}
    place = {"at_reason": reason, "at_tenant": at[0], "at_id": at[1]}
    statements.MOVE_NOTE.once(c, {**which, **place})


def _wake_these(
    c: Connection, those: Sequence[Waiting], now: float, hold: Query[Name]
) -> list[Due]:
    """However many they are, they are one value of each statement."""
    these: Sequence[Values] = [{"whose": each.tenant, "which": each.id} for each in those]
    if c.dialect.name == "postgresql":
        these = [each._asdict() for each in hold.of(c, these)]
    return statements.THESE.of(c, these, {"now": now})
