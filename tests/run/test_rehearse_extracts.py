"""What a model would read in a run is rehearsed as the plan's schema says it, each way."""

import json
from typing import Any

import pytest
from run_cases import NOW, accept, action, policy, ref, step, value

from connectors.validate import first_flaw
from executor.fn.extract import extract_action
from executor.rehearse.explore import Bounds
from executor.rehearse.rehearse import rehearse
from executor.rehearse.report import Rehearsal
from executor.rehearse.stage import Terms

PERMIT = "permit (principal, action, resource);"
NOTE = action("shop.note", "blind", sinks={"text": "content"})
KNOWN = (extract_action("reader"), NOTE)
LETTER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "town": {"type": "string", "maxLength": 40},
        "wish": {"enum": ["refund", "another"]},
        "pieces": {"type": "integer", "minimum": 5, "maximum": 9},
        "day": {"type": "string", "format": "date"},
    },
    "required": ["town", "wish", "pieces", "day"],
    "additionalProperties": False,
}


def read(schema: dict[str, Any]) -> dict[str, Any]:
    said = {"json": json.dumps(schema), "to": "schema"}
    return step("read", "fn.extract", value("a letter", "text"), said)


def rehearsed(*steps: dict[str, Any], answer: str) -> Rehearsal:
    accepted = accept(*steps, answer=[ref(answer, "x")], rules=PERMIT, more=KNOWN)
    terms = Terms(policy(PERMIT), lambda each: each.limits, NOW)
    return rehearse(accepted, terms, None, Bounds())


def test_what_is_read_fits_the_schema_that_the_plan_says() -> None:
    later = step("later", "fn.date_add", ref("read/day", "date"), value(3, "days"))
    found = rehearsed(read(LETTER), later, answer="later")
    (told,) = [each for each in found.scenarios[0].answers if each.step == "read"]

    assert [each.status for each in found.scenarios] == ["succeeded"]
    assert first_flaw(LETTER, told.output) is None
    assert not found.unmet


@pytest.mark.parametrize(
    "cond",
    [
        {"left": "read/wish", "op": "==", "value": "refund"},
        {"left": "read/pieces", "op": ">", "value": 6},
        {"left": "read/day", "op": "<", "value": "2026-06-01"},
    ],
)
def test_a_condition_on_what_is_read_is_shown_both_ways_by_values_that_fit(
    cond: dict[str, Any],
) -> None:
    note = step("note", "shop.note", value("seen", "text"), when=[cond])
    found = rehearsed(read(LETTER), note, answer="read")
    answers = [each.output for scenario in found.scenarios for each in scenario.answers
               if each.step == "read"]  # fmt: skip

    assert {len(each.effects) for each in found.scenarios} == {0, 1}
    assert [first_flaw(LETTER, each) for each in answers] == [None] * len(answers)
