"""Calls that may begin by themselves, but not beside what else begins or is under way.

1. Nothing acts before every approval that can be asked for has been given.
2. What cannot be undone waits for every read and every write that can be, so that whatever may
   still fail fails first. A call that was begun before is only settled, and does not wait.
3. Where it could be more than a budget allows together with what is under way, it waits for that.
4. Where it could be more than an envelope allows together, it waits for what comes before it.
5. Where policy looks at what the run did so far, calls are made one after the other; where it
   looks at what was read, no write begins beside the call.
"""

from collections.abc import Iterable, Iterator

from connectors.spec import ActionSpec, Effect
from executor.run.commands import Command, OpenEnvelope, OpenGate, Perform
from executor.run.envelopes import Envelopes
from executor.run.state import RunState
from executor.run.tally import Tally
from executor.run.verdicts import Outside, Waiting


def held(
    tally: Tally, outside: Outside, commands: Iterable[Command], waits: Iterable[Waiting]
) -> Iterator[tuple[Perform, Waiting]]:
    """The calls that have to wait, each with what it waits for."""
    commands = [*commands]
    asks = any(isinstance(each, OpenGate | OpenEnvelope) for each in commands)
    asks = asks or any(each.waiting_for == "approval" for each in waits)
    asks = asks and not has_acted(tally.state)
    rest = [each for each in commands if isinstance(each, Perform)]
    if not rest:
        return
    if asks:
        yield from ((each, Waiting("elsewhere")) for each in rest if each.action.is_write)
        rest = [each for each in rest if not each.action.is_write]
    for find in (_before_their_turn, _too_much_together, _out_of_envelopes, _counted_by_policy):
        if found := [*find(tally, outside, rest)]:
            yield from ((each, Waiting("flight")) for each in found)
            rest = [each for each in rest if not any(each is other for other in found)]


def has_acted(state: RunState) -> bool:
    """Whether the run has begun to act, so that no approval can come before that any more."""
    attempts = (each for found in state.attempts.values() for each in found)
    return any(each.intent.effect is not Effect.READ for each in attempts)


def _before_their_turn(tally: Tally, outside: Outside, calls: list[Perform]) -> Iterator[Perform]:
    """First calls of what cannot be undone, while anything that can be is about or under way."""
    waits = any(not is_final(each.action) for each in calls)
    if not waits:
        flying = (tally.action_at(place) for place in outside.in_flight)
        waits = any(action is not None and not is_final(action) for action in flying)
    if waits:
        yield from (each for each in calls if is_final(each.action) and each.n == 1)


def is_final(action: ActionSpec) -> bool:
    """Whether nothing takes it back."""
    return action.is_write and (action.irreversible or action.pivot)


def _too_much_together(tally: Tally, outside: Outside, calls: list[Perform]) -> Iterator[Perform]:
    fitting = [*tally.together(calls)]
    yield from (each for each in calls if not any(each is other for other in fitting))


def _out_of_envelopes(tally: Tally, outside: Outside, calls: list[Perform]) -> Iterator[Perform]:
    if not tally.accepted.certificate.envelopes:
        return
    envelopes = Envelopes(tally.accepted, tally.state, tally.so_far)
    fitting = envelopes.together(calls, tally.not_recorded)
    yield from (each for each in calls if not any(each is other for other in fitting))


def _counted_by_policy(tally: Tally, outside: Outside, calls: list[Perform]) -> Iterator[Perform]:
    """All but the first of the calls whose policies look at what the run did or read so far."""
    slices = [(each, outside.policy.slice_of(each.action)) for each in calls]
    counted = [each for each, policies in slices if policies.asks_of_run or policies.reads]
    # What is under way without being in the journal yet is not among what the run did so far.
    waiting = counted if tally.not_recorded else counted[1:]
    writes = [each for each in calls if each.action.is_write and each not in counted]
    if writes and any(policies.reads for _, policies in slices):
        waiting = counted
    yield from waiting
