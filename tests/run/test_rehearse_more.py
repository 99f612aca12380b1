"""What a rehearsal says of that on which it rests, and of a run that comes to more than it."""

from typing import Any

import pytest
from rehearse_cases import MONEY, planned, rehearsed, way
from run_cases import PERMIT, action, ref, step, value

from executor.check.admit import Accepted
from executor.rehearse.render import render

PRICES = {
    name: {"amount": amount, "currency": "EUR"}
    for name, amount in (("paid", "1.00"), ("sent", "2.00"), ("lost", "900.00"))
}
CHOSEN: list[dict[str, Any]] = [
    step("hit", "fn.lookup", ref("input/prices", "map"), ref("order/state", "key")),
    step(
        "hit", "fn.select", ref("input/list", "list"), value("currency", "where/0/field"),
        value("==", "where/0/op"), ref("order/state", "where/0/value"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("hit", CHOSEN, ids=lambda each: str(each["action"]))
def test_what_an_answer_has_chosen_rests_on_it_though_it_was_said_beforehand(
    hit: dict[str, Any],
) -> None:
    cond = {"left": "hit/amount", "op": "!=", "value": "2.00"}
    some = [{"amount": "1.00", "currency": "paid"}, {"amount": "900.00", "currency": "lost"}]
    pay = step("pay", "shop.pay", ref("hit/amount", "total"), when=[cond])
    found = rehearsed(planned(hit, pay, prices=PRICES, list=some))
    (scenario, *_) = found.scenarios

    assert [each.made_up for each in scenario.effects] == [["total"]]
    assert way(found, "pay", "when").why != "fixed"


def test_whether_policy_asks_is_not_fixed_where_it_counts_what_was_done_before() -> None:
    rules = (
        PERMIT
        + """
        @approval("approver") forbid (principal, action, resource == Operation::"shop.mail")
        when { context.run.writes > 2 };"""
    )
    plan = planned(
        step("pay", "shop.pay", each="order/lines"),
        step("mail", "shop.mail", value("x", "text"), after=["pay"]),
        rules=rules,
    )

    assert way(rehearsed(plan, rules), "mail", "asks").why != "fixed"


def test_what_may_come_to_more_than_was_played_is_said_beside_the_most() -> None:
    some = step("some", "fn.filter", ref("input/list", "list"), value("", "where/0/field"),
                value("<", "where/0/op"), ref("order/count", "where/0/value"))  # fmt: skip
    plan = planned(
        some,
        step("known", "shop.pay", value("1.00", "amount"), each="input/list"),
        step("after", "shop.pay", value("1.00", "amount"), each="known"),
        step("chosen", "shop.mail", value("x", "text"), each="some"),
        step("listed", "shop.pay", ref("each/price", "amount"), each="order/lines"),
        step("whole", "shop.pay", ref("order/total", "")),
        list=[1, 2],
    )
    found = rehearsed(plan)

    assert way(found, "after", "each").why == "fixed"
    assert found.open_lists == ["chosen", "listed"]
    assert found.open_amounts == ["listed", "whole"]
    told = render(found).splitlines()
    assert told[2] == "  more where services answer with longer lists: chosen, listed"
    assert told[3] == "  more where they say larger amounts: listed, whole"
    assert not any(each.startswith("  more") for each in render(rehearsed(planned())).splitlines())


def test_what_was_not_played_is_said_beside_the_most() -> None:
    never = action("shop.never", output_schema={"type": "string", "pattern": "^(?=x)y$"})
    rare = [{"left": "many", "op": ">", "value": 30}]
    unshown = planned(
        step("many", "fn.count", ref("order/lines", "list")), step("mail", "shop.mail", when=rare)
    )
    unmade = planned(step("gone", "shop.never"), step("mail", "shop.mail", after=["gone"]),
                     more=(never,))  # fmt: skip
    played = rehearsed(planned())
    (scenario,) = played.scenarios
    long = [scenario.model_copy(update={"waiting_for": "too-long"})]
    cut = render(played.model_copy(update={"scenarios": long}))

    assert _said_first(unshown) == "  more where it goes ways that are not shown: mail"
    assert _said_first(unmade) == "  more where they answer what could not be made up: gone"
    assert "\n  more than could be played: scenario 1 is not at its end" in cut


def _said_first(plan: Accepted) -> str:
    """The first line after what it comes to at the most."""
    return render(rehearsed(plan)).splitlines()[2]


def test_money_whose_amount_may_be_any_text_is_made_up_so_that_it_can_be_counted() -> None:
    free = {**MONEY, "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}}}
    rows = {"type": "object", "properties": {"rows": {"type": "array", "items": free}}}
    listed = action("shop.listed", output_schema=rows)
    plan = planned(
        step("listed", "shop.listed"),
        step("some", "shop.pay", ref("each", "amount"), each="listed/rows"),
        step("sum", "fn.sum", ref("listed/rows", "list"), value("", "field")),
        step("all", "shop.pay", ref("sum", "amount"), after=["some"]),
        more=(listed,),
    )
    found = rehearsed(plan)

    assert found.unmet == []
    assert found.most.money["EUR"] == "6.00"
