"""A run explained as a whole: how it stands, what comes next, and what is worth a note."""

from collections.abc import Sequence

from executor.check.admit import Accepted
from executor.run import events as e
from executor.run.effects import Effects, contradictions, effects_of, effects_told, shown
from executor.run.fold import fold
from executor.run.state import Attempt, RunState, undoes
from executor.store.journal import StoredEvent
from executor.store.runs import RunRow
from executor.store.tables import STUCK
from executor.trace.model import Trace
from executor.trace.steps import explain_step

_WAITS = {
    "approval": "somebody with the role must approve or refuse: lamgate approvals",
    "credentials": "renew the credentials of the connection; it is tried again by itself",
    "rate_limit": "it goes on by itself when the service allows it",
    "service": "the service is taken for down; it goes on by itself once it answers again",
    "stop": "an operator has stopped these calls (lamgate stops); it goes on once that is lifted",
    "retry": "it goes on by itself",
    "callback": "the service is still at it and is asked how it stands, by itself",
}
_FIND_OUT = (
    "find out at the service whether it happened; {who} then says so: "
    "lamgate reconcile; do not send it again by hand before that"
)
_WHAT_CAME = (
    "it was taken: find out at the service what came of it; {who} then says so: "
    "lamgate reconcile RUN STEP happened --output; never send it again by hand"
)
_ANSWER = (
    "{who} answers what the call asks: lamgate reconcile RUN STEP answer --answers; it goes on then"
)
_SEE_THE_LOG = f"see the log of whoever drives it, at {STUCK}: it is tried again by itself"


def state_of(stored: Sequence[StoredEvent]) -> RunState:
    """What a journal comes to; raises what a damaged one does (`ValueError`, `LookupError`)."""
    return fold((each.at, e.parse_event(each.type, each.v, each.data)) for each in stored)


def trace(
    accepted: Accepted, row: RunRow, stored: Sequence[StoredEvent], state: RunState | None = None
) -> Trace:
    """Explain a run from its plan and its journal; `state` is what that came to, if it is known."""
    state = state_of(stored) if state is None else state
    large = {
        str(each.data["step"]): each.large["result"]
        for each in stored
        if each.type == "step.done" and "result" in each.large
    }
    steps = tuple(
        explain_step(accepted, state, step.id, large.get(step.id)) for step in accepted.plan.steps
    )
    return Trace(
        run=row.id,
        requester=row.requester,
        words=accepted.request,
        understanding=accepted.plan.understanding,
        created_at=row.created_at,
        ended_at=row.updated_at if row.has_ended else None,
        plan_digest=accepted.digest,
        status=row.status,
        waiting_for=row.waiting_for,
        code=row.code,
        next=_next(accepted, row, state),
        result=row.result,
        steps=steps,
        notes=tuple(_notes(accepted, row, state)),
    )


def unread(row: RunRow, words: str, effects: Effects) -> Trace:
    """What can be said of a run whose plan or journal cannot be read: how its calls ended."""
    notes = [
        "its plan or its journal cannot be read any more (the log says why): "
        "this is what the rows of its calls tell"
    ]
    found = (effects.standing, effects.uncertain, effects.undone)
    for how, steps in zip(("stand", "are not known", "were undone"), found, strict=True):
        notes += [f"these effects {how}: {', '.join(steps)}"] if steps else []
    return Trace(
        run=row.id,
        requester=row.requester,
        words=words,
        understanding="",
        created_at=row.created_at,
        ended_at=row.updated_at if row.has_ended else None,
        plan_digest="",
        status=row.status,
        waiting_for=row.waiting_for,
        code=row.code,
        next=_SEE_THE_LOG if row.code == STUCK else _what_is_left(row, effects),
        result=row.result,
        steps=(),
        notes=tuple(notes),
    )


def _next(accepted: Accepted, row: RunRow, state: RunState) -> str:
    """Say what comes next and who must act."""
    if row.code == STUCK:
        return _SEE_THE_LOG
    if row.status == "waiting" and row.waiting_for == "reconcile":
        return _how_to_reconcile(accepted, row, state)
    if row.status == "waiting" and row.waiting_for == "credentials" and (links := _links(state)):
        return f"somebody opens {' and '.join(links)}; it goes on by itself once that is done"
    if row.status == "waiting":
        return _WAITS.get(row.waiting_for or "", f"waits for {row.waiting_for}")
    return _what_is_left(row, effects_told(accepted, state))  # as it is known by now


def _what_is_left(row: RunRow, effects: Effects) -> str:
    """What is to be done about a run that nothing is waited for any more."""
    if not row.has_ended:
        return "it is under way"
    if effects.uncertain:
        return f"check at the service: {', '.join(effects.uncertain)} may have happened"
    if row.status == "undone":
        return "nothing; everything that had been done is undone"
    if row.status != "succeeded" and effects.standing:
        return f"nothing more; these effects stand: {', '.join(effects.standing)}"
    return "nothing; it is finished"


def _links(state: RunState) -> list[str]:
    """Where people can put right what the last calls lacked."""
    last = (found[-1].ended for found in state.attempts.values())
    failures = (each.failure for each in last if each is not None)
    links = (each.link for each in failures if each is not None and each.link is not None)
    return list(dict.fromkeys(links))


def _how_to_reconcile(accepted: Accepted, row: RunRow, state: RunState) -> str:
    last = (found[-1] for found in state.attempts.values())
    asking = [each for each in last if not each.resolved and each.ended and each.ended.asks]
    if asking:
        was_approved = any(each.intent.approvals for each in asking)
        is_second = was_approved or _is_irreversible(accepted, asking)
        who = f"{row.requester} or an operator"
        return _ANSWER.format(who=_second(row) if is_second else who)
    doubts = [*state.doubts.values()]
    who = _second(row) if _is_irreversible(accepted, doubts) else "an operator"
    searched = all(accepted.actions[each.intent.action].lookup for each in doubts)
    if row.wake_at is not None and searched:
        return "it is looked up at the service by itself; do not send it again by hand"
    if doubts and all(each.has_happened for each in doubts):
        return _WHAT_CAME.format(who=who)
    return _FIND_OUT.format(who=who)


def _is_irreversible(accepted: Accepted, calls: Sequence[Attempt]) -> bool:
    return any(accepted.actions[each.intent.action].irreversible for each in calls)


def _second(row: RunRow) -> str:
    """Who may say it where the word of who asked is not enough (`own-request`)."""
    return f"an operator other than {row.requester}"


def _notes(accepted: Accepted, row: RunRow, state: RunState) -> list[str]:
    notes = []
    options, undos = accepted.certificate.options, accepted.certificate.undo
    standing = {name.partition("[")[0] for name in effects_of(accepted, state).standing}
    if row.recoveries:
        times = "once" if row.recoveries == 1 else f"{row.recoveries} times"
        notes.append(f"the process ended in the middle {times} and another one went on")
        calls = {place: each for place, each in state.attempts.items() if undoes(place) is None}
        again = {place[0] for place, found in calls.items() if len(found) > 1}
        done = {place[0] for place, found in calls.items() if found[-1].is_applied}
        if once := sorted(done - again):
            notes.append(f"each called once, not repeated: {', '.join(once)}")
    for place, found_out, late in contradictions(state):
        happened = "it happened" if late.state.startswith("applied") else "it did not happen"
        notes.append(
            f"look at the service: of call {late.n} of {shown(place)} {found_out.by} had said "
            f"{found_out.resolution}; whoever made it told later that {happened}"
        )
    for place, found in state.attempts.items():
        for told in found[-1].intent.observed:
            notes.append(f"{place[0]}: policy only observes; it would have said: {told}")
    if state.cancelled is not None:
        undo = ", who wants back what happened" if state.cancelled.mode == "undo" else ""
        notes.append(f"cancelled by {state.cancelled.by}{undo}: no new effects were begun")
    wanted = state.cancelled is not None and state.cancelled.mode == "undo"
    wanted = wanted or (bool(state.failed) and options.on_failure == "undo")
    pivots = sorted(each.step for each in undos if each.kind == "pivot" and each.step in standing)
    if wanted and pivots:
        more = "nothing more" if state.undos else "nothing"
        notes.append(f"{more} is undone: after {pivots[0]}, a pivot, there is no way back")
    return notes
