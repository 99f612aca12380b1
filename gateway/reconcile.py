"""What a person or a service says later of an uncertain effect, so that the run can go on."""

from collections.abc import Callable
from typing import Literal

from pydantic import JsonValue
from sqlalchemy import Connection

from connectors.by_item import missed_items, none_happened
from connectors.spec import ActionSpec
from connectors.validate import first_flaw
from executor.check.admit import Accepted
from executor.plan.refs import join_pointer
from executor.run import events as e
from executor.run.fold import fold
from executor.run.instance import EVIDENCE
from executor.run.perform import new_event
from executor.run.state import Attempt, Place, RunState, undoes
from executor.store import attempts, drives, journal, plans, runs, waking
from executor.store.blobs import Loaded
from executor.store.drives import Due
from executor.store.retention import deleted_until
from executor.store.runs import RunRow
from gateway.problems import ProblemError, not_found, told
from gateway.schemas import Evidence, InputAnswer, Reconcile

Restored = Callable[[str, str], Accepted]
"""A tenant's accepted plan from the text that was sealed."""
Resolution = Literal["applied", "absent", "abandoned"]
SECOND = "Ask an operator who did not ask for the run."
_MEANS: dict[str, Resolution] = {  # of what a person finds out; an answer is no finding
    "happened": "applied",
    "send_again": "absent",
    "abandon": "abandoned",
}


def resolve(
    c: Connection, restored: Restored, run: RunRow, by: str, found: Reconcile, now: float
) -> None:
    """Write the resolution of one attempt, and have its run look again; raises a problem.

    A yes overrules a no, as long as nothing was called again, and a giving up.
    """
    _hold(c, run)
    row = runs.get(c, run.tenant, run.id) or run
    state, place = _state(c, row), (found.step, found.iteration)
    last = state.last(place)
    _check_members(found)
    if found.resolution == "answer" and last is not None:
        answer(c, restored, row, last, by, found, now)
        return
    attempt = _asked(last) or state.in_doubt(place)  # a later no settles nothing
    if attempt is None and found.resolution == "happened":
        attempt = state.yielding(place)
    if attempt is None:
        raise ProblemError(
            409, "not-uncertain", f"nothing of step {found.step!r} is uncertain", _trace(row),
        )  # fmt: skip
    action = _action(c, restored, row, attempt)
    _check_second_person(row, action, by)
    _check_can_go_on(row, state, found)
    if found.resolution == "send_again":
        _check_is_through(action, state, place, now)
    if "output" in found.model_fields_set:
        _check_output(c, row, action, attempt, found.output)
    _write(c, row, attempt, _MEANS[found.resolution], by, now, found.reason, found.output)


def answer(
    c: Connection,
    restored: Restored,
    row: RunRow,
    last: Attempt,
    by: str,
    found: Reconcile,
    now: float,
) -> None:
    """Have a call go on that asked for input, with what a person answers; raises a problem."""
    asked = _asked(last)
    asks = asked.ended.asks if asked is not None and asked.ended is not None else None
    if asked is None or asks is None or row.has_ended:
        detail = f"nothing of step {found.step!r} asks for an answer"
        raise ProblemError(409, "no-question", detail, _trace(row))
    _check_second_person(row, _action(c, restored, row, asked), by)
    if asked.intent.approvals and by == row.requester:
        detail = "the call was approved as it was shown: this needs a second person"
        raise ProblemError(403, "own-request", detail, SECOND)
    answers = found.answers or {}
    for name in {*asks, *answers}:
        _check_answer(name, asks.get(name), answers.get(name))
    event = e.ReconcileResolved(
        step=asked.intent.step,
        iteration=asked.intent.iteration,
        n=asked.intent.n,
        resolution="answered",
        by=by,
        reason=found.reason,
        answers={name: each.model_dump(exclude_none=True) for name, each in answers.items()},
    )
    journal.append(c, row.tenant, row.id, [new_event(event)], now)
    waking.wake(c, Due("run", row.tenant, row.id), now)


def _asked(last: Attempt | None) -> Attempt | None:
    """The call, if it waits for an answer of a person."""
    ended = last.ended if last is not None and last.resolved is None else None
    return last if ended is not None and ended.asks is not None else None


def _check_answer(name: str, asked: JsonValue, said: InputAnswer | None) -> None:
    """Every question gets an answer of the form that it wants, and nothing else gets one."""
    at = f"/answers/{join_pointer((name,))}"
    if not isinstance(asked, dict):
        detail = f"nobody asked for {told(name)}"
        raise ProblemError(422, "unknown-question", detail, "Leave it out.", {"at": at})
    if said is None:
        fix = "Answer accept with a content, decline, or cancel."
        raise ProblemError(422, "unknown-question", f"{name} is not answered", fix, {"at": at})
    if said.action != "accept":
        return
    schema = asked.get("schema")
    flaw = first_flaw(schema if isinstance(schema, dict) else {}, said.content or {})
    if flaw is not None:
        detail = f"the answer is not what is asked for: {flaw}"
        raise ProblemError(422, "type-mismatch", detail, "See `asks`.", {"at": f"{at}/content"})


def learn(
    c: Connection, restored: Restored, tenant: str, by: str, found: Evidence, now: float
) -> tuple[RunRow, bool]:
    """Take in what a service said of a call by its key; the run, and whether it was news.

    A no counts like a search that finds nothing: once the call must have come through. A yes
    overrules a no, as long as nothing was called again, and a giving up.
    """
    place = attempts.by_key(c, tenant, found.key)
    row = runs.get(c, tenant, place[0]) if place else None
    if place is None or row is None:
        detail = f"no call carried this key{deleted_until(c)}"
        raise ProblemError(404, "not-found", detail, "Send the key itself.")
    _hold(c, row)
    state = _state(c, row)
    last = state.last(place[1:])
    if last is not None and last.ended is None:
        detail = "the call is still under way, and may answer for itself"
        raise ProblemError(409, "under-way", detail, "Ask again when it has ended.")
    attempt = state.in_doubt(place[1:])
    if attempt is None and found.happened:
        attempt = state.yielding(place[1:])
    if attempt is None:
        return row, False
    if attempt.has_happened and not found.happened:
        return row, False  # its own answer said that it did; a person may know better
    action = _action(c, restored, row, attempt)
    is_pending = attempt.ended is not None and attempt.ended.state == "applied_pending"
    is_given_up = is_pending and _asked(attempt) is None  # whoever asks something is not at it
    if not found.happened and not is_given_up:
        _check_is_through(action, state, place[1:], now)
    if found.happened and "output" in found.model_fields_set:
        _check_output(c, row, action, attempt, found.output)
    output = found.output if found.happened else None
    means: Resolution = "applied" if found.happened else "absent"
    _write(c, row, attempt, means, f"{EVIDENCE}{found.source}", now, f"told by {by}", output)
    return row, True


def _write(
    c: Connection,
    row: RunRow,
    attempt: Attempt,
    resolution: Resolution,
    by: str,
    now: float,
    reason: str,
    output: JsonValue,
) -> None:
    event = e.ReconcileResolved(
        step=attempt.intent.step,
        iteration=attempt.intent.iteration,
        n=attempt.intent.n,
        resolution=resolution,
        by=by,
        reason=reason,
        output=output,
    )
    # Written in the transaction that read it as uncertain, so a drive that is at it sees it first.
    journal.append(c, row.tenant, row.id, [new_event(event)], now)
    waking.wake(c, Due("run", row.tenant, row.id), now)


def _hold(c: Connection, row: RunRow) -> None:
    """Let nobody else change the run meanwhile; raises a problem where it was just deleted."""
    if not drives.hold_row(c, Due("run", row.tenant, row.id)):
        raise not_found("run", row.id)


def _trace(row: RunRow) -> str:
    return f"See the trace: /v1/runs/{row.id}/trace."


def _state(c: Connection, row: RunRow, loaded: Loaded | None = None) -> RunState:
    """Where it stands; large values are read only into `loaded`."""
    stored = journal.read(c, row.tenant, row.id, loaded=loaded)
    return fold((each.at, e.parse_event(each.type, each.v, each.data)) for each in stored)


def _action(c: Connection, restored: Restored, row: RunRow, attempt: Attempt) -> ActionSpec:
    """The action as it was when the plan was accepted."""
    sealed = plans.sealed(c, row.tenant, row.plan)
    if sealed is None:
        raise not_found("plan", row.plan)
    return restored(row.tenant, sealed).actions[attempt.intent.action]


def _check_is_through(action: ActionSpec, state: RunState, place: Place, now: float) -> None:
    """A no counts, whoever says it, once every call in doubt must have come through."""
    from_then = state.over_at(place) + action.settle_s
    if now < from_then:
        detail = f"the call may still come through for {from_then - now:.0f} s; a no counts then"
        raise ProblemError(409, "too-early", detail, "Look again then.")


def _check_second_person(row: RunRow, action: ActionSpec, by: str) -> None:
    """What nothing takes back is not settled by the word of who asked for it alone."""
    if action.irreversible and by == row.requester:
        raise ProblemError(
            403, "own-request", f"{action.name} is irreversible: this needs a second person",
            SECOND,
        )  # fmt: skip


def _check_members(found: Reconcile) -> None:
    """What is said beside a resolution is not left unread."""
    for member, belongs_to, is_said in (
        ("output", "happened", "output" in found.model_fields_set),  # it may be null
        ("answers", "answer", found.answers is not None),
    ):
        if is_said and found.resolution != belongs_to:
            raise ProblemError(
                422, "unknown-field", f"/{member} belongs to `{belongs_to}` alone",
                "Leave it out.", {"at": f"/{member}"},
            )  # fmt: skip


def _check_can_go_on(row: RunRow, state: RunState, found: Reconcile) -> None:
    """What has ended can still learn what happened, but will send nothing any more."""
    if found.resolution != "send_again":
        return
    over = f"the run is {row.status}" if row.has_ended else _over(state, found)
    if over is not None:
        raise ProblemError(
            409, "already-over", f"{over}: it sends nothing any more",
            "Start another run for what is still to be done.",
        )  # fmt: skip


def _over(state: RunState, found: Reconcile) -> str | None:
    """Why a step or an undo will never be called again, if it will not."""
    place = (found.step, found.iteration)
    of = undoes(place)
    if of is None and place in state.undos:
        return f"step {found.step!r} is being taken back"
    undoing = None if of is None else state.undos.get(of)
    if state.has_ended(found.step) or (undoing is not None and undoing.ended is not None):
        return f"step {found.step!r} has ended"
    return None


def _check_output(
    c: Connection, row: RunRow, action: ActionSpec, attempt: Attempt, output: JsonValue
) -> None:
    """What is reported goes on into later steps, so it keeps the action's promise too."""
    flaw = first_flaw(action.output_schema, output) if action.output_schema else None
    if action.items is not None and flaw is None:
        calls = _state(c, row, {}).attempts[attempt.intent.step, attempt.intent.iteration]
        arguments = calls[attempt.intent.n - 1].intent.arguments
        items = missed_items(action, arguments, output)
        flaw = items if isinstance(items, str) else none_happened(action, arguments, output)
    if flaw:
        raise ProblemError(
            422, "type-mismatch", f"the output is not what {action.name} gives: {flaw}",
            "Send the service's own answer, or leave the output out.", {"at": "/output"},
        )  # fmt: skip
