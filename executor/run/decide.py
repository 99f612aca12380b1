"""What to do next with a run: a pure function of the plan, the journal and a few values.

Three questions, in this order:

1. What has become true without being written down? (`facts.py`) It is recorded, and nothing else is
   done.
2. What becomes of every step that is ready? (`moves.py`) What ends is recorded; else what can be
   done now is done. What policy denies by what the run did or read so far ends once nothing is
   under way that may change it.
   What is done first takes turns (`in_turn.py`), for a service may take no more.
3. If nothing can be done now: wait for the first of what is awaited, or finish (`ending.py`).

A run that goes back (`course.py`) asks between the first and the second what is to be undone next
(`undo.py`); its own steps then only find out what may have happened.
"""

from collections.abc import Iterator

from executor.check.admit import Accepted
from executor.run.commands import Abort, Command
from executor.run.course import Course, course
from executor.run.ending import wait_or_finish
from executor.run.facts import facts
from executor.run.in_turn import by_turns
from executor.run.moves import Round
from executor.run.state import RunState
from executor.run.tally import Tally
from executor.run.undo import Saga
from executor.run.verdicts import Outside


def decide(accepted: Accepted, state: RunState, outside: Outside) -> tuple[Command, ...]:
    """Return what to do now: records alone, or calls and gates, or one `Wait` or `Finish`."""
    if state.finished is not None:
        return ()
    if records := tuple(facts(accepted, state, outside)):
        return records
    if aborts := tuple(_aborts(accepted, state, outside)):
        return aborts
    tally = Tally(accepted, state, outside.in_flight)
    goes_back = course(accepted, state) is Course.BACK
    saga = Saga(accepted, state, outside, tally)
    if goes_back and (records := tuple(saga.records())):
        return records
    moves = Round(accepted, state, outside, tally).moves()
    if moves.records:
        return tuple(moves.records)
    moves.hold(tally, outside)
    if moves.denials and not (outside.in_flight or moves.commands):
        return tuple(moves.denials)
    for step, each in saga.verdicts() if goes_back else ():
        moves.add(step, each)
    if moves.commands:
        return by_turns(moves.commands, state)
    return (wait_or_finish(accepted, state, outside, moves.waits),)


def _aborts(accepted: Accepted, state: RunState, outside: Outside) -> Iterator[Abort]:
    """Reads that are under way after a cancel: nobody needs their answers."""
    if state.cancelled is None:
        return
    for place in sorted(outside.in_flight):
        step = accepted.steps.get(place[0])
        action = None if step is None else accepted.actions.get(step.action)
        if action is not None and not action.is_write:
            yield Abort(*place)
