"""Runs: rows that say where a run stands; what happened is in the journal."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection, Text, and_, bindparam, not_, or_, select, update

from executor.store import blobs
from executor.store.blobs import Blob, Keeper
from executor.store.drive_statements import FINISH, looks_at_stops
from executor.store.drives import RANKS, Claim, Due, Priority, ended
from executor.store.errors import WokenError
from executor.store.statement import Change, Query, addition, newest_first, one_of
from executor.store.tables import runs
from executor.store.waking import wake

ENDED = ("succeeded", "failed", "cancelled", "undone", "compensation_incomplete", "quarantined")
# An update would take the names of columns for what it is to set.
_ONE = (runs.c.tenant == bindparam("whose"), runs.c.id == bindparam("which"))
_ADD = addition(runs)
_NEW = dict.fromkeys(runs.c.keys()) | dict.fromkeys(
    ("wake_seq", "epoch", "recoveries", "crashes"), 0
)


@dataclass(frozen=True)
class RunRow:
    """Where one run stands."""

    tenant: str
    id: str
    plan: str
    request: str | None
    requester: str
    status: str
    waiting_for: str | None
    code: str | None
    wake_at: float | None
    epoch: int
    recoveries: int
    cancel_mode: str | None
    result: JsonValue
    created_at: float
    updated_at: float
    large: Blob | None = None  # the result, where it stands elsewhere

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


def create(
    c: Connection,
    *,
    tenant: str,
    run: str,
    plan: str,
    requester: str,
    now: float,
    request: str | None = None,
    priority: Priority = "normal",
) -> Due:
    """Queue a run of an accepted plan, to be driven once that is committed."""
    _ADD.once(
        c,
        {
            **_NEW,
            "tenant": tenant,
            "id": run,
            "plan": plan,
            "request": request,
            "requester": requester,
            "priority": RANKS[priority],
            "status": "queued",
            "created_at": now,
            "updated_at": now,
        },
    )
    return Due("run", tenant, run, RANKS[priority], plan=plan)


def get(c: Connection, tenant: str, run: str) -> RunRow | None:
    """One run of a tenant."""
    return _GET.one(c, {"whose": tenant, "which": run})


def newest(
    c: Connection,
    tenant: str,
    *,
    status: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[RunRow]:
    """The newest runs of a tenant first; with `before`, those that are older than that one."""
    query = _EVERY
    if status is not None:
        query = query.where(runs.c.status == status)
    found = c.execute(newest_first(query, runs, tenant, before=before, limit=limit))
    return [_row(*row) for row in found]


def request_cancel(c: Connection, tenant: str, run: str, mode: str, now: float) -> bool:
    """Ask for no new effects; False if the run has ended or is being cancelled already.

    Who asked only to stop may still ask to undo. One comparison decides against the run's end. As
    all who hold rows of runs it looks at the stops: who lifts one waits for it, or goes first.
    """
    asked = {"whose": tenant, "which": run, "mode": mode, "now": now}
    if _REQUEST_CANCEL.once(c, asked) != 1:
        return False
    wake(c, Due("run", tenant, run), now)
    return True


def cancel_mode(c: Connection, tenant: str, run: str) -> str | None:
    """How the run is being cancelled, if it is."""
    return _CANCEL_MODE.one(c, {"whose": tenant, "which": run})


@dataclass(frozen=True)
class Ending:
    """How a run ends under its claim, and what it answers."""

    claim: Claim
    woken: int  # how often, by when this was decided
    status: str
    code: str | None
    result: JsonValue
    at: float


def finish(keeper: Keeper, endings: Sequence[Ending]) -> None:
    """End runs whose rows are held; raises `WokenError` where one was woken in this transaction."""
    if FINISH.many(keeper.c, [_finished(keeper, each) for each in endings]) != len(endings):
        raise WokenError("a run was woken by the very transaction that was to end it")


def _finished(keeper: Keeper, ending: Ending) -> dict[str, object]:
    claim = ending.claim
    answer = keeper.text(claim.tenant, claim.id, ending.result)
    large = {"result": answer} if isinstance(answer, Blob) else {}
    return {
        **ended(claim, ending.woken),
        "ends_as": ending.status,
        "because": ending.code,
        "now": ending.at,
        "answer": None if large else answer,
        "refs": blobs.to_refs(large),
    }


def _row(*found: Any) -> RunRow:
    row = dict(zip(_COLUMNS, found, strict=True))
    row["result"] = None if row["result"] is None else json.loads(row["result"])
    row["large"] = blobs.read_refs(row["large"]).get("result")
    return RunRow(**row)


def _mode(mode: str | None) -> str | None:
    return mode


_COLUMNS = tuple(each.name for each in fields(RunRow))
_EVERY = select(*(runs.c[name] for name in _COLUMNS))
_GET = Query(_EVERY.where(*_ONE), _row)
_CANCEL_MODE = Query(select(runs.c.cancel_mode).where(*_ONE), _mode)
_IS_MORE = or_(
    runs.c.cancel_mode.is_(None),
    and_(runs.c.cancel_mode == "stop", bindparam("mode", type_=Text) == "undo"),
)
_REQUEST_CANCEL = Change(
    update(runs)
    .where(*_ONE, _IS_MORE, not_(one_of(runs.c.status, ENDED)), looks_at_stops())
    .values(cancel_mode=bindparam("mode"), updated_at=bindparam("now"))
)
