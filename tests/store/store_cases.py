"""Rows and values that the tests of the store begin with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection, create_engine

from connectors.spec import JsonObject, Limits, Principal
from executor.check.grant import Grant
from executor.store import drives, open_journal, plans, runs, tables
from executor.store.approvals import ApprovalRow
from executor.store.attempts import Place
from executor.store.calls import AttemptOutcome, Intent
from executor.store.drives import Claim, Due
from executor.store.journal import NewEvent, Seen
from executor.store.open_journal import OpenJournal, Turn
from executor.store.permits import Blocked, Need, Permits, Told

TENANT = "main"
RUN = Due("run", TENANT, "run_a")
P = ParamSpec("P")
T = TypeVar("T")
NOW = 1_700_000_000.0
REQUESTER = Principal("requester", TENANT, frozenset({"requester", "approver"}))
APPROVER = Principal("approver", TENANT, frozenset({"approver"}))


@contextmanager
def permit_tables() -> Iterator[Connection]:
    """A file in memory with the tables that permits look at, for what is tried a hundred times."""
    engine = create_engine("sqlite://")
    needed = (tables.limits, tables.reservations, tables.breakers, tables.stops, tables.runs)
    tables.metadata.create_all(engine, tables=needed)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def add_run(c: Connection, run: str = "run_a", *, now: float = NOW, tenant: str = TENANT) -> None:
    """A queued run with its plan."""
    plan = f"pln_{run}"
    plans.add(c, plans.PlanRow(tenant, plan, "sha256:0", REQUESTER.id, None, {"language": 1}, now))
    runs.create(c, tenant=tenant, run=run, plan=plan, requester=REQUESTER.id, now=now)


def claimed(c: Connection, due: Due = RUN, *, driver: str = "me", now: float = NOW) -> Claim:
    """A claim that must succeed."""
    claim = drives.claim(c, due, driver, now)
    assert claim is not None
    return claim


def new_run(c: Connection, run: str = "run_a") -> Claim:
    """A run that is being driven."""
    add_run(c, run)
    return claimed(c, Due("run", TENANT, run))


def written(
    c: Connection, claim: Claim, work: Callable[Concatenate[OpenJournal, P], T],
    *given: P.args, **named: P.kwargs,
) -> T:  # fmt: skip
    """What is written with the run's journal open, by a drive that has seen nothing of it."""
    asked = Asked(lambda opened: work(opened, *given, **named))
    open_journal.written(c, [Turn(claim, (asked,), Seen)])
    return asked.results[0]


@dataclass(frozen=True)
class Asked(Generic[T]):
    """One thing to write, and what it gave."""

    work: Callable[[OpenJournal], T]
    places: tuple[Place, ...] = ()
    needs: Need | None = None
    results: list[T] = field(default_factory=list)

    def __call__(self, opened: OpenJournal) -> None:
        """Write it."""
        self.results.append(self.work(opened))


def tell(c: Connection, what: Told, now: float) -> None:
    """Tell of a service."""
    permits = Permits(c, TENANT)
    permits.tell(what, now)
    permits.close()


def take(
    c: Connection, connection: str, allowed: Limits | None, now: float, trial_s: float,
    run: str = RUN.id, rank: int = tables.NORMAL,
) -> Blocked | None:  # fmt: skip
    """Ask for a permit."""
    permits = Permits(c, TENANT)
    blocked = permits.take(connection, allowed, now, trial_s, run, rank)
    permits.close()
    return blocked


def intent(
    step: str = "refund",
    n: int = 1,
    *,
    effect: str = "keyed",
    approval: str | None = None,
    args_hash: str = "sha256:args",
    limits: Limits | None = None,
) -> Intent:
    """A call that is about to be made."""
    return Intent(
        step=step,
        iteration="",
        n=n,
        action="payments.refund_create",
        connection="payments",
        effect=effect,
        key="KEY",
        args_hash=args_hash,
        arguments={"amount": {"amount": "18.50", "currency": "EUR"}},
        tool_digest="sha256:tool",
        policy_version="v1",
        grants=() if approval is None else (Grant(approval, args_hash),),
        timeout_s=30.0,
        limits=limits,
    )


def ended(state: str, step: str = "refund", n: int = 1) -> NewEvent:
    """What the journal is told of a call that ended."""
    return NewEvent("attempt.ended", {"step": step, "iteration": "", "n": n, "state": state})


def resolved(resolution: str, step: str = "refund", n: int = 1) -> NewEvent:
    """What the journal is told of an attempt that was in doubt."""
    data: JsonObject = {"step": step, "iteration": "", "n": n, "resolution": resolution}
    return NewEvent("reconcile.resolved", data)


def outcome(
    state: str, step: str = "refund", n: int = 1, *, hold: tuple[str, float] | None = None
) -> AttemptOutcome:
    """How a call ended."""
    told = Told(hold[0], "answered", NOW, hold_until=hold[1]) if hold else None
    return AttemptOutcome(step, "", n, ended(state, step, n), told)


def question(
    approval: str = "apr_a", *, quorum: int = 1, expires_at: float = NOW + 3600
) -> ApprovalRow:
    """An open question to an approver."""
    return ApprovalRow(
        tenant=TENANT,
        id=approval,
        run="run_a",
        kind="step",
        step="refund",
        steps=("refund",),
        iteration="",
        plan_digest="sha256:0",
        action="payments.refund_create",
        action_digest="sha256:tool",
        arguments={"amount": {"amount": "18.50", "currency": "EUR"}},
        args_hash="sha256:args",
        policy_version="v1",
        policies=("refunds",),
        reasons=("money leaves",),
        role="approver",
        quorum=quorum,
        requester=REQUESTER.id,
        nonce="0" * 32,
        state="open",
        created_at=NOW,
        expires_at=expires_at,
    )
