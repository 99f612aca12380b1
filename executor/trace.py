"""The trace: what happened, why, and whether the effect happened, in words a person can act on.

It is the journal, rendered. Every step answers three questions: what happened; did its effect
happen; what comes next and who must act.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.spec import Effect
from executor.check.admit import Accepted
from executor.plan.graph import graph
from executor.plan.render import render_step
from executor.run import events as e
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
        next=_next(row, state),
        result=row.result,
        steps=steps,
        notes=tuple(_notes(row, state)),
    )


def render_trace(found: Trace) -> str:
    """Write a trace as text, one block a step."""
    lines = [f"{found.run}  {found.status}" + (f" ({found.code})" if found.code else "")]
    lines += [f"next: {found.next}", ""]
    for step in found.steps:
        lines.append(f"{_SIGN.get(step.state, ' ')} {step.step:<14} {step.action}")
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
    effect = _effect(step.action, attempts)
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
    if any(each.ended is None for each in attempts):
        return "running", "the call is under way, or its process has ended"
    if any(each.is_uncertain for each in attempts[-1:]):
        return "waiting", "it is not known whether the call took effect"
    if any(gate.ruling is None for gate in gates):
        return "waiting", "waits for an approval"
    if state.finished is not None:
        broken = sorted(graph(accepted.plan)[step_id] & set(state.failed))
        return "blocked", f"not begun: {broken[0]} failed" if broken else "not begun: the run ended"
    return "pending", "not begun yet"


def _effect(action: str, attempts: list[Attempt]) -> str:
    """Whether the effect happened, in the fewest words that are true."""
    if action.startswith("fn.") or not attempts:
        return "" if action.startswith("fn.") else "none, nothing was sent"
    if all(each.intent.effect is Effect.READ for each in attempts):
        return "none, a read"
    if attempts[-1].ended is None or attempts[-1].is_uncertain:
        return "uncertain: it may have happened"
    places = {each.intent.iteration for each in attempts}
    if len(places) > 1:
        count = len({each.intent.iteration for each in attempts if each.is_applied})
        return f"applied for {count} of {len(places)} items"
    if found := next((each.resolved for each in attempts if each.resolved), None):
        if found.resolution == "abandoned":
            return f"unknown; given up by {found.by}: {found.reason}"
        if found.resolution == "applied":
            by = {"key": "its key", "lookup": "a look-up", "repetition": "repeating it"}
            return f"applied, found by {by.get(found.by, found.by)}; it happened once"
    if attempts[-1].is_applied:
        return "applied"
    last = attempts[-1].ended  # it has ended: open ones were told above
    return "none, refused" if last.state == "refused" else "none, nothing was sent"


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
    told = f"open ({gate.opened.approval})"
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


def _next(row: RunRow, state: RunState) -> str:
    """Say what comes next and who must act."""
    waits = {
        "approval": "somebody with the role must approve or refuse: lamgate approvals",
        "reconcile": "find out at the service whether it happened, then say so: "
        "lamgate reconcile; do not send it again by hand before that",
        "rate_limit": "it goes on by itself when the service allows it",
        "retry": "it goes on by itself",
    }
    if row.status == "waiting":
        return waits.get(row.waiting_for or "", f"waits for {row.waiting_for}")
    if not row.has_ended:
        return "it is under way"
    if state.finished and state.finished.uncertain:
        return f"check at the service: {', '.join(state.finished.uncertain)} may have happened"
    if row.status in ("failed", "cancelled") and state.finished and state.finished.standing:
        return f"nothing more; these effects stand: {', '.join(state.finished.standing)}"
    return "nothing; it is finished"


def _notes(row: RunRow, state: RunState) -> list[str]:
    notes = []
    if row.recoveries:
        done = sorted(
            {
                place[0]
                for place, found in state.attempts.items()
                if found[-1].is_applied and len(found) == 1
            }
        )
        times = "once" if row.recoveries == 1 else f"{row.recoveries} times"
        notes.append(f"the process ended in the middle {times} and another one went on")
        if done:
            notes.append(f"called once and not repeated: {', '.join(done)}")
    if state.cancelled is not None:
        notes.append(f"cancelled by {state.cancelled.by}: no new effects were begun")
    return notes


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"
