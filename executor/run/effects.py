"""What became of a step's effect, in the fewest words that are true."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.spec import Effect
from executor.check.admit import Accepted
from executor.fn import FUNCTIONS
from executor.plan.model import Step
from executor.run import events as e
from executor.run.bulk import took_it_back
from executor.run.state import Attempt, Place, RunState, undo_place, undoes

LOST = "journal-lost"  # the code of a run whose journal tells less than somebody knew


@dataclass(frozen=True)
class Effects:
    """The steps whose effects stand, may have happened, and were taken back, in order."""

    standing: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()

    def beside(self, others: "Effects") -> "Effects":
        """These, and what others know of steps of which nothing is known here."""
        known = {_step_of(name) for name in (*self.standing, *self.uncertain, *self.undone)}
        return Effects(
            *(
                tuple(sorted({*mine, *(name for name in theirs if _step_of(name) not in known)}))
                for mine, theirs in (
                    (self.standing, others.standing),
                    (self.uncertain, others.uncertain),
                    (self.undone, others.undone),
                )
            )
        )


def effects_of(accepted: Accepted, state: RunState) -> Effects:
    """What became of everything that acted; item by item where something was to be undone."""
    standing, uncertain, undone = set[str](), set[str](), set[str]()
    for place, attempts in state.attempts.items():
        if undoes(place) is not None:
            continue
        name = shown(place) if state.undos else place[0]
        writes = [each for each in attempts if each.intent.effect is not Effect.READ]
        untold = [each for each in writes if _is_untold(accepted, each)]
        if is_taken_back(accepted, state, place):
            undone.add(name)
            if any(may_stand_besides(each) for each in writes):
                uncertain.add(name)
            continue
        calls = state.attempts.get(undo_place(place), ())
        happened = any(each.has_happened and each not in untold for each in writes)
        if happened and any(each.may_have_happened for each in calls):
            uncertain.add(name)  # whether it was taken back
        elif happened:
            standing.add(name)
        if untold or any(is_doubtful(each, writes) for each in writes):
            uncertain.add(name)
    return Effects(tuple(sorted(standing)), tuple(sorted(uncertain)), tuple(sorted(undone)))


def effects_told(accepted: Accepted, state: RunState) -> Effects:
    """The same of a run that has ended, by what is known now.

    Whoever put it aside for its journal was lost in part knew more than is left of that.
    """
    found, end = effects_of(accepted, state), state.finished
    if end is None or end.code != LOST:
        return found
    return Effects(tuple(end.standing), tuple(end.uncertain), tuple(end.undone)).beside(found)


def is_taken_back(accepted: Accepted, state: RunState, place: Place) -> bool:
    """Whether what was done there is undone, be it that this was found out after its time."""
    if state.is_undone(place):
        return True
    calls = state.attempts.get(undo_place(place), ()) if place in state.undos else ()
    return any(took_it_back(accepted.actions[each.intent.action], each) for each in calls)


def may_stand_besides(call: Attempt) -> bool:
    """Whether it happened though somebody had said no, beside what is known of its place.

    Of calls that are the same, by their key or by what they do, all together happened once.
    """
    found, late = call.resolved, call.late
    if found is None or late is None or _is_the_same(call):
        return False
    return found.resolution == "absent" and _differ(found, late, beside=True)


def is_doubtful(call: Attempt, calls: Sequence[Attempt]) -> bool:
    """Whether nobody knows if it happened, nor if another one of its place did that is the same."""
    if call.has_happened or not (call.is_uncertain or call.is_abandoned):
        return False
    return not (_is_the_same(call) and any(each.has_happened for each in calls))


def _is_the_same(call: Attempt) -> bool:
    """Whether all calls of its place together happen once."""
    return call.intent.effect in (Effect.IDEMPOTENT, Effect.KEYED)


def shown(place: Place) -> str:
    """A step, or an item of it, as people read it."""
    return f"{place[0]}[{place[1]}]" if place[1] else place[0]


def _step_of(name: str) -> str:
    """Of which step a name is, be it of an item."""
    return name.partition("[")[0]


def _is_untold(accepted: Accepted, attempt: Attempt) -> bool:
    """An answer that cannot be read does not tell for which items it happened, if for any."""
    if not attempt.has_happened or attempt.is_applied:
        return False
    action = accepted.actions.get(attempt.intent.action)
    return action is not None and action.items is not None


def contradictions(
    state: RunState,
) -> Iterator[tuple[Place, e.ReconcileResolved, e.AttemptEnded]]:
    """What was found out of calls, and what their own ends say that came later, if otherwise."""
    for place, attempts in state.attempts.items():
        for each in attempts:
            found, late = each.resolved or each.overruled, each.late
            if found is None or late is None:
                continue
            beside = any(other.has_happened for other in attempts if other is not each)
            if each.resolved is None and found.resolution == "abandoned":
                continue  # who left it unknown was not contradicted
            if _differ(found, late, beside=beside):
                yield place, found, late


def _differ(found: e.ReconcileResolved, late: e.AttemptEnded, *, beside: bool) -> bool:
    """Not where another call of the place happened (`beside`), of which both are true."""
    happened = late.state.startswith("applied")
    match found.resolution:
        case "applied":
            return not happened and not beside
        case "absent":
            return happened and not late.replayed
        case _:
            return True


def effect_of_step(accepted: Accepted, state: RunState, step: Step) -> str:
    """Whether it happened, of an each-step for how many items."""
    if step.action in FUNCTIONS:
        return ""
    places = [found for place, found in state.attempts.items() if place[0] == step.id]
    if state.finished is not None and state.finished.code == LOST:
        known = effects_told(accepted, state)
        for how, names in (
            ("uncertain: it may have happened", known.uncertain),
            ("applied", known.standing),
            ("applied, then undone", known.undone),
        ):
            if any(_step_of(each) == step.id for each in names):
                return how
    if not places:
        return "none, nothing was sent"
    if places[0][0].intent.effect is Effect.READ:
        return "none, a read"
    back = [place for place in state.undos if place[0] == step.id]
    undone = sum(is_taken_back(accepted, state, place) for place in back)
    if step.each is None:
        missed = ", ".join(state.failed_items.get(step.id, {}))
        told = f", but for items {missed}" if missed else ""
        return _of_place(accepted, places[0]) + told + (", then undone" if undone else "")
    applied = sum(any(each.has_happened for each in found) for found in places)
    untold = sum(_only_untold(accepted, found) for found in places)
    applied, unknown = applied - untold, untold + sum(_is_unknown(found) for found in places)
    told = f"applied for {applied} of {len(places)} items"
    told += f", uncertain for {unknown}" if unknown else ""
    return told + (f", then undone for {undone}" if undone else "")


def _is_unknown(attempts: tuple[Attempt, ...]) -> bool:
    known = any(each.has_happened for each in attempts)
    return not known and any(each.may_have_happened for each in attempts)


def _only_untold(accepted: Accepted, attempts: tuple[Attempt, ...]) -> bool:
    """All that is known to have happened of a place happened for nobody knows which items."""
    happened = [each for each in attempts if each.has_happened]
    return bool(happened) and all(_is_untold(accepted, each) for each in happened)


def _of_place(accepted: Accepted, attempts: tuple[Attempt, ...]) -> str:
    """What became of one call and its repetitions; a later no says nothing of an earlier one."""
    doubts = (each for each in attempts if is_doubtful(each, attempts))
    given_up = next((each.resolved for each in doubts if each.is_abandoned), None)
    if given_up is not None:
        return f"unknown; given up by {given_up.by}: {given_up.reason}"
    if _is_unknown(attempts):
        return "uncertain: it may have happened"
    found = next((each.resolved for each in attempts if each.is_applied and each.resolved), None)
    if found is not None:
        by = {"key": "its key", "lookup": "a look-up", "repetition": "repeating it"}
        return f"applied, found by {by.get(found.by, found.by)}; it happened once"
    if any(each.is_applied for each in attempts):
        return "applied"
    if _only_untold(accepted, attempts):
        return "uncertain: it was taken, and nobody can tell for which items"
    if any(each.has_happened for each in attempts):
        return "applied, but its answer cannot be used"
    last = attempts[-1]
    if last.resolved is not None:
        return "none, it had not happened"
    refused = last.ended is not None and last.ended.state == "refused"
    return "none, refused" if refused else "none, nothing was sent"
