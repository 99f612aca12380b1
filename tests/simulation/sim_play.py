"""Plays histories one after the other, and says what they must have come by."""

from collections import Counter
from collections.abc import Mapping
from functools import cache

from sim_history import History
from sim_judge import Violation, came_by
from sim_loop import StuckError, run_virtually
from sim_plans import PLANS, row_of
from sim_services import FAULTS
from sim_storage import Database

# What a thousand histories come by at least, which is less than half of what they usually do: a
# world that lost one of its faults is noticed here, and so is speed that was bought with emptiness.
FAULT_FLOORS = {"read": 1, "idempotent": 1, "keyed": 27, "lookup": 10, "blind": 3}
FLOORS: Mapping[str, float] = {
    **{f"{effect}: {fate}": floor
       for effect, floor in FAULT_FLOORS.items()
       for fate in ("well", *FAULTS, "acts after the time-out")},
    "a reply is lost": 60, "acts, and nobody is told": 200, "approval.expired": 6,
    "approval.granted": 100, "approval.refused": 9, "attempt.ended applied": 600,
    "attempt.ended applied_pending": 10, "attempt.ended applied_unreadable": 40,
    "attempt.ended not_sent": 70, "attempt.ended refused": 100, "attempt.ended uncertain": 200,
    "cancel.requested": 60, "cut off": 30, "died at a point": 100, "fenced": 60,
    "found by a search": 60, "gate.opened": 100, "happens for some items": 30,
    "intent.recorded": 1000, "left open by a process": 100, "lost": 200,
    "reconcile.resolved abandoned by operator": 30,
    "reconcile.resolved absent by key": 50, "reconcile.resolved absent by lookup": 30,
    "reconcile.resolved absent by operator": 10, "reconcile.resolved absent by status": 2,
    "reconcile.resolved applied by key": 80, "reconcile.resolved applied by lookup": 70,
    "reconcile.resolved applied by operator": 90, "reconcile.resolved applied by repetition": 20,
    "reconcile.resolved applied by status": 20, "replayed by its key": 90,
    "run.finished cancelled": 50, "run.finished compensation_incomplete": 10,
    "run.finished failed": 50, "run.finished succeeded": 300, "run.finished undone": 20,
    "searched in vain": 300, "step.done": 600, "step.failed": 70, "step.skipped": 60,
    "task done": 10, "task failed": 2, "task under way": 30, "too late to send": 9,
    "undo.ended": 40, "undo.started": 30, "wait.started approval": 100, "wait.started callback": 10,
    "wait.started credentials": 10, "wait.started rate_limit": 30, "wait.started reconcile": 300,
    "wait.started retry": 40, "wait.started service": 10, "written, and nobody learnt it": 30,
}  # fmt: skip


@cache
def _database() -> Database:
    return Database(row_of(number) for number in range(PLANS))


def live(seed: int) -> History:
    """One history to its end; raises `Violation`."""
    return run_virtually(History(seed, _database()).live())


def play(seed: int, reached: Counter[str]) -> str | None:
    """What promise the history breaks, if it does; counts what it came by."""
    history = History(seed, _database())
    try:
        run_virtually(history.live())
    except Violation as violation:
        return str(violation)
    except StuckError:
        return "everybody waits for ever"
    reached.update(came_by(history))
    return None


def missing(reached: Counter[str], histories: int) -> list[str]:
    """What so many histories came by too rarely."""
    return [f"{each}: {reached[each]}" for each, floor in FLOORS.items()
            if reached[each] < floor * histories / 1000]  # fmt: skip
