"""What a person found out about an uncertain effect, written so that the run can go on from it."""

from typing import Literal

from sqlalchemy import Connection

from connectors.validate import first_flaw
from executor.check.admit import restore
from executor.run import events as e
from executor.run.perform import new_event
from executor.run.state import Attempt, fold
from executor.store import drives, journal, plans, runs
from executor.store.drives import Due
from executor.store.runs import RunRow
from gateway.problems import ProblemError
from gateway.schemas import Reconcile

WHOLE = 1_000_000_000  # events: a run is explained and resolved from all of its journal
_MEANS: dict[str, Literal["applied", "absent", "abandoned"]] = {
    "happened": "applied",
    "send_again": "absent",
    "abandon": "abandoned",
}


def resolve(
    c: Connection, seal_key: bytes, run: RunRow, by: str, found: Reconcile, now: float
) -> None:
    """Write the resolution of one attempt, and have its run look again; raises a problem."""
    drives.hold_row(c, Due("run", run.tenant, run.id))
    row = runs.get(c, run.tenant, run.id) or run
    attempt = _uncertain(c, row, found)
    _check_can_go_on(row, found)
    _check_output(c, seal_key, row, attempt, found)
    resolution = _MEANS[found.resolution]
    event = e.ReconcileResolved(
        step=found.step,
        iteration=found.iteration,
        n=attempt.intent.n,
        resolution=resolution,
        by=by,
        reason=found.reason,
        output=found.output,
    )
    # Written in the transaction that read it as uncertain, so a drive that is at it sees it first.
    journal.append(c, row.tenant, row.id, [new_event(event)], now)
    drives.wake(c, Due("run", row.tenant, row.id), now)


def _uncertain(c: Connection, row: RunRow, found: Reconcile) -> Attempt:
    stored = journal.read(c, row.tenant, row.id, limit=WHOLE)
    state = fold((each.at, e.parse_event(each.type, each.v, each.data)) for each in stored)
    last = state.in_doubt((found.step, found.iteration))  # a later no settles nothing
    if last is None or not last.is_uncertain:
        raise ProblemError(
            409, "not-uncertain", f"nothing of step {found.step!r} is uncertain",
            "See the trace: /v1/runs/{id}/trace.",
        )  # fmt: skip
    return last


def _check_can_go_on(row: RunRow, found: Reconcile) -> None:
    """A run that has ended can still learn what happened, but will send nothing any more."""
    if row.has_ended and found.resolution == "send_again":
        raise ProblemError(
            409, "already-over", f"the run is {row.status}: it sends nothing any more",
            "Start another run for what is still to be done.",
        )  # fmt: skip


def _check_output(
    c: Connection, seal_key: bytes, row: RunRow, attempt: Attempt, found: Reconcile
) -> None:
    """What a person reports goes on into later steps, so it keeps the action's promise too."""
    if "output" not in found.model_fields_set:
        return
    if found.resolution != "happened":
        raise ProblemError(
            422, "unknown-field", "an output belongs to `happened` alone", "Leave it out.",
            {"at": "/output"},
        )  # fmt: skip
    plan = plans.get(c, row.tenant, row.plan)
    action = restore(plan.accepted, seal_key).actions[attempt.intent.action] if plan else None
    flaw = action and action.output_schema and first_flaw(action.output_schema, found.output)
    if flaw:
        raise ProblemError(
            422, "type-mismatch", f"the output is not what {attempt.intent.action} gives: {flaw}",
            "Send the service's own answer, or leave the output out.", {"at": "/output"},
        )  # fmt: skip
