"""Which way a run goes: on, to its end, or back.

forward   nothing has failed, or the run goes on after failures
stopping  a step has failed or somebody cancelled: nothing new begins, what is in doubt is settled
back      the same, and what happened is to be undone

Once a pivot has happened there is no way back, so a run that would undo what it did goes forward
after a failure as far as it can. While it is not known whether a pivot happened, it stops.
But what has begun to go back stays on its way: what comes next may rest on what is undone by now.
Where a pivot proves to have happened then, nothing more is undone than what was begun.
"""

from enum import StrEnum

from connectors.spec import Effect
from executor.check.admit import Accepted
from executor.run.state import Place, RunState, undoes


class Course(StrEnum):
    """Which way a run goes."""

    FORWARD = "forward"
    STOPPING = "stopping"
    BACK = "back"


def course(accepted: Accepted, state: RunState) -> Course:
    """Say which way the run goes now."""
    if state.cancelled is not None:
        wants_back = state.cancelled.mode == "undo"
        return Course.BACK if wants_back and _may_go_back(accepted, state) else Course.STOPPING
    option = accepted.certificate.options.on_failure
    if not state.failed or option == "continue":
        return Course.FORWARD
    if option == "stop":
        return Course.STOPPING
    if state.undos:
        return Course.BACK
    match _pivots(accepted, state):
        case True:
            return Course.FORWARD
        case False:
            return Course.BACK
        case None:
            return Course.STOPPING


def goes_on(accepted: Accepted, state: RunState) -> bool:
    """Whether one failure leaves the rest of the run to go on."""
    option = accepted.certificate.options.on_failure
    goes_forward = option == "undo" and not state.undos and _pivots(accepted, state) is True
    return option == "continue" or goes_forward


def may_undo_more(accepted: Accepted, state: RunState) -> bool:
    """Whether compensations may begin still: no pivot has happened, or may have."""
    return _pivots(accepted, state) is False


def finds_out_pivots(accepted: Accepted, state: RunState) -> bool:
    """Whether it is still found out whether compensations may begin."""
    return _pivots(accepted, state) is None and any(
        place[0] in _pivot_steps(accepted) for place in state.awaited
    )


def _may_go_back(accepted: Accepted, state: RunState) -> bool:
    return bool(state.undos) or may_undo_more(accepted, state)


def matters_to_undo(accepted: Accepted, state: RunState, step: str) -> bool:
    """Whether a cancelled run has to know if this step's effect happened."""
    if state.cancelled is None or state.cancelled.mode != "undo":
        return False
    decision = accepted.certificate.undo_of(step)
    is_open = decision is not None and decision.kind != "cannot"
    return is_open and _pivots(accepted, state) is not True


def _pivots(accepted: Accepted, state: RunState) -> bool | None:
    """Whether a pivot has happened, or was left unknown; None while that is to be found out."""
    pivots = _pivot_steps(accepted)
    found: bool | None = False
    for place in state.attempts:
        if place[0] in pivots and undoes(place) is None:
            here = has_happened(state, place)
            if here:
                return True
            found = None if here is None else found
    return found


def _pivot_steps(accepted: Accepted) -> set[str]:
    return {each.step for each in accepted.certificate.undo if each.kind == "pivot"}


def has_happened(state: RunState, place: Place) -> bool | None:
    """Whether an effect happened, or somebody gave up finding out; None: not known yet."""
    attempts = state.attempts.get(place, ())
    if any(each.has_happened or each.is_abandoned for each in attempts):
        return True
    if any(each.ended is None and each.intent.effect is not Effect.READ for each in attempts):
        return None
    return None if state.in_doubt(place) is not None else False
