"""Recorded runs of tau2's tools as journals: what each write finds when policy judges it.

A run is admitted as a plan whose steps stand one after the other, its calls are written down as
the executor writes them, and each write is judged by the executor's own gatekeeper on the journal
so far. Reads are answered from the database, under the writes before them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from benchmarks.admission.judge import CALLER, TODAY
from benchmarks.admission.tau2_reads import is_replayed
from benchmarks.admission.tau2_writes import World, is_written
from connectors.catalog import Catalog
from connectors.spec import JsonObject
from executor.check.admit import Accepted, AdmissionContext, Inputs, Rejected, admit
from executor.check.budgets import Budgets
from executor.check.cedar import Judgement, Policy
from executor.check.parse import plan_of
from executor.plan.model import Plan
from executor.run import events as e
from executor.run.fold import fold
from executor.run.gates import Gatekeeper
from executor.run.keys import args_hash
from executor.run.state import RunState
from executor.run.tally import Tally
from executor.run.verdicts import Outside

NOW = 1_715_788_800.0  # 15:00 on 2024-05-15, as the texts say it is
BUDGETS = Budgets(steps=500)


@dataclass(frozen=True)
class Call:
    """One call of a recorded run; `took_effect` is false where the tool refused it."""

    tool: str
    arguments: JsonObject
    took_effect: bool


@dataclass(frozen=True)
class Judged:
    """One write with what policy says of it; None where admission refused its arguments."""

    place: int  # among the calls
    judgement: Judgement | None


def judged(
    domain: str,
    catalog: Catalog,
    database: JsonObject,
    policy: Policy,
    calls: Sequence[Call],
    approvals: frozenset[str],
) -> Iterator[Judged]:
    """Judge every write that took effect, in order, as if these roles had approved each."""
    known = {
        place: call
        for place, call in enumerate(calls)
        if call.took_effect and catalog.get(f"{domain}.{call.tool}")
    }
    accepted, refused = _accepted(domain, catalog, known)
    world, state = World.of(database), RunState()
    for place, call in known.items():
        if is_written(call.tool) and place in refused:
            yield Judged(place, None)
        elif is_written(call.tool):
            keeper = _keeper(accepted, state, policy, place, f"{domain}.{call.tool}")
            yield Judged(place, keeper.judgement(call.arguments, approvals))
        try:
            output = world.answer(call.tool, call.arguments) if _is_replayed(call.tool) else ""
        except (LookupError, ValueError, TypeError, ArithmeticError, SyntaxError, StopIteration):
            continue  # the tool would not have answered: nothing of it is in the journal
        if place not in refused:
            state = _recorded(accepted, state, place, call, output)


def codes_of(domain: str, catalog: Catalog, call: Call) -> set[str]:
    """Why admission refuses a call as a plan of its own; nothing where it accepts it."""
    verdict = admit(_plan(domain, {0: call}), _context(catalog))
    return {each.code for each in verdict.violations} if isinstance(verdict, Rejected) else set()


def _accepted(
    domain: str, catalog: Catalog, calls: Mapping[int, Call]
) -> tuple[Accepted, frozenset[int]]:
    """The calls as an accepted plan, and those that admission refuses for their arguments."""
    left, refused = dict(calls), set[int]()
    while True:
        verdict = admit(_plan(domain, left), _context(catalog))
        if isinstance(verdict, Accepted):
            return verdict, frozenset(refused)
        assert isinstance(verdict, Rejected)
        wrong = {int(str(each.step)[1:]) for each in verdict.violations if each.step}
        if not wrong:
            raise ValueError(str(verdict.violations[0]))
        refused |= wrong
        left = {place: call for place, call in left.items() if place not in wrong}


def _plan(domain: str, calls: Mapping[int, Call]) -> Plan:
    steps: list[JsonValue] = []
    last: list[JsonValue] = []
    for place, call in calls.items():
        args: list[JsonValue] = [
            {"json": json.dumps(value), "to": name}
            if isinstance(value, dict | list)
            else {"value": value, "to": name}
            for name, value in call.arguments.items()
        ]
        action = f"{domain}.{call.tool}"
        steps.append({"id": f"s{place}", "action": action, "args": args, "after": last})
        last = [f"s{place}"]
    found = plan_of({"steps": steps})
    if not isinstance(found, Plan):
        raise ValueError(str(found[0]))
    return found


def _context(catalog: Catalog) -> AdmissionContext:
    return AdmissionContext(
        request="", inputs=Inputs(), catalog=catalog, policy=None, principal=CALLER, today=TODAY,
        seal_key=b"k" * 32, budgets=BUDGETS,
    )  # fmt: skip


def _keeper(
    accepted: Accepted, state: RunState, policy: Policy, place: int, action: str
) -> Gatekeeper:
    outside = Outside(policy, NOW)
    tally = Tally(accepted, state, frozenset())
    return Gatekeeper(accepted, state, outside, tally, f"s{place}", "", accepted.actions[action])


def _is_replayed(tool: str) -> bool:
    return is_written(tool) or is_replayed(tool)


def _recorded(
    accepted: Accepted, state: RunState, place: int, call: Call, output: JsonValue
) -> RunState:
    """The journal after a call, by the events that the executor writes."""
    step = f"s{place}"
    decision = accepted.certificate.of(step)
    intent = e.IntentRecorded(
        step=step, iteration="", n=1, action=decision.action, effect=decision.effect, key=step,
        args_hash=args_hash(call.arguments), arguments=call.arguments,
        send_before=NOW, timeout_s=30.0,
    )  # fmt: skip
    ended = e.AttemptEnded(step=step, iteration="", n=1, state="applied", output=output)
    done = e.StepDone(step=step, result=output)
    return fold([(NOW, intent), (NOW, ended), (NOW, done)], state)
