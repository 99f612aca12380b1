"""The lines of bulk admission: what a verdict line holds, and who is taken to ask."""

import json
from typing import Any

import pytest

from executor.check.bulk import MOST_LINE_BYTES, Bulk, UnusableInputError, read_catalog
from executor.check.cedar import Policy

PROPERTIES: dict[str, Any] = {"id": {"type": "string"}}
TOOLS: dict[str, Any] = {
    "lamgate_catalog": 1,
    "actions": [
        {
            "name": "shop.order",
            "effect": "read",
            "input_schema": {
                "type": "object",
                "properties": PROPERTIES,
                "additionalProperties": False,
            },
        }
    ],
}
PERMIT = "permit (principal, action, resource)"


def bulk(policy: str | None = None) -> Bulk:
    rules = None if policy is None else Policy.parse({"a.cedar": policy})
    return Bulk(read_catalog(json.dumps(TOOLS)), rules, "2026-03-02", b"key")


def plan(*args: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [{"id": "a", "action": "shop.order", "args": list(args)}]}


def told(line: dict[str, Any], policy: str | None = None) -> Any:
    return bulk(policy).verdict(json.dumps(line), 1)


def test_a_verdict_line_says_which_plan_and_with_which_policy() -> None:
    accepted = told({"id": "x", "plan": plan()})
    judged = told({"id": ["x"], "plan": plan()}, f"{PERMIT};")

    assert accepted["id"] == "x"
    assert (accepted["accepted"], accepted["policy"]) == (True, "not-evaluated")
    assert accepted["violations"] == []
    assert accepted["certificate"]["steps"][0]["standing"] == "allowed"
    assert (judged["id"], judged["policy"]) == (["x"], "evaluated")
    assert judged["certificate"]["policy"] == "evaluated"
    assert json.loads(json.dumps(judged)) == judged


def test_a_rejected_plan_has_all_its_violations_and_no_certificate() -> None:
    wrong = plan({"value": 1, "to": "id"}, {"value": "x", "to": "colour"})
    verdict = told({"id": 7, "plan": wrong})

    assert verdict.keys() == {"id", "accepted", "policy", "violations"}
    assert verdict["accepted"] is False
    assert [(each["code"], each["at"], each["step"]) for each in verdict["violations"]] == [
        ("unknown-argument", "/steps/0/args/1/to", "a"),
        ("type-mismatch", "/steps/0/args/0/value", "a"),
    ]
    assert all(each["message"] for each in verdict["violations"])


def test_a_question_is_told_as_it_was_asked() -> None:
    asked = {"questions": [{"about": "the order", "ask": "Which one?", "options": ["1", "2"]}]}
    verdict = told({"id": 1, "plan": asked})

    assert verdict["accepted"] is False
    assert verdict["questions"] == asked["questions"]
    assert verdict["unable"] is None
    assert verdict["violations"] == []


def test_the_words_of_the_line_are_those_of_the_request() -> None:
    labels = [
        told({"plan": plan({"value": "mug", "to": "id"}), "request": request})["certificate"][
            "steps"
        ][0]["labels"]["id"]["integrity"]
        for request in ("a mug", "a cup")
    ]

    assert labels == ["request", "model"]


@pytest.mark.parametrize(
    ("given", "who"),
    [
        ({}, 'principal == Tenant::User::"requester"'),
        ({"principal": {"id": "c-1"}}, 'principal == Tenant::User::"c-1"'),
        ({"principal": {"id": 7}}, 'principal == Tenant::User::"7"'),
    ],
)
def test_who_asks_is_the_lines_or_a_requester(given: dict[str, Any], who: str) -> None:
    line = {"plan": plan()} | given

    assert told(line, f"permit ({who}, action, resource);")["accepted"] is True
    assert told(line, 'permit (principal == Tenant::User::"x", action, resource);')["accepted"] is (
        False
    )


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        ({}, {"requester"}),
        ({"principal": {"roles": ["clerk", 7]}}, {"clerk", "7"}),
        ({"principal": {"roles": "clerk"}}, {"requester"}),
        ({"principal": {"roles": []}}, set()),
    ],
)
def test_roles_are_the_lines_or_that_of_a_requester(given: dict[str, Any], roles: set[str]) -> None:
    for role in ("requester", "clerk", "7", "c"):
        allows = f'{PERMIT} when {{ principal.roles.contains("{role}") }};'

        assert told({"plan": plan()} | given, allows)["accepted"] is (role in roles)


def test_inputs_have_the_types_of_their_values_and_no_others_are_there() -> None:
    known = told({"plan": plan({"ref": "input/id", "to": "id"}), "inputs": {"id": "7"}})
    number = told({"plan": plan({"ref": "input/id", "to": "id"}), "inputs": {"id": 7}})
    unknown = told({"plan": plan({"ref": "input/other", "to": "id"}), "inputs": {"id": "7"}})

    assert known["accepted"] is True
    assert known["certificate"]["steps"][0]["standing"] == "allowed"
    assert [each["code"] for each in number["violations"]] == ["type-mismatch"]
    assert [each["code"] for each in unknown["violations"]] == ["unknown-path"]


def test_lines_are_numbered_from_one_with_the_blank_ones() -> None:
    verdicts = bulk().verdicts([json.dumps({"id": 1, "plan": plan()}), "", "no json"])

    assert next(verdicts)["id"] == 1
    with pytest.raises(UnusableInputError, match="line 3 is"):
        next(verdicts)


@pytest.mark.parametrize("line_id", ["x", "é", 7, None])
def test_a_line_that_names_its_plan_has_a_verdict_whatever_the_plan_is(line_id: Any) -> None:
    text = f'{{"id": {json.dumps(line_id)}, "plan": {{"steps": [], "steps": []}}}}'
    verdict: Any = bulk(f"{PERMIT};").verdict(text, 1)

    assert verdict["id"] == line_id
    assert verdict["policy"] == "evaluated"
    assert [each["code"] for each in verdict["violations"]] == ["duplicate-key"]


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "a\\nb", "plan": {"a": 1, "a": 2}}',
        '{"id": 1.5, "plan": {"a": 1, "a": 2}}',
        '{"id": [], "plan": {"a": 1, "a": 2}}',
        '{"id": "x", "plans": {"a": 1, "a": 2}}',
        '["id", "plan", {"a": 1, "a": 2}]',
    ],
)
def test_a_line_that_cannot_be_answered_is_unusable(line: str) -> None:
    with pytest.raises(UnusableInputError, match="line 5 is no plan line: the member 'a'"):
        bulk().verdict(line, 5)


def test_a_flaw_beside_the_plan_has_no_place_in_it() -> None:
    beside: Any = bulk().verdict('{"id": "x", "plan": {}, "request": ["\\ud800"]}', 1)
    inside: Any = bulk().verdict('{"id": "x", "plan": {"unable": "\\ud800"}}', 1)

    assert [each["at"] for each in beside["violations"]] == [""]
    assert [each["at"] for each in inside["violations"]] == ["/unable"]


def test_a_line_may_be_as_long_as_is_read_and_no_longer() -> None:
    line = json.dumps({"id": "x", "plan": plan(), "request": ""})
    full = line.replace('"request": ""', f'"request": "{"x" * (MOST_LINE_BYTES - len(line))}"')

    assert len(full) == MOST_LINE_BYTES
    assert bulk().verdict(full, 1)["accepted"] is True
    with pytest.raises(UnusableInputError, match="at most"):
        bulk().verdict(full + " ", 1)


def test_the_schemas_of_a_catalogue_may_be_deep_and_their_bounds_wide() -> None:
    deep: Any = {"maximum": 2**63 - 1}
    for _ in range(90):
        deep = {"items": deep}
    action = TOOLS["actions"][0] | {"input_schema": deep}

    assert len(read_catalog(json.dumps(TOOLS | {"actions": [action]}))) == 1
    for _ in range(110):
        deep = {"items": deep}
    with pytest.raises(UnusableInputError, match="unusable: nested"):
        read_catalog(json.dumps(TOOLS | {"actions": [action | {"input_schema": deep}]}))


def test_a_catalogue_may_be_larger_than_a_plan() -> None:
    text = json.dumps(TOOLS)

    assert len(read_catalog(text + " " * 1_100_000)) == len(TOOLS["actions"])


def test_a_plan_refers_to_the_inputs_of_its_line_and_no_others() -> None:
    def codes(name: str) -> list[str]:
        args = [{"ref": f"input/{name}", "to": "id"}]
        steps = [{"id": "a", "action": "shop.order", "args": args}]
        line = {"plan": {"steps": steps}, "inputs": {"id": "x"}}
        return [each["code"] for each in told(line)["violations"]]

    assert (codes("id"), codes("gone")) == ([], ["unknown-path"])
