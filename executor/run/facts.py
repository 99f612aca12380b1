"""What has become true without anybody having written it down yet: recorded before all else."""

from collections.abc import Iterator

from connectors.spec import Effect
from executor.check.admit import Accepted
from executor.run import events as e
from executor.run.commands import Record
from executor.run.effects import is_taken_back
from executor.run.state import Attempt, Place, RunState, is_alone
from executor.run.verdicts import Outside


def facts(accepted: Accepted, state: RunState, outside: Outside) -> Iterator[Record]:
    """The events that follow from the journal and the clock alone."""
    if not state.started:
        yield Record(e.RunStarted(plan=outside.plan, digest=accepted.digest))
    for place, attempt in state.under_way.items():
        if place not in outside.in_flight:
            is_read = attempt.intent.effect is Effect.READ
            cut_off = is_read and state.cancelled is not None
            yield Record(lost(place, attempt.intent.n, is_cut_off=cut_off))
    for place in state.repeated:
        attempts = state.attempts[place]
        learned = [*_heard_after_all(attempts)] or [*_learned_by_repetition(attempts)]
        yield from learned or _learned_with_another(attempts)
    for place, undoing in state.undos.items():
        if undoing.ended is None and is_taken_back(accepted, state, place):
            done = e.UndoEnded(step=place[0], iteration=place[1], undone=True, effect="yes")
            yield Record(done)
    for gate in state.open_gates:
        if gate.opened.expires_at <= outside.now:
            yield Record(e.ApprovalExpired(approval=gate.opened.approval))


def lost(place: Place, n: int, *, is_cut_off: bool = False) -> e.AttemptEnded:
    """Nobody makes this call any more, and nobody wrote down how it ended."""
    message = "the process ended before an answer was recorded"
    if is_cut_off:
        message = "cut off: the run is being cancelled"
    return e.AttemptEnded(
        step=place[0],
        iteration=place[1],
        n=n,
        state="uncertain",
        failure=e.Failure(kind="cancelled", message=message, may_retry=True),
    )


def _heard_after_all(attempts: tuple[Attempt, ...]) -> Iterator[Record]:
    """A late yes to what was denied or given up counts once no other call can have acted instead.

    It stood beside that while another one could.
    """
    for attempt in attempts:
        if attempt.late is None or not is_alone(attempts, attempt.intent.n):
            continue
        is_news = attempt.late != attempt.ended  # else who said no since then knew of it
        if is_news and attempt.yields_to(attempt.late.state):
            yield Record(attempt.late)
            return


def _learned_by_repetition(attempts: tuple[Attempt, ...]) -> Iterator[Record]:
    """An answer to the same call, made again, says what became of the earlier ones."""
    for n, answered in reversed([*enumerate(attempts)]):
        ended = answered.ended
        if ended is None or ended.state != "applied" or answered.intent.effect is Effect.READ:
            continue
        # Of a key the service says whether it knew it; an idempotent call acts once in any case.
        had_happened = ended.replayed or answered.intent.effect is not Effect.KEYED
        for earlier in attempts[:n]:
            if earlier.is_uncertain:  # its own yes stands, be it that it could not be read
                happened = had_happened or earlier.has_happened
                yield _repeated(earlier, answered, happened=happened)
        return


def _learned_with_another(attempts: tuple[Attempt, ...]) -> Iterator[Record]:
    """Calls of one place have one key, so what is found out of one holds for those before it.

    That one happened, as is told late, holds for those after it: they were to find that out.
    """
    acted = next((each for each in attempts if each.is_applied), None)
    told: e.ReconcileResolved | None = None
    for attempt in reversed(attempts):
        if attempt.is_answered:
            continue
        if attempt.resolved is not None:
            told = attempt.resolved
        elif not attempt.is_uncertain:
            continue
        elif acted is not None and acted.intent.n < attempt.intent.n:
            yield _repeated(attempt, acted, happened=True)
        elif told is not None and not (attempt.is_taken and told.resolution == "absent"):
            yield Record(told.model_copy(update={"n": attempt.intent.n}))


def _repeated(attempt: Attempt, answered: Attempt, *, happened: bool) -> Record:
    """What the answer to one of two calls that are the same says of the other one."""
    return Record(
        e.ReconcileResolved(
            step=attempt.intent.step,
            iteration=attempt.intent.iteration,
            n=attempt.intent.n,
            resolution="applied" if happened else "absent",
            by="key" if attempt.intent.effect is Effect.KEYED else "repetition",
            output=answered.output if happened else None,
        )
    )
