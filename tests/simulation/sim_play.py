"""Plays histories one after the other, and says what they must have come by."""

from collections import Counter
from functools import cache

from sim_history import History, Violation
from sim_loop import StuckError, run_virtually
from sim_services import FATES
from sim_storage import Database

EFFECTS = ("read", "idempotent", "keyed", "lookup", "blind")
# What a thousand histories come by; a world that lost one of its faults is noticed here.
MUST_REACH = (
    *(f"{effect}: {fate}" for effect in EFFECTS for fate in dict.fromkeys(FATES)),
    *(f"{effect}: acts after the time-out" for effect in EFFECTS),
    "approval.expired", "approval.granted", "approval.refused", "cancel.requested", "fenced",
    "found by a search", "left open by a process",
    "reconcile.resolved abandoned by operator", "reconcile.resolved absent by key",
    "reconcile.resolved absent by lookup", "reconcile.resolved absent by operator",
    "reconcile.resolved applied by key", "reconcile.resolved applied by lookup",
    "reconcile.resolved applied by operator", "reconcile.resolved applied by repetition",
    "replayed by its key", "run.finished cancelled", "run.finished failed",
    "run.finished succeeded", "searched in vain", "step.failed", "step.skipped",
    "a reply is lost", "cut off", "died at a point", "lost", "run.finished compensation_incomplete",
    "run.finished undone", "task done", "task failed",
    "too late to send", "wait.started approval", "wait.started credentials",
    "wait.started rate_limit", "wait.started reconcile", "written, and nobody learnt it",
)  # fmt: skip


@cache
def _database() -> Database:
    return Database()


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
    reached.update(history.services.reached)
    return None


def missing(reached: Counter[str]) -> list[str]:
    """What no history came by."""
    return [each for each in MUST_REACH if not reached[each]]
