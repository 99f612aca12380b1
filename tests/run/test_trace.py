"""The trace: what happened, whether the effect did, and who must act, for each ending."""

from datetime import UTC, datetime
from typing import Any

import pytest
from run_cases import (
    NOW,
    SETTLE_S,
    UNREADABLE,
    WINDOW_S,
    Answer,
    Play,
    action,
    applied,
    not_sent,
    play,
    ref,
    refused,
    step,
    uncertain,
)
from undo_cases import play_back

from executor.check.certificate import Options
from executor.run import events as e
from executor.run.commands import Finish, Wait
from executor.store.journal import StoredEvent
from executor.store.runs import RunRow
from executor.trace import StepTrace, Trace, render_trace, trace


def explained(run: Play, **row: Any) -> Trace:
    """The trace of a run on paper, at the place to which it has come."""
    (command, *_) = run.go() or (None,)
    status, waiting_for, wake_at, code = "running", None, None, None
    match command:
        case Finish():
            status, code = command.status, command.code
            run.write(
                e.RunFinished(
                    status=status,
                    code=code,
                    result=command.result,
                    standing=list(command.standing),
                    uncertain=list(command.uncertain),
                )
            )
        case Wait(waiting_for=waiting_for, until=wake_at) if waiting_for != "flight":
            status = "waiting"
    stored = [
        StoredEvent("run_a", seq, at, event.type, event.v, event.data())
        for seq, (at, event) in enumerate(run.events, start=1)
    ]
    found = {
        "tenant": "main", "id": "run_a", "plan": "pln_a", "request": None,
        "requester": "requester", "status": status, "waiting_for": waiting_for, "code": code,
        "wake_at": wake_at, "epoch": 1, "recoveries": 0, "cancel_mode": None, "result": None,
        "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return trace(run.accepted, RunRow(**(found | row)), stored)


def of(run: Play, name: str = "a", **row: Any) -> StepTrace:
    """What is told of one step."""
    return next(each for each in explained(run, **row).steps if each.step == name)


def test_a_trace_says_who_asked_for_what_and_when() -> None:
    run = play(step("a", "read"))
    under_way = explained(run)
    run.call("a", applied({}))
    over = explained(run, status="succeeded", updated_at=NOW + 2.5)
    began = datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%d %H:%M:%S")

    assert (under_way.requester, under_way.created_at, under_way.ended_at) == (
        "requester",
        NOW,
        None,
    )
    assert f"asked by requester at {began}Z: do it\nnext: " in render_trace(under_way)
    assert f"asked by requester at {began}Z, ended after 2.5 s: do it\n" in render_trace(over)
    planned = over.model_copy(update={"words": "", "understanding": "A is done."})
    assert "ended after 2.5 s\nplan: A is done.\n" in render_trace(planned)


def test_a_lost_call_that_its_key_found_again_happened_once() -> None:
    run = play(step("a", "keyed"), step("b", "read", ref("a/id", "x")), answer=[ref("a/id", "id")])
    run.lose("a")
    run.later(5).call("a", applied({"id": 1}, replayed=True))
    run.call("b", applied({}))
    found = explained(run, recoveries=1)
    text = render_trace(found)

    assert found.steps[0].told == "done; effect: applied, found by its key; it happened once"
    assert found.next == "nothing; it is finished"
    assert found.notes == (
        "the process ended in the middle once and another one went on",
        "each called once, not repeated: b",
    )
    assert "call 1 at" in text
    assert "it had happened" in text
    assert "call 2 at" in text
    assert "the service had done it before" in text


def test_a_lost_call_that_its_key_had_not_reached_is_applied_once_too() -> None:
    run = play(step("a", "keyed"))
    run.lose("a")
    run.later(5).call("a", applied({}, replayed=False))

    assert of(run).effect == "applied"
    assert "it had not happened" in of(run).attempts[0].told


@pytest.mark.parametrize(
    ("by", "told"), [("lookup", "a look-up"), ("operator", "operator")]
)  # fmt: skip
def test_what_was_found_otherwise_says_how(by: str, told: str) -> None:
    run = play(step("a", "lookup"))
    run.lose("a")
    run.later(SETTLE_S).resolve("a", 1, "applied", {}, by=by)

    assert of(run).effect == f"applied, found by {told}; it happened once"


def test_an_idempotent_call_that_was_repeated_says_so() -> None:
    run = play(step("a", "idempotent"))
    run.lose("a")
    run.later(5).call("a", applied({}))

    assert of(run).effect == "applied, found by repeating it; it happened once"


def test_what_is_in_doubt_is_never_called_failed_or_without_effect() -> None:
    blind, keyed = play(step("a", "blind")), play(step("a", "keyed"))
    blind.call("a", uncertain())
    keyed.call("a", uncertain())
    keyed.later(1).call("a", refused("conflict"))
    for run in (blind, keyed):
        found = explained(run)

        assert found.status == "waiting"
        assert found.steps[0].state == "waiting"
        assert found.steps[0].effect == "uncertain: it may have happened"
        assert "do not send it again by hand" in found.next
        assert "lamgate reconcile" in found.next


@pytest.mark.parametrize(
    ("is_irreversible", "who"),
    [(False, "an operator then says so"), (True, "an operator other than requester then says so")],
)
@pytest.mark.parametrize("answer", [uncertain(), UNREADABLE], ids=["doubt", "unreadable"])
def test_who_may_say_what_became_of_a_call_is_said(
    answer: Any, is_irreversible: bool, who: str
) -> None:
    pay = action("shop.pay", "blind", irreversible=is_irreversible)
    run = play(step("a", "shop.pay"), more=(pay,))
    run.call("a", answer)
    run.go()

    assert f"; {who}: lamgate reconcile" in explained(run).next


def test_a_search_that_goes_on_by_itself_asks_nobody() -> None:
    run = play(step("a", "lookup"))
    run.call("a", uncertain())
    run.ask_in_vain("a", 5)

    assert explained(run).next.startswith("it is looked up at the service by itself")


@pytest.mark.parametrize(
    ("answer", "effect", "state"),
    [
        (applied({}), "applied", "done"),
        (refused(), "none, refused", "failed"),
        (not_sent(), "none, nothing was sent", "pending"),
        (UNREADABLE, "applied, but its answer cannot be used", "waiting"),
    ],
)
def test_every_outcome_says_whether_the_effect_happened(
    answer: Any, effect: str, state: str
) -> None:
    run = play(step("a", "blind"))
    run.call("a", answer)
    found = of(run)

    assert (found.effect, found.state) == (effect, state)


@pytest.mark.parametrize(("again", "told"), [(False, "said no"), (True, "did not do it now")])
def test_a_service_that_is_not_there_for_a_while_is_not_told_as_one_that_says_no(
    again: bool, told: str
) -> None:
    run = play(step("a", "read"))
    run.call("a", refused("unavailable", again=again))

    assert of(run).attempts[0].told.startswith(f"the service {told}; no effect")


def test_of_what_was_taken_only_the_answer_is_asked_for() -> None:
    run = play(step("a", "blind"))
    run.call("a", UNREADABLE)
    run.go()
    found = explained(run)

    assert found.steps[0].told.startswith("the call was taken, but its answer cannot be used")
    assert found.next.startswith("it was taken: find out at the service what came of it")


def test_a_read_a_function_and_a_step_that_was_not_begun_have_no_effect() -> None:
    run = play(
        step("a"), step("b", "fn.count", ref("a/list", "list")), step("c", "blind", after=["b"])
    )  # fmt: skip
    run.call("a", applied({"list": 1}))
    found = explained(run)

    assert [(each.state, each.effect) for each in found.steps] == [
        ("done", "none, a read"),
        ("failed", ""),
        ("blocked", "none, nothing was sent"),
    ]
    assert found.steps[2].told == "not begun: b failed; effect: none, nothing was sent"
    assert found.code == "type-mismatch"


def test_what_was_given_up_stays_unknown_and_is_to_be_checked() -> None:
    run = play(step("a", "blind"))
    run.call("a", uncertain())
    run.resolve("a", 1, "abandoned")
    found = explained(run)

    assert found.steps[0].effect == "unknown; given up by operator: checked"
    assert found.next == "check at the service: a may have happened"


def test_what_had_not_happened_says_so() -> None:
    run = play(step("a", "lookup"))
    run.call("a", uncertain())
    run.cancel()
    run.later(SETTLE_S).resolve("a", 1, "absent", by="lookup")
    found = explained(run)

    assert found.steps[0].effect == "none, it had not happened"
    assert found.steps[0].state == "blocked"


def test_the_text_says_why_somebody_settled_what_was_not_known() -> None:
    run = play(step("a", "blind"))
    run.call("a", uncertain())
    run.later(SETTLE_S).resolve("a", 1, "absent", by="robin")

    assert "; then known by robin: it had not happened (checked)" in render_trace(explained(run))


def test_a_cancelled_run_tells_what_stands_and_what_is_not_known() -> None:
    run = play(step("a", "blind"), step("b", "blind"), step("c", after=["a"]))
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.cancel()
    run.end(begun["a"], applied({}))
    run.end(begun["b"], uncertain())
    found = explained(run)

    assert found.next == "check at the service: b may have happened"
    assert found.steps[1].effect == "uncertain: it may have happened"
    assert found.steps[1].state == "blocked"
    assert found.notes == ("cancelled by requester: no new effects were begun",)


def test_a_cancel_that_takes_back_says_so() -> None:
    run = play(step("a", "blind"))
    run.cancel("undo")

    assert explained(run).notes == (
        "cancelled by requester, who wants back what happened: no new effects were begun",
    )


def test_an_undo_in_doubt_tells_at_which_step_somebody_says_what_became_of_it() -> None:
    run = play_back(step("a", "shop.keyed_by_keyed"), step("z", "blind", after=["a"]))
    run.call("a", applied({"id": 1}))
    run.call("z", refused())
    run.call("undo/a", uncertain())
    run.later(10).call("undo/a", refused())
    found = explained(run)
    told = found.steps[0].undo[0].told
    run.resolve("undo/a", 1, "applied")

    assert "lamgate reconcile" in found.next
    assert told == "it is not known whether it took effect; say at undo/a what you find"
    assert run.finish().undone == ("a",)


def test_of_what_is_stuck_the_log_says_why_whatever_it_had_waited_for() -> None:
    run = play(step("a", "asked_blind"))
    run.ask()

    assert explained(run, code="drive-stuck").next.startswith("see the log of whoever drives it")


def test_a_question_of_a_run_that_is_over_is_not_open() -> None:
    run = play(step("a", "asked_blind"))
    run.ask()
    waiting = of(run)
    run.cancel()
    found = of(run)

    assert waiting.gates[0].told.startswith("open (")
    assert found.gates[0].told.startswith("not answered before the run ended")


def test_effects_of_a_failed_run_that_stand_are_named() -> None:
    run = play(step("a", "blind"), step("b", after=["a"]))
    run.call("a", applied({}))
    run.call("b", refused("not_found"))
    found = explained(run)

    assert found.next == "nothing more; these effects stand: a"
    assert found.steps[1].told.startswith("failed (not_found): said not_found")


def test_items_are_counted_by_what_became_of_them() -> None:
    run = play(
        step("a", "blind", ref("each", "x"), each="input/list"), list=[1, 2, 3],
        options=Options(on_uncertain="continue"),
    )  # fmt: skip
    begun = run.performs()
    for each in begun.values():
        run.begin(each)
    run.end(begun["a[0]"], uncertain())
    run.end(begun["a[1]"], refused())
    run.end(begun["a[2]"], applied({}))
    found = of(run)

    assert found.effect == "applied for 1 of 3 items, uncertain for 1"
    assert found.state == "waiting"
    assert "call 1[0] at" in render_trace(explained(run))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("auth", "renew the credentials"),
        ("rate_limited", "it goes on by itself when the service allows it"),
        ("unavailable", "it goes on by itself"),
    ],
)
def test_a_wait_says_who_must_act(kind: str, told: str) -> None:
    run = play(step("a"))
    run.call("a", refused(kind, again=kind != "auth"))

    assert explained(run).next.startswith(told)


def test_an_approval_is_shown_with_its_reasons_and_its_answer() -> None:
    run = play(step("a", "asked_blind"))
    (approval,) = run.ask()
    open_one = explained(run)
    run.refuse(approval)
    refused_one = explained(run)

    assert open_one.next.startswith("somebody with the role must approve")
    assert open_one.steps[0].state == "waiting"
    assert open_one.steps[0].gates[0].told == "open (apr_1) [shop.asked_blind always needs one]"
    assert refused_one.steps[0].gates[0].told.startswith("refused by approver: too much")
    assert "approval by approver: refused" in render_trace(refused_one)


def test_a_granted_and_an_expired_approval_are_told() -> None:
    granted, expired = play(step("a", "asked_blind")), play(step("a", "asked_blind"))
    granted.grant(granted.ask()[0])
    expired.ask()
    expired.later(25 * 3600)

    assert of(granted).gates[0].told.startswith("granted by approver: checked")
    assert of(expired).gates[0].told.startswith("expired, nobody answered")


def test_a_call_under_way_and_a_step_to_come_are_told() -> None:
    run = play(step("a", "blind"), step("b", after=["a"]))
    run.begin(run.performs()["a"])
    found = explained(run)

    assert [each.state for each in found.steps] == ["running", "pending"]
    assert found.steps[0].effect == "uncertain: it may have happened"
    assert found.next == "it is under way"
    assert found.steps[0].attempts[0].told == "began; no answer is recorded yet"


def test_a_skipped_step_says_why() -> None:
    run = play(step("a", when=[{"left": "input/n", "op": "==", "value": 2}]), n=1)

    assert of(run).told == "skipped: input/n == 2 is false; effect: none, nothing was sent"


def test_a_key_whose_window_is_over_needs_a_person() -> None:
    run = play(step("a", "keyed"))
    run.call("a", uncertain())

    assert "lamgate reconcile" in explained(run.later(WINDOW_S)).next


def test_nothing_that_anybody_said_makes_a_line_of_its_own() -> None:
    run = play(step("a", "blind"))
    forged = "no\n✓ a              shop.blind\n    done; effect: applied\x1b[2K"
    failure = e.Failure(kind="invalid", message=forged)
    run.call("a", Answer("refused", failure=failure))
    found = explained(run).model_copy(update={"understanding": f"A is done.{forged}"})
    lines = render_trace(found).split("\n")

    assert len([each for each in lines if "shop.blind" in each and each[0] in "✓✗"]) == 1
    assert not any(each.startswith("    done") for each in lines)
    assert all(each.isprintable() for each in lines)
