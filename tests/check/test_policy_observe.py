"""Observe: policy decides and is recorded, and blocks nothing; labels and types still do."""

import json
from typing import Any

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, Rejected, admit
from executor.check.cedar import Mode, Policy, PolicyQuestion
from executor.check.certificate import ApprovalNeed, StepDecision
from executor.check.unknown import Unknown
from executor.plan.model import Plan

SEND = ActionSpec.model_validate(
    {
        "name": "mail.send",
        "effect": "blind",
        "approval": None,
        "egress": False,
        "sinks": {"to": "recipient"},
        "input_schema": {
            "type": "object",
            "properties": {"to": {"type": "string"}, "n": {"type": "integer"}},
            "additionalProperties": False,
        },
    }
)
WHO = Principal("me", "main", frozenset())
FORBID = '@id("no") @message("never") forbid (principal, action, resource);'
ASKS = (
    '@id("all") permit (principal, action, resource);'
    '@id("asks") @approval("boss") @quorum("2") @expires("60") forbid (principal, action, resource)'
    ' when { context.args.n > 3 } unless { context.approvals.contains("boss") };'
)


def decision(text: str, mode: Mode, *args: Any, request: str = "to a@b.example") -> StepDecision:
    verdict = admitted(text, mode, *args, request=request)
    assert isinstance(verdict, Accepted), verdict
    return verdict.certificate.of("s")


def admitted(text: str, mode: Mode, *args: Any, request: str, lift_role: str | None = None) -> Any:
    step = {"id": "s", "action": "mail.send", "args": args}
    return admit(
        Plan.model_validate_json(json.dumps({"steps": [step]})),
        AdmissionContext(
            request=request,
            inputs=Inputs({"type": "object", "properties": {"n": {"type": "integer"}}}, {}),
            catalog=Catalog([SEND]),
            policy=Policy.parse({"a.cedar": text} if text else {}, mode),
            principal=WHO,
            today="2026-03-02",
            seal_key=b"key",
            lift_role=lift_role,
        ),
    )


def judged(text: str, mode: Mode, arguments: JsonObject) -> tuple[str, str | None, str | None]:
    found = Policy.parse({"a.cedar": text}, mode).judge(PolicyQuestion(WHO, SEND, arguments))
    return found.verdict, found.observed, found.role


TO = {"value": "a@b.example", "to": "to"}


def test_every_verdict_is_to_allow_and_says_what_it_would_have_been() -> None:
    number = frozenset({"integer"})

    assert judged(FORBID, "enforce", {"n": 1}) == ("deny", None, None)
    assert judged(FORBID, "observe", {"n": 1}) == ("allow", "deny", None)
    assert judged(ASKS, "observe", {"n": 4}) == ("allow", "approval", "boss")
    assert judged(ASKS, "observe", {"n": Unknown(number)}) == ("allow", "unknown", "boss")
    assert judged(ASKS, "observe", {"n": 3}) == ("allow", None, None)
    assert judged(ASKS, "observe", {}) == ("allow", "deny", None)  # it fails
    assert judged(ASKS, "observe", {"n": 2**63}) == ("allow", "deny", None)  # it cannot see it


def test_without_any_policy_nothing_writes_in_either_mode() -> None:
    assert isinstance(admitted("", "observe", TO, request="to a@b.example"), Rejected)


def test_the_certificate_says_what_would_have_been_denied() -> None:
    found = decision(FORBID, "observe", TO)

    assert found.standing == "allowed"
    assert found.observed == "denied by no: never"
    assert found.policies == ("no",)
    assert decision(ASKS, "observe", TO, {"value": 1, "to": "n"}).observed is None


def test_an_approval_that_would_have_been_asked_for_is_not() -> None:
    four = {"value": 4, "to": "n"}
    found = decision(ASKS, "observe", TO, four)

    assert (found.standing, found.approval) == ("allowed", None)
    assert found.observed == "waits for 2 of boss by asks"
    assert decision(ASKS, "enforce", TO, four).approval == ApprovalNeed(
        role="boss", quorum=2, reasons=("policy asks",), policies=("asks",), expires_s=60.0
    )


def test_observing_lifts_neither_labels_nor_types() -> None:
    made_up = {"value": "x@y.example", "to": "to"}
    number = {"value": "four", "to": "n"}
    untold = admitted(FORBID, "observe", made_up, request="to a@b.example")
    untyped = admitted(FORBID, "observe", TO, number, request="to a@b.example")

    assert [each.code for each in untold.violations] == ["ungrounded-target"]
    assert [each.code for each in untyped.violations] == ["type-mismatch"]


def test_a_guard_names_the_policies_that_wait_and_what_they_wait_for() -> None:
    found = decision(ASKS, "enforce", TO, {"ref": "input/n", "to": "n"})
    guard = next(each for each in found.guards if each.kind == "policy")

    assert (guard.policies, guard.needs) == (("asks",), ("args/n",))
    assert guard.why == "asks: decided once args/n can be seen; it may ask for boss"


def test_two_needs_of_one_role_are_the_most_people_for_the_shortest_time() -> None:
    one = ApprovalNeed(role="boss", quorum=3, reasons=("a",), policies=("p",))
    two = ApprovalNeed(role="boss", reasons=("a", "b"), policies=("q",), expires_s=60)

    assert one.with_(two) == ApprovalNeed(
        role="boss", quorum=3, reasons=("a", "b"), policies=("p", "q"), expires_s=60
    )
    assert one.with_(one) == one
