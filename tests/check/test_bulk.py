"""Bulk admission: what is unusable, what is a verdict, and what a line may say."""

import json
from typing import Any

import pytest

from executor.check.bulk import Bulk, UnusableInputError, read_catalog
from executor.check.cedar import Policy

ACTION: dict[str, Any] = {
    "name": "shop.order",
    "effect": "read",
    "input_schema": {"type": "object", "properties": {"id": {"maximum": 9223372036854775807}}},
}
TOOLS: dict[str, Any] = {"lamgate_catalog": 1, "actions": [ACTION]}
GOOD: dict[str, Any] = {"id": "good", "plan": {"steps": [{"id": "a", "action": "shop.order"}]}}


def bulk(policy: str | None = None) -> Bulk:
    rules = None if policy is None else Policy.parse({"a.cedar": policy})
    return Bulk(read_catalog(json.dumps(TOOLS)), rules, "2026-03-02", b"key")


@pytest.mark.parametrize(
    ("plan", "code", "at"),
    [
        ('{"steps": [], "steps": []}', "duplicate-key", ""),
        ('{"steps": NaN}', "malformed-json", ""),
        ('{"unable": "\\ud800"}', "malformed-json", "/unable"),
        ('{"steps": [' + "[" * 50 + "]" * 50 + "]}", "too-large", "/steps" + "/0" * 30),
        ('{"x": 9007199254740993}', "number-out-of-range", "/x"),
        ('"text"', "unknown-field", ""),
        ('{"language": 1, "plan": {"step": []}}', "unknown-field", "/plan/step"),
    ],
)
def test_a_line_whose_plan_is_no_strict_json_has_a_verdict(plan: str, code: str, at: str) -> None:
    line = f'{{"id": "x", "plan": {plan}}}'
    verdict: Any = bulk().verdict(line, 1)

    assert verdict["id"] == "x"
    assert verdict["accepted"] is False
    assert [(each["code"], each["at"]) for each in verdict["violations"]] == [(code, at)]


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        ("{", "the catalogue is unusable"),
        ("[]", "a catalogue is"),
        ('{"lamgate_catalog": 2, "actions": []}', "a catalogue is"),
        ('{"lamgate_catalog": 1}', "`actions` is a list"),
        ('{"lamgate_catalog": 1, "actions": [{"name": "No Name"}]}', "actions/0/name"),
        (json.dumps(TOOLS | {"actions": [ACTION, ACTION]}), "two actions are called"),
        (json.dumps(TOOLS | {"actions": [ACTION | {"colour": 1}]}), "actions/0/colour"),
    ],
)
def test_an_unusable_catalogue_says_what_and_where(tools: str, says: str) -> None:
    with pytest.raises(UnusableInputError, match=says):
        read_catalog(tools)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("no json", "line 7 is no plan line"),
        ("7", "line 7 is no plan line: it should be an object"),
        ('{"id": 1}', "plan: Field required"),
        (json.dumps(GOOD | {"request": 7}), "request: Input should be"),
        ('{"id": "x", "plan": {"steps": [', "line 7 is no plan line"),
        ('{"id": "\\ud800", "plan": {}}', "lone surrogate"),
        ("x" * 2_000_001, "at most 2000000"),
    ],
)
def test_a_line_that_is_no_plan_line_is_unusable(line: str, says: str) -> None:
    with pytest.raises(UnusableInputError, match=says):
        bulk().verdict(line, 7)


def test_blank_lines_are_passed_over_and_unknown_members_ignored() -> None:
    found = list(bulk().verdicts(["", json.dumps(GOOD | {"note": "?"}), "  ", json.dumps(GOOD)]))

    assert [each["accepted"] for each in found] == [True, True]


def test_a_line_may_say_who_asks_and_with_which_inputs() -> None:
    judge = bulk(
        'permit (principal == Tenant::User::"c-1", action, resource)'
        ' when { principal.roles.contains("clerk") && context.args.id == "7" };'
    )
    plan = {"steps": [GOOD["plan"]["steps"][0] | {"args": [{"ref": "input/id", "to": "id"}]}]}
    line = {"id": 1, "plan": plan, "inputs": {"id": "7"}}
    clerk = line | {"principal": {"id": "c-1", "tenant": "t", "roles": ["clerk"]}}

    assert judge.verdict(json.dumps(clerk), 1)["accepted"] is True
    assert judge.verdict(json.dumps(line), 1)["accepted"] is False


def test_what_cannot_be_done_is_told_with_its_reason() -> None:
    verdict = bulk().verdict('{"id": 1, "plan": {"unable": "no such tool"}}', 1)

    assert verdict["accepted"] is False
    assert verdict["violations"] == []
    assert verdict["unable"] == "no such tool"
