"""The converters of tau2: what can be said is accepted, and runs to exactly the gold values."""

import json
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.admission.judge import score
from benchmarks.admission.sets import tau2
from connectors.spec import JsonObject

DATA = os.environ.get("LAMGATE_DATA")
SAMPLE = 25

pytestmark = pytest.mark.skipif(
    not DATA or not (Path(DATA) / "tau2_retail_tasks.jsonl").exists(),
    reason="LAMGATE_DATA names no folder with the data sets",
)


@pytest.mark.parametrize(("domain", "floor"), [("retail", 0.5), ("airline", 0.6)])
def test_what_can_be_said_is_accepted_and_resolves_to_the_gold_values(
    domain: str, floor: float
) -> None:
    found = score(domain, islice(tau2.cases(domain, Path(DATA or "")), SAMPLE))

    assert [f"{case.id}: {said}" for case, said in found.wrong] == []
    assert found.expressible >= 0.8 * floor * found.n  # a sample, not the whole set


def test_a_plan_that_writes_another_value_is_found_out() -> None:
    case = next(each for each in tau2.cases("airline", Path(DATA or "")) if _writes(each.plan))
    plan = json.loads(json.dumps(case.plan))
    for step in plan["steps"]:
        if "cancel" in step["action"]:
            step["args"] = [{"value": "AAAAAA", "to": "reservation_id"}]
    found = score("changed", [replace(case, plan=plan)])

    assert [said.partition(":")[0] for _, said in found.wrong] == ["other values"]


def _writes(plan: JsonObject | None) -> bool:
    return "cancel_reservation" in json.dumps(plan)
