"""Small plans of any shape, accepted by the real admission, once for all histories."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Limits, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    Verdict,
    admit,
    restore,
    to_row,
)
from executor.check.budgets import Budgets
from executor.check.cedar import Judgement, Policy, PolicyQuestion
from executor.check.certificate import Options
from executor.plan.graph import graph
from executor.plan.model import Plan
from executor.store.plans import PlanRow
from executor.store.text import to_object

SEAL = b"seal-key-of-the-simulation"
TENANT = "main"
TENANTS = (TENANT, "other")
RUNS = ("run_a", "run_b", "run_c", "run_d")
REQUESTER = Principal("requester", TENANT, frozenset({"requester"}))
APPROVERS = (
    Principal("first", TENANT, frozenset({"approver"})),
    Principal("second", TENANT, frozenset({"approver"})),
)


class RememberedPolicy(Policy):
    """A policy that is asked once for the same: its answer follows from the question alone."""

    @cached_property
    def _answers(self) -> dict[str, Judgement]:
        return {}

    def judge(self, question: PolicyQuestion) -> Judgement:
        """Decide one call."""
        q = question
        key = (f"{q.action.name} {q.principal.id} {q.arguments} {q.labels} {q.run} {q.read} "
               f"{q.stale} {sorted(q.approvals)}")  # fmt: skip
        if key not in self._answers:
            self._answers[key] = super().judge(question)
        return self._answers[key]


TIMEOUT_S, SETTLE_S, WINDOW_S = 10.0, 60.0, 300.0
UNDO = {"args": [{"ref": "result/id", "to": "id"}], "deadline_s": 7200.0}
STATUS = {
    "action": "shop.task", "by": "handle", "state_at": "state",
    "done": ["done"], "failed": ["failed"], "output_at": "output",
}  # fmt: skip
FIND = {"action": "shop.find", "by": "ref"}
ITEMS = {"of": "lines", "at": "made", "failed_at": "error"}
INPUTS: dict[str, Any] = {"list": [1, 2], "n": 3, "lines": [0, 1, 2]}
PLANS = 160  # so many shapes are drawn from
SHORT, MOST_STEPS = 40, 2  # so many of few steps, for worlds of many runs
LIMITS = (
    *(None,) * 6, Limits(rate=1, per_s=4.0, burst=2), Limits(rate=3, concurrency=2),
    Limits(concurrency=1),
)  # fmt: skip


def row_of(number: int, accepted: Accepted) -> PlanRow:
    """One of the plans as it stands in the store."""
    name = f"pln_{number}"
    tenant = accepted.principal.tenant
    return PlanRow(tenant, name, accepted.digest, REQUESTER.id, None, to_row(accepted), 0.0)


@cache
def restored(tenant: str, text: str) -> Accepted:
    """A tenant's accepted plan from the text that was sealed: the same text is checked once."""
    return restore(to_object(text), SEAL)


def action_of(name: str, effect: str, **more: Any) -> ActionSpec:
    """One action of the shop."""
    manifest: dict[str, Any] = {
        "name": f"shop.{name}",
        "input_schema": {"type": "object"},
        "effect": effect,
        "irreversible": False,
        "egress": False,
        "approval": None,
        "timeout_s": TIMEOUT_S,
        "settle_s": 0.0 if effect == "read" else SETTLE_S,
    }
    if effect == "keyed":
        manifest["idempotency"] = {"in": "header", "name": "key", "window_s": WINDOW_S}
    if effect == "lookup":
        manifest["lookup"] = FIND
    if effect != "read" and "pivot" not in name and not name.startswith("release"):
        manifest["undo"] = UNDO | {"action": f"shop.release_{name.removeprefix('asked_')}"}
    if name in ("idempotent", "keyed", "lookup", "blind"):
        manifest["sinks"] = {"x": "amount"}
    if name.startswith("many"):  # it takes many items, and may happen for some
        args = [{"ref": "input/lines", "to": "lines"}]
        manifest |= {"items": ITEMS, "undo": {"action": "shop.release_many", "args": args}}
    return ActionSpec.model_validate(manifest | more)


CATALOG = Catalog(
    (
        action_of("read", "read"),
        action_of("idempotent", "idempotent"),
        action_of("keyed", "keyed"),
        action_of("found_keyed", "keyed", lookup=FIND),
        action_of("slow_keyed", "keyed", status=STATUS),
        action_of("lookup", "lookup"),
        action_of("slow_lookup", "lookup", status=STATUS),
        action_of("blind", "blind"),
        action_of("asked_keyed", "keyed", approval="approver"),
        action_of("asked_blind", "blind", approval="approver"),
        action_of("pivot_keyed", "keyed", pivot=True),
        action_of("many_keyed", "keyed"),
        action_of("many_lookup", "lookup"),
        action_of("many_blind", "blind"),
        action_of("release_many", "keyed"),
        action_of("release_idempotent", "idempotent"),
        action_of("release_keyed", "keyed"),
        action_of("release_found_keyed", "keyed", lookup=FIND),
        action_of("release_slow_keyed", "lookup"),
        action_of("release_lookup", "lookup"),
        action_of("release_slow_lookup", "keyed"),
        action_of("release_blind", "keyed"),
        action_of("find", "read"),
        action_of("task", "read"),
    )
)
NAMES = (
    "read", "idempotent", "idempotent", "keyed", "found_keyed", "slow_keyed", "lookup", "lookup",
    "slow_lookup", "blind", "blind", "asked_keyed", "asked_blind", "pivot_keyed",
    "many_keyed", "many_lookup", "many_blind",
)  # fmt: skip


PERMIT = "permit (principal, action, resource);"
MOST_WRITES = 2  # of a run whose policy counts them; what takes them back is not counted
_NO_MORE = "".join(
    f'forbid (principal, action, resource == Operation::"shop.{name}")'
    f" when {{ context.run.writes >= {MOST_WRITES} }};"
    for name in sorted({*NAMES} - {"read"})
)
POLICY = RememberedPolicy.parse({"all": PERMIT})
COUNTING = RememberedPolicy.parse({"all": PERMIT, "no_more": _NO_MORE})


def policy_of(accepted: Accepted) -> Policy:
    """The policy under which a plan was accepted."""
    is_counting = accepted.certificate.policy_version == COUNTING.version
    return COUNTING if is_counting else POLICY


@cache
def plan_of(number: int, tenant: str = TENANT) -> Accepted:
    """One of the plans, always the same under the same number."""
    rng = random.Random(f"plan {number}")
    steps: list[dict[str, Any]] = []
    for count in range(rng.choice([1, 1, 2, 2, 3, 4])):
        steps.append(step_of(rng, f"s{count}", steps))
    answer = [{"ref": each["id"], "to": each["id"]} for each in steps]
    plan = Plan.model_validate_json(json.dumps({"steps": steps, "answer": answer}))
    options = Options(
        on_failure=rng.choice(["stop", "continue", "undo", "undo"]),
        on_uncertain=rng.choice(["wait", "continue"]),
    )
    budgets, policy = budgets_of(rng), rng.choice([POLICY, POLICY, COUNTING])
    for few, rules in ((budgets, policy), (Budgets(), policy), (Budgets(), POLICY)):
        verdict = admitted(plan, options, few, rules, tenant=tenant)
        if isinstance(verdict, Accepted):  # else it surely exceeds a budget, or what may be written
            return verdict
    raise AssertionError(verdict)


@cache
def short_plans() -> tuple[int, ...]:
    """The numbers of some that do little, under the policy that allows all."""
    found = (each for each in range(PLANS) if policy_of(plan_of(each)) is POLICY)
    return tuple(each for each in found if len(plan_of(each).plan.steps) <= MOST_STEPS)[:SHORT]


@cache
def broad_plans() -> tuple[int, ...]:
    """Those of the short ones that make several calls as soon as they begin."""
    return tuple(each for each in short_plans() if _at_once(plan_of(each).plan) > 1)


def _at_once(plan: Plan) -> int:
    """How many calls nothing keeps from being made at the beginning."""
    waits_for = graph(plan)
    return sum(len(INPUTS["list"]) if each.each else 1
               for each in plan.steps if not waits_for[each.id])  # fmt: skip


def budgets_of(rng: random.Random) -> Budgets:
    """Often none that matters."""
    few = rng.choice([{}, {}, {"calls": rng.randint(2, 8)}, {"run_s": 60}, {"money": {"*": "5"}}])
    return Budgets.model_validate(few)


def admitted(
    plan: Plan, options: Options, budgets: Budgets, policy: Policy, catalog: Catalog = CATALOG,
    *, tenant: str = TENANT,
) -> Verdict:  # fmt: skip
    """What the real admission says."""
    return admit(
        plan,
        AdmissionContext(
            request="do it 1, 2 or 3 times",
            inputs=Inputs({"type": "object", "additionalProperties": True}, INPUTS),
            catalog=catalog,
            policy=policy,
            principal=replace(REQUESTER, tenant=tenant),
            today="2026-01-01",
            seal_key=SEAL,
            options=options,
            budgets=budgets,
        ),
    )


def in_vain(before: list[dict[str, Any]]) -> dict[str, Any]:
    """A last step that always fails, after all the others."""
    never = [{"left": "result/id", "op": "==", "value": -1}]
    after = [each["id"] for each in before]
    return {"id": "end", "action": "shop.read", "args": [], "after": after, "expect": never}


def step_of(
    rng: random.Random, name: str, before: list[dict[str, Any]], names: Sequence[str] = NAMES
) -> dict[str, Any]:
    """A step that may refer to those before it."""
    single = [each["id"] for each in before if "each" not in each]
    args: list[dict[str, Any]] = [{"value": rng.randint(1, 3), "to": "x"}]
    more: dict[str, Any] = {}
    if single and rng.random() < 0.5:
        args.append({"ref": f"{rng.choice(single)}/id", "to": "from"})
    if rng.random() < 0.2:
        more["each"] = "input/list"
        args.append({"ref": "each", "to": "item"})
    if before and rng.random() < 0.4:
        more["after"] = [rng.choice(before)["id"]]
    if rng.random() < 0.15:
        more["when"] = [{"left": "input/n", "op": ">", "value": rng.choice([0, 5])}]
    if rng.random() < 0.2:
        more["expect"] = [{"left": "result/ok", "op": "==", "value": True}]
    action = rng.choice(names)
    if action.startswith("many"):
        args.append({"ref": "input/lines", "to": "lines"})
    return {"id": name, "action": f"shop.{action}", "args": args, **more}
