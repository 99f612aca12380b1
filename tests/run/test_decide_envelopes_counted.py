"""What counts against an approval of a whole plan: each place once, what moved under it alone."""

from run_cases import applied, step, uncertain
from test_decide_envelopes import asked, begin, euros, pay, up_to, yes


def test_a_call_that_is_made_again_counts_once() -> None:
    run = begin(pay("a", euros("5")))
    envelope = yes(run)
    first = run.call("a", uncertain())
    again = run.later(2).performs()["a"]

    assert (envelope.sums, envelope.steps[0].calls) == ({"EUR": "5"}, 1)
    assert (again.n, again.grants) == (2, first.grants)


def test_what_was_approved_by_itself_does_not_count_against_the_plan_s_sum() -> None:
    run = begin(step("r"), pay("a", "r/price"), pay("b", "r/price", "b"))
    yes(run, without=["b"], steps={"a": up_to("30")}, sums={"EUR": "30"})
    run.call("r", applied({"price": euros("30")}))
    (alone,) = [run.open(gate) for gate in asked(run).values()]
    run.grant(alone)
    run.flying["a", ""] = run.performs()["a"]  # it waits while the other one is made
    run.call("b", applied({}))
    run.crash()

    assert run.performs().keys() == {"a"}
    assert asked(run) == {}


def test_nothing_begins_under_a_sum_beside_what_is_not_in_the_journal_yet() -> None:
    run = begin(step("r"), pay("a", "r/price"), pay("b", "r/price", "b"))
    yes(run, steps={"a": up_to("30"), "b": up_to("30")}, sums={"EUR": "50"})
    run.call("r", applied({"price": euros("30")}))
    run.flying["a", ""] = run.performs()["a"]

    assert run.performs() == {}
