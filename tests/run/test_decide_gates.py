"""Approvals and policy: asked before the first effect, for exactly what will be done."""

from typing import Any

import pytest
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
from executor.run.commands import OpenGate, Perform

CONTINUE = Options(on_failure="continue")
LARGE = """
permit (principal, action, resource);
@id("large") @approval("approver") @message("more than ten")
forbid (principal, action, resource) when { context.args has x && context.args.x > 10 }
unless { context.approvals.contains("approver") };
"""
TWO_ROLES = """
permit (principal, action, resource);
@approval("treasurer") forbid (principal, action, resource == Operation::"shop.blind")
unless { context.approvals.contains("treasurer") };
@approval("approver") forbid (principal, action, resource == Operation::"shop.blind")
unless { context.approvals.contains("approver") };
"""
ONE_WRITE = """
permit (principal, action, resource);
@id("one") forbid (principal, action, resource)
when { context.run.writes > 0 && action != Action::"read" };
"""


def gates(run: Any) -> dict[str, OpenGate]:
    return {each.step: each for each in run.go() if isinstance(each, OpenGate)}


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


def test_whatever_is_known_from_the_start_is_asked_for_before_the_first_effect() -> None:
    run = play(
        step("a", "blind"),
        step("b", "asked_blind", value(1, "x"), after=["a"]),
        step("c", "asked_blind", ref("a/id", "x")),
        step("d"),
    )
    first = run.go()
    run.begin(run.performs()["d"])
    (approval,) = run.ask()
    run.end(run.flying["d", ""], applied({}))  # type: ignore[arg-type]  # a call
    wait = run.wait()
    run.grant(approval)
    then = run.performs()
    run.call("a", applied({"id": 7}))

    assert {(type(each), each.step) for each in first} == {(OpenGate, "b"), (Perform, "d")}  # type: ignore[union-attr]  # both have one
    assert (wait.waiting_for, wait.steps) == ("approval", ("b",))
    assert then.keys() == {"a"}
    assert gates(run).keys() == {"c"}  # its arguments came only now


def test_a_wait_for_an_early_approval_ends_when_it_expires() -> None:
    run = play(step("a", "blind"), step("b", "asked_blind", after=["a"]))
    run.ask()
    wait = run.wait()
    run.now = wait.until or 0.0
    end = run.finish()

    assert wait.until == NOW + GATE_S
    assert (end.code, end.standing) == ("approval-expired", ())


def test_a_no_to_a_later_step_comes_before_the_first_effect() -> None:
    run = play(step("a", "blind"), step("b", "asked_blind", after=["a"]))
    (approval,) = run.ask()
    run.refuse(approval)
    end = run.finish()

    assert (end.status, end.code, end.standing) == ("failed", "approval-refused", ())
    assert run.state.failed["b"].message == "approver: too much"
    assert run.state.attempts == {}


def test_a_condition_on_the_inputs_alone_is_asked_about_early_and_one_on_results_is_not() -> None:
    def plan(left: str) -> Any:
        condition = [{"left": left, "op": "==", "value": 1}]
        return play(step("a"), step("b", "asked_blind", after=["a"], when=condition), n=1)

    assert gates(plan("input/n")).keys() == {"b"}
    assert gates(plan("a/n")).keys() == set()


def test_a_step_that_will_be_skipped_is_not_asked_about() -> None:
    condition = [{"left": "input/n", "op": "==", "value": 2}]
    run = play(step("a"), step("b", "asked_blind", after=["a"], when=condition), n=1)

    assert gates(run) == {}


def test_a_step_whose_turn_never_comes_is_not_asked_about() -> None:
    run = play(step("a"), step("b", "asked_blind", after=["a"]), options=CONTINUE)
    (approval,) = run.ask()
    run.call("a", refused())

    assert approval
    assert run.finish().status == "failed"


def test_the_list_of_an_each_step_is_asked_about_early_too() -> None:
    run = play(
        step("a", "blind"),
        step("b", "asked_blind", ref("each", "x"), each="input/list", after=["a"]),
        list=[1, 2],
    )

    assert gates(run)["b"].arguments == {"items": [{"x": 1}, {"x": 2}]}
    assert run.performs() == {}


@pytest.mark.parametrize("what", ["asked_blind", "blind"])  # by its manifest, or by policy
def test_what_only_comes_after_an_effect_is_asked_about_before_it_once_its_arguments_are_known(
    what: str,
) -> None:
    def plan() -> Any:
        writes = (
            step("w", "keyed", ref("r/id", "of")),
            step("c", what, ref("r/id", "x"), after=["w"]),
        )
        return play(step("r"), *writes, rules=LARGE)

    run, small = plan(), plan()
    begun = run.performs()
    run.call("r", applied({"id": 11}))
    (gate,) = run.go()
    run.refuse(run.open(gate))
    small.call("r", applied({"id": 10}))

    assert begun.keys() == {"r"}
    assert (gate.step, gate.arguments) == ("c", {"x": 11})
    assert (run.finish().code, {*run.state.attempts}) == ("approval-refused", {("r", "")})
    assert ("w" in small.performs()) is (what == "blind")


def test_what_policy_says_by_what_the_run_did_is_asked_about_in_its_turn() -> None:
    rules = LARGE.replace("context.args.x > 10", "context.run.writes == 1")
    run = play(step("w", "keyed"), step("c", "blind", value(1, "x"), after=["w"]), rules=PERMIT,
               judged_by=rules)  # fmt: skip
    first = run.performs()
    run.call("w", applied({}))

    assert first.keys() == {"w"}
    assert gates(run).keys() == {"c"}


def test_both_roles_are_asked_about_a_list_before_anything_acts() -> None:
    run = play(
        step("a", "keyed"),
        step("b", "blind", ref("each", "x"), each="input/list", after=["a"]),
        rules=TWO_ROLES,
        list=[1, 2],
    )
    (first,) = run.ask()
    run.grant(first)
    (second,) = run.ask()
    run.grant(second)

    assert [gate.opened.role for gate in run.state.gates["b", ""]] == ["approver", "treasurer"]
    assert run.performs().keys() == {"a"}


SOME_THEN_MANY = """
permit (principal, action, resource);
@approval("approver") forbid (principal, action, resource) when { context.args.x > 0 }
unless { context.approvals.contains("approver") };
@approval("approver") @quorum("2") forbid (principal, action, resource)
when { context.run.writes >= 2 } unless { context.approvals.contains("approver") };
"""


def test_more_people_are_asked_where_policy_wants_more_by_then_than_have_said_yes() -> None:
    run = play(
        step("b", "blind", ref("each", "x"), each="input/list"), rules=SOME_THEN_MANY,
        list=[1, 2, 3, 4],
    )  # fmt: skip
    (first,) = run.ask()
    run.grant(first)
    for item in ("b[0]", "b[1]"):
        run.call(item, applied({}))
    (gate,) = run.go()  # one for the whole list, whichever items ask
    run.grant(run.open(gate))

    assert (gate.role, gate.quorum) == ("approver", 2)
    assert run.performs().keys() == {"b[2]"}


def test_a_question_whose_step_never_comes_holds_no_other_step_back() -> None:
    run = play(
        step("a"), step("b", "asked_blind", after=["a"]), step("c", "blind"), options=CONTINUE
    )
    run.ask()
    held = run.performs()
    run.call("a", refused())

    assert held.keys() == {"a"}
    assert run.performs().keys() == {"c"}


def test_a_question_about_a_doubt_that_has_settled_is_not_waited_for() -> None:
    run = play(step("a", "asked_keyed"), step("b", "asked_blind", after=["a"]))
    first, second = run.ask()
    run.grant(first)
    run.grant(second)
    run.later(GATE_S - 10).call("a", uncertain())
    again = run.later(20).ask()  # the approvals have run out, and a call is in doubt
    run.resolve("a", 1, "applied", {})

    assert len(again) == 2
    assert (run.wait().waiting_for, run.wait().steps) == ("approval", ("b",))


@pytest.mark.parametrize("ruling", ["open", "granted", "refused"])
def test_a_list_that_was_asked_about_early_goes_by_the_answer(ruling: str) -> None:
    run = play(
        step("a"),
        step("b", "asked_blind", ref("each", "x"), each="input/list", after=["a"]),
        list=[1, 2],
    )
    (approval,) = run.ask()
    if ruling == "granted":
        run.grant(approval)
    if ruling == "refused":
        run.refuse(approval)
        assert run.finish().code == "approval-refused"
        return
    run.call("a", applied({}))

    if ruling == "open":
        assert (run.wait().waiting_for, run.wait().steps) == ("approval", ("b",))
        run.grant(approval)
    assert run.performs().keys() == {"b[0]", "b[1]"}


def test_nobody_is_asked_about_what_has_a_flaw_it_fails_when_its_turn_comes() -> None:
    run = play(
        step("a"),
        step("b", "asked_blind", ref("each", "x"), each="input/list", after=["a"]),
        step("c", "asked_blind", ref("input/absent", "x"), after=["a"]),
        options=CONTINUE,
    )
    assert gates(run) == {}
    run.call("a", applied({}))
    run.finish()

    assert {each.code for each in run.state.failed.values()} == {"missing-value"}
    assert run.state.failed.keys() == {"b", "c"}


def test_no_effect_begins_beside_the_first_question_whatever_asks_it() -> None:
    run = play(step("a", "keyed"), step("r"), step("b", "blind", ref("r/n", "x")), rules=LARGE)
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    other = play(step("a", "keyed"), step("b", "blind", value(20, "x")), rules=LARGE)

    assert begun.keys() == {"a", "r"}
    assert other.performs() == {}
    assert gates(other).keys() == {"b"}


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
