"""The certificate: what two needs for an approval come to, and what of a step it says."""

import pytest

from connectors.spec import Effect, Integrity
from executor.check.certificate import (
    ApprovalNeed,
    Certificate,
    Guard,
    Options,
    Standing,
    StepDecision,
    ValueLabel,
)

ONE = ApprovalNeed(role="boss", quorum=2, reasons=("a", "b"), policies=("p",), expires_s=60.0)
OTHER = ApprovalNeed(role="boss", reasons=("b", "c"), policies=("p", "q"), expires_s=30.0)
OPEN = ApprovalNeed(role="boss")


def test_two_needs_are_one_of_the_most_people_for_the_shortest_time() -> None:
    both = ONE.with_(OTHER)

    assert both == ApprovalNeed(
        role="boss", quorum=2, reasons=("a", "b", "c"), policies=("p", "q"), expires_s=30.0
    )
    assert OTHER.with_(ONE).quorum == 2
    assert OTHER.with_(ONE).expires_s == 30.0


def test_a_need_without_an_end_of_its_own_takes_that_of_the_other() -> None:
    assert OPEN.with_(ONE).expires_s == 60.0
    assert ONE.with_(OPEN).expires_s == 60.0
    assert OPEN.with_(OPEN).expires_s is None
    assert OPEN.with_(OPEN).quorum == 1


def decision(step: str) -> StepDecision:
    return StepDecision(
        step=step, action="x.y", effect=Effect.READ, standing=Standing.ALLOWED,
        result_label=ValueLabel(integrity=Integrity.TRUSTED),
    )  # fmt: skip


def test_a_decision_is_found_by_its_step() -> None:
    certificate = Certificate(
        plan_digest="d",
        policy="evaluated",
        policy_version="v",
        steps=(decision("a"), decision("b")),
    )

    assert certificate.of("a").step == "a"
    assert certificate.of("b").step == "b"
    with pytest.raises(KeyError):
        certificate.of("c")


def test_what_a_certificate_leaves_open_is_the_cautious_side() -> None:
    certificate = Certificate(plan_digest="d", policy="not-evaluated", policy_version=None)

    assert certificate.options == Options(on_failure="stop", on_uncertain="wait")
    assert certificate.budgets.steps == 50
    assert decision("a").guards == ()
    assert decision("a").approval is None
    assert ValueLabel(integrity=Integrity.MODEL).readers is None
    assert Guard(kind="type", at="", why="?").expected is None


@pytest.mark.parametrize("model", [ONE, decision("a"), Guard(kind="budget", at="x", why="?")])
def test_nothing_of_a_certificate_can_be_changed_or_added(model: ApprovalNeed) -> None:
    with pytest.raises(ValueError, match="frozen"):
        model.role = "x"
    with pytest.raises(ValueError, match="Extra inputs"):
        type(model).model_validate(model.model_dump() | {"more": 1})
