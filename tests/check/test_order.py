"""What the order of a plan proves: what may be skipped, what surely ran before, what surely not."""

import json
from typing import Any

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check.analysis import Analysis
from executor.check.order import Order
from executor.plan.model import Plan

LOOK = ActionSpec.model_validate(
    {"name": "it.look", "effect": "read", "input_schema": {"type": "object"}}
)
MAYBE = [{"left": "input/today", "op": "!=", "value": "2026-01-01"}]


def step(name: str, *refs: str, **more: Any) -> dict[str, Any]:
    args = [{"ref": f"{each}/id", "to": each} for each in refs]
    return {"id": name, "action": "it.look", "args": args} | more


def order_of(*steps: dict[str, Any]) -> tuple[Order, dict[str, Any]]:
    plan = Plan.model_validate_json(json.dumps({"steps": steps}))
    analysis = Analysis(plan, Catalog([LOOK]), {})
    return Order(analysis), dict(analysis.by_id)


def test_who_refers_to_what_may_be_skipped_may_be_skipped_and_who_waits_for_it_may_not() -> None:
    order, _ = order_of(
        step("a", when=MAYBE), step("b", "a"), step("c", after=["a"]), step("d", "b"),
    )  # fmt: skip

    assert order.skippable == {"a", "b", "d"}


def test_the_first_of_several_is_never_skipped_by_them() -> None:
    first = {"args": [{"ref": "a", "to": "options/0"}, {"ref": "b", "to": "options/1"}]}
    order, steps = order_of(
        step("a", when=MAYBE), step("b", when=MAYBE),
        {"id": "f", "action": "fn.first_of"} | first, step("c", "f"),
    )  # fmt: skip

    assert order.skippable == {"a", "b"}
    assert order.before(steps["c"]) == {"f"}


def test_a_condition_on_each_item_skips_no_step() -> None:
    order, _ = order_of(step("a"), step("b", each="a/list", when=MAYBE))

    assert order.skippable == frozenset()


def test_what_a_step_refers_to_has_run_and_what_it_waits_for_only_if_it_cannot_be_skipped() -> None:
    order, steps = order_of(
        step("r"), step("m", when=MAYBE), step("n", "m"), step("s", "n", after=["r"]),
        step("t", after=["m", "r"]), step("u"),
    )  # fmt: skip

    assert order.before(steps["s"]) == {"r", "m", "n"}
    assert order.before(steps["t"]) == {"r"}
    assert order.before(steps["u"]) == frozenset()


def test_what_waits_for_a_step_near_or_far_has_not_begun() -> None:
    order, steps = order_of(step("a"), step("b", "a"), step("c", after=["b"]), step("d"))

    assert order.after(steps["a"]) == {"b", "c"}
    assert order.after(steps["d"]) == frozenset()


def test_steps_on_a_circle_prove_nothing_and_break_nothing() -> None:
    order, steps = order_of(step("a", "b"), step("b", "a"), step("c", after=["a"]))

    assert order.skippable == {"a", "b", "c"}
    assert order.before(steps["c"]) == frozenset()
