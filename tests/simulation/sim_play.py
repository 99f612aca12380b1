"""Plays histories one after the other, and says what they must have come by."""

from collections import Counter
from collections.abc import Mapping
from functools import cache

from sim_computed import COMPUTED_PLANS, computed_plan_of
from sim_judge import Violation, came_by
from sim_looked import LOOKED_PLANS, looked_plan_of
from sim_loop import StuckError, run_virtually
from sim_odd import ODD_PLANS, odd_plan_of
from sim_plans import PLANS, TENANTS, plan_of, row_of, short_plans
from sim_queue import quiet
from sim_services import FAULTS
from sim_storage import Database
from sim_wide import WIDE_PLANS, wide_plan_of
from sim_world import World

from executor.store import blobs

# What a thousand histories come by at least, which is about a quarter of what they usually do: a
# world that lost one of its faults is noticed here, and so is speed that was bought with emptiness.
FAULT_FLOORS = {"read": 1, "idempotent": 1, "keyed": 16, "lookup": 6, "blind": 1}
FLOORS: Mapping[str, float] = {
    **{f"{effect}: {fate}": floor
       for effect, floor in FAULT_FLOORS.items()
       for fate in ("well", *FAULTS, "acts after the time-out")},
    "a reply is lost": 36, "acts, and nobody is told": 120, "approval.expired": 3,
    "approval.granted": 60, "approval.refused": 1, "attempt.ended applied": 360,
    "attempt.ended applied_pending": 6, "attempt.ended applied_unreadable": 24,
    "attempt.ended not_sent": 42, "attempt.ended refused": 60, "attempt.ended uncertain": 120,
    "cancel.requested": 36, "cut off": 18, "died at a point": 60, "fenced": 36,
    "forbidden as one more": 24, "full": 6, "is still down": 0.5, "is taken for down": 0.5,
    "found by a search": 36, "gate.opened": 60, "happens for some items": 18,
    "intent.recorded": 600, "left open by a process": 60, "lost": 120,
    "overtaken": 60, "reconcile.resolved abandoned by operator": 18,
    "reconcile.resolved absent by key": 30, "reconcile.resolved absent by lookup": 18,
    "reconcile.resolved absent by operator": 6, "reconcile.resolved absent by status": 0.8,
    "reconcile.resolved applied by key": 48, "reconcile.resolved applied by lookup": 42,
    "reconcile.resolved applied by operator": 54, "reconcile.resolved applied by repetition": 12,
    "reconcile.resolved applied by status": 4, "replayed by its key": 54,
    "says how many calls it takes": 18,
    "run.finished cancelled": 30, "run.finished compensation_incomplete": 6,
    "run.finished failed": 30, "run.finished succeeded": 180, "run.finished undone": 12,
    "told late: applied": 5, "told late: applied_unreadable": 1.3, "told late: not_sent": 4,
    "searched in vain": 180, "step.done": 360, "step.failed": 42, "step.skipped": 36,
    "stopped": 6, "task done": 18, "task failed": 3, "task under way": 18,
    "says when to ask": 35, "attempt.deferred": 12, "asked again by ourselves": 240,
    "its pause was to be kept to": 90, "told by the service": 6,
    "told too early": 3, "too late to send": 5, "undo.ended": 24, "undo.started": 18,
    "wait.started approval": 60, "wait.started callback": 6, "wait.started stop": 8,
    "wait.started credentials": 6, "wait.started rate_limit": 18, "wait.started reconcile": 180,
    "wait.started retry": 24, "wait.started service": 3, "written, and nobody learnt it": 18,
    # of plans that compute
    "a long list": 0.3, "a model reads": 7, "a row is not as it should be": 1.8,
    "an item is passed over": 30, "each of a result": 13, "each of another's each": 4,
    "each of no result": 1, "fn.add is done": 4, "fn.count is done": 3.5,
    "fn.extract is done": 5, "fn.filter is done": 6, "fn.first_of is done": 6,
    "fn.max_by is done": 1, "fn.pick is done": 2, "fn.select fails": 2.5, "fn.sort is done": 2,
    "fn.sum is done": 1.8, "fn.zip is done": 2.4,
    # of several runs at once
    "a turn beside another tenant": 16, "a turn by priority": 10, "calls of two runs at once": 20,
    "stopped in good order": 5, "written together": 14,
    "a run kills its process": 5, "a turn of a suspect": 4, "a place beside another tenant": 8,
    "a place by priority": 5, "a turn beside less urgent ones": 0.4,
    # of a newer version that begins
    "an older version is refused": 6, "called by an older version": 7.5,
    "ended for a newer version": 10, "left to a newer version": 0.3,
    # of servers that lose what they kept, or do not answer
    "a journal is lost": 6, "a commit is not answered, and made": 60,
    "a commit is not answered, and not made": 40,
    # of odd worlds
    "a job never ends": 0.8, "a list is none, or too long": 0.8, "another job's state": 1.1,
    "hardly taken back in time": 1.2, "more is answered than is kept": 3,
    "not undone: policy-denied": 1.2, "not undone: undo-too-late": 1.1, "others are found": 2.4,
    # of worlds that want a look
    "called on a look": 6, "denied without a look": 6, "called after another of its object": 0.7,
    "denied as the first of its object": 0.7,
    # of worlds in which somebody errs
    "refused, and it happens": 0.7, "answered, and nothing happens": 11,
    "a key is told wrongly": 4.5, "a job is told wrongly": 0.1, "a search is wrong": 3.2,
    "a person is wrong": 8, "a service tells what is not so": 23,
    # of wider worlds
    "a large result": 15, "another begins": 50, "one process alone": 20,
    "another waits for rate_limit": 5,
    "approved by policy": 25, "asks before it goes on": 30, "drained": 40, "given back": 35,
    "goes on with an answer": 22, "narrowed": 3, "policy changes": 25,
    "reconcile.resolved answered by operator": 25, "ruling counted": 8, "ruling twice": 3,
    "run.finished quarantined": 1.5, "taken back where nothing was": 0.5,
}  # fmt: skip


@cache
def _database() -> Database:
    narrow = (row_of(number, plan_of(number)) for number in range(PLANS))
    wide = (row_of(PLANS + number, wide_plan_of(number)) for number in range(WIDE_PLANS))
    first = PLANS + WIDE_PLANS
    computed = [row_of(first + n, computed_plan_of(n)) for n in range(COMPUTED_PLANS)]
    first += COMPUTED_PLANS
    odd = [row_of(first + n, odd_plan_of(n)) for n in range(ODD_PLANS)]
    first += ODD_PLANS
    looked = (row_of(first + n, looked_plan_of(n)) for n in range(LOOKED_PLANS))
    others = (row_of(n, plan_of(n, TENANTS[1])) for n in short_plans())
    return Database((*narrow, *wide, *computed, *odd, *looked, *others))


def live(seed: int) -> World:
    """One history to its end; raises `Violation`."""
    return _lived(World(seed, _database()))


def _lived(world: World) -> World:
    before, blobs.LARGE = blobs.LARGE, world.large
    try:
        with quiet(world):
            return run_virtually(world.live())
    finally:
        blobs.LARGE = before


def play(seed: int, reached: Counter[str]) -> str | None:
    """What promise the history breaks, if it does; counts what it came by."""
    world = World(seed, _database())
    try:
        _lived(world)
    except (Violation, StuckError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a mistake of ours, but the next history is played
        return repr(error)
    reached.update(came_by(world))
    return None


def missing(reached: Counter[str], histories: int, least: float = 0.0) -> list[str]:
    """What so many histories came by too rarely, of what they have to come by so often at least."""
    floors = {each: floor * histories / 1000 for each, floor in FLOORS.items()}
    return [f"{each}: {reached[each]}" for each, floor in floors.items()
            if reached[each] < floor and floor >= least]  # fmt: skip
