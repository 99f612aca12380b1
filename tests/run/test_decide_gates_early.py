"""What is known to need an approval is asked for before the first effect."""

from typing import Any

import pytest
from gate_cases import CONTINUE, LARGE, TWO_ROLES, gates
from run_cases import (
    GATE_S,
    NOW,
    PERMIT,
    applied,
    play,
    ref,
    refused,
    step,
    uncertain,
    value,
)

from executor.run.commands import OpenGate, Perform


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
