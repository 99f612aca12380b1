"""A step with `each`: a call an item, one result, one approval, flaws found before any acts."""

from typing import Any

import pytest
from run_cases import (
    PERMIT,
    SETTLE_S,
    Play,
    applied,
    not_sent,
    play,
    ref,
    refused,
    step,
    uncertain,
)

from executor.check.budgets import Budgets
from executor.check.cedar import Judgement, Policy, PolicyQuestion
from executor.check.certificate import Options
from executor.check.grant import Grant
from executor.run.commands import Finish, OpenGate, Perform
from executor.run.moves import MOST_AT_ONCE

CONTINUE = Options(on_failure="continue")


def over(what: str, *items: Any, **more: Any) -> Play:
    """One call for each of these."""
    return play(
        step("a", what, ref("each", "x"), each="input/list"),
        answer=[ref("a", "all")],
        list=list(items),
        **more,
    )


def test_every_item_is_called_at_once_and_the_result_is_in_the_order_of_the_list() -> None:
    run = over("keyed", 1, 2, 3)
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    for name in ("a[2]", "a[0]", "a[1]"):
        run.end(begun[name], applied(name))

    assert [each.arguments for each in begun.values()] == [{"x": 1}, {"x": 2}, {"x": 3}]
    assert run.finish().result == {"all": ["a[0]", "a[1]", "a[2]"]}


def test_every_item_has_a_key_of_its_own_even_for_the_same_arguments() -> None:
    run = over("keyed", 1, 1)
    for each in run.performs().values():
        run.begin(each)
    keys = {found[0].intent.key for found in run.state.attempts.values()}

    assert len(keys) == 2


def test_an_empty_list_gives_an_empty_list() -> None:
    assert over("blind").finish().result == {"all": []}


def test_what_is_no_list_fails_and_so_does_what_is_not_there() -> None:
    for given in ({}, {"list": {}}, {"list": None}):
        run = play(step("r"), step("a", "blind", ref("each", "x"), each="r/list"))
        run.call("r", applied(given))

        assert run.finish().code == "missing-value"


def test_a_list_over_the_budget_is_refused_before_its_first_call() -> None:
    run = play(step("r"), step("a", "blind", ref("each", "x"), each="r/list"))
    run.call("r", applied({"list": [*range(Budgets().items + 1)]}))

    assert run.finish().code == "budget-exceeded"
    assert run.state.attempts.keys() == {("r", "")}


def test_no_more_calls_than_allowed_are_under_way_at_once() -> None:
    run = over("read", *range(MOST_AT_ONCE + 10))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    full = run.performs()
    run.end(begun["a[5]"], applied({}))

    assert len(begun) == MOST_AT_ONCE
    assert full == {}
    assert run.performs().keys() == {f"a[{MOST_AT_ONCE}]"}


def test_what_is_called_again_has_no_more_places_than_what_begins() -> None:
    run = over("idempotent", *range(MOST_AT_ONCE + 2))
    for each in run.performs().values():
        run.begin(each)
    run.crash()
    run.go()
    for each in run.performs().values():
        run.begin(each)
    for each in run.later(60).performs().values():
        run.begin(each)

    assert len(run.flying) == MOST_AT_ONCE
    assert run.performs() == {}


def test_an_item_that_was_given_up_is_seen_though_no_other_call_may_begin() -> None:
    run = play(
        step("a", "blind", each="input/one"),
        step("b", "read", each="input/many"),
        one=[1],
        many=[*range(MOST_AT_ONCE + 10)],
    )
    for each in run.performs().values():
        run.begin(each)
    run.end(run.flying["a", "0"], uncertain())
    run.begin(run.performs()[f"b[{MOST_AT_ONCE - 1}]"])
    run.resolve("a[0]", 1, "abandoned")
    run.go()

    assert len(run.flying) == MOST_AT_ONCE
    assert "a" in run.state.failed


def test_a_condition_is_asked_for_each_item_and_a_skipped_one_gives_null() -> None:
    run = play(
        step(
            "a", "read", ref("each", "x"), each="input/list",
            when=[{"left": "each", "op": ">", "value": 1}],
        ),
        answer=[ref("a", "all")],
        list=[1, 2],
    )  # fmt: skip
    run.call("a[1]", applied("two"))

    assert run.finish().result == {"all": [None, "two"]}


def test_over_the_results_of_an_each_step_nulls_are_passed_over_and_makers_are_known() -> None:
    big = [{"left": "each", "op": ">", "value": 1}]
    run = play(
        step("a", "read", ref("each", "x"), each="input/list", when=big),
        step("b", "read", ref("each/id", "id"), ref("each_item", "from"), each="a"),
        answer=[ref("b", "all")],
        list=[1, 2],
    )
    run.call("a[1]", applied({"id": 7}))
    call = run.call("b[1]", applied("done"))

    assert call.arguments == {"id": 7, "from": 2}
    assert run.finish().result == {"all": [None, "done"]}


def test_a_null_in_a_list_of_the_inputs_is_a_value() -> None:
    run = over("read", None)

    assert run.performs()["a[0]"].arguments == {"x": None}


def test_a_flaw_in_the_last_item_is_found_before_the_first_one_acts() -> None:
    run = play(
        step("r"), step("a", "blind", ref("each/id", "id"), each="r/list"),
    )  # fmt: skip
    run.call("r", applied({"list": [{"id": 1}, {}]}))
    end = run.finish()

    assert end.code == "missing-value"
    assert run.state.failed["a"].iteration == "1"
    assert ("a", "0") not in run.state.attempts


def test_a_flawed_item_of_a_run_that_goes_on_gives_null_and_the_others_are_called() -> None:
    run = play(
        step("r"), step("a", "blind", ref("each/id", "id"), each="r/list"),
        answer=[ref("a", "all")], options=CONTINUE,
    )  # fmt: skip
    run.call("r", applied({"list": [{"id": 1}, {}, {"id": 3}]}))
    for name in ("a[0]", "a[2]"):
        run.call(name, applied(name))
    end = run.finish()

    assert (end.status, end.code) == ("failed", "missing-value")
    assert end.result == {"all": ["a[0]", None, "a[2]"]}
    assert run.state.failed_items["a"].keys() == {"1"}


def test_a_failed_item_lets_no_other_begin_and_waits_for_those_under_way() -> None:
    run = over("blind", *range(MOST_AT_ONCE + 5))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.end(begun["a[3]"], refused())
    for number in range(MOST_AT_ONCE):
        if number != 3:
            assert run.performs() == {}
            run.end(begun[f"a[{number}]"], applied({}))
    end = run.finish()

    assert (end.code, run.state.failed["a"].iteration) == ("invalid", "3")
    assert len(run.state.attempts) == MOST_AT_ONCE
    assert end.standing == ("a",)


def test_a_failed_item_does_not_hide_one_in_doubt() -> None:
    run = over("lookup", 1, 2)
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.end(begun["a[0]"], refused())
    run.end(begun["a[1]"], uncertain())
    before = run.state.has_ended("a")
    run.go()
    run.later(SETTLE_S).resolve("a[1]", 1, "applied", {}, by="lookup")
    end = run.finish()

    assert not before
    assert (end.status, end.standing, end.uncertain) == ("failed", ("a",), ())


def test_a_failed_item_of_a_run_that_goes_on_gives_null_and_is_told_beside() -> None:
    run = play(
        step("a", "blind", ref("each", "x"), each="input/list"),
        step("b", "read", ref("each", "y"), each="a"),
        answer=[ref("b", "all")], options=CONTINUE, list=[1, 2, 3],
    )  # fmt: skip
    run.call("a[1]", refused("not_found"))
    for name in ("a[0]", "a[2]", "b[0]", "b[2]"):
        run.call(name, applied(name))
    end = run.finish()

    assert end.result == {"all": ["b[0]", None, "b[2]"]}
    assert (end.status, end.code) == ("failed", "not_found")
    failure = run.state.failed_items["a"]["1"]
    assert (failure.code, failure.effect) == ("not_found", "no")


def test_an_expectation_holds_for_each_item() -> None:
    run = play(
        step(
            "a", "blind", ref("each", "x"), each="input/list",
            expect=[{"left": "result/ok", "op": "==", "value": True}],
        ),
        list=[1, 2],
    )  # fmt: skip
    run.call("a[0]", applied({"ok": True}))
    run.call("a[1]", applied({"ok": False}))
    end = run.finish()

    assert (end.code, run.state.failed["a"].iteration) == ("expect-failed", "1")
    assert run.state.failed["a"].effect == "yes"


def test_an_item_is_retried_and_settled_like_a_call_of_its_own() -> None:
    run = over("keyed", 1, 2)
    run.call("a[0]", not_sent())
    run.lose("a[1]")
    run.later(60)
    again = run.performs()

    assert {name: each.n for name, each in again.items()} == {"a[0]": 2, "a[1]": 2}


def test_one_approval_covers_the_whole_list_and_nothing_else() -> None:
    run = over("asked_blind", 1, 2)
    (gate,) = run.go()
    assert isinstance(gate, OpenGate)
    run.grant(run.open(gate))
    calls = run.performs()
    run.call("a[0]", applied({}))
    run.call("a[1]", not_sent())
    later = run.later(60).performs()

    assert gate.arguments == {"items": [{"x": 1}, {"x": 2}]}
    assert {each.grants for each in calls.values()} == {(Grant("apr_1", gate.args_hash),)}
    assert later["a[1]"].grants == (Grant("apr_1", gate.args_hash),)


def test_a_list_nobody_approves_is_not_begun() -> None:
    run = over("asked_blind", 1, 2)
    (approval,) = run.ask()
    run.refuse(approval)

    assert (run.finish().code, run.state.attempts) == ("approval-refused", {})


def test_what_policy_denies_of_one_item_stops_the_list_before_it_begins() -> None:
    rules = f"""{PERMIT}
    forbid (principal, action, resource) when {{ context.args has x && context.args.x == 2 }};
    """
    run = play(
        step("r"), step("a", "blind", ref("each", "x"), each="r/list"), rules=rules,
    )  # fmt: skip
    run.call("r", applied({"list": [1, 2]}))

    assert (run.finish().code, run.state.failed["a"].iteration) == ("policy-denied", "")
    assert ("a", "0") not in run.state.attempts


def test_a_function_is_computed_for_each_item() -> None:
    run = play(
        step("a", "fn.count", ref("each", "list"), each="input/list"),
        answer=[ref("a", "all")],
        list=[[1], [], [1, 2]],
    )

    assert run.finish().result == {"all": [1, 0, 2]}


def test_a_cancelled_list_begins_no_other_item() -> None:
    run = over("blind", 1, 2, 3)
    begun = run.performs()
    run.begin(begun["a[0]"])
    run.cancel()
    waiting = run.wait()
    run.end(begun["a[0]"], applied({}))
    end = run.finish()

    assert waiting.waiting_for == "flight"
    assert (end.status, end.standing, end.uncertain) == ("cancelled", ("a",), ())


@pytest.mark.parametrize("number", [200])
def test_what_has_ended_costs_next_to_nothing_in_later_rounds(number: int) -> None:
    run = over("blind", *range(number))
    judged = 0

    class Counting(Policy):
        def judge(self, question: PolicyQuestion) -> Judgement:
            nonlocal judged
            judged += 1
            return super().judge(question)

    own = run.policy
    run.policy = Counting(own.rules, own.version, own.mode, own.connectors)
    while not isinstance((found := run.go())[0], Finish):
        for each in found:
            if isinstance(each, Perform):
                run.begin(each)
        place = next(iter(run.flying))
        run.end(run.flying[place], applied({}))  # type: ignore[arg-type]  # a call

    assert judged == 2 * number  # all of them before the first, then each before its call


def test_once_it_is_cancelled_nobody_is_asked_about_items_that_never_come() -> None:
    run = play(step("a", "asked_blind", ref("each", "n"), each="input/list"), list=[1, 2])
    run.cancel()

    assert run.finish().status == "cancelled"
