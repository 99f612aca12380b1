"""A no that was wrong: what had happened after all counts, and nothing is called again for it."""

import pytest
from class_cases import one
from run_cases import (
    FIND,
    SETTLE_S,
    UNREADABLE,
    LookUp,
    Play,
    Wait,
    action,
    applied,
    play,
    ref,
    refused,
    step,
    uncertain,
)
from undo_cases import STATUS, play_back

from executor.check.budgets import Budgets
from executor.check.certificate import Options
from executor.run import events as e
from executor.run.perform import new_event
from executor.store.attempts import settling

ON = Options(on_failure="continue")


def test_a_search_in_vain_overrules_no_answer_that_cannot_be_read() -> None:
    run = one("found_keyed")
    first = run.lose("a")
    run.later(60).call("a", uncertain())
    run.end_late(first, UNREADABLE)
    (search,) = run.later(1000).go()
    assert isinstance(search, LookUp)
    if run.now >= search.absent_from:
        run.resolve("a", search.n, "absent", by="lookup")

    assert "a" not in run.performs()


def test_nor_does_one_that_was_made_before_that_answer() -> None:
    run = one("lookup")
    first = run.lose("a")
    run.later(200).resolve("a", 1, "absent", by="lookup")
    run.call("a", uncertain())
    run.later(200).resolve("a", 2, "absent", by="lookup")
    run.end_late(first, UNREADABLE)

    assert run.state.attempts["a", ""][0].has_happened
    assert "a" not in run.performs()


def test_a_late_yes_that_stood_beside_another_call_counts_once_that_is_denied() -> None:
    run = play(step("a", "blind"))
    first = run.lose("a")
    run.later(200).resolve("a", 1, "absent")
    run.call("a", uncertain())
    run.end_late(first, applied({"id": 1}))
    run.later(200).resolve("a", 2, "absent")

    assert "a" not in run.performs()
    run.go()
    assert run.state.done["a"] == {"id": 1}


def rows_of(run: Play) -> dict[int, str]:
    """How the rows of the only step stand, by the events alone."""
    rows: dict[int, str] = {}
    for _, event in run.events:
        new = new_event(event)
        told = settling(new.type, new.data)
        if isinstance(event, e.IntentRecorded):
            rows[event.n] = "intent"
        elif told is not None and told.counts(rows):
            rows[told.n] = told.state
    return rows


def test_a_late_yes_beside_a_question_counts_in_the_rows_when_it_does_in_the_journal() -> None:
    run = one("keyed")
    first = run.lose("a")
    second = run.later(1).lose("a")
    run.resolve("a", second.n, "absent")
    asks = e.AttemptEnded(
        step="a", iteration="", n=first.n, state="applied_pending", asks={"sure": {}}, late=True
    )
    run.write(asks)
    run.end_late(second, applied({"id": 2}))
    before = rows_of(run), run.state.attempts["a", ""][1].is_denied
    run.go()

    assert before == ({1: "applied_pending", 2: "resolved_absent"}, True)
    assert rows_of(run)[2] == "applied"
    assert run.state.done["a"] == {"id": 2}


def failed_and_then_in_doubt(run: Play) -> None:
    """A step that failed turns out to have happened, with an answer that cannot be read."""
    found = run.performs()
    first = found["a"]
    run.begin(first)
    if "r" in found and ("r", "") not in run.flying:
        run.begin(found["r"])
    run.flying.pop(("a", ""))
    run.go()
    run.later(200).resolve("a", 1, "absent", by="lookup")
    run.call("a", refused())
    run.go()
    assert "a" in run.state.failed
    run.end_late(first, UNREADABLE)


def read_ends(run: Play) -> None:
    read = run.flying["r", ""]
    assert read is not None
    run.end(read, applied({}))


def test_what_a_step_that_has_failed_did_after_all_keeps_no_other_from_its_turn() -> None:
    run = play(step("a", "lookup"), step("r"), step("c", "blind", after=["r"]), options=ON)
    failed_and_then_in_doubt(run)
    read_ends(run)

    assert "c" in run.performs()


def test_nor_does_it_keep_from_being_taken_back_what_it_depends_on() -> None:
    run = play_back(
        step("b", "shop.keyed_by_keyed"),
        step("a", "shop.lookup_by_keyed", after=["b"]),
        step("r"),
    )
    run.begin(run.performs()["r"])
    run.call("b", applied({"id": "b"}))
    failed_and_then_in_doubt(run)
    read_ends(run)

    assert "undo/b" in run.performs()


@pytest.mark.parametrize("fails", [True, False])
def test_too_much_money_of_one_currency_holds_no_call_in_another(*, fails: bool) -> None:
    """A yes after a no: what was free to be spent again was spent already."""
    pay = action("shop.pay", "blind", sinks={"amount": "amount"})
    run = play(
        step("q", "shop.q"),
        step("a", "shop.pay", ref("q/eur", "amount")),
        step("b", "shop.pay", ref("q/eur", "amount")),
        step("r", after=["b"]),
        step("c", "shop.pay", ref("q/usd", "amount"), after=["r"]),
        options=ON,
        more=(pay, action("shop.q", reads_as="trusted")),
        budgets=Budgets(money={"EUR": "10", "USD": "100"}),
    )
    eur, usd = {"amount": "10", "currency": "EUR"}, {"amount": "5", "currency": "USD"}
    run.call("q", applied({"eur": eur, "usd": usd}))
    first = run.lose("a")
    run.later(60).resolve("a", 1, "absent")
    run.call("a", refused("invalid" if fails else "rate_limited", again=not fails, at=run.now + 60))
    run.call("b", applied({}))
    run.end_late(first, applied({}))
    run.call("r", applied({}))

    assert "c" in run.performs()


def taken_after_all(run: Play, n: int = 1) -> None:
    """The service has accepted it, and is at it still."""
    told = {"step": "a", "iteration": "", "n": n, "state": "applied_pending", "handle": "task 1"}
    run.write(e.AttemptEnded.model_validate(told | {"late": True}))


def test_a_search_in_vain_overrules_nothing_that_the_service_has_accepted() -> None:
    job = action("shop.job", "keyed", lookup=FIND, settle_s=SETTLE_S, status=STATUS)
    run = play(step("a", "shop.job"), more=(job,))
    run.lose("a")
    run.later(60).call("a", uncertain())
    taken_after_all(run)
    (found,) = run.later(1000).go()
    if isinstance(found, LookUp) and run.now >= found.absent_from:
        run.resolve("a", found.n, "absent", by="lookup")

    assert "a" not in run.performs()


def test_who_denies_a_late_yes_that_counted_has_the_last_word() -> None:
    run = play(step("a", "blind"))
    first = run.lose("a")
    run.later(200).resolve("a", 1, "absent")
    run.call("a", refused("rate_limited", again=True, at=run.now + 10))
    run.end_late(first, UNREADABLE)
    (wait,) = run.later(200).go()
    run.resolve("a", 1, "absent")

    assert isinstance(wait, Wait)
    assert "a" in run.performs()


def test_what_a_step_that_has_failed_spent_after_all_ends_who_would_spend_it_again() -> None:
    pay = action("shop.pay", "lookup", sinks={"amount": "amount"})
    run = play(
        step("q", "shop.q"),
        step("a", "shop.pay", ref("q/eur", "amount")),
        step("r"),
        step("c", "shop.pay", ref("q/eur", "amount"), after=["r"]),
        options=ON,
        more=(pay, action("shop.q", reads_as="trusted")),
        budgets=Budgets(money={"EUR": "10"}),
    )
    run.begin(run.performs()["r"])
    run.call("q", applied({"eur": {"amount": "10", "currency": "EUR"}}))
    failed_and_then_in_doubt(run)
    read_ends(run)
    run.go()

    assert run.state.failed["c"].code == "budget-exceeded"


def test_money_that_is_known_to_have_moved_twice_counts_twice() -> None:
    pay = action("shop.pay", "blind", sinks={"amount": "amount"})
    run = play(
        step("q", "shop.q"),
        step("a", "shop.pay", ref("q/eur", "amount")),
        step("b", "shop.pay", ref("q/eur", "amount"), after=["a"]),
        more=(pay, action("shop.q", reads_as="trusted")),
        budgets=Budgets(money={"EUR": "20"}),
    )
    run.call("q", applied({"eur": {"amount": "10", "currency": "EUR"}}))
    first = run.lose("a")
    run.later(60).resolve("a", 1, "absent")
    again = run.performs()["a"]
    run.begin(again)
    run.end_late(first, applied({}))
    run.end(again, applied({}))

    assert "b" not in run.performs()
