"""How a round ends that leaves nothing to do: wait for the first of what is awaited, or finish."""

from executor.check.admit import Accepted
from executor.run.commands import Finish, Wait
from executor.run.course import Course, course, matters_to_undo
from executor.run.effects import effects_of
from executor.run.resolve import Scope, build_answer
from executor.run.state import RunState, undoes
from executor.run.verdicts import Outside, Waiting
from executor.store.waking import REASONS


def wait_or_finish(
    accepted: Accepted, state: RunState, outside: Outside, waits: list[tuple[str, Waiting]]
) -> Wait | Finish:
    """Say what the run waits for, or how it ends."""
    if state.cancelled is not None:
        # Whoever cancelled is told what is in doubt; nobody is waited for, but to undo it.
        waits = [
            (step, each)
            for step, each in waits
            if each.until is not None
            or undoes((step, "")) is not None
            or matters_to_undo(accepted, state, step)
        ]
    times = [each.until for _, each in waits if each.until is not None]
    if outside.in_flight:
        return Wait("flight", min(times, default=None), ())
    named = [each for each in waits if each[1].waiting_for in REASONS]
    if not named:
        return _finish(accepted, state)
    reason = min((each.waiting_for for _, each in named), key=REASONS.index)
    steps = {step for step, each in named if each.waiting_for == reason}
    left = all(each.left or each.waiting_for == "approval" for _, each in named)
    return Wait(reason, min(times, default=None), tuple(sorted(steps)), left)


def _finish(accepted: Accepted, state: RunState) -> Finish:
    effects = effects_of(accepted, state)
    result = build_answer(accepted.plan.answer, Scope(accepted.inputs.values, state.done))
    code = state.first_failure
    status = "failed" if code else "succeeded"
    if state.cancelled is not None:
        status = code = "cancelled"
    if status == "succeeded":
        _check_all_ended(accepted, state)
    went_back = bool(state.undos) or course(accepted, state) is Course.BACK
    if went_back and (effects.standing or effects.uncertain):
        status = "compensation_incomplete"
    elif went_back and effects.undone:
        status = "undone"
    return Finish(status, code, result, effects.standing, effects.uncertain, effects.undone)


def _check_all_ended(accepted: Accepted, state: RunState) -> None:
    left = [step.id for step in accepted.plan.steps if not state.has_ended(step.id)]
    if left:  # a mistake of ours; whatever it is, it must not be called a success
        raise RuntimeError(f"{', '.join(left)}: can neither go on nor wait for anything")
