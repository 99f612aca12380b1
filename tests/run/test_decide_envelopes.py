"""Envelopes: one approval of a whole plan, and what lies outside of it is asked for by itself."""

import json
from typing import Any

import pytest
from run_cases import PERMIT, Play, accept, action, applied, policy, ref, step, uncertain, value

from executor.check.certificate import Options
from executor.check.envelope import Envelope
from executor.check.narrowing import Narrowing, WideningError, narrowed
from executor.run.commands import OpenEnvelope, OpenGate, Perform

ON = Options(envelope=True)
MONEY = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
PAY = action(
    "bank.pay",
    "keyed",
    approval="approver",
    idempotency={"in": "header", "name": "key", "window_s": 100},
    input_schema={
        "type": "object",
        "properties": {"to": {"type": "string"}, "amount": MONEY, "note": {"type": "string"}},
        "required": ["to", "amount"],
        "additionalProperties": False,
    },
    sinks={"to": "recipient", "amount": "amount", "note": "content"},
)


def euros(amount: str) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def pay(name: str, amount: Any, to: str = "a", **more: Any) -> dict[str, Any]:
    """A payment of a known amount, or of what another step's result says."""
    args = [value(to, "to")]
    if isinstance(amount, str):
        args.append(ref(amount, "amount"))
    else:
        args.append({"json": json.dumps(amount), "to": "amount"})
    return step(name, "bank.pay", *args, **more)


def begin(*steps: dict[str, Any], rules: str = PERMIT, **more: Any) -> Play:
    accepted = accept(*steps, rules=rules, options=more.pop("options", ON), more=(PAY,), **more)
    return Play(accepted, policy(rules))


def whole(run: Play) -> OpenEnvelope:
    (found,) = [each for each in run.go() if isinstance(each, OpenEnvelope)]
    return found


def yes(run: Play, **narrow: Any) -> Envelope:
    """The envelope is asked for, and granted as narrowed."""
    found = whole(run)
    left = narrowed(found.envelope, Narrowing.model_validate(narrow), run.now + 24 * 3600)
    run.grant(run.open_whole(found), left)
    return left


def asked(run: Play) -> dict[str, OpenGate]:
    return {each.step: each for each in run.go() if isinstance(each, OpenGate)}


def up_to(most: str, currency: str = "EUR") -> dict[str, Any]:
    return {"bands": {"amount": {"most": most, "currency": currency}}}


def test_without_the_option_every_step_is_asked_for_by_itself() -> None:
    run = begin(pay("a", euros("1")), pay("b", euros("2")), options=Options())

    assert asked(run).keys() == {"a", "b"}


def test_one_yes_lets_every_step_of_known_values_pass() -> None:
    run = begin(pay("a", euros("1.50")), pay("b", euros("2"), "b"), step("c", "blind"))
    first = run.go()
    envelope = yes(run)

    assert [type(each) for each in first] == [OpenEnvelope]  # and nothing acts beside it
    assert envelope.sums == {"EUR": "3.50"}
    assert [each.step for each in envelope.steps] == ["a", "b"]
    assert run.performs().keys() == {"a", "b", "c"}
    assert {each.grants[0].approval for name, each in run.performs().items() if name != "c"} == {
        "apr_1"
    }


def test_the_plan_is_asked_about_before_the_first_effect_though_its_values_come_later() -> None:
    run = begin(step("r"), step("w", "blind"), pay("a", "r/price"))
    found = whole(run)
    reads = run.performs()
    approval = run.open_whole(found)
    run.call("r", applied({"price": euros("5")}))
    wait = run.wait()
    run.grant(approval, found.envelope)

    assert reads.keys() == {"r"}
    assert (wait.waiting_for, wait.steps) == ("approval", ("a",))
    assert found.envelope.steps[0].open_places == ("amount",)
    assert asked(run).keys() == {"a"}  # no band was given for what was not known
    assert "for which no band was approved" in asked(run)["a"].reasons[-1]


@pytest.mark.parametrize(
    ("price", "is_inside"),
    [
        (euros("50.00"), True),
        (euros("0.01"), True),
        (euros("50.01"), False),
        (euros("-1"), False),
        ({"amount": "5", "currency": "USD"}, False),
    ],
)
def test_an_amount_lies_in_its_band_or_is_asked_for_by_itself(price: Any, is_inside: bool) -> None:
    run = begin(step("r"), pay("a", "r/price"))
    yes(run, steps={"a": up_to("50.00")})
    run.call("r", applied({"price": price}))
    gates = asked(run)

    assert (gates == {}) is is_inside
    if is_inside:
        assert run.performs()["a"].grants[0].approval == "apr_1"
        return
    assert "not an amount up to 50.00 EUR (apr_1)" in gates["a"].reasons[-1]
    (step_approval,) = run.ask()
    run.grant(step_approval)
    assert [each.approval for each in run.performs()["a"].grants] == ["apr_2"]


def test_the_values_of_a_list_that_is_known_are_bands_and_its_length_is_the_count() -> None:
    paid = step("a", "bank.pay", ref("each/to", "to"), ref("each/sum", "amount"), each="input/l")
    run = begin(paid, l=[{"to": "x", "sum": euros("1")}, {"to": "y", "sum": euros("2")}])
    (found,) = yes(run).steps

    assert found.calls == 2
    assert {band.at: band.values for band in found.bands} == {
        "to": ("x", "y"),
        "amount": (euros("1"), euros("2")),
    }
    assert run.performs().keys() == {"a[0]", "a[1]"}


def test_more_calls_than_were_approved_are_asked_for_by_themselves() -> None:
    run = begin(step("r"), pay("a", "each/price", each="r/l"))
    yes(run, steps={"a": {"calls": 1, **up_to("5")}})
    run.call("r", applied({"l": [{"price": euros("1")}, {"price": euros("1")}]}))

    assert "2 calls of a, of 1 approved" in asked(run)["a"].reasons[-1]


def test_the_sum_of_a_run_is_kept_though_each_call_lies_in_its_band() -> None:
    run = begin(step("r"), pay("a", "r/price"), pay("b", "r/price", "b"))
    yes(run, steps={"a": up_to("30"), "b": up_to("30")}, sums={"EUR": "50"})
    run.call("r", applied({"price": euros("30")}))
    together = run.performs()
    run.call("a", uncertain())  # it may have moved money
    gates = asked(run.later(1))

    assert together.keys() == {"a"}
    assert "60 EUR together, of 50 approved" in gates["b"].reasons[-1]


def test_a_no_to_the_plan_ends_what_surely_needed_it_before_anything_acts() -> None:
    run = begin(step("r"), pay("a", "r/price"), step("w", "blind"))
    run.refuse(run.open_whole(whole(run)))
    end = run.finish()

    assert (end.status, end.code, end.standing) == ("failed", "approval-refused", ())


def test_a_question_about_the_plan_that_nobody_answers_is_a_no() -> None:
    run = begin(pay("a", euros("1")), pay("b", euros("1")))
    run.open_whole(whole(run))
    run.now = run.wait().until or 0.0

    assert run.finish().code == "approval-expired"


def test_an_approval_of_the_plan_that_ran_out_is_not_asked_for_as_a_whole_again() -> None:
    run = begin(step("r"), pay("a", euros("1"), after=["r"]))
    yes(run, expires_at=run.now + 60)
    run.later(61).call("r", applied({}))

    assert "has run out" in asked(run)["a"].reasons[-1]


def test_a_step_that_was_left_out_is_asked_for_by_itself() -> None:
    run = begin(pay("a", euros("1")), pay("b", euros("1")))
    yes(run, without=["b"])

    assert asked(run).keys() == {"b"}


EACH = """
permit (principal, action, resource);
@id("pays") @approval("approver") {more}
forbid (principal, action, resource == Operation::"bank.pay")
unless {{ context.approvals.contains("approver") }};
"""


def test_where_policy_wants_each_call_no_approval_of_a_plan_counts() -> None:
    each, all_ = EACH.format(more='@each_call("yes")'), EACH.format(more="")
    never = begin(pay("a", euros("1")), rules=each)
    later = begin(pay("a", euros("1")), rules=all_)
    yes(later)
    inside = later.performs().keys()
    later.policy = policy(each)

    assert never.accepted.certificate.envelopes == ()
    assert asked(never).keys() == {"a"}
    assert inside == {"a"}
    assert "each call approved by itself" in asked(later)["a"].reasons[-1]


@pytest.mark.parametrize("stays", [True, False])
def test_an_approval_of_a_plan_outlives_other_policies_and_not_a_changed_text(stays: bool) -> None:
    rules = EACH.format(more="")
    run = begin(pay("a", euros("1")), rules=rules)
    yes(run)
    other = '@id("x") forbid (principal, action, resource == Operation::"shop.blind");'
    run.policy = policy(rules + other if stays else EACH.format(more='@message("now")'))

    assert (asked(run) == {}) is stays


FROM_TEN_ON = """
    permit (principal, action, resource);
    @approval("approver") forbid (principal, action, resource == Operation::"shop.blind")
    when { context.args has x && context.args.x > 10 }
    unless { context.approvals.contains("approver") };
"""


@pytest.mark.parametrize("x", [5, 20])
def test_a_no_to_the_plan_is_one_to_a_step_that_comes_to_need_it(x: int) -> None:
    going_on = Options(envelope=True, on_failure="continue")
    maybe = step("m", "blind", ref("r/n", "x"))
    run = begin(step("r"), maybe, pay("a", euros("1")), rules=FROM_TEN_ON, options=going_on)
    run.refuse(run.open_whole(whole(run)))
    run.call("r", applied({"n": x}))
    begun = run.performs().keys() if x == 5 else run.finish().code

    assert begun == ({"m"} if x == 5 else "approval-refused")
    assert x == 5 or run.state.failed.keys() == {"a", "m"}


def test_a_step_that_may_need_a_yes_is_covered_beside_one_that_surely_does() -> None:
    maybe = step("m", "blind", ref("r/n", "x"))
    alone = begin(step("r"), maybe, rules=FROM_TEN_ON)
    beside = begin(step("r"), maybe, pay("a", euros("1")), rules=FROM_TEN_ON)
    yes(beside, steps={"m": {"bands": {"x": {"values": [20, 30]}}}})
    beside.call("r", applied({"n": 20}))

    assert alone.accepted.certificate.envelopes == ()
    assert beside.performs()["m"].grants[0].approval == "apr_1"


@pytest.mark.parametrize(
    "wider",
    [
        {"steps": {"a": {"calls": 2}}},
        {"steps": {"a": {"bands": {"to": {"values": ["a", "b"]}}}}},
        {"steps": {"a": {"bands": {"to": {"any": True}}}}},
        {"steps": {"a": {"bands": {"amount": {"most": "5", "currency": "EUR"}}}}},
        {"steps": {"a": {"bands": {"nowhere": {"any": True}}}}},
        {"steps": {"a": {"bands": {"to": {"values": ["a"], "any": True}}}}},
        {"steps": {"x": {}}},
        {"steps": {"b": {"bands": {"amount": {"any": True}}}}},
        {"without": ["a", "b"]},
        {"expires_at": 4_000_000_000.0},
    ],
)
def test_an_envelope_is_never_widened(wider: Any) -> None:
    found = whole(begin(step("r"), pay("a", euros("1")), pay("b", "r/price")))

    with pytest.raises(WideningError):
        narrowed(found.envelope, Narrowing.model_validate(wider), 3_000_000_000.0)


def test_what_was_narrowed_once_is_not_widened_by_the_next_one() -> None:
    found = whole(begin(step("r"), pay("a", "r/price"))).envelope
    once = narrowed(found, Narrowing.model_validate({"steps": {"a": up_to("20")}}), 1.0)
    twice = narrowed(once, Narrowing.model_validate({"steps": {"a": up_to("10")}}), 1.0)

    assert twice.steps[0].bands[1].most == "10"
    with pytest.raises(WideningError):
        narrowed(once, Narrowing.model_validate({"steps": {"a": up_to("30")}}), 1.0)


def test_a_value_that_nobody_was_shown_is_outside() -> None:
    (covered,) = whole(begin(pay("a", euros("1")))).envelope.steps
    shown = {"to": "a", "amount": euros("1")}

    assert [*covered.departures(shown)] == []
    assert [*covered.departures(shown | {"note": "x"})] == ["note was not shown"]
    assert [*covered.departures({"to": "a"})] == ["amount is missing"]


def test_calls_under_one_envelope_are_made_at_once_where_no_sum_is_at_stake() -> None:
    run = begin(pay("a", euros("1")), pay("b", euros("2")))
    yes(run)

    assert all(isinstance(each, Perform) for each in run.go())
    assert run.performs().keys() == {"a", "b"}


def test_a_limit_in_a_currency_that_is_none_is_refused_for_it_would_limit_nothing() -> None:
    run = begin(pay("a", euros("9")), pay("b", euros("9"), "b"))

    with pytest.raises(WideningError) as told:
        yes(run, sums={"eur": "10"})
    assert told.value.at == "/narrow/sums/eur"
