"""Scenarios of a rehearsal: each branch both ways, what each does, and what if it goes wrong."""

from typing import Any

import pytest
from rehearse_cases import GET, MAIL, ORDER, ended, planned, rehearsed, way
from run_cases import PERMIT, accept, action, ref, step, value
from undo_cases import ACTIONS as UNDOABLE
from undo_cases import BACK

from connectors.spec import Limits
from executor.check.budgets import Budgets
from executor.rehearse.answers import Recorded
from executor.rehearse.render import render
from executor.rehearse.report import Rehearsal
from executor.run.keys import args_hash

CONDITIONS: list[dict[str, Any]] = [
    {"left": "order/open", "op": "==", "value": True},
    {"left": "order/open", "op": "==", "value": False},
    {"left": "order/state", "op": "==", "value": "lost"},
    {"left": "order/state", "op": "!=", "value": "paid"},
    {"left": "order/count", "op": ">", "value": 17},
    {"left": "order/count", "op": "<=", "value": 0},
    {"left": "order/day", "op": "<", "value": "2020-01-01"},
    {"left": "order/note", "op": "exists", "value": True},
    {"left": "order/note", "op": "exists", "value": False},
    {"left": "order/email", "op": "matches", "value": "^vip"},
    {"left": "order/lines/0/state", "op": "==", "value": "broken"},
    {"left": "order/total/amount", "op": ">=", "value": "99.50"},
    {"subject": "order/state", "op": "in", "list": ["sent", "lost"]},
    {"lhs": "order/count", "op": ">", "rhs": "other/count"},
    {"lhs": "order/total", "op": "<", "rhs": "other/total"},
    {"lhs": "order/id", "op": "==", "rhs": "other/id"},
]


@pytest.mark.parametrize("cond", CONDITIONS, ids=str)
@pytest.mark.parametrize("kind", ["when", "expect"])
def test_a_condition_on_an_answer_is_shown_going_both_ways(cond: dict[str, Any], kind: str) -> None:
    plan = planned(
        step("other", "shop.order"),
        step("mail", "shop.mail", **{kind: [cond]}, after=["other"]),
    )
    found = rehearsed(plan)
    shown = way(found, "mail", kind)

    assert shown.yes
    assert shown.no
    assert shown.why is None
    assert found.scenarios[0].status == "succeeded"


def test_a_condition_on_what_a_write_answers_is_turned_after_it_has_acted() -> None:
    plan = planned(
        step("pay", "shop.pay", expect=[{"left": "result/state", "op": "==", "value": "sent"}]),
        step("mail", "shop.mail", after=["pay"]),
    )
    found = rehearsed(plan)
    good, bad = found.scenarios

    assert [each.step for each in good.effects] == ["pay", "mail"]
    assert good.because == ['pay.state = "sent"']
    assert [each.step for each in bad.effects] == ["pay"]
    assert (bad.status, bad.code) == ("failed", "expect-failed")


def test_a_list_is_shown_filled_and_empty_with_one_effect_for_each_element() -> None:
    plan = planned(
        step("pay", "shop.pay", ref("each/price", "amount"), each="order/lines"),
    )
    found = rehearsed(plan, size=3)
    sizes = {len(each.effects) for each in found.scenarios}

    assert sizes == {0, 3}
    assert way(found, "pay", "each").why is None
    assert found.scenarios[0].figures.money == {"EUR": "6.55"}
    assert found.most.money == {"EUR": "6.55"}


@pytest.mark.parametrize("name", ["fn.select", "fn.filter"])
def test_a_search_is_shown_finding_something_and_nothing(name: str) -> None:
    where = [
        value("state", "where/0/field"), value("==", "where/0/op"),
        value("broken", "where/0/value"),
        value("sku", "where/1/field"), value("==", "where/1/op"), value("mug", "where/1/value"),
    ]  # fmt: skip
    plan = planned(step("hit", name, ref("order/lines", "list"), *where))
    found = rehearsed(plan)
    shown = way(found, "hit", "found")

    assert shown.yes
    assert shown.no
    assert ended(found.scenarios[0])["hit"] == "done"


def test_what_is_counted_is_turned_by_the_length_of_the_list_it_is_counted_in() -> None:
    plan = planned(
        step("n", "fn.count", ref("order/lines", "list")),
        step("mail", "shop.mail", when=[{"left": "n", "op": ">", "value": 4}]),
    )
    found = rehearsed(plan)

    assert way(found, "mail", "when").why is None
    assert any("lists of 5" in text for each in found.scenarios for text in each.because)


def test_a_member_of_a_map_is_there_in_one_scenario_and_not_in_another() -> None:
    plan = planned(step("left", "fn.lookup", ref("order/stock", "map"), value("mug", "key")))
    found = rehearsed(plan)

    assert way(found, "left", "found").why is None


def test_of_a_branch_that_is_not_shown_both_ways_it_is_said_why() -> None:
    fixed = {"left": "input/n", "op": "==", "value": 1}
    never = {"left": "order/count", "op": "<", "value": 0}
    plan = planned(
        step("a", "shop.mail", when=[fixed]),
        step("b", "shop.mail", when=[never]),
        step("c", "shop.mail", ref("b/x", "text"), when=[fixed]),
        n=1,
    )
    ways = {each.step: each.why for each in rehearsed(plan).ways}

    assert ways == {"a": "fixed", "b": "not_found", "c": "not_reached"}


def test_approvals_are_listed_with_what_is_asked_and_granted_to_see_what_follows() -> None:
    asked = action(
        "shop.asked_mail", "blind", approval="approver", sinks=MAIL.model_dump()["sinks"]
    )
    plan = planned(
        step("tell", "shop.asked_mail", value("ann@example.com", "to"), value("hi", "text")),
        step("mail", "shop.mail", after=["tell"]),
        more=(asked,),
    )
    found = rehearsed(plan)
    (scenario,) = found.scenarios
    (gate,) = scenario.approvals
    refused = [each for each in found.setbacks if each.upset == "not_approved"]

    assert (gate.role, gate.steps) == ("approver", ["tell"])
    assert gate.arguments == {"to": "ann@example.com", "text": "hi"}
    assert [each.step for each in scenario.effects] == ["tell", "mail"]
    assert [(each.step, each.status, each.code) for each in refused] == [
        ("tell", "failed", "approval-refused")
    ]


def test_an_approval_that_policy_asks_for_large_amounts_alone_is_shown_both_ways() -> None:
    rules = (
        PERMIT
        + """
    @approval("treasurer") forbid (principal, action, resource == Operation::"shop.pay")
    when { context.args.amount.minor > 50000 } unless { context.approvals.contains("treasurer") };
    """
    )
    seen = action("shop.seen", output_schema=ORDER, reads_as="trusted")
    steps = step("seen", "shop.seen"), step("pay", "shop.pay", ref("seen/total", "amount"))
    plan = planned(*steps, more=(seen,), rules=rules)
    found = rehearsed(plan, rules)

    assert way(found, "pay", "asks").why is None
    assert {len(each.approvals) for each in found.scenarios} == {0, 1}


def test_made_up_arguments_are_marked_and_said_ones_are_not() -> None:
    plan = planned(
        step("id", "fn.first_of", ref("order/email", "options/0")),
        step("mail", "shop.mail", ref("id", "to"), ref("input/n", "n"), value("hi", "text")),
        n=1,
    )
    (scenario,) = rehearsed(plan).scenarios
    (act,) = scenario.effects
    (message,) = scenario.messages

    assert act.made_up == ["to"]
    assert message.to == ["made-up-1@example.com"]
    assert message.content == ["hi"]
    assert scenario.figures.messages == 1


def test_what_was_answered_before_is_answered_again_and_is_not_made_up() -> None:
    plan = planned(step("mail", "shop.mail", ref("order/email", "to")))
    order = {"id": "o", "open": True, "state": "paid", "day": "2026-01-01", "count": 1,
             "email": "ann@example.com", "total": {"amount": "1.00", "currency": "EUR"},
             "lines": [], "stock": {}}  # fmt: skip
    known = Recorded(
        {(GET.digest, args_hash({})): order}, {GET.digest: (0.2, 0.1, 9.0), MAIL.digest: (1.0,)}
    )
    found = rehearsed(plan, recorded=known)
    (scenario,) = found.scenarios

    assert scenario.effects[0].arguments == {"to": "ann@example.com"}
    assert scenario.effects[0].made_up == []
    assert {each.step: each.source for each in scenario.answers} == {
        "order": "recorded", "mail": "made_up",
    }  # fmt: skip
    assert scenario.figures.expected_s == pytest.approx(1.2)
    assert found.unmeasured == []
    assert rehearsed(plan).unmeasured == ["shop.mail", "shop.order"]


def test_an_answer_that_is_varied_is_made_up_though_another_was_recorded() -> None:
    cond = {"left": "order/open", "op": "==", "value": True}
    plan = planned(step("mail", "shop.mail", when=[cond]))
    closed = {"open": False}
    found = rehearsed(plan, recorded=Recorded({(GET.digest, args_hash({})): closed}))
    sources = {each.answers[0].source: ended(each)["mail"] for each in found.scenarios}

    assert sources == {"recorded": "skipped", "made_up": "done"}


def test_it_lasts_as_long_as_the_calls_and_their_rates_make_it() -> None:
    rate = Limits(rate=1.0, per_s=10.0, burst=1)
    one_by_one = Limits(concurrency=1)
    plan = planned(*(step(name, "shop.pay") for name in "abc"))
    free, limited, narrow = (
        rehearsed(plan, limits=each).scenarios[0].figures for each in (None, rate, one_by_one)
    )

    assert free.at_most_s == 20.0
    assert limited.at_most_s == 50.0  # begun at 0, 10, 20 and 30
    assert limited.rate_limit_s == {"shop": 30.0}
    assert narrow.at_most_s == 65.0
    assert narrow.calls == {"shop": 4}


def test_if_a_write_is_refused_what_stands_is_told_and_what_would_be_undone() -> None:
    steps = (step("a", "shop.keyed_by_keyed"), step("b", "shop.keyed", after=["a"]))
    stops = rehearsed(accept(*steps, more=UNDOABLE))
    undoes = rehearsed(accept(*steps, more=UNDOABLE, options=BACK))

    def refusal(found: Rehearsal) -> tuple[str, list[str], list[str]]:
        end = next(each for each in found.setbacks if (each.step, each.upset) == ("b", "refused"))
        return end.status, end.standing, end.undone

    assert refusal(stops) == ("failed", ["a"], [])
    assert refusal(undoes) == ("undone", [], ["a"])
    assert [each.undo for each in undoes.scenarios[0].effects] == ["can", "cannot"]


@pytest.mark.parametrize(
    ("what", "status", "waits"),
    [
        ("keyed", "succeeded", None),
        ("idempotent", "succeeded", None),
        ("lookup", "succeeded", None),
        ("blind", "waiting", "reconcile"),
    ],
)
def test_if_an_answer_is_lost_the_class_of_the_call_says_what_follows(
    what: str, status: str, waits: str | None
) -> None:
    found = rehearsed(accept(step("a", what)))
    lost = next(each for each in found.setbacks if each.upset == "lost")

    assert (lost.status, lost.waiting_for) == (status, waits)


def test_an_effect_that_is_taken_back_again_is_told_as_such() -> None:
    ok = [{"left": "result/ok", "op": "==", "value": True}]
    plan = accept(
        step("a", "shop.keyed_by_keyed"), step("b", "shop.blind", after=["a"], expect=ok),
        more=UNDOABLE, options=BACK,
    )  # fmt: skip
    good, bad = render(rehearsed(plan)).split("\nscenario 2", 1)

    assert "  a: shop.keyed_by_keyed() [keyed]\n" in good
    assert "  a: shop.keyed_by_keyed() [keyed], then undone\n" in bad
    assert "  b acts as in scenario 1\n" in bad


def test_a_call_that_is_answered_later_is_asked_about_and_counted() -> None:
    status = {"action": "shop.task", "by": "id", "state_at": "state", "done": ["done"]}
    slow = action("shop.slow", "keyed", status=status, output_schema=ORDER)
    plan = accept(step("a", "shop.slow"), more=(slow, action("shop.task")))
    (scenario,) = rehearsed(plan).scenarios

    assert scenario.status == "succeeded"
    assert scenario.figures.calls == {"shop": 2}


def test_what_no_answer_satisfies_and_what_cannot_be_made_up_is_told() -> None:
    never = action("shop.never", output_schema={"type": "string", "pattern": "^(?=x)y$"})
    strict = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(?=q)qrs$"}}}
    picky = action("shop.picky", "keyed", input_schema=strict)
    plan = planned(
        step("gone", "shop.never"),
        step("pick", "shop.picky", ref("order/id", "x")),
        more=(never, picky),
    )
    unmet = {each.step: each.code for each in rehearsed(plan).unmet}

    assert unmet == {"gone": "unfakeable", "pick": "type-mismatch"}


def test_the_budget_of_the_plan_stops_a_scenario_as_it_would_stop_the_run() -> None:
    plan = planned(
        step("pay", "shop.pay", ref("each/price", "amount"), each="order/lines"),
        budgets=Budgets(money={"EUR": "3.00"}),
    )
    found = rehearsed(plan, size=2)
    codes = {each.code for each in found.scenarios}

    assert "budget-exceeded" in codes
    assert found.budgets.money == {"EUR": "3.00"}


def test_the_same_plan_is_rehearsed_alike_and_within_its_bounds() -> None:
    conds = [each for each in CONDITIONS if "other" not in str(each)][:6]
    steps = [step(f"s{at}", "shop.mail", when=[each]) for at, each in enumerate(conds)]
    plan = planned(*steps)

    assert rehearsed(plan) == rehearsed(plan)
    assert len(rehearsed(plan).scenarios) > 2
    assert len(rehearsed(plan, scenarios=2).scenarios) == 2
    assert rehearsed(plan, tries=3).tried <= 4
    assert len(rehearsed(plan, setbacks=2).setbacks) == 2
    assert rehearsed(plan, setbacks=2).setbacks_left_out > 0
    assert (rehearsed(plan, work=1).tried, rehearsed(plan, work=1).setbacks) == (1, [])


def test_it_reads_as_what_would_happen_and_no_value_can_forge_a_line() -> None:
    plan = planned(
        step("mail", "shop.mail", value("ann@example.com", "to"), value("a\nscenario 9", "text"))
    )
    text = render(rehearsed(plan))

    assert text.startswith("rehearsed: nothing was called; 1 scenario, policy evaluated")
    assert 'says to "ann@example.com"' in text
    assert not any(line.startswith("scenario 9") for line in text.splitlines())
