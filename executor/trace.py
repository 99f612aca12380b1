"""The trace: what happened, why, and whether the effect happened, in words a person can act on.

It is the journal, rendered. Every step answers three questions: what happened; did its effect
happen; what comes next and who must act.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.plan.graph import graph
from executor.plan.model import CALLED, EXTRACT
from executor.plan.render import render_step
from executor.run import events as e
from executor.run.effects import effect_of_step, effects_of
from executor.run.state import Attempt, Gate, RunState, fold, undo_place, undoes
from executor.store.blobs import Blob
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


class UndoTrace(_Frozen):
    """How the effect of a step or item was taken back, or why it was not."""

    iteration: str
    action: str
    undone: bool
    told: str
    attempts: tuple[AttemptTrace, ...] = ()


class StepTrace(_Frozen):
    """One step: its state, what became of its effect, and why."""

    step: str
    action: str
    call: str
    state: str
    effect: str
    told: str
    result: JsonValue = None
    large: JsonObject | None = None  # digest and bytes of a result that stands elsewhere
    attempts: tuple[AttemptTrace, ...] = ()
    gates: tuple[GateTrace, ...] = ()
    undo: tuple[UndoTrace, ...] = ()


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
    large = {
        str(each.data["step"]): each.large["result"]
        for each in stored
        if each.type == "step.done" and "result" in each.large
    }
    steps = tuple(
        _step(accepted, state, step.id, large.get(step.id)) for step in accepted.plan.steps
    )
    return Trace(
        run=row.id,
        plan_digest=accepted.digest,
        status=row.status,
        waiting_for=row.waiting_for,
        code=row.code,
        next=_next(accepted, row, state),
        result=row.result,
        steps=steps,
        notes=tuple(_notes(accepted, row, state)),
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
            lines += [_line(each) for each in step.attempts]
        for undo in step.undo:
            lines.append(f"    undo{_item(undo.iteration)} by {undo.action}: {undo.told}")
            if len(undo.attempts) > 1 or not undo.undone:
                lines += [f"  {_line(each)}" for each in undo.attempts]
    lines += [""] + [f"note: {note}" for note in found.notes] if found.notes else []
    return "\n".join(lines)


def _line(attempt: AttemptTrace) -> str:
    item = _item(attempt.iteration)
    return f"    call {attempt.n}{item} at {_clock(attempt.at)}: {attempt.told}"


def _item(iteration: str) -> str:
    return f"[{iteration}]" if iteration else ""


_SIGN = {
    "done": "✓",
    "undone": "↺",
    "failed": "✗",
    "skipped": "-",
    "waiting": "…",
    "running": "▶",
    "blocked": "■",
    "pending": "·",
}


def _step(accepted: Accepted, state: RunState, step_id: str, large: Blob | None) -> StepTrace:
    step = next(each for each in accepted.plan.steps if each.id == step_id)
    attempts = [
        each for place, found in state.attempts.items() if place[0] == step_id for each in found
    ]
    gates = [
        each
        for place, found in state.gates.items()
        for each in found
        if place[0] == step_id or step_id in each.opened.steps
    ]
    step_state, why = _standing(accepted, state, step_id, attempts, gates)
    effect = effect_of_step(state, step)
    if large is not None:
        why += f", a result of {large.bytes:,} bytes"
    return StepTrace(
        step=step_id,
        action=step.action,
        call=render_step(step),
        state=step_state,
        effect=effect,
        told=f"{why}; effect: {effect}" if effect else why,
        result=state.done.get(step_id),
        large=large.as_json() if large else None,
        attempts=tuple(_attempt(each) for each in attempts),
        gates=tuple(_gate(each) for each in gates),
        undo=tuple(_undos(accepted, state, step_id)),
    )


def _undos(accepted: Accepted, state: RunState, step_id: str) -> Iterator[UndoTrace]:
    decision = accepted.certificate.undo_of(step_id)
    for place, undoing in state.undos.items():
        if place[0] != step_id:
            continue
        told, ended = "under way", undoing.ended
        if ended is not None:
            told = "undone" if ended.undone else f"not undone ({ended.code}): {ended.message}"
            if not ended.undone and ended.effect == "unknown":
                told += "; it is not known whether it took effect"
        yield UndoTrace(
            iteration=place[1],
            action=(decision.action if decision else None) or "",
            undone=ended is not None and ended.undone,
            told=told,
            attempts=tuple(_attempt(each) for each in state.attempts.get(undo_place(place), ())),
        )


def _standing(
    accepted: Accepted,
    state: RunState,
    step_id: str,
    attempts: list[Attempt],
    gates: list[Gate],
) -> tuple[str, str]:
    own = [place for place in state.undos if place[0] == step_id]
    if own and all(state.is_undone(place) for place in own):
        return "undone", "undone: " + _before_undo(state, step_id)
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


def _before_undo(state: RunState, step_id: str) -> str:
    if failed := state.failed.get(step_id):
        return f"it had failed ({failed.code}): {failed.message}"
    return "it had been done" if step_id in state.done else "it had not ended"


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
    if gate.opened.kind == "envelope":
        shown = f"{shown}, for {', '.join(gate.opened.steps)} together"
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
    "callback": "the service is still at it and is asked how it stands, by itself",
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
    if row.status == "undone":
        return "nothing; everything that had been done is undone"
    if row.status != "succeeded" and state.finished and state.finished.standing:
        return f"nothing more; these effects stand: {', '.join(state.finished.standing)}"
    return "nothing; it is finished"


def _how_to_reconcile(accepted: Accepted, row: RunRow, state: RunState) -> str:
    doubts = [found for place in state.doubts if (found := state.in_doubt(place)) is not None]
    searched = all(accepted.actions[each.intent.action].lookup for each in doubts)
    if row.wake_at is not None and searched:
        return "it is looked up at the service by itself; do not send it again by hand"
    return _FIND_OUT


def _notes(accepted: Accepted, row: RunRow, state: RunState) -> list[str]:
    notes = []
    options, undos = accepted.certificate.options, accepted.certificate.undo
    standing = {name.partition("[")[0] for name in effects_of(state).standing}
    if row.recoveries:
        times = "once" if row.recoveries == 1 else f"{row.recoveries} times"
        notes.append(f"the process ended in the middle {times} and another one went on")
        calls = {place: each for place, each in state.attempts.items() if undoes(place) is None}
        again = {place[0] for place, found in calls.items() if len(found) > 1}
        done = {place[0] for place, found in calls.items() if found[-1].is_applied}
        if once := sorted(done - again):
            notes.append(f"each called once, not repeated: {', '.join(once)}")
    for place, found in state.attempts.items():
        for told in found[-1].intent.observed:
            notes.append(f"{place[0]}: policy only observes; it would have said: {told}")
    if state.cancelled is not None:
        notes.append(f"cancelled by {state.cancelled.by}: no new effects were begun")
    wanted = state.cancelled is not None and state.cancelled.mode == "undo"
    wanted = wanted or (bool(state.failed) and options.on_failure == "undo")
    pivots = sorted(each.step for each in undos if each.kind == "pivot" and each.step in standing)
    if wanted and pivots:
        notes.append(f"nothing is undone: after {pivots[0]}, a pivot, there is no way back")
    return notes


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"
