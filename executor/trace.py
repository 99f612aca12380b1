"""The trace: what happened, why, and whether the effect happened, in words a person can act on.

It is the journal, rendered. Every step answers three questions: what happened; did its effect
happen; what comes next and who must act.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, JsonValue

from executor.check.admit import Accepted
from executor.plan.graph import graph
from executor.plan.model import CALLED, EXTRACT
from executor.plan.render import render_step
from executor.run import events as e
from executor.run.effects import effect_of_step
from executor.run.state import Attempt, Gate, RunState, fold
from executor.store.journal import StoredEvent
from executor.store.runs import RunRow


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AttemptTrace(_Frozen):
    """One call."""

    n: int
    iteration: str
    at: float
    ended_at: float | None
    state: str
    told: str
    key: str
    vendor_code: str | None = None
    request_id: str | None = None


class GateTrace(_Frozen):
    """One approval that a step needed."""

    approval: str
    role: str
    reasons: tuple[str, ...]
    told: str


class StepTrace(_Frozen):
    """One step: its state, what became of its effect, and why."""

    step: str
    action: str
    call: str
    state: str
    effect: str
    told: str
    result: JsonValue = None
    attempts: tuple[AttemptTrace, ...] = ()
    gates: tuple[GateTrace, ...] = ()


class Trace(_Frozen):
    """A whole run, explained."""

    run: str
    plan_digest: str
    status: str
    waiting_for: str | None
    code: str | None
    next: str
    result: JsonValue
    steps: tuple[StepTrace, ...]
    notes: tuple[str, ...]


def trace(accepted: Accepted, row: RunRow, stored: Sequence[StoredEvent]) -> Trace:
    """Explain a run from its plan and its journal."""
    parsed = [(each.at, e.parse_event(each.type, each.v, each.data)) for each in stored]
    state = fold(parsed)
    steps = tuple(_step(accepted, state, step.id) for step in accepted.plan.steps)
    return Trace(
        run=row.id,
        plan_digest=accepted.digest,
        status=row.status,
        waiting_for=row.waiting_for,
        code=row.code,
        next=_next(accepted, row, state),
        result=row.result,
        steps=steps,
        notes=tuple(_notes(row, state)),
    )


def render_trace(found: Trace) -> str:
    """Write a trace as text, one block a step."""
    lines = [f"{found.run}  {found.status}" + (f" ({found.code})" if found.code else "")]
    lines += [f"next: {found.next}", ""]
    for step in found.steps:
        asks = f" [{CALLED}]" if step.action == EXTRACT else ""
        lines.append(f"{_SIGN.get(step.state, ' ')} {step.step:<14} {step.action}{asks}")
        lines.append(f"    {step.told}")
        lines += [f"    approval by {each.role}: {each.told}" for each in step.gates]
        if len(step.attempts) > 1 or any(each.state != "applied" for each in step.attempts):
            for each in step.attempts:
                item = f"[{each.iteration}]" if each.iteration else ""
                lines.append(f"    call {each.n}{item} at {_clock(each.at)}: {each.told}")
    lines += [""] + [f"note: {note}" for note in found.notes] if found.notes else []
    return "\n".join(lines)


_SIGN = {
    "done": "✓",
    "failed": "✗",
    "skipped": "-",
    "waiting": "…",
    "running": "▶",
    "blocked": "■",
    "pending": "·",
}


def _step(accepted: Accepted, state: RunState, step_id: str) -> StepTrace:
    step = next(each for each in accepted.plan.steps if each.id == step_id)
    attempts = [
        each for place, found in state.attempts.items() if place[0] == step_id for each in found
    ]
    gates = [each for place, found in state.gates.items() if place[0] == step_id for each in found]
    step_state, why = _standing(accepted, state, step_id, attempts, gates)
    effect = effect_of_step(state, step)
    return StepTrace(
        step=step_id,
        action=step.action,
        call=render_step(step),
        state=step_state,
        effect=effect,
        told=f"{why}; effect: {effect}" if effect else why,
        result=state.done.get(step_id),
        attempts=tuple(_attempt(each) for each in attempts),
        gates=tuple(_gate(each) for each in gates),
    )


def _standing(
    accepted: Accepted,
    state: RunState,
    step_id: str,
    attempts: list[Attempt],
    gates: list[Gate],
) -> tuple[str, str]:
    if step_id in state.done:
        return "done", "done"
    if step_id in state.skipped:
        return "skipped", f"skipped: {state.skipped[step_id]}"
    if failed := state.failed.get(step_id):
        return "failed", f"failed ({failed.code}): {failed.message}"
    if state.finished is not None:
        return "blocked", _why_blocked(accepted, state, step_id, attempts)
    if any(each.ended is None for each in attempts):
        return "running", "the call is under way, or its process has ended"
    if any(each.is_uncertain for each in attempts):
        return "waiting", "it is not known whether the call took effect"
    if any(gate.is_open for gate in gates):
        return "waiting", "waits for an approval"
    return "pending", "not done yet" if attempts else "not begun yet"


def _why_blocked(accepted: Accepted, state: RunState, step_id: str, attempts: list[Attempt]) -> str:
    if attempts:
        return "not done: the run ended first"
    broken = sorted(graph(accepted.plan)[step_id] & set(state.failed))
    return f"not begun: {broken[0]} failed" if broken else "not begun: the run ended"


def _attempt(attempt: Attempt) -> AttemptTrace:
    intent, ended, failure = attempt.intent, attempt.ended, None
    state, told = "intent", "began; no answer is recorded yet"
    if ended is not None:
        failure = ended.failure
        state = ended.state
        told = {
            "not_sent": "nothing was sent",
            "refused": "the service said no; no effect",
            "applied": "applied" + (", the service had done it before" if ended.replayed else ""),
            "applied_unreadable": "applied, but the answer cannot be read",
            "applied_pending": "accepted by the service, not finished yet",
            "uncertain": "no clear answer; it may have happened",
        }[ended.state]
        if failure is not None:
            told += f" ({failure.kind}: {failure.message})"
    if attempt.resolved is not None:
        state = f"resolved_{attempt.resolved.resolution}"
        known = {
            "applied": "it had happened",
            "absent": "it had not happened",
            "abandoned": "given up",
        }
        told += f"; then known by {attempt.resolved.by}: {known[attempt.resolved.resolution]}"
    return AttemptTrace(
        n=intent.n,
        iteration=intent.iteration,
        at=attempt.at,
        ended_at=attempt.ended_at,
        state=state,
        told=told,
        key=intent.key,
        vendor_code=failure.vendor_code if failure else None,
        request_id=ended.request_id if ended else None,
    )


def _gate(gate: Gate) -> GateTrace:
    told = "asked anew" if gate.is_void else f"open ({gate.opened.approval})"
    match gate.ruling:
        case e.ApprovalGranted(by=by, reason=reason):
            told = f"granted by {by}: {reason}"
        case e.ApprovalRefused(by=by, reason=reason):
            told = f"refused by {by}: {reason}"
        case e.ApprovalExpired():
            told = "expired, nobody answered"
    reasons = tuple(gate.opened.reasons)
    shown = f"{told} [{'; '.join(reasons)}]" if reasons else told
    return GateTrace(
        approval=gate.opened.approval, role=gate.opened.role, reasons=reasons, told=shown
    )


_WAITS = {
    "approval": "somebody with the role must approve or refuse: lamgate approvals",
    "credentials": "renew the credentials of the connection; it is tried again by itself",
    "rate_limit": "it goes on by itself when the service allows it",
    "service": "the service is taken for down; it goes on by itself once it answers again",
    "stop": "an operator has stopped these calls; it goes on by itself once that is lifted",
    "retry": "it goes on by itself",
}
_FIND_OUT = (
    "find out at the service whether it happened, then say so: "
    "lamgate reconcile; do not send it again by hand before that"
)


def _next(accepted: Accepted, row: RunRow, state: RunState) -> str:
    """Say what comes next and who must act."""
    if row.status == "waiting" and row.waiting_for == "reconcile":
        return _how_to_reconcile(accepted, row, state)
    if row.status == "waiting":
        return _WAITS.get(row.waiting_for or "", f"waits for {row.waiting_for}")
    if not row.has_ended:
        return "it is under way"
    if state.finished and state.finished.uncertain:
        return f"check at the service: {', '.join(state.finished.uncertain)} may have happened"
    if row.status != "succeeded" and state.finished and state.finished.standing:
        return f"nothing more; these effects stand: {', '.join(state.finished.standing)}"
    return "nothing; it is finished"


def _how_to_reconcile(accepted: Accepted, row: RunRow, state: RunState) -> str:
    doubts = [found for place in state.doubts if (found := state.in_doubt(place)) is not None]
    searched = all(accepted.actions[each.intent.action].lookup for each in doubts)
    if row.wake_at is not None and searched:
        return "it is looked up at the service by itself; do not send it again by hand"
    return _FIND_OUT


def _notes(row: RunRow, state: RunState) -> list[str]:
    notes = []
    if row.recoveries:
        times = "once" if row.recoveries == 1 else f"{row.recoveries} times"
        notes.append(f"the process ended in the middle {times} and another one went on")
        again = {place[0] for place, found in state.attempts.items() if len(found) > 1}
        done = {place[0] for place, found in state.attempts.items() if found[-1].is_applied}
        if once := sorted(done - again):
            notes.append(f"each called once, not repeated: {', '.join(once)}")
    for place, found in state.attempts.items():
        for told in found[-1].intent.observed:
            notes.append(f"{place[0]}: policy only observes; it would have said: {told}")
    if state.cancelled is not None:
        notes.append(f"cancelled by {state.cancelled.by}: no new effects were begun")
    return notes


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"
