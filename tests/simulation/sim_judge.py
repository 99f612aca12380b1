"""The verdict on one history: what the run says is what really happened."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any

from sim_meaning import computes
from sim_mistaken import Words
from sim_plans import INPUTS
from sim_process import WALL

from connectors.spec import Effect
from executor.plan.graph import graph, upstream
from executor.run import events as e
from executor.run.commands import Perform
from executor.run.decide import decide
from executor.run.quarantine import effects_so_far
from executor.run.state import Place, RunState, undo_place, undoes
from executor.run.verdicts import Outside
from executor.store import attempts
from executor.store.journal import StoredEvent
from executor.store.text import to_texts

if TYPE_CHECKING:
    from sim_history import History
    from sim_world import World

# What was decided before something was known may be written beside it, but not long after it.
BESIDE_S = 1.0
CLOCKS_DIFFER_S = 5.0  # more than the simulated clocks are ever apart
ENDS = ("step.done", "step.failed", "step.skipped")
# What is told of a thing once, and by what its thing is known.
_ONCE = {
    **dict.fromkeys(ENDS, ("step",)),
    "attempt.ended": ("step", "iteration", "n", "late"),
    "intent.recorded": ("step", "iteration", "n"),
    "undo.started": ("step", "iteration"),
    "undo.ended": ("step", "iteration"),
    "run.started": (),
    "run.finished": (),
}
_AGAIN = "another job's state"  # a job that is asked about again and again tells it tens of times
_LEFT_OPEN = ("cancelled", "uncertain")
_QUESTIONS = "SELECT 1 FROM approvals WHERE run = ? AND state = 'open'"
_DOUBTS = f"SELECT 1 FROM attempts WHERE run = ? AND state IN {attempts.OPEN[1:]}"
_ATTEMPTS = "SELECT step, iteration, n, key, approvals FROM attempts WHERE run = ?"


class Violation(AssertionError):
    """A promise that a history broke."""


def must(claim: bool, what: str) -> None:
    """Raise `Violation` unless it is so."""
    if not claim:
        raise Violation(what)


def judge_rest(history: "History", waiting_for: str, wake_at: float | None) -> None:
    """A run that rests, and is not due, waits for something that has not come yet."""
    if waiting_for == "approval":
        must(bool(history.ask(_QUESTIONS)), "it waits for an answer that was given")
    if waiting_for == "reconcile":
        must(bool(history.ask(_DOUBTS)), "it waits for somebody to find out what is known")
    if waiting_for == "callback":
        must((wake_at or inf) < inf, "it waits for a service that is never asked about the call")


def judge_idle(history: "History") -> None:
    """A run that nothing will wake has no call to make that nobody keeps from being made."""
    if history.world.stopped_by is not None or (history.rules and history.rules.have_changed):
        return
    state = history.state()
    if state.folded == history.idle_at:
        return
    history.idle_at = state.folded
    # By the clock that is furthest ahead: by that a key's time may be over already.
    now = history.wall() + history.slack_s
    outside = Outside(policy=history.policy, now=now, is_alone=False)
    for each in decide(history.accepted, state, outside):
        must(not isinstance(each, Perform), f"nobody wakes it, though it could go on: {each}")


def judge_put_aside(history: "History") -> None:
    """What would be told of the effects if the run were put aside at this moment."""
    if history.row().has_ended:
        return
    history.state()
    found = history.database.look(partial(effects_so_far, due=history.due))
    told = {name: [*each] for name, each in vars(found).items()}
    before = history.services.reached["taken back where nothing was"]
    judge_effects(history, e.RunFinished(status="quarantined", **told))
    history.services.reached["taken back where nothing was"] = before


def judge(history: "History") -> None:
    """Everything that must be true at the end."""
    state = history.state()
    finish = state.finished
    if finish is None:
        raise Violation("the row has ended, the journal has not")
    must(history.status() == finish.status, "row and journal differ")
    judge_effects(history, finish)
    _judge_steps(history, state, finish)
    _judge_items(history, state)
    _judge_order(history)
    _judge_journal(history)
    _judge_calls(history)


def _real(history: "History") -> set[Place]:
    """Where an effect happened on the way forward."""
    acted = {place for place, found in history.effects.items() if found}
    return {place for place in acted if undoes(place) is None}


def judge_effects(history: "History", finish: e.RunFinished) -> None:
    """Of every effect what became of it is told, and nothing of what did not happen."""
    effects = history.effects
    for place, found in effects.items():
        must(len(found) <= 1, f"{place} acted {len(found)} times")
    acted = {place for place, found in effects.items() if found}
    real = _real(history)
    undone = {place for place in real if _is_undone(history, place)}
    standing, unknown = {*finish.standing}, {*finish.uncertain}
    safe = {place for place in map(undoes, acted - real) if place and _is_safe(history, place)}
    left, back = _names(real - undone), _names(undone | (safe - real))
    must(all(each & (standing | unknown) for each in left), "an effect is not told of")
    doubtful = {place for place in history.doubts if undoes(place) is None} - undone
    must(all(each & unknown for each in _names(doubtful)), "a doubt is not told of")
    flat = {name for each in left for name in each}
    must(standing <= flat, "an effect is told of that is not")
    told = {*finish.undone} <= {name for each in back for name in each}
    must(told, "an effect is called undone that stands")
    history.services.reached["taken back where nothing was"] += len(safe - real)
    known = {undo_place(each) for each in real | safe | history.doubts}
    must(acted - real <= known, "undone without an effect")
    if finish.status in ("succeeded", "undone"):
        must(not unknown, f"{finish.status} leaves doubts")
    if finish.status == "undone":
        must(real == undone, "undone leaves effects")


def _is_undone(history: "History", place: Place) -> bool:
    """Whether it was taken back after it had happened, and not done anew."""
    effects = history.effects
    if history.has_erred(place):
        return bool(effects.get(undo_place(place)))
    done, taken_back = effects[place][0], effects.get(undo_place(place)) or [-inf]
    return taken_back[0] >= done and place not in history.services.came_back


def _is_safe(history: "History", place: Place) -> bool:
    """Whether its undo does no harm where nothing was done."""
    decision = history.accepted.certificate.undo_of(place[0])
    return decision is not None and decision.safe_when_absent


def _names(places: set[Place]) -> list[set[str]]:
    """How each place may be told: by its step, or by its item."""
    return [{place[0], f"{place[0]}[{place[1]}]"} for place in sorted(places)]


def _judge_steps(history: "History", state: RunState, finish: e.RunFinished) -> None:
    real = _real(history)
    if finish.status == "succeeded":
        for step in history.accepted.plan.steps:
            must(state.has_ended(step.id), f"{step.id} was left open")
            if step.id in state.done and step.each is None and not computes(step):
                action = history.accepted.actions[step.action]
                acts = action.effect is not Effect.READ
                must(not acts or (step.id, "") in real, f"{step.id} is done without effect")
    for step_id, failed in state.failed.items():
        happened = (step_id, failed.iteration) in real
        if history.has_erred((step_id, failed.iteration)):
            _judge_failed(history, step_id)
            continue
        is_so = failed.effect == "unknown" or happened is (failed.effect == "yes")
        must(is_so, f"{step_id} failed, effect {failed.effect}, really {happened}")


def _judge_failed(history: "History", step: str) -> None:
    """What was told by the time of the failure, where somebody was wrong."""
    for number, each in enumerate(history.stored):
        if each.type == "step.failed" and each.data["step"] == step:
            place = (step, str(each.data["iteration"]))
            start = each.at - BESIDE_S - history.slack_s
            since = next((n for n, x in enumerate(history.stored) if x.at >= start), number)
            by_then = (history.stored[:n] for n in range(since, number + 1))
            told = {Words(x).of(place) or "no" for x in by_then}
            effects = {"unknown" if x == "doubt" else x for x in told}
            must(each.data["effect"] in effects, f"{step} failed, and {effects} was told: {each}")


def _judge_items(history: "History", state: RunState) -> None:
    """Of a call that takes many items, what happened is told, and that alone is taken back."""
    services, everything = history.services, INPUTS["lines"]
    for (step, iteration), happened in services.happened.items():
        if not happened:
            continue
        released = services.released.get(undo_place((step, iteration)))
        if history.has_erred((step, iteration)):
            told_of = [*_items_told(history, (step, iteration))]
            must(released is None or released in told_of, f"{released} were taken back: {told_of}")
            continue
        missed = {str(n) for n in everything if n not in happened}
        found = state.failed_items.get(step, {})
        told = {name.removeprefix(f"{iteration}/") for name in found
                if not iteration or name.startswith(f"{iteration}/")}  # fmt: skip
        failed = state.failed.get(step)
        by_items = failed is not None and failed.code == "items-refused"
        if iteration and iteration in found:
            continue  # given up as a whole
        if step in state.done or (by_items and failed.iteration == iteration):
            must(told == missed, f"{step}[{iteration}] tells {told} instead of {missed}")
        must(released in (None, happened), f"{released} were taken back instead of {happened}")


def _items_told(history: "History", place: Place) -> Iterator[list[int]]:
    """For which items it happened, by each that told of it."""
    for output in history.services.told.get(place, ()):
        made: Any = output.get("made") if isinstance(output, dict) else None
        if made is not None:
            yield [each["id"] for each in made if each["error"] is None]


def _judge_order(history: "History") -> None:
    """Nothing is undone before what depends on it, nothing at all after a pivot."""
    effects, waits_for = history.effects, graph(history.accepted.plan)
    undone = {
        undoes(place): found[0] for place, found in effects.items() if undoes(place) and found
    }
    steps = history.accepted.plan.steps
    pivots = {step.id for step in steps if step.action == "shop.pivot_keyed"}
    for place, at in undone.items():
        assert place is not None
        for other in effects:
            is_above = place[0] in upstream(waits_for, other[0])
            if undoes(other) or not effects[other] or not is_above:
                continue
            if history.has_erred(other) and effects[other][0] > _begun(history, place):
                continue  # it was told when this was under way
            decision = history.accepted.certificate.undo_of(other[0])
            stands = other not in undone and decision is not None and decision.kind == "can"
            slack_s = history.slack_s if history.has_erred(other) else 0.0
            is_later = other in undone and undone[other] > at + slack_s
            must(not stands and not is_later, f"{place} was undone before {other}")
        acted = [each for each in effects if each[0] in pivots and effects[each]]
        must(not any(effects[each][0] < at for each in acted), "undone after a pivot")


def _begun(history: "History", place: Place) -> float:
    """When what takes it back was called, by the clock of whoever did; decided on just before."""
    calls = (each.at for each in history.stored if each.type == "intent.recorded"
             and (each.data["step"], each.data["iteration"]) == undo_place(place))  # fmt: skip
    return min(calls, default=inf) - WALL - BESIDE_S - history.slack_s


def _judge_journal(history: "History") -> None:
    stored = history.stored
    must([each.seq for each in stored] == [*range(1, len(stored) + 1)], "a gap in seq")
    told: Counter[tuple[object, ...]] = Counter()
    not_before: dict[tuple[object, object], float] = {}
    late: list[object] = []
    for each in stored:
        data = each.data
        if each.type in _ONCE:
            kind = "step" if each.type in ENDS else each.type
            if each.type == "attempt.ended" and data["late"]:
                kind += " once more" if data in late else ""  # it counts since nothing else can
                late.append(data)
            told[kind, *(data[name] for name in _ONCE[each.type])] += 1
        if each.type == "attempt.ended" and data["late"]:
            _judge_late(history, each)
        if each.type == "attempt.ended" and data["failure"] is not None:
            asked = data["failure"]["retry_at"]  # type: ignore[index,call-overload]
            not_before[data["step"], data["iteration"]] = asked or 0.0
        if each.type == "intent.recorded":
            early = not_before.get((data["step"], data["iteration"]), 0.0) - each.at
            must(early < CLOCKS_DIFFER_S, f"{data['step']}: {early} s too early")
        if each.type == "reconcile.resolved" and data["resolution"] == "absent":
            place = (str(data["step"]), str(data["iteration"]))
            at, by = history.services.made_by.get(place, (inf, 0))
            is_wrong = by == data["n"] and WALL + at < each.at and not history.has_erred(place)
            must(not is_wrong, f"attempt {by} of {place} acted and is called absent")
    twice = [each for each, count in told.items() if count > 1]
    must(not twice, f"told twice: {twice}")


def _judge_late(history: "History", late: StoredEvent) -> None:
    """Who has lost the run says of its own call what is so, and only where that was not written."""
    call = _call(late)
    before = [
        each.data
        for each in history.stored[: late.seq - 1]
        if each.type == "attempt.ended" and _call(each) == call and each.data != late.data
    ]  # or else it was told before, and counts now
    failures = [each["failure"] for each in before]
    is_lost = all(isinstance(each, dict) and each["kind"] == "cancelled" for each in failures)
    must(is_lost and len(before) <= 1, f"{call} had ended, and ends late: {before}")
    place, state = call[:2], late.data["state"]
    if history.has_erred(place):
        return
    _, maker = history.services.made_by.get(place, (inf, 0))
    must(state != "uncertain", f"{call} is told late, and nobody knows how it ended")
    must(state != "applied" or bool(history.effects[place]), f"{call} did not happen")
    must(state not in ("refused", "not_sent") or maker != call[2], f"{call} happened")


def _call(event: StoredEvent) -> tuple[str, str, object]:
    return str(event.data["step"]), str(event.data["iteration"]), event.data["n"]


def _judge_calls(history: "History") -> None:
    """No call without its intent, under another key, after the cancel, or without its approval."""
    rows = {found[:3]: found[3:] for found in history.ask(_ATTEMPTS)}
    keys: dict[Place, set[str]] = {}
    for (step, iteration, _), (key, _) in rows.items():
        keys.setdefault((step, iteration), set()).add(key)
    must(all(len(each) == 1 for each in keys.values()), "one place, several keys")
    must(len({*chain(*keys.values())}) == len(keys), "one key, several places")
    intents = {(x.data["step"], x.data["iteration"], x.data["n"]): x
               for x in history.stored if x.type == "intent.recorded"}  # fmt: skip
    people = history.people
    for sent_at, context, action, arguments, _ in history.services.seen:
        at = (context.step, context.iteration, context.attempt)
        must(at in rows, f"{at} was sent without an intent")
        key, approvals = rows[at]
        must(key == context.idempotency_key, f"{at} was sent under another key")
        late = WALL + sent_at - float(str(intents[at].data["send_before"]))
        must(late < CLOCKS_DIFFER_S, f"{at} was sent {late} s too late")
        must(intents[at].data["arguments"] == arguments, f"{at} was sent with other arguments")
        after_cancel = people.cancelled_at is not None and intents[at].seq > people.cancelled_at
        # To take back what may have happened it is found out first: by the same call, at worst.
        settles = people.wants_back and context.attempt > 1
        is_back = undoes((context.step, context.iteration)) is not None
        must(not after_cancel or is_back or settles, f"{at} was begun after the cancel")
        if action.approval is not None or (not is_back and _is_certified(history, context.step)):
            _judge_approval(history, at, {*to_texts(approvals)})


def _is_certified(history: "History", step: str) -> bool:
    """Whether the plan was accepted only if somebody says yes, whatever policy says by now."""
    return history.rules is None and history.accepted.certificate.of(step).approval is not None


def _judge_approval(history: "History", at: tuple[str, str, int], given: set[str]) -> None:
    granted = {x.data["approval"] for x in history.stored if x.type == "approval.granted"}
    must(bool(given) and given <= granted, f"{at} was sent without its approval")
    must(not given & history.people.refused, f"{at} had been refused")


def came_by(world: "World") -> Counter[str]:
    """What a world came by, so that one without its faults is noticed."""
    reached = Counter(world.services.reached)
    reached["one process alone"] += world.is_alone
    reached[_AGAIN] = min(reached[_AGAIN], 1)
    for history in world.lives:
        reached["policy changes"] += len(history.rules.stood) - 1 if history.rules else 0
        reached.update(_told_by(history.stored))
    if world.kind == "looked":
        del reached["forbidden as one more"]  # it is for want of a look
    return reached


def _told_by(stored: Sequence[StoredEvent]) -> Counter[str]:
    """What its journal tells of a run."""
    reached: Counter[str] = Counter()
    for each in stored:
        told = each.type
        match each.type:
            case "attempt.ended" if each.data["late"]:
                told = f"told late: {each.data['state']}"
            case "attempt.ended":
                told += f" {each.data['state']}"
                failure = each.data["failure"]
                if (
                    isinstance(failure, dict)
                    and (failure["kind"], each.data["state"]) == _LEFT_OPEN
                ):
                    told = "left open by a process"
            case "reconcile.resolved":
                told += f" {each.data['resolution']} by {each.data['by']}"
            case "attempt.deferred" if each.data["ask_from"] is None:
                told = "asked again by ourselves"
            case "wait.started":
                told += f" {each.data['waiting_for']}"
            case "step.failed" if each.data["code"] == "policy-denied":
                told = "forbidden as one more"
            case "undo.ended" if each.data["code"] is not None:
                reached[f"not undone: {each.data['code']}"] += 1
            case "run.finished":
                told += f" {each.data['status']}"
        reached[told] += 1
    return reached


def told(world: "World") -> str:
    """The history, for whoever looks at a failure."""
    lines = [f"seed {world.seed}", *world.log]
    for each in world.lives:
        accepted = each.accepted
        steps = [json.dumps(step.model_dump(by_alias=True, exclude_defaults=True), default=str)
                 for step in accepted.plan.steps]  # fmt: skip
        effects = f"effects: {dict(each.services.effects)}"
        options = repr(accepted.certificate.options)
        lines += [each.run, options, *steps, *each.trace(), effects]
    return "\n".join(lines)
