"""When a step's turn comes, what skips it, what ends it, and what its run ends in."""

from typing import Any

import pytest
from run_cases import (
    NOW,
    SETTLE_S,
    applied,
    not_sent,
    play,
    ref,
    refused,
    step,
    uncertain,
    value,
)

from executor.check.certificate import Options
from executor.run import events as e
from executor.run.commands import LookUp, Perform

CONTINUE = Options(on_failure="continue")
GO_ON = Options(on_uncertain="continue")


def when(left: str, op: str, wanted: Any) -> dict[str, Any]:
    return {"left": left, "op": op, "value": wanted}


def test_steps_without_order_begin_together_and_others_as_soon_as_their_inputs_are_there() -> None:
    run = play(
        step("a"), step("b"), step("c", "read", ref("a/id", "id")), step("d", after=["b"]),
    )  # fmt: skip
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.end(begun["a"], applied({"id": 1}))
    after_a = run.performs()
    run.end(begun["b"], applied({}))
    after_b = run.performs()

    assert begun.keys() == {"a", "b"}
    assert after_a.keys() == {"c"}  # although b is still under way
    assert after_a["c"].arguments == {"id": 1}
    assert after_b.keys() == {"c", "d"}


def test_a_false_condition_skips_the_step_and_what_refers_to_it() -> None:
    run = play(
        step("a"),
        step("b", when=[when("a/n", ">", 5)]),
        step("c", "read", ref("b/id", "id")),
        step("d", after=["b"]),
        answer=[ref("b/id", "b"), ref("d/id", "d")],
    )
    run.call("a", applied({"n": 5}))
    run.call("d", applied({"id": 4}))
    end = run.finish()

    assert (end.status, end.result) == ("succeeded", {"d": 4})
    assert run.state.skipped == {"b": "a/n > 5 is false", "c": "b was skipped"}


def test_the_first_false_condition_is_the_last_one_looked_at() -> None:
    conditions = [when("a/n", "exists", True), when("a/n", ">", 5)]
    run = play(step("a"), step("b", when=conditions))
    run.call("a", applied({}))

    assert run.finish().status == "succeeded"
    assert run.state.skipped == {"b": "a/n exists True is false"}


def test_a_condition_on_a_missing_value_fails_the_step() -> None:
    run = play(step("a"), step("b", when=[when("a/n", ">", 5)]))
    run.call("a", applied({}))

    assert (run.finish().code, run.state.failed["b"].effect) == ("missing-value", "no")


def test_the_first_of_several_takes_the_one_that_was_not_skipped() -> None:
    run = play(
        step("a", when=[when("input/n", ">", 5)]),
        step("b"),
        step("c", "fn.first_of", ref("a/id", "options/0"), ref("b/id", "options/1")),
        answer=[ref("c", "id")],
        n=5,
    )
    run.call("b", applied({"id": 2}))

    assert run.finish().result == {"id": 2}


def test_a_function_is_computed_at_once_and_its_flaw_fails_the_step() -> None:
    run = play(step("a"), step("b", "fn.count", ref("a/list", "list")), answer=[ref("b", "n")])
    run.call("a", applied({"list": [1, 2]}))
    bad = play(step("a"), step("b", "fn.count", ref("a/list", "list")))
    bad.call("a", applied({"list": 3}))

    assert run.finish().result == {"n": 2}
    assert bad.finish().code == "type-mismatch"


def test_a_function_that_finds_nothing_fails_with_its_reason() -> None:
    run = play(
        step("a"),
        step("b", "fn.select", ref("a/list", "list"), value("id", "where/0/field"),
             value("==", "where/0/op"), value(9, "where/0/value")),
    )  # fmt: skip
    run.call("a", applied({"list": [{"id": 1}]}))
    end = run.finish()

    assert end.status == "failed"
    assert run.state.failed["b"].effect == "no"


@pytest.mark.parametrize("given", [{}, {"id": None}])
def test_missing_is_not_null(given: dict[str, Any]) -> None:
    run = play(step("a"), step("b", "blind", ref("a/id", "id")))
    run.call("a", applied(given))

    if given:
        assert run.performs()["b"].arguments == {"id": None}
    else:
        end = run.finish()
        assert (end.code, run.state.failed["b"].message) == (
            "missing-value", "nothing is at a/id at 'id'",
        )  # fmt: skip
        assert ("b", "") not in run.state.attempts


def test_a_value_of_the_wrong_type_fails_before_the_call() -> None:
    run = play(step("a"), step("b", "shop.typed", ref("a/n", "n")))
    run.call("a", applied({"n": "seven"}))

    assert run.finish().code == "type-mismatch"
    assert ("b", "") not in run.state.attempts


def test_an_expectation_that_holds_lets_its_dependants_begin() -> None:
    run = play(step("a", expect=[when("result/ok", "==", True)]), step("b", "blind", after=["a"]))
    begun = run.performs()
    run.call("a", applied({"ok": True}))

    assert begun.keys() == {"a"}
    assert run.performs().keys() == {"b"}


@pytest.mark.parametrize(
    ("effect", "happened", "standing"), [("read", "no", ()), ("blind", "yes", ("a",))]
)
@pytest.mark.parametrize(
    ("output", "code"), [({"ok": False}, "expect-failed"), ({}, "missing-value")]
)
def test_an_expectation_that_does_not_hold_fails_the_step_and_says_what_happened(
    effect: str, happened: str, standing: tuple[str, ...], output: Any, code: str
) -> None:
    run = play(step("a", effect, expect=[when("result/ok", "==", True)]), step("b", after=["a"]))
    run.call("a", applied(output))
    end = run.finish()

    assert (end.status, end.code, end.standing) == ("failed", code, standing)
    assert run.state.failed["a"].effect == happened
    assert ("b", "") not in run.state.attempts


def test_after_a_failure_nothing_new_begins() -> None:
    run = play(step("a", "blind"), step("b"), step("c", after=["b"]))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.end(begun["a"], refused())
    waiting = run.wait()
    run.end(begun["b"], applied({}))
    end = run.finish()

    assert waiting.waiting_for == "flight"  # what is under way is waited for
    assert (end.status, end.code) == ("failed", "invalid")
    assert ("c", "") not in run.state.attempts


def test_after_a_failure_no_retry_begins() -> None:
    run = play(step("a"), step("b", "blind"), step("c"), step("d"))
    run.call("b", not_sent())
    run.call("c", uncertain())
    run.call("d", refused("auth"))
    run.call("a", refused())

    assert run.later(400).finish().status == "failed"


def test_after_a_failure_what_is_in_doubt_is_still_settled() -> None:
    run = play(step("a", "lookup"), step("b", "keyed"), step("c"))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.end(begun["a"], uncertain())
    run.end(begun["b"], uncertain())
    run.end(begun["c"], refused())
    found = run.later(1).go()

    assert {type(each) for each in found} == {LookUp, Perform}
    run.resolve("a", 1, "applied", {}, by="lookup")
    run.call("b", applied({}))
    end = run.finish()
    assert (end.status, end.standing, end.uncertain) == ("failed", ("a", "b"), ())


def test_while_a_call_in_doubt_is_made_again_no_other_write_begins() -> None:
    run = play(step("a", "keyed"), step("b", "blind"))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.end(begun["a"], uncertain())
    run.end(begun["b"], not_sent())
    again = run.later(70).performs()
    run.begin(again["a"])
    beside = run.performs()
    run.end(again["a"], applied({}))

    assert again.keys() == {"a"}
    assert beside == {}
    assert run.performs().keys() == {"b"}


def test_a_run_that_goes_on_does_all_that_does_not_depend_on_what_failed() -> None:
    run = play(
        step("a"), step("b", "blind"), step("c", after=["a"]), step("d", after=["b"]),
        options=CONTINUE,
    )  # fmt: skip
    run.call("a", refused("not_found"))
    run.call("b", applied({}))
    run.call("d", applied({}))
    end = run.finish()

    assert (end.status, end.code, end.standing) == ("failed", "not_found", ("b",))
    assert not run.state.has_ended("c")


@pytest.mark.parametrize("effect", ["blind", "lookup"])
def test_other_writes_wait_while_one_is_in_doubt_and_reads_go_on(effect: str) -> None:
    run = play(step("a", effect), step("b", "keyed"), step("c"), step("d", "keyed", after=["c"]))
    run.call("a", uncertain())
    run.ask_in_vain("a", 5)
    begun = run.performs()
    run.call("c", applied({}))
    wait = run.wait()
    run.resolve("a", 1, "applied", {})

    assert begun.keys() == {"c"}
    assert (wait.waiting_for, wait.steps) == ("reconcile", ("a",))
    assert run.performs().keys() == {"b", "d"}


def test_other_writes_go_on_beside_a_doubt_where_the_run_says_so() -> None:
    run = play(step("a", "blind"), step("b", "blind"), step("c", after=["a"]), options=GO_ON)
    run.call("a", uncertain())
    run.call("b", applied({}))
    wait = run.wait()

    assert wait.waiting_for == "reconcile"
    assert ("c", "") not in run.state.attempts  # what depends on it waits in any case


def test_two_doubts_do_not_block_each_other() -> None:
    run = play(step("a", "keyed"), step("b", "keyed"))
    run.begin(run.performs()["a"])
    run.begin(run.performs()["b"])
    run.crash()
    run.go()

    assert run.later(2).performs().keys() == {"a", "b"}


def test_the_wait_that_is_told_is_the_one_that_needs_a_person_first() -> None:
    run = play(step("a", "blind"), step("b"), step("c"), step("d", "lookup"), options=GO_ON)
    run.call("c", refused("rate_limited", again=True, at=NOW + 30))
    run.call("b", refused("auth"))
    slow = run.performs()
    run.call("a", uncertain())
    run.call("d", applied({}))
    found = run.wait()

    assert slow.keys() == {"a", "d"}
    assert (found.waiting_for, found.steps) == ("reconcile", ("a",))
    assert found.until is not None
    assert found.until < NOW + 31  # and it wakes for what goes on by itself


def test_a_timed_wait_comes_due_while_another_call_is_under_way() -> None:
    run = play(step("a"), step("b"))
    begun = run.performs()
    run.begin(begun["a"])
    run.begin(begun["b"])
    run.end(begun["a"], not_sent())
    wait = run.wait()

    assert wait.waiting_for == "flight"
    assert wait.until is not None
    run.now = wait.until
    assert run.performs().keys() == {"a"}


def test_what_cannot_be_told_as_text_is_left_out_of_the_answer() -> None:
    text = {"text": [{"lit": "note: "}, {"ref": "a/note"}], "to": "note"}
    run = play(step("a", "blind"), answer=[text, ref("a/id", "id")])
    run.call("a", applied({"note": None, "id": 1}))
    end = run.finish()

    assert (end.status, end.result) == ("succeeded", {"id": 1})


def test_an_answer_in_one_piece_stands_as_its_value() -> None:
    run = play(step("a"), answer=[ref("a", "")])
    run.call("a", applied([1, 2]))

    assert run.finish().result == {"value": [1, 2]}


def test_a_finished_run_wants_nothing() -> None:
    run = play(step("a"))
    run.call("a", applied({}))
    end = run.finish()
    run.write(e.RunFinished(status=end.status))

    assert run.decide() == ()


def test_a_doubt_that_settled_as_absent_waits_like_any_other_write() -> None:
    run = play(step("a", "lookup"), step("b", "blind"))
    for each in run.performs().values():
        run.begin(each)
    run.crash()
    run.go()
    run.later(SETTLE_S).resolve("a", 1, "absent", by="lookup")

    assert run.wait().waiting_for == "reconcile"
    run.resolve("b", 1, "applied", {})
    assert run.performs().keys() == {"a"}
