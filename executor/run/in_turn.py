"""Whose turn is next where a service takes fewer calls than a run has to make.

Of what is in doubt that is asked about next which was asked about longest ago, or else those who
are asked about first would be so again before the others had their turn. What acts and what asks
take turns. All of it follows from the journal: each drive goes on where another one has ended.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from executor.run.commands import Command, LookUp, Poll
from executor.run.state import RunState

T = TypeVar("T")


def in_turn(things: Iterable[T], asked_at: Callable[[T], float | None]) -> list[T]:
    """Those with a time change places by it, the oldest first; all others stay where they are."""
    found = [(each, asked_at(each)) for each in things]
    waiting = sorted(((at, each) for each, at in found if at is not None), key=lambda two: two[0])
    following = iter(waiting)
    return [each if at is None else next(following)[1] for each, at in found]


def by_turns(commands: Sequence[Command], state: RunState) -> tuple[Command, ...]:
    """Questions, the oldest first, and after them what else is to be done; or the other way round.

    So it is if the last that was done was a question.
    """
    questions = [each for each in commands if isinstance(each, LookUp | Poll)]
    if not questions:
        return tuple(commands)
    questions = in_turn(questions, lambda each: state.asked_at((each.step, each.iteration)))
    others = [each for each in commands if not isinstance(each, LookUp | Poll)]
    asked_at = max((each.asked_at for each in state.doubts.values()), default=0.0)
    begun_at = max((each[-1].at for each in state.attempts.values()), default=0.0)
    return (*others, *questions) if asked_at > begun_at else (*questions, *others)
