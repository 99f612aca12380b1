"""The verdict on how a run ended: its status, its result, and the rows that follow from it."""

import json
from collections.abc import Iterator
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from sim_judge import must
from sim_mistaken import Words
from sim_plans import COUNTING, MOST_WRITES, policy_of

from executor.dispatch.base import MOST_CRASHES
from executor.run import events as e
from executor.run.state import Attempt, Place, RunState, undo_place, undoes
from executor.trace import render_trace, trace

if TYPE_CHECKING:
    from sim_history import History

_RESOLVED = {"applied": "resolved_applied", "absent": "resolved_absent", "abandoned": "abandoned",
             "answered": "resolved_answered"}  # fmt: skip
_TOLD = {"yes": ("applied",), "doubt": ("uncertain", "unknown"), "no": ("none",), None: ("none",)}
_ROWS = "SELECT step, iteration, n, state FROM attempts WHERE run = ?"
_RUN = "SELECT code, waiting_for, wake_at, driver, result FROM runs WHERE id = ?"


def judge_end(history: "History") -> None:
    """Everything about the end that the effects alone do not show."""
    state = history.state()
    finish = state.finished
    assert finish is not None
    _judge_status(history, state, finish)
    _judge_doubts(history, state, finish)
    _judge_result(history, state, finish)
    _judge_rows(history, state, finish)
    _judge_money(history)
    _judge_policy(history)
    if history.seed % 4 == 0 or history.world.mistaken is not None:
        _judge_trace(history, finish)


def _judge_status(history: "History", state: RunState, finish: e.RunFinished) -> None:
    """The status says what it came to, and why."""
    options, failed = history.accepted.certificate.options, state.first_failure is not None
    cancelled = state.cancelled is not None
    forward = "cancelled" if cancelled else "failed" if failed else "succeeded"
    wanted = failed and options.on_failure == "undo"
    wanted = wanted or (state.cancelled is not None and state.cancelled.mode == "undo")
    back = ("undone", "compensation_incomplete") if wanted else ()
    if finish.status == "quarantined":
        ((recoveries,),) = history.ask("SELECT recoveries FROM runs WHERE id = ?")
        is_killer = history.world.queue is not None and recoveries >= MOST_CRASHES
        must(bool(history.rules) or is_killer, f"put aside after {recoveries} deaths")
        return
    must(finish.status in (forward, *back), f"{finish.status}, though it was {forward}")
    if finish.status == "compensation_incomplete":
        must(bool(finish.standing or finish.uncertain), "incomplete, and nothing is left")
    if finish.status == "failed":
        failures = [
            *state.failed.values(),
            *chain(*(each.values() for each in state.failed_items.values())),
        ]
        must(finish.code in {each.code for each in failures}, "an unknown code")


def _judge_doubts(history: "History", state: RunState, finish: e.RunFinished) -> None:
    """Uncertain is only what nobody could find out: what was given up, or left by a cancel."""
    certificate, cancelled = history.accepted.certificate, state.cancelled
    pivots = {each.step for each in certificate.undo if each.kind == "pivot"}
    if cancelled and (cancelled.mode == "stop" or any(at[0] in pivots for at in state.attempts)):
        return
    if finish.status == "quarantined":
        return
    for name in finish.uncertain:
        if _undo_failed(state, name):
            continue
        decision = certificate.undo_of(name.partition("[")[0])
        if cancelled and (decision is None or decision.kind != "can"):
            continue
        calls = [*_calls_of(state, name)]
        given_up = any(_was_given_up(each) for each in calls)
        must(given_up, f"{name} is called uncertain, and nobody gave it up")
    for step, failed in state.failed.items():
        calls = [*_calls_of(state, step)]
        is_known = failed.effect != "unknown" or any(_was_given_up(each) for each in calls)
        must(is_known, f"{step} failed in doubt, and nobody gave it up")


def _was_given_up(call: Attempt) -> bool:
    """Whether somebody left it unknown, be it that it was told later."""
    overruled = call.overruled
    return call.is_abandoned or (overruled is not None and overruled.resolution == "abandoned")


def _undo_failed(state: RunState, name: str) -> bool:
    """Whether it was to be taken back without being found out, and could not be."""
    step, _, iteration = name.removesuffix("]").partition("[")
    return any(place[0] == step and (not iteration or place[1] == iteration)
               and each.ended is not None and not each.ended.undone
               for place, each in state.undos.items())  # fmt: skip


def _calls_of(state: RunState, name: str) -> Iterator[Attempt]:
    step, _, iteration = name.removesuffix("]").partition("[")
    for place, calls in state.attempts.items():
        target = undoes(place) or place
        if target[0] == step and (not iteration or target[1] == iteration):
            yield from calls


def _judge_result(history: "History", state: RunState, finish: e.RunFinished) -> None:
    """All that the steps gave is in the result."""
    is_told = finish.status != "quarantined"
    must(not is_told or finish.result == {**state.done}, "the result is not what the steps gave")


def _judge_rows(history: "History", state: RunState, finish: e.RunFinished) -> None:
    """Rows are what the journal comes to."""
    told = {(*place, each.intent.n): _standing(each)
            for place, calls in state.attempts.items() for each in calls}  # fmt: skip
    rows = {(step, iteration, n): how for step, iteration, n, how in history.ask(_ROWS)}
    must(rows == told, f"rows and journal differ: {rows.items() ^ told.items()}")
    ((code, waiting_for, wake_at, driver, result),) = history.ask(_RUN)
    must(code == finish.code, f"the row says {code} and the journal {finish.code}")
    must((waiting_for, wake_at, driver) == (None, None, None), "the row is not at rest")
    if history.row().large is None:
        told_result = None if result is None else json.loads(result)
        must(told_result == finish.result, "row and journal have two results")
    else:
        history.services.reached["a large result"] += 1
    open_ones = history.ask("SELECT id FROM approvals WHERE run = ? AND state = 'open'")
    must(not open_ones, "a question outlives its run")


def _standing(attempt: Attempt) -> str:
    if attempt.resolved is not None:
        return _RESOLVED[attempt.resolved.resolution]
    return "intent" if attempt.ended is None else attempt.ended.state


def _judge_money(history: "History") -> None:
    """No more was moved, and not given back, than the budget allows."""
    most = history.accepted.certificate.budgets.most("*")
    effects = history.effects
    if most is None:
        return
    moved = {each.place: each.arguments["x"] for each in history.services.seen
             if "x" in each.action.sinks and effects.get(each.place)
             and not effects.get(undo_place(each.place))}  # fmt: skip
    sum_ = sum(each for each in moved.values() if isinstance(each, int))
    must(sum_ <= most, f"{sum_} were moved; {most} are allowed")


def _judge_policy(history: "History") -> None:
    """Where a policy counts them, never more effects stood at once than it allows."""
    if policy_of(history.accepted) is not COUNTING:
        return
    effects = history.effects
    happened = [
        (found[0], -1 if undoes(place) else 1)
        for place, found in effects.items()
        if found and not history.has_erred(place)
    ]  # what was denied does not count
    stood = [*accumulate(by for _, by in sorted(happened))]
    must(max(stood, default=0) <= MOST_WRITES, f"{stood} effects, one after the other")


def _judge_trace(history: "History", finish: e.RunFinished) -> None:
    """The trace tells of every effect what the service's own ledger says."""
    told = trace(history.accepted, history.row(), history.stored)
    must(told.status == finish.status and render_trace(told) != "", "the trace has another end")
    single = {step.id for step in history.accepted.plan.steps if step.each is None}
    for step in told.steps:
        if step.step not in single:
            continue
        effects, place = history.effects_told, (step.step, "")
        happened, undone = bool(effects.get(place)), bool(effects.get(undo_place(place)))
        is_wrong = (step.effect.startswith("none") and happened) or (
            step.effect.startswith("applied") and not happened
        )
        must(not is_wrong, f"the trace says of {place}: {step.effect}; really {happened}")
        is_back = "then undone" not in step.effect or undone or not happened
        must(is_back, f"the trace calls {place} undone")
        if history.world.mistaken is not None:
            _judge_words(history, place, step.effect)


def _judge_words(history: "History", place: Place, effect: str) -> None:
    """The trace tells of a call what was told of it, by whomever, in the end."""
    action = history.accepted.actions[
        next(each.action for each in history.accepted.plan.steps if each.id == place[0])
    ]
    begins = _TOLD[Words(history.stored).of(place)]
    if action.items is None and action.is_write:
        must(effect.startswith(begins), f"the trace says of {place}: {effect}; told was {begins}")
