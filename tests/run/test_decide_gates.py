"""Approvals and policy: asked for exactly what will be done, and anew where that changed."""

import pytest
from gate_cases import CONTINUE, LARGE, TWO_ROLES, gates
from run_cases import (
    GATE_S,
    NOW,
    PERMIT,
    applied,
    not_sent,
    play,
    policy,
    ref,
    refused,
    step,
    uncertain,
    value,
)

from executor.check.certificate import Options
from executor.check.grant import Grant
from executor.run.commands import OpenGate

ONE_WRITE = """
permit (principal, action, resource);
@id("one") forbid (principal, action, resource)
when { context.run.writes > 0 && action != Action::"read" };
"""


def test_a_step_that_needs_an_approval_asks_once_and_waits_for_it() -> None:
    run = play(step("a", "asked_blind", value(1, "x")))
    found = run.go()
    (approval,) = run.ask()
    wait = run.wait()
    run.grant(approval)
    call = run.performs()["a"]

    assert len(found) == 1
    gate = gates(play(step("a", "asked_blind", value(1, "x"))))["a"]
    assert (gate.role, gate.arguments, gate.iteration) == ("approver", {"x": 1}, "")
    assert (wait.waiting_for, wait.until, wait.steps) == ("approval", NOW + GATE_S, ("a",))
    assert call.grants == (Grant(approval, gate.args_hash),)


@pytest.mark.parametrize(("ruling", "code"), [(0, "approval-refused"), (1, "approval-expired")])
def test_without_a_yes_the_step_fails_and_nothing_happened(ruling: int, code: str) -> None:
    run = play(step("a", "asked_blind"))
    (approval,) = run.ask()
    if ruling == 0:
        run.refuse(approval)
    else:
        run.later(GATE_S)
    end = run.finish()

    assert (end.status, end.code, end.standing, end.uncertain) == ("failed", code, (), ())


def test_policy_decides_on_the_real_values() -> None:
    small, large = (
        play(step("r"), step("b", "blind", ref("r/n", "x")), rules=LARGE) for _ in range(2)
    )
    small.call("r", applied({"n": 10}))
    large.call("r", applied({"n": 11}))

    assert small.performs().keys() == {"b"}
    assert gates(large)["b"].reasons == ("more than ten",)
    assert gates(large)["b"].policies == ("large",)


def test_two_roles_are_asked_one_after_the_other_and_both_are_needed() -> None:
    run = play(step("a", "blind"), rules=TWO_ROLES)
    first = gates(run)["a"]
    (one,) = run.ask()
    run.grant(one)
    second = gates(run)["a"]
    before = run.performs()
    (two,) = run.ask()
    run.grant(two)

    assert {first.role, second.role} == {"approver", "treasurer"}
    assert before == {}
    assert run.performs().keys() == {"a"}


def test_a_manifest_and_a_policy_may_ask_different_people() -> None:
    rules = TWO_ROLES.replace("shop.blind", "shop.asked_blind")
    run = play(step("a", "asked_blind"), rules=rules)
    roles = []
    while asked := [each for each in run.go() if isinstance(each, OpenGate)]:
        roles += [each.role for each in asked]
        run.grant(run.open(asked[0]))

    assert sorted(roles) == ["approver", "treasurer"]
    assert run.performs().keys() == {"a"}


def test_an_approval_that_ran_out_before_the_call_is_asked_for_again() -> None:
    run = play(step("a"), step("b", "asked_blind", after=["a"]))
    (first,) = run.ask()
    run.grant(first)
    run.later(GATE_S + 1).call("a", applied({}))
    (second,) = run.ask()
    before = run.performs()
    run.grant(second)

    assert before == {}
    assert run.performs()["b"].grants[0].approval == second


def test_an_approval_covers_no_other_arguments() -> None:
    run = play(step("a", "asked_blind", value(1, "x")))
    (approval,) = run.ask()
    run.grant(approval)
    other = play(step("a", "asked_blind", value(2, "x")))
    other.events, other.state = run.events, run.state

    assert other.performs() == {}
    assert gates(other)["a"].arguments == {"x": 2}


def test_an_approval_is_needed_for_a_retry_too() -> None:
    run = play(step("a", "asked_blind"))
    (approval,) = run.ask()
    run.grant(approval)
    run.call("a", not_sent())

    assert run.later(60).performs()["a"].grants[0].approval == approval
    assert gates(run.later(GATE_S)).keys() == {"a"}


def test_a_policy_that_denies_by_now_stops_the_step_before_its_effect() -> None:
    run = play(step("a", "blind"), judged_by="forbid (principal, action, resource);")
    end = run.finish()

    assert (end.code, end.standing) == ("policy-denied", ())


def test_a_policy_that_fails_to_evaluate_denies() -> None:
    broken = PERMIT + "\nforbid (principal, action, resource) when { context.args.absent == 1 };"
    run = play(step("a", "blind"), judged_by=broken)

    assert run.finish().code == "policy-error"


def test_a_policy_that_denies_by_now_does_not_make_a_doubt_go_away() -> None:
    run = play(step("a", "keyed"))
    run.call("a", uncertain())
    run.policy = policy("forbid (principal, action, resource);")
    wait = run.later(5).wait()

    assert (wait.waiting_for, wait.steps) == ("reconcile", ("a",))


def test_a_no_does_not_make_a_doubt_go_away() -> None:
    run = play(step("a", "asked_keyed"))
    (approval,) = run.ask()
    run.later(GATE_S - 10).grant(approval)
    run.call("a", uncertain())
    (again,) = run.later(20).ask()
    run.refuse(again)

    assert run.wait().waiting_for == "reconcile"


def test_policies_know_how_many_other_effects_the_run_has_had() -> None:
    # Under these rules the plan would not be accepted, for its order tells it beforehand.
    run = play(step("a", "keyed"), step("b", "blind", after=["a"]), judged_by=ONE_WRITE)
    run.call("a", uncertain())
    run.later(2).call("a", applied({}, replayed=True))  # one effect, and not denied by itself
    end = run.finish()

    assert (end.code, run.state.failed.keys()) == ("policy-denied", {"b"})
    assert (end.standing, end.uncertain) == (("a",), ())


def test_a_call_that_had_no_effect_does_not_count() -> None:
    run = play(
        step("a", "keyed"), step("b", "blind"), rules=ONE_WRITE, options=CONTINUE,
    )  # fmt: skip
    run.call("a", refused())

    assert run.performs().keys() == {"b"}


def test_a_call_that_may_have_had_an_effect_counts() -> None:
    run = play(
        step("a", "blind"), step("b", "blind", after=["c"]), step("c"), rules=ONE_WRITE,
        options=Options(on_uncertain="continue"),
    )  # fmt: skip
    run.call("a", uncertain())
    run.call("c", applied({}))

    run.go()
    assert run.state.failed["b"].code == "policy-denied"
