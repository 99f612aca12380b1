"""One step explained: its state, its calls, its approvals, and what became of its effect."""

from collections.abc import Iterator

from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.plan.graph import graph
from executor.plan.render import render_step
from executor.run import events as e
from executor.run.effects import effect_of_step, is_taken_back
from executor.run.state import Attempt, Gate, RunState, undo_place
from executor.store.blobs import Blob
from executor.trace.model import AttemptTrace, GateTrace, StepTrace, UndoTrace


def explain_step(
    accepted: Accepted, state: RunState, step_id: str, large: Blob | None
) -> StepTrace:
    """Explain one step from what the journal says of it; `large` is where its result stands."""
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
    effect = effect_of_step(accepted, state, step)
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
        gates=tuple(_gate(each, is_over=state.finished is not None) for each in gates),
        undo=tuple(_undos(accepted, state, step_id)),
        failed_items={**state.failed_items.get(step_id, {})},
    )


def _undos(accepted: Accepted, state: RunState, step_id: str) -> Iterator[UndoTrace]:
    decision = accepted.certificate.undo_of(step_id)
    for place, undoing in state.undos.items():
        if place[0] != step_id:
            continue
        told, ended, at = "under way", undoing.ended, undo_place(place)
        if ended is None and state.in_doubt(at) is not None:
            told = f"it is not known whether it took effect; say at {at[0]} what you find"
        is_undone = is_taken_back(accepted, state, place)
        if is_undone:
            told = "undone"
        elif ended is not None:
            told = f"not undone ({ended.code}): {ended.message}"
            if ended.effect == "unknown":
                told += "; it is not known whether it took effect"
        yield UndoTrace(
            iteration=place[1],
            action=(decision.action if decision else None) or "",
            undone=is_undone,
            told=told,
            attempts=tuple(_attempt(each) for each in state.attempts.get(at, ())),
        )


def _standing(
    accepted: Accepted,
    state: RunState,
    step_id: str,
    attempts: list[Attempt],
    gates: list[Gate],
) -> tuple[str, str]:
    own = [place for place in state.undos if place[0] == step_id]
    own += [
        place
        for place, found in state.attempts.items()
        if own and place[0] == step_id and any(each.may_have_happened for each in found)
    ]
    if own and all(is_taken_back(accepted, state, place) for place in own):
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
    if any(each.is_uncertain and each.ended and each.ended.asks for each in attempts):
        return "waiting", "the call asks for input"
    doubts = [each for each in attempts if each.is_uncertain]
    if doubts and all(each.has_happened for each in doubts):
        return "waiting", "the call was taken, but its answer cannot be used"
    if doubts:
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


def _refused(failure: e.Failure | None) -> str:
    """A no, or what only comes too early: the service is not there, or is asked too often."""
    says_no = failure is None or not failure.may_retry
    return f"the service {'said no' if says_no else 'did not do it now'}; no effect"


def _attempt(attempt: Attempt) -> AttemptTrace:
    intent, ended, failure = attempt.intent, attempt.ended, None
    state, told = "intent", "began; no answer is recorded yet"
    if ended is not None:
        failure = ended.failure
        state = ended.state
        told = {
            "not_sent": "nothing was sent",
            "refused": _refused(failure),
            "applied": "applied" + (", the service had done it before" if ended.replayed else ""),
            "applied_unreadable": "applied, but the answer cannot be read",
            "applied_pending": "accepted by the service, not finished yet",
            "uncertain": "no clear answer; it may have happened",
        }[ended.state]
        if ended.asks is not None:
            told = f"asks for input before it goes on: {_questions(ended.asks)}"
        if failure is not None:
            told += f" ({failure.kind}: {failure.message})"
    if attempt.resolved is not None:
        state = f"resolved_{attempt.resolved.resolution}"
        known = {
            "applied": "it had happened",
            "absent": "it had not happened",
            "abandoned": "given up",
            "answered": "it was answered, and goes on",
        }
        how = "by" if attempt.resolved.resolution == "answered" else "known by"
        told += f"; then {how} {attempt.resolved.by}: {known[attempt.resolved.resolution]}"
        told += _why(attempt.resolved)
    if attempt.late is not None:
        told += f"; whoever made it told later: {attempt.late.state.replace('_', ' ')}"
    if attempt.overruled is not None:
        gave_up = attempt.overruled.resolution == "abandoned"
        before = "given it up" if gave_up else "said: it had not happened"
        told += f"; {attempt.overruled.by} had {before}{_why(attempt.overruled)}"
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
        link=failure.link if failure else None,
    )


def _why(resolved: e.ReconcileResolved) -> str:
    """Why whoever settled it said so; a search says nothing more."""
    return f" ({resolved.reason})" if resolved.reason else ""


def _questions(asks: JsonObject) -> str:
    """What a call wants to know, by the names that answers have."""
    each_one = ((name, each if isinstance(each, dict) else {}) for name, each in asks.items())
    return ", ".join(f"{name} ({each.get('message')})" for name, each in each_one)


def _answered(gate: Gate, yes: str, *, is_over: bool) -> str:
    """What was answered, with the `yes` of those before the one that settled it."""
    before = f"; had said yes: {yes}" if yes else ""
    match gate.ruling:
        case e.ApprovalGranted(by=by, reason=reason):
            return f"granted by {f'{yes}; ' if yes else ''}{by}: {reason}"
        case e.ApprovalRefused(by=by, reason=reason):
            return f"refused by {by}: {reason}{before}"
        case e.ApprovalExpired():
            return f"expired, {'too few' if yes else 'nobody'} answered{before}"
    if gate.is_void:
        return f"asked anew{before}"
    if is_over:
        return f"not answered before the run ended{before}"
    some = f", {len(gate.counted)} of {gate.opened.quorum} have said yes: {yes}" if yes else ""
    return f"open ({gate.opened.approval}){some}"


def _gate(gate: Gate, *, is_over: bool) -> GateTrace:
    yes = "; ".join(f"{each.by}: {each.reason}" for each in gate.counted)
    told = _answered(gate, yes, is_over=is_over)
    reasons = tuple(gate.opened.reasons)
    shown = f"{told} [{'; '.join(reasons)}]" if reasons else told
    if gate.opened.kind == "envelope":
        shown = f"{shown}, for {', '.join(gate.opened.steps)} together"
    return GateTrace(
        approval=gate.opened.approval, role=gate.opened.role, reasons=reasons, told=shown
    )
