"""What a run uses is counted, and no call begins with which it would be more than its budgets."""

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from run_cases import (
    Answer,
    Play,
    accept,
    action,
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
from run_world import World

from connectors.spec import Effect
from executor.check.budgets import Budgets
from executor.check.certificate import Options
from executor.run.commands import Perform
from executor.run.events import StepFailed

CONTINUE = Options(on_failure="continue")
SINKS = {"amount": "amount"}
PAY = (
    action("bank.read", reads_as="trusted"),
    action("bank.pay", "blind", sinks=SINKS),
    action("bank.keyed", "keyed", sinks=SINKS),
    action("bank.same", "idempotent", sinks=SINKS),
    action("bank.final", "blind", sinks=SINKS, irreversible=True),
)


def paying(*steps: dict[str, Any], **more: Any) -> Play:
    return play(*steps, more=PAY, **more)


def pay(name: str, amount: Any, what: str = "bank.pay", **more: Any) -> dict[str, Any]:
    source = ref(amount, "amount") if isinstance(amount, str) else value(amount, "amount")
    return step(name, what, source, **more)


def money(**limits: str) -> Budgets:
    return Budgets.model_validate({"money": limits})


def test_a_call_may_begin_within_the_runs_time_and_what_settles_a_doubt_at_any_time() -> None:
    run = play(step("a", "keyed"), budgets=Budgets(run_s=60.0))
    first = run.call("a", uncertain())
    run.later(1.0)

    assert first.begins_by == (run.state.started_at or 0.0) + 60.0
    assert run.performs()["a"].begins_by is None


def failure(run: Play, name: str) -> StepFailed:
    run.go()
    return run.state.failed[name]


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def test_what_was_read_counts_before_it_is_paid() -> None:
    run = paying(step("r", "bank.read"), pay("p", "r/sum"), budgets=money(EUR="10"))
    run.call("r", applied({"sum": eur("10.01")}))

    assert failure(run, "p").code == "budget-exceeded"
    assert failure(run, "p").effect == "no"
    assert failure(run, "p").message == "10.01 EUR; at most 10 are allowed in a run"
    assert run.finish().standing == ()


def test_the_sum_of_a_run_counts_and_what_was_refused_gives_its_share_back() -> None:
    run = paying(
        step("r", "bank.read"), *(pay(f"p{n}", "r/sum") for n in range(3)), budgets=money(EUR="10"),
        options=CONTINUE,
    )  # fmt: skip
    run.call("r", applied({"sum": eur("5")}))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    waiting = run.performs()
    run.end(begun["p0"], refused())
    again = run.performs()

    assert begun.keys() == {"p0", "p1"}  # the third may be too much, so it waits
    assert waiting == {}
    assert again.keys() == {"p2"}


def test_a_call_in_doubt_counts_as_if_it_had_happened() -> None:
    goes_on = Options(on_failure="continue", on_uncertain="continue")
    steps = (step("r", "bank.read"), pay("p", "r/sum"), pay("q", "r/sum"))
    run = paying(*steps, budgets=money(EUR="10"), options=goes_on)
    run.call("r", applied({"sum": eur("6")}))
    run.call("p", uncertain())

    assert failure(run, "q").code == "budget-exceeded"


@pytest.mark.parametrize("happened", [True, False])
def test_what_may_be_too_much_by_a_call_in_doubt_waits_until_that_is_known(happened: bool) -> None:
    steps = (step("r", "bank.read"), pay("p", "r/sum"), pay("q", "r/sum"))
    run = paying(*steps, budgets=money(EUR="10"))
    run.call("r", applied({"sum": eur("6")}))
    run.call("p", uncertain())
    assert run.wait().steps == ("p",)
    assert "q" not in run.state.failed
    run.resolve("p", 1, "applied" if happened else "abandoned")
    run.go()

    assert run.state.failed["q"].code == "budget-exceeded"


def test_it_is_made_where_the_call_in_doubt_had_not_happened() -> None:
    steps = (step("r", "bank.read"), pay("p", "r/sum"), pay("q", "r/sum"))
    run = paying(*steps, budgets=money(EUR="10"), options=CONTINUE)
    run.call("r", applied({"sum": eur("6")}))
    run.call("p", uncertain())
    run.wait()
    run.resolve("p", 1, "absent")
    run.call("p", refused())

    assert {*run.performs()} == {"q"}


def test_what_is_too_much_without_the_call_in_doubt_is_told_at_once() -> None:
    steps = (step("r", "bank.read"), pay("p", "r/sum"), step("s", "bank.read"), pay("q", "s/sum"))
    run = paying(*steps, budgets=money(EUR="10"))
    reads = run.performs()
    for each in reads.values():
        run.begin(each)
    run.end(reads["r"], applied({"sum": eur("6")}))
    run.call("p", uncertain())
    run.end(reads["s"], applied({"sum": eur("11")}))

    assert failure(run, "q").code == "budget-exceeded"


def test_a_call_that_is_made_again_under_its_key_counts_once_as_money_and_twice_as_a_call() -> None:
    run = paying(step("r", "bank.read"), pay("p", "r/sum", "bank.keyed"), budgets=money(EUR="6"))
    run.call("r", applied({"sum": eur("6")}))
    run.call("p", uncertain())
    run.later(10)
    run.call("p", applied({}))
    assert run.finish().status == "succeeded"

    one = Budgets(calls=1)
    run = play(step("a", "keyed"), budgets=one)
    run.call("a", uncertain())
    run.later(10)

    assert run.wait().waiting_for == "reconcile"  # it may have happened: a person finds out


def test_a_call_that_had_no_effect_is_not_made_again_beyond_the_budget() -> None:
    run = play(step("a", "blind"), budgets=Budgets(calls=1))
    run.call("a", not_sent())
    run.later(10)

    assert failure(run, "a").code == "budget-exceeded"
    assert failure(run, "a").effect == "no"


@pytest.mark.parametrize(
    ("amount", "limits", "fits"),
    [
        (eur("-11"), {"EUR": "10"}, False),
        ({"amount": "1", "currency": "USD"}, {"EUR": "10"}, False),
        ({"amount": "1", "currency": "USD"}, {"EUR": "10", "*": "1"}, True),
        ({"amount": "1", "currency": "eur"}, {"EUR": "10"}, True),
        (0.1, {"*": "0.1"}, True),
        ("0.10000000000000001", {"*": "0.1"}, False),
        ("a lot", {"*": "100"}, False),
        (True, {"*": "100"}, False),
        (None, {"*": "0"}, True),
        ([eur("6"), eur("6")], {"EUR": "10"}, False),
        ("a lot", {}, True),
    ],
)
def test_amounts_are_counted_exactly_and_what_cannot_be_counted_is_too_much(
    amount: Any, limits: dict[str, str], fits: bool
) -> None:
    run = paying(step("r", "bank.read"), pay("p", "r/sum"), budgets=money(**limits))
    run.call("r", applied({"sum": amount}))

    assert ("p" in run.performs()) is fits


def test_all_items_of_a_list_are_counted_before_the_first_of_them_acts() -> None:
    run = paying(step("r", "bank.read"), pay("p", "each", each="r/sums"), budgets=money(EUR="10"))
    run.call("r", applied({"sums": [eur("5"), eur("5"), eur("0.01")]}))

    assert failure(run, "p").code == "budget-exceeded"
    assert run.state.attempts.keys() == {("r", "")}


def test_the_lists_of_all_steps_are_counted_together() -> None:
    steps = [step("r"), *(step(f"e{n}", "blind", each="r/list") for n in range(3))]
    run = play(*steps, budgets=Budgets(all_items=5), options=CONTINUE)
    run.call("r", applied({"list": [1, 2]}))
    begun = run.performs()

    assert begun.keys() == {"e0[0]", "e0[1]", "e1[0]", "e1[1]"}
    assert failure(run, "e2").message == "6 items of all steps; at most 5 are allowed"


def test_a_list_further_down_counts_too_once_it_has_begun() -> None:
    steps = [step("q"), step("r"), step("a", "blind", each="q/list"), step("b", each="r/list")]
    run = play(*steps, budgets=Budgets(all_items=3), options=CONTINUE)
    reads = run.performs()
    for each in reads.values():
        run.begin(each)
    run.end(reads["r"], applied({"list": [1, 2]}))
    run.begin(run.performs()["b[0]"])
    run.end(reads["q"], applied({"list": [1, 2]}))

    assert [*run.accepted.steps] == ["q", "r", "a", "b"]
    assert failure(run, "a").message == "4 items of all steps; at most 3 are allowed"


def test_no_call_begins_once_the_run_has_lasted_too_long_but_a_doubt_is_settled() -> None:
    run = play(step("a", "keyed"), step("b", "blind", after=["a"]), budgets=Budgets(run_s=60))
    run.call("a", uncertain())
    run.later(61)
    run.call("a", applied({}))

    assert failure(run, "b").code == "budget-exceeded"
    assert run.finish().standing == ("a",)


def test_a_run_keeps_the_budgets_it_was_accepted_under() -> None:
    accepted = accept(step("a", "blind"), budgets=Budgets(calls=7))

    assert accepted.certificate.budgets == Budgets(calls=7)


def test_nobody_is_asked_for_an_approval_that_could_change_nothing() -> None:
    asked = action("bank.asked", "blind", sinks=SINKS, approval="approver")
    run = play(step("r"), pay("p", "r/sum", "bank.asked"), more=(asked,), budgets=money(EUR="1"))
    run.call("r", applied({"sum": eur("2")}))

    assert failure(run, "p").code == "budget-exceeded"
    assert run.gates == 0


def _random_run(rng: random.Random) -> Play:
    steps: list[dict[str, Any]] = [step("r", "bank.read")]
    for number in range(rng.randint(1, 6)):
        name, amount = f"s{number}", rng.choice(["r/sum", "r/sum", eur("3"), "each"])
        more: dict[str, Any] = {"after": [rng.choice(steps)["id"]]} if rng.random() < 0.4 else {}
        if amount == "each":
            more["each"] = "r/sums"
        if rng.random() < 0.2:
            more["when"] = [{"left": "r/id", "op": "<", "value": rng.randint(0, 9)}]
        what = rng.choice(["bank.pay", "bank.keyed", "bank.same", "bank.final", "shop.lookup"])
        given = {"json": '{"amount": "3", "currency": "EUR"}', "to": "amount"}
        source = given if isinstance(amount, dict) else ref(amount, "amount")
        steps.append(step(name, what, source, **more))
    budgets = Budgets(
        items=rng.choice([3, 10]), all_items=rng.choice([4, 20]), calls=rng.choice([8, 40, 40]),
        run_s=rng.choice([50.0, 1e6, 1e6]),
        money={"EUR": rng.choice(["18", "20", "40"]), "*": "0"},
    )  # fmt: skip
    options = Options(
        on_failure=rng.choice(["stop", "continue"]), on_uncertain=rng.choice(["wait", "continue"])
    )
    return Play(accept(*steps, more=PAY, budgets=budgets, options=options), policy())


class Counted(World):
    """The same little world, whose reads bring amounts and whose calls are counted."""

    def _send(self, command: Perform, *, calm: bool) -> Answer:
        found = super()._send(command, calm=calm)
        self._count(command)
        if command.action.effect is Effect.READ and found.state == "applied":
            few = [eur(str(self.rng.randint(1, 4))) for _ in range(self.rng.randint(0, 4))]
            return applied({"id": 3, "sum": eur(str(self.rng.randint(1, 9))), "sums": few})
        return found

    def _count(self, command: Perform) -> None:
        run, budgets = self.run, self.run.accepted.certificate.budgets
        calls = sum(
            each.intent.action.partition(".")[0] == command.action.connection
            for found in run.state.attempts.values()
            for each in found
        )
        acted = {*(place for place, times in self.effects.items() if times)}
        spent = sum(
            (
                Decimal(str(found["amount"]))
                for place in acted | {(command.step, command.iteration)}
                if place[0].startswith("s")
                and run.state.attempts[place][-1].intent.action.startswith("bank.")
                and isinstance(
                    found := run.state.attempts[place][-1].intent.arguments["amount"], dict
                )
            ),
            Decimal(0),
        )
        assert calls <= budgets.calls
        assert spent <= Decimal(budgets.money["EUR"])
        if not any(
            each.is_uncertain for each in run.state.attempts[command.step, command.iteration]
        ):
            assert run.now - (run.state.started_at or 0.0) <= budgets.run_s
        lists = [place[0] for place in run.state.attempts if place[1]]
        assert all(lists.count(name) <= budgets.items for name in lists)
        assert len(lists) <= budgets.all_items


@given(st.integers(0, 2**48))
def test_what_a_run_uses_is_never_more_than_its_budgets_whatever_the_plan(seed: int) -> None:
    rng = random.Random(seed)
    world = Counted(_random_run(rng), rng)
    try:
        world.live()
    except BaseException:
        note(world.told())
        raise
