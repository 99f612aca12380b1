"""Attempts as rows: what the journal's events come to, so that one query finds an open one.

An attempt is open from its intent until it is known what became of it. No path to the journal
goes around `project`, so a row never says less than the events do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    Double,
    Integer,
    bindparam,
    insert,
    select,
    update,
)

from connectors.spec import JsonObject
from executor.store.drives import Claim
from executor.store.statement import Change, Query, one_of
from executor.store.tables import attempts
from executor.store.text import to_text, to_texts

OPEN = ("intent", "uncertain", "applied_unreadable", "applied_pending")
# Nothing is called that is known to have happened, or that a person gave up meanwhile.
_OVER = ("applied", "resolved_applied", "abandoned")
# What could be in doubt and cannot be repeated before it is known: others repeat safely.
_NEVER_TWICE = ("lookup", "blind")
# Of one step or item, and of one of its attempts. An update would take the names of columns for
# what it is to set.
_PLACE = (
    attempts.c.tenant == bindparam("whose"),
    attempts.c.run == bindparam("of_run"),
    attempts.c.step == bindparam("of_step"),
    attempts.c.iteration == bindparam("of_item"),
)
_ONE = (*_PLACE, attempts.c.n == bindparam("number", type_=Integer))
_ADD = Change(insert(attempts))


def _settling(states: Sequence[str]) -> Change:
    """What becomes of an attempt that stands so."""
    return Change(
        update(attempts)
        .where(*_ONE, one_of(attempts.c.state, states))
        .values(state=bindparam("ends_as"), ended_at=bindparam("now", type_=Double))
    )


_END = _settling(("intent",))  # once: what was cut off has ended, and a late answer is too late
_RESOLVE = _settling(OPEN)


def _in_the_way(blocking: Sequence[str]) -> Query[int]:
    """What keeps attempt `number` from beginning."""
    again = attempts.c.n >= bindparam("number", type_=Integer)
    blocks = one_of(attempts.c.state, blocking) | again
    return Query(select(attempts.c.n).where(*_PLACE, blocks).limit(1), int)


_BEFORE_A_RISK = _in_the_way((*OPEN, *_OVER))
_BEFORE_A_REPETITION = _in_the_way(("intent", *_OVER))


@dataclass(frozen=True)
class AttemptRow:
    """One call that was made or may have been made."""

    step: str
    iteration: str
    n: int
    epoch: int
    action: str
    effect: str
    key: str
    args_hash: str
    approvals: tuple[str, ...]
    state: str
    send_before: float
    started_at: float
    ended_at: float | None = None
    tool_digest: str = ""
    policy_version: str | None = None


def add(c: Connection, claim: Claim, rows: Sequence[AttemptRow]) -> None:
    """Write attempts that are about to be made."""
    named = {"tenant": claim.tenant, "run": claim.id}
    _ADD.many(c, [named | vars(row) | {"approvals": to_text(row.approvals)} for row in rows])


def places_under(c: Connection, tenant: str, run: str, approval: str, step: str) -> frozenset[str]:
    """The items of a step, or "" for the step, whose calls relied on an approval."""
    found = c.execute(
        select(attempts.c.iteration)
        .where(attempts.c.tenant == tenant, attempts.c.run == run, attempts.c.step == step)
        .where(attempts.c.approvals.contains(f'"{approval}"', autoescape=True))
        .distinct()
    )
    return frozenset(row.iteration for row in found)


def read(c: Connection, tenant: str, run: str) -> list[AttemptRow]:
    """Every attempt of a run, in the order in which they began."""
    rows = c.execute(
        select(attempts)
        .where(attempts.c.tenant == tenant, attempts.c.run == run)
        .order_by(attempts.c.started_at, attempts.c.step, attempts.c.iteration, attempts.c.n)
    )
    return [
        AttemptRow(
            row.step,
            row.iteration,
            row.n,
            row.epoch,
            row.action,
            row.effect,
            row.key,
            row.args_hash,
            to_texts(row.approvals),
            row.state,
            row.send_before,
            row.started_at,
            row.ended_at,
            row.tool_digest,
            row.policy_version,
        )
        for row in rows
    ]


def may_begin(c: Connection, claim: Claim, step: str, iteration: str, n: int, effect: str) -> bool:
    """Whether attempt `n` is new and no earlier one stands in its way."""
    statement = _BEFORE_A_RISK if effect in _NEVER_TWICE else _BEFORE_A_REPETITION
    one = _named(claim.tenant, claim.id, step, iteration) | {"number": n}
    return statement.one(c, one) is None


def by_key(c: Connection, tenant: str, key: str) -> tuple[str, str, str] | None:
    """The run, step and item whose calls carried a key."""
    found = c.execute(
        select(attempts.c.run, attempts.c.step, attempts.c.iteration)
        .where(attempts.c.tenant == tenant, attempts.c.key == key)
        .limit(1)
    ).one_or_none()
    return None if found is None else (found.run, found.step, found.iteration)


def is_in_doubt(c: Connection, tenant: str, run: str, step: str, iteration: str) -> bool:
    """Whether it is unknown of an attempt of this step or item if its effect happened."""
    found = c.execute(
        select(attempts.c.n)
        .where(attempts.c.tenant == tenant, attempts.c.run == run)
        .where(attempts.c.step == step, attempts.c.iteration == iteration)
        .where(attempts.c.state == "uncertain")
        .limit(1)
    )
    return found.first() is not None


def project(
    c: Connection, tenant: str, run: str, events: Sequence[tuple[str, JsonObject]], now: float
) -> None:
    """Keep the rows in step with events that tell how an attempt ended or was resolved."""
    for kind, data in events:
        settle(c, tenant, run, kind, data, now)


def settle(c: Connection, tenant: str, run: str, kind: str, data: JsonObject, now: float) -> bool:
    """Keep what an event tells of an attempt; False if it tells nothing, or nothing is open."""
    if kind == "attempt.ended":
        state = str(data["state"])
    elif kind == "reconcile.resolved":
        resolution = str(data["resolution"])
        state = resolution if resolution == "abandoned" else f"resolved_{resolution}"
    else:
        return False
    n = data["n"]
    one = _named(tenant, run, str(data["step"]), str(data["iteration"]))
    ended = {"number": n if isinstance(n, int) else 0, "ends_as": state, "now": now}
    statement = _END if kind == "attempt.ended" else _RESOLVE
    return statement.once(c, one | ended) == 1


def _named(tenant: str, run: str, step: str, iteration: str) -> dict[str, object]:
    return {"whose": tenant, "of_run": run, "of_step": step, "of_item": iteration}
