"""Odd worlds: services that answer what was not asked, or never, and rules on what takes back.

A search gives other records than ours, a question of one job is answered with the state of another,
and both are at another connection than the call; a job never ends, and people look a day later; an
answer is larger than is kept; a list is none, or too long; an effect cannot be taken back in time,
or policy lets nobody take it back.
"""

import json
import random
from collections import defaultdict
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue
from sim_judge import must
from sim_plans import (
    CATALOG,
    NAMES,
    PERMIT,
    STATUS,
    UNDO,
    RememberedPolicy,
    action_of,
    admitted,
    in_vain,
    step_of,
)

from connectors.catalog import Catalog
from executor.check.admit import Accepted
from executor.check.budgets import Budgets
from executor.check.certificate import Options
from executor.plan.model import Plan
from executor.run.state import Place, undo_place

if TYPE_CHECKING:
    from sim_history import History

ODD_PLANS = 80
BRIEF, BRIEF_S = "shop.release_brief", 15.0  # how some can be taken back, and in which time
BARRED = 2**31  # from this id on nobody may take it back
MOST_ITEMS = 3
KEPT_BYTES = 160
NOTE = "x" * KEPT_BYTES
A_DAY_S = 25 * 3600.0
ROWS = "shop.list_rows"
_SEARCH = {"action": "desk.search", "by": "ref", "found_at": "hits", "key_at": "ref"}
_JOB = STATUS | {"action": "desk.job", "id_at": "job"}
_BRIEF = UNDO | {"action": BRIEF, "deadline_s": BRIEF_S}


def _desk(name: str) -> Any:
    return action_of("read", "read").model_copy(update={"name": f"desk.{name}"})


ODD_CATALOG = Catalog(
    (
        *CATALOG,
        action_of("strict_lookup", "lookup", lookup=_SEARCH),
        action_of("strict_keyed", "keyed", lookup=_SEARCH),
        action_of("job_keyed", "keyed", status=_JOB),
        action_of("job_blind", "blind", status=_JOB),
        action_of("brief_keyed", "keyed", undo=_BRIEF),
        action_of("brief_lookup", "lookup", undo=_BRIEF),
        action_of("barred_keyed", "keyed"),
        action_of("barred_lookup", "lookup"),
        action_of("list_rows", "read", reads_as="trusted"),
        action_of("release_brief", "lookup"),
        *(action_of(f"release_{effect}", "keyed") for effect in (
            "strict_lookup", "strict_keyed", "job_keyed", "job_blind", "barred_keyed",
            "barred_lookup")),
        _desk("search"),
        _desk("job"),
    )
)  # fmt: skip
_ODD_NAMES = (
    "strict_lookup", "strict_lookup", "strict_keyed", "job_keyed", "job_blind", "job_blind",
    "brief_keyed", "brief_lookup", "brief_lookup", "barred_keyed", "barred_lookup",
    "barred_keyed", "barred_lookup",
)  # fmt: skip
_RULES = "".join(
    '@approval("approver") '
    f'forbid (principal, action, resource == Operation::"shop.release_{name}")'
    ' unless { context.approvals.contains("approver") };'
    f'forbid (principal, action, resource == Operation::"shop.release_{name}")'
    f" when {{ context.args has id && context.args.id >= {BARRED} }};"
    for name in ("barred_keyed", "barred_lookup")
)
ODD_POLICY = RememberedPolicy.parse({"all": PERMIT, "barred": _RULES})


class Odd:
    """What is odd about one world."""

    def __init__(self, seed: int) -> None:
        self._rng = rng = random.Random(f"odd {seed}")
        self._likely = rng.choice([0.0, 0.2, 0.6])
        self.are_people_slow = rng.random() < 0.5

    def happens(self) -> bool:
        """Whether something is odd this time."""
        return self._rng.random() < self._likely

    def rows(self, rows: list[JsonValue]) -> JsonValue:
        """What stands in the place of a list."""
        return self._rng.choice([None, {"first": rows}, [*rows, *rows, *rows, *rows]])


@cache
def odd_plan_of(number: int) -> Accepted:
    """One of the plans of odd worlds, always the same under the same number."""
    rng = random.Random(f"odd plan {number}")
    steps: list[dict[str, Any]] = []
    if rng.random() < 0.3:
        steps.append({"id": "s0", "action": ROWS, "args": []})
        args = [{"ref": "each/n", "to": "x"}]
        action = f"shop.{rng.choice(('read', *_ODD_NAMES))}"
        steps.append({"id": "s1", "action": action, "args": args, "each": "s0/rows"})
    for _ in range(rng.choice([1, 1, 2, 3])):
        names = _ODD_NAMES if rng.random() < 0.8 else NAMES
        steps.append(step_of(rng, f"s{len(steps)}", steps, names))
    is_brief = any("brief" in each["action"] for each in steps)
    if is_brief or rng.random() < 0.4:  # it comes to nothing in the end
        steps.append(in_vain(steps))
    answer = [{"ref": each["id"], "to": each["id"]} for each in steps]
    plan = Plan.model_validate_json(json.dumps({"steps": steps, "answer": answer}))
    options = Options(
        on_failure="undo" if is_brief else rng.choice(["stop", "continue", *("undo",) * 3]),
        on_uncertain=rng.choice(["wait", "continue"]),
    )
    verdict = admitted(plan, options, Budgets(items=MOST_ITEMS), ODD_POLICY, ODD_CATALOG)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def judge_odd(history: "History") -> None:
    """Nothing is taken back that nobody may, or too late; no answer is kept that is too large."""
    for each in history.stored:
        if each.type == "attempt.ended":
            output = json.dumps(each.data["output"], separators=(",", ":"))
            must(len(output) <= KEPT_BYTES, f"so much is kept: {output}")
    for seen in history.services.seen:
        if seen.action.name.startswith("shop.release_barred"):
            is_barred = int(str(seen.arguments["id"])) >= BARRED
            must(not is_barred, f"{seen.place} was taken back, though nobody may")
    _judge_brief(history)


def _judge_brief(history: "History") -> None:
    """What was to be taken back in a while is tried so long, and again later only in doubt."""
    ends: dict[Place, float] = {}
    doubts: dict[Place, set[object]] = defaultdict(set)  # of its calls, which nobody knows about
    for each in history.stored:
        data, at = each.data, (str(each.data.get("step")), str(each.data.get("iteration")))
        is_over = each.at - ends.get(at, inf) > history.slack_s
        match each.type:
            case "undo.started" if data["action"] == BRIEF:
                ends[undo_place(at)] = each.at + BRIEF_S
            case "undo.ended" if data["code"] == "undo-too-late":
                left_s = ends.get(undo_place(at), each.at) - each.at
                must(left_s <= history.slack_s, f"{at} is given up {left_s} s too early")
            case "intent.recorded":
                is_again = data["n"] != 1 and not doubts[at]
                must(not (is_over and is_again), f"{at} is tried though its time is over")
                doubts[at].add(data["n"])
            case "attempt.ended" if data["state"] in ("applied", "refused", "not_sent"):
                doubts[at].discard(data["n"])
            case "reconcile.resolved":
                doubts[at].clear()
