"""Attempts as rows: what the journal's events come to, so that one query finds an open one.

An attempt is open from its intent until it is known what became of it. No path to the journal
goes around `settling`, so a row never says less than the events do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    select,
    update,
)

from connectors.spec import JsonObject
from executor.store.drives import Claim
from executor.store.errors import StoreError
from executor.store.statement import Columns, Query, addition, alteration, given
from executor.store.tables import attempts
from executor.store.text import to_plain_text, to_texts

OPEN = ("intent", "uncertain", "applied_unreadable", "applied_pending")
# Nothing is called that is known to have happened, or that a person gave up meanwhile.
_OVER = ("applied", "resolved_applied", "abandoned")
_DENIED = ("resolved_absent",)  # which is wrong, if it happened after all
_YIELDING = (*_DENIED, "abandoned", "refused")  # to a yes with an answer that can be used
_WITHOUT_EFFECT = ("refused", "not_sent", "resolved_absent", "resolved_answered")
# What could be in doubt and cannot be repeated before it is known: others repeat safely.
_NEVER_TWICE = ("lookup", "blind")
Place = tuple[str, str]  # a step and its item, or ""
States = dict[int, str]
"""How the attempts of one step or item stand, by number."""


class _At(NamedTuple):
    number: int  # of whoever asks
    step: str
    iteration: str
    n: int
    state: str


class Settling(NamedTuple):
    """What an event tells of an attempt that stands as one of these."""

    place: Place
    n: int
    state: str
    open_as: tuple[str, ...]
    overrules: tuple[str, ...] = ()  # the same, where no other call of the place can have happened

    def counts(self, states: States) -> bool:
        """Whether it does, as the attempts of its place stand."""
        stood = states.get(self.n)
        others = ((n, state) for n, state in states.items() if n != self.n)
        is_wrong = stood in self.overrules and all(
            state in (*_WITHOUT_EFFECT, "abandoned") or (n < self.n and state == "uncertain")
            for n, state in others
        )
        return is_wrong or stood in self.open_as


def _at(dialect: str) -> Select[tuple[int, str, str, int, str]]:
    key = ("tenant", "run", "step", "iteration")
    asked = given(dialect, {**dict.fromkeys(key, str), "number": int})
    found = (attempts.c[name] for name in ("step", "iteration", "n", "state"))
    return select(asked["number"], *found).where(*(attempts.c[name] == asked[name] for name in key))


def _by_key(run: str, step: str, iteration: str) -> tuple[str, str, str]:
    return run, step, iteration


_AT = Query(_at, _At)
_BY_KEY = Query(
    select(attempts.c.run, attempts.c.step, attempts.c.iteration)
    .where(attempts.c.tenant == bindparam("tenant"), attempts.c.key == bindparam("key"))
    .limit(1),
    _by_key,
)
_ADD = addition(attempts)
# An update would take the names of columns for what it is to set.
_SETTLING: Columns = {
    **dict.fromkeys(("whose", "of_run", "of_step", "of_item", "stood", "ends_as"), str),
    "number": int,
    "now": float,
}
_SETTLE = alteration(
    _SETTLING,
    lambda of: (
        update(attempts)
        .where(attempts.c.tenant == of["whose"], attempts.c.run == of["of_run"])
        .where(attempts.c.step == of["of_step"], attempts.c.iteration == of["of_item"])
        .where(attempts.c.n == of["number"], attempts.c.state == of["stood"])
        .values(state=of["ends_as"], ended_at=of["now"])
    ),
)


class AttemptRow(NamedTuple):
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


def _row(*found: Any) -> AttemptRow:
    row = dict(zip(AttemptRow._fields, found, strict=True))
    return AttemptRow(**{**row, "approvals": to_texts(row["approvals"])})


_READ = Query(
    select(*(attempts.c[name] for name in AttemptRow._fields))
    .where(attempts.c.tenant == bindparam("whose"), attempts.c.run == bindparam("of_run"))
    .order_by(attempts.c.started_at, attempts.c.step, attempts.c.iteration, attempts.c.n),
    _row,
)


@dataclass(frozen=True)
class Settled:
    """What became of one attempt, and how it had stood."""

    tenant: str
    run: str
    settling: Settling
    stood: str
    at: float


def add(c: Connection, rows: Sequence[tuple[Claim, AttemptRow]]) -> None:
    """Write attempts that are about to be made."""
    _ADD.many(
        c,
        [
            {"tenant": claim.tenant, "run": claim.id}
            | row._asdict()
            | {"approvals": to_plain_text(row.approvals)}
            for claim, row in rows
        ],
    )


def settle(c: Connection, settled: Sequence[Settled]) -> None:
    """Keep what became of attempts; raises `StoreError` where one stands otherwise by now."""
    rows = [
        {
            "whose": each.tenant,
            "of_run": each.run,
            "of_step": each.settling.place[0],
            "of_item": each.settling.place[1],
            "number": each.settling.n,
            "stood": each.stood,
            "ends_as": each.settling.state,
            "now": each.at,
        }
        for each in settled
    ]
    if _SETTLE.many(c, rows) != len(rows):
        raise StoreError("an attempt was settled by somebody who does not hold its run")


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
    return _READ.all(c, {"whose": tenant, "of_run": run})


def at(
    c: Connection, asked: Sequence[tuple[str, str, Iterable[Place]]]
) -> list[dict[Place, States]]:
    """How attempts stand at places of runs (tenant, id): of each run by place."""
    found: list[dict[Place, States]] = [{place: {} for place in places} for _, _, places in asked]
    rows = [
        {"number": number, "tenant": tenant, "run": run, "step": step, "iteration": iteration}
        for number, (tenant, run, _) in enumerate(asked)
        for step, iteration in found[number]
    ]
    for each in _AT.of(c, rows):
        found[each.number][each.step, each.iteration][each.n] = each.state
    return found


def own(c: Connection, claim: Claim, place: Place, n: int) -> str | None:
    """How an attempt stands that was begun under this claim; None if there is no such attempt."""
    found = select(attempts.c.state).where(
        attempts.c.tenant == claim.tenant,
        attempts.c.run == claim.id,
        attempts.c.step == place[0],
        attempts.c.iteration == place[1],
        attempts.c.n == n,
        attempts.c.epoch == claim.epoch,
    )
    return c.execute(found).scalar_one_or_none()


def stand_in_the_way(states: Mapping[int, str], n: int, effect: str) -> bool:
    """Whether attempt `n` may not begin: it is not new, or an earlier one is not over."""
    blocking = (*(OPEN if effect in _NEVER_TWICE else ("intent",)), *_OVER)
    return any(number >= n or state in blocking for number, state in states.items())


def by_key(c: Connection, tenant: str, key: str) -> tuple[str, str, str] | None:
    """The run, step and item whose calls carried a key."""
    return _BY_KEY.one(c, {"tenant": tenant, "key": key})


def settling(kind: str, data: JsonObject) -> Settling | None:
    """What an event tells of an attempt, if it tells how one ended or what became of it."""
    n = data.get("n")
    place = (str(data.get("step")), str(data.get("iteration")))
    number = n if isinstance(n, int) else 0
    if kind == "attempt.ended":
        state = str(data["state"])
        if not data.get("late"):  # once
            return Settling(place, number, state, ("intent",))
        wrong = _YIELDING if state == "applied" else _DENIED
        happened = state.startswith("applied")  # nobody could know
        return Settling(place, number, state, ("intent", "uncertain"), wrong if happened else ())
    if kind == "reconcile.resolved":
        resolution = str(data["resolution"])
        state = resolution if resolution == "abandoned" else f"resolved_{resolution}"
        return Settling(place, number, state, OPEN, _YIELDING if resolution == "applied" else ())
    return None


def project(
    c: Connection, tenant: str, run: str, events: Sequence[tuple[str, JsonObject]], now: float
) -> None:
    """Keep the rows in step with events that tell how an attempt ended or was resolved."""
    for kind, data in events:
        if (told := settling(kind, data)) is None:
            continue
        states = at(c, [(tenant, run, [told.place])])[0][told.place]
        if told.counts(states):
            settle(c, [Settled(tenant, run, told, states[told.n], now)])
