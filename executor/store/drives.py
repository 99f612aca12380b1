"""What runs and requests share: rows that are claimed by one drive at a time, fenced and woken.

A claim raises the row's epoch, and everything a drive writes names its epoch, so a drive that
was taken over can write nothing more. A drive ends by comparing `wake_seq`: if something
arrived since it looked, it has to look again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import (
    Connection,
    select,
    update,
)

from executor.store import drive_statements as statements
from executor.store import tables
from executor.store.drive_statements import TABLES
from executor.store.drive_statements import DriveKind as DriveKind
from executor.store.drive_statements import Held as Held
from executor.store.drive_statements import Standing as Standing
from executor.store.errors import FencedError


@dataclass(frozen=True)
class Claim:
    """The right to drive a row, until somebody claims it with a higher epoch.

    The driver is a part of it: a server that has lost a claim gives its epoch to somebody else.
    """

    kind: DriveKind
    tenant: str
    id: str
    epoch: int
    wake_seq: int
    crashes: int = 0  # processes that died with it, one after the other, without any progress
    plan: str | None = None
    driver: str = ""
    rank: int = tables.NORMAL

    @property
    def is_first(self) -> bool:
        """Whether nobody has written about the row: whoever does either claims it or wakes it."""
        return self.epoch == 1 and self.wake_seq == 0


Priority = Literal["high", "normal", "low"]
RANKS: dict[Priority, int] = {"high": 0, "normal": tables.NORMAL, "low": 2}


@dataclass(frozen=True)
class Due:
    """Something that wants to be driven now; `rank` is its place among those of its tenant."""

    kind: DriveKind
    tenant: str
    id: str
    rank: int = field(default=tables.NORMAL, compare=False)
    crashes: int = field(default=0, compare=False)
    plan: str | None = field(default=None, compare=False)  # of a run that was just queued
    epoch: int = field(default=0, compare=False)  # where the row was looked at


@dataclass(frozen=True)
class Asked:
    """Somebody wants to drive."""

    due: Due
    driver: str
    now: float


@dataclass(frozen=True)
class LetGo:
    """A drive has come to where its run waits, for what and until when.

    `left`: to a person alone. What else is waited for does not wake it (`waking.py`).
    """

    claim: Claim
    waiting_for: str | None
    wake_at: float | None
    now: float
    left: bool = False


def foreseen(due: Due, driver: str) -> Claim | None:
    """The claim that a run will have that was just queued, if nobody has touched it since."""
    if due.plan is None:
        return None
    return Claim(due.kind, due.tenant, due.id, 1, 0, plan=due.plan, driver=driver, rank=due.rank)


def claim(c: Connection, due: Due, driver: str, now: float) -> Claim | None:
    """Take the right to drive, or None if there is nothing to do or somebody else drives."""
    return claims(c, (Asked(due, driver, now),))[0]


def claims(c: Connection, asked: Sequence[Asked]) -> list[Claim | None]:
    """The same for many; who asks for what was asked for already comes after that."""
    found: dict[int, Claim] = {}
    rest = [*enumerate(asked)]
    while rest:
        first = {each.due: (number, each) for number, each in reversed(rest)}
        for kind in TABLES:
            mine = {due: number for due, (number, _) in first.items() if due.kind == kind}
            rows = [
                {"whose": due.tenant, "which": due.id, "driver": first[due][1].driver}
                for due in mine
            ]
            now = max((first[due][1].now for due in mine), default=0.0)
            for row in statements.CLAIM[kind].of(c, rows, {"now": now}):
                due = Due(kind, row.whose, row.which)
                found[mine[due]] = Claim(kind, *row)
        begun = {number for number, _ in first.values()}
        rest = [each for each in rest if each[0] not in begun]
    return [found.get(number) for number in range(len(asked))]


def end_drive(
    c: Connection,
    claim: Claim,
    *,
    status: str,
    now: float,
    waiting_for: str | None = None,
    code: str | None = None,
    wake_at: float | None = None,
) -> bool:
    """Let go of the row; False if something arrived meanwhile or another drive took over."""
    how = {
        "ends_as": status,
        "waits_for": waiting_for,
        "because": code,
        "wakes_at": wake_at,
        "now": now,
    }
    return statements.END[claim.kind].once(c, ended(claim, claim.wake_seq) | how) == 1


def let_go(c: Connection, ends: Sequence[LetGo]) -> list[bool]:
    """Let go of rows until they are woken; False where `end_drive` is."""
    found: dict[int, bool] = {}
    for number, each in sorted(enumerate(ends), key=lambda one: one[1].claim.id):
        found[number] = end_drive(
            c, each.claim, status="waiting", now=each.now,
            waiting_for=each.waiting_for, wake_at=each.wake_at,
        )  # fmt: skip
        if found[number] and each.left:
            statements.LEAVE.once(c, _of(each.claim))
    return [found[number] for number in range(len(ends))]


def ended(claim: Claim, woken: int) -> dict[str, object]:
    """Which row a drive ends that knew of so many wakes; unless it says more, it waits no more."""
    return _of(claim) | {"seen": woken, "waits_for": None, "wakes_at": None}


def standing(c: Connection, claim: Claim) -> Standing | None:
    """How the row stands, or None if the claim is over."""
    return statements.STANDING[claim.kind].one(c, _of(claim))


def hold(c: Connection, claim: Claim) -> Held:
    """As `standing`, and nobody else changes the row before this transaction has ended.

    Whoever writes about a run or request holds its row first, so that many processes write in
    one order; SQLite's one writer needs no such lock. Raises `FencedError` if the claim is over:
    nothing may be written under it any more.
    """
    return hold_all(c, (claim,))[0]


def hold_all(c: Connection, claims: Sequence[Claim]) -> list[Held]:
    """The same of many claims; raises `FencedError` if one of them is over."""
    found: dict[int, Held] = {}
    for kind in TABLES:
        rows = [
            {"number": number} | _of(each)
            for number, each in enumerate(claims)
            if each.kind == kind
        ]
        found |= {each.number: each for each in statements.HOLD[kind].of(c, rows)}
    for number, each in enumerate(claims):
        if number not in found:
            raise FencedError(f"{each.id} is not driven under epoch {each.epoch} any more")
    return [found[number] for number in range(len(claims))]


def is_lost(c: Connection, claim: Claim) -> bool:
    """Whether the database has lost a claim, and has given its epoch to nobody else."""
    table = TABLES[claim.kind]
    which = (table.c.tenant == claim.tenant, table.c.id == claim.id)
    epoch = c.execute(select(table.c.epoch).where(*which)).scalar_one_or_none()
    return epoch is not None and epoch < claim.epoch


def hold_row(c: Connection, due: Due) -> bool:
    """Let nobody else change a row before this transaction has ended; False if there is none."""
    found = statements.HOLD_ROW[due.kind].one(c, {"whose": due.tenant, "which": due.id})
    return found is not None


def note_stuck(c: Connection, due: Due) -> None:
    """Note that a row can neither be driven nor put aside; the end of its next drive forgets it."""
    table = TABLES[due.kind]
    which = (table.c.tenant == due.tenant, table.c.id == due.id)
    c.execute(update(table).where(*which).values(code=tables.STUCK))


def pass_on(c: Connection, due: Due, epoch: int) -> None:
    """Begin another generation of a row that was to be driven under this one, and was not."""
    table = TABLES[due.kind]
    c.execute(
        update(table)
        .where(table.c.tenant == due.tenant, table.c.id == due.id)
        .where(table.c.epoch == epoch, table.c.driver.is_(None))
        .values(epoch=epoch + 1)
    )


def _of(claim: Claim) -> dict[str, object]:
    return {
        "whose": claim.tenant,
        "which": claim.id,
        "under": claim.epoch,
        "by": claim.driver,
    }
