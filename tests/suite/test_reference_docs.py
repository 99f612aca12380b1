"""The reference pages are true: every block in them is executed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from suite_cases import context, suite

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import Accepted, Rejected, admit
from executor.check.cedar import Judgement, Policy, PolicyQuestion
from executor.check.parse import parse_plan
from executor.check.unknown import Unknown
from executor.fn import FUNCTIONS
from executor.fn.extract import extract_action
from executor.plan.model import Plan
from executor.plan.render import render

DOCS = Path(__file__).parents[2] / "docs" / "reference"
LANGUAGE = (DOCS / "language.md").read_text(encoding="utf-8")
POLICY = (DOCS / "policy.md").read_text(encoding="utf-8")
GIVEN = {"request": "refund the mug of order 1042 and tell them"}


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def plan_of(text: str) -> Plan:
    plan = parse_plan(text)
    assert isinstance(plan, Plan), plan
    return plan


def test_every_plan_of_the_page_is_accepted_and_allowed() -> None:
    plans = blocks(LANGUAGE, "json plan")

    assert len(plans) == 2
    for text in plans:
        verdict = admit(plan_of(text), context(GIVEN))
        assert isinstance(verdict, Accepted), verdict
        assert {each.standing.value for each in verdict.certificate.steps} == {"allowed"}


def test_the_extract_of_the_page_is_accepted_where_a_model_is_named_and_nowhere_else() -> None:
    (text,) = blocks(LANGUAGE, "json extract")
    off = context(GIVEN)
    on = replace(off, catalog=Catalog([*off.catalog, extract_action("reader")]))

    accepted, refused = admit(plan_of(text), on), admit(plan_of(text), off)
    assert isinstance(accepted, Accepted), accepted
    assert accepted.certificate.of("read").note == "model call at run time"
    assert isinstance(refused, Rejected)
    assert [each.code for each in refused.violations] == ["unknown-action"]


def test_the_rendering_is_the_plan_as_people_read_it() -> None:
    assert (
        render(plan_of(blocks(LANGUAGE, "json plan")[0])) + "\n"
        == (blocks(LANGUAGE, "text rendered")[0])
    )


def test_the_call_of_the_page_becomes_the_steps_of_the_page() -> None:
    given = {"request": "refund the mug of order 1042", "playbooks": ["refund_line"]}
    verdict = admit(plan_of(blocks(LANGUAGE, "json call")[0]), context(given))

    assert isinstance(verdict, Accepted), verdict
    assert render(verdict.plan) + "\n" == blocks(LANGUAGE, "text expanded")[0]


def test_the_violation_of_the_page_is_what_admission_says() -> None:
    broken = blocks(LANGUAGE, "json plan")[0].replace("mug/price", "mug/cost")
    verdict = admit(plan_of(broken), context(GIVEN))

    assert isinstance(verdict, Rejected)
    assert [each.as_json() for each in verdict.violations] == json.loads(
        blocks(LANGUAGE, "json violations")[0]
    )


def test_the_page_names_every_function_and_no_other() -> None:
    named = set(re.findall(r"`(fn\.[a-z_]+)`", LANGUAGE))

    assert named == set(FUNCTIONS)


REFUND = ActionSpec.model_validate(
    {
        "name": "payments.refund_create",
        "effect": "blind",
        "input_schema": {"type": "object"},
        "sinks": {"amount": "amount"},
    }
)


def judged(amount: object, *approvals: str) -> Judgement:
    policy = Policy.parse({"page.cedar": blocks(POLICY, "cedar")[0]})
    who = Principal("clerk-1", "main", frozenset({"requester"}))
    question = PolicyQuestion(
        who, REFUND, {"amount": amount}, approvals=frozenset(approvals)  # type: ignore[dict-item]  # JSON
    )  # fmt: skip
    return policy.judge(question)


def told(judgement: Judgement) -> str:
    match judgement.verdict:
        case "approval":
            return f"approval by {judgement.role}"
        case "deny":
            return f"deny: {'; '.join(judgement.messages)}"
        case verdict:
            return verdict


@pytest.mark.parametrize(
    "row", re.findall(r"^\| ([0-9.]+) ([A-Z]{3}) \| (.*?) \| (.*?) \|$", POLICY, flags=re.MULTILINE)
)
def test_the_amounts_of_the_page_are_decided_as_it_says(row: tuple[str, str, str, str]) -> None:
    amount, currency, at_first, approved = row
    money = {"amount": amount, "currency": currency}

    assert told(judged(money)) == at_first
    assert told(judged(money, "approver")) == approved


def test_what_is_not_known_yet_is_decided_as_the_page_says() -> None:
    text = Unknown(frozenset({"string"}))

    assert judged(Unknown(frozenset({"object"}))).verdict == "unknown"
    assert judged({"amount": text, "currency": "USD"}).verdict == "deny"
    assert judged({"amount": text, "currency": "EUR"}).verdict == "unknown"


def test_every_violation_code_of_policy_is_on_the_page() -> None:
    assert all(
        f"`{code}`" in POLICY
        for code in ("policy-denied", "policy-error", "policy-value-unmappable")
    )


def test_every_rule_over_a_run_on_the_page_is_a_case_of_the_suite() -> None:
    rules = re.findall(r"\| `((?:unless|when) \{ context\.run.*? \})` \|", POLICY)
    tried = " ".join(
        case.content["given"]["policy"]
        for case in suite()
        if case.file == "order" and "policy" in case.given
    )

    assert len(rules) == 4
    assert [each for each in rules if each not in tried] == []
