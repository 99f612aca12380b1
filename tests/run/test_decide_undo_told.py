"""What is told of an undo is true: of items, after its time, of two effects, and of a pivot."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from run_cases import (
    GATE_S,
    PERMIT,
    UNREADABLE,
    OpenGate,
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
from test_decide_bulk import BACK, made, many, run_of
from test_decide_overruled import failed_and_then_in_doubt, read_ends
from test_trace import explained
from undo_cases import ACTIONS, STATUS, play_back, undoable

from executor.check.certificate import Options
from executor.run import events as e
from executor.run.commands import Perform, Poll
from executor.run.effects import effects_of
from executor.run.state import Attempt, Place
from executor.run.verdicts import Held
from executor.trace.steps import explain_step


def test_an_undo_of_many_items_whose_answer_tells_of_none_took_nothing_back() -> None:
    run = run_of(many(), step("z", "blind", after=["m"]), options=BACK)
    run.call("m", applied(made(None, None, None)))
    run.call("z", refused())
    run.call("undo/m", UNREADABLE)
    (found,) = run.go()

    assert isinstance(found, Wait)
    assert found.steps == ("undo/m",)


def test_an_undo_that_a_person_finds_to_have_happened_after_its_time_is_told() -> None:
    run = play_back(step("a", "shop.brief_lookup"), step("z", "blind", after=["a"]))
    run.call("a", applied({"id": "a"}))
    run.call("z", refused())
    run.call("undo/a", uncertain())
    run.later(1).defer(("undo/a", ""), 1, 1000.0)
    end = run.later(60).finish()
    run.write(e.RunFinished(status=end.status, uncertain=list(end.uncertain)))
    run.resolve("undo/a", 1, "applied")
    effects = effects_of(run.accepted, run.state)

    assert (effects.uncertain, effects.undone) == ((), ("a",))
    told = explain_step(run.accepted, run.state, "a", None)
    assert "undone" in told.effect
    assert [(each.undone, each.told) for each in told.undo] == [(True, "undone")]


def test_what_happened_twice_and_was_taken_back_once_may_stand_still() -> None:
    run = play_back(step("a", "shop.blind_by_keyed"), step("z", "blind", after=["a"]))
    first = run.lose("a")
    run.later(60).resolve("a", 1, "absent")
    run.call("a", applied({"id": 2}))
    run.end_late(first, applied({"id": 1}))
    run.call("z", refused())
    undo = run.call("undo/a", applied())
    end = run.finish()

    assert undo.arguments == {"id": 2}
    assert (end.status, end.uncertain, end.undone) == ("compensation_incomplete", ("a",), ("a",))


def deny_the_pivot(run: Play) -> None:
    """It is refused twice for being there already, and a person sees nothing of it."""
    run.call("p", uncertain())
    run.later(1).call("p", refused("conflict"))
    run.later(100).resolve("p", 1, "absent")
    run.call("p", refused("conflict"))


def gone_back_and_then_the_pivot_had_happened(undo: Any, *after: dict[str, Any]) -> Any:
    """A run that undoes `a`, for the pivot `p` failed; but a person knows better in the end."""
    run = play_back(
        step("a", "shop.keyed_by_keyed"), step("p", "shop.pivot", after=["a"]), step("r"), *after
    )
    run.call("r", refused("rate_limited", again=True, at=run.now + 500))
    run.call("a", applied({"id": "a"}))
    deny_the_pivot(run)
    run.call("undo/a", undo)
    denied = run.state.yielding(("p", ""))
    assert denied is not None
    run.later(1000).resolve("p", denied.intent.n, "applied")
    return run


def test_a_run_that_has_begun_to_go_back_does_not_go_forward_on_what_it_has_undone() -> None:
    rests_on_it = step("d", "blind", ref("a/id", "x"), after=["r"])
    run = gone_back_and_then_the_pivot_had_happened(applied({}), rests_on_it)
    end = run.finish()

    assert (end.status, end.standing, end.undone) == ("compensation_incomplete", ("p",), ("a",))


def test_an_undo_that_is_in_doubt_is_found_out_though_a_pivot_proves_to_have_happened() -> None:
    run = gone_back_and_then_the_pivot_had_happened(uncertain(), step("d", "blind", after=["r"]))
    (found,) = run.go()

    assert isinstance(found, Wait)
    assert (found.waiting_for, found.steps) == ("reconcile", ("undo/a",))


def test_nothing_more_is_undone_once_a_pivot_proves_to_have_happened() -> None:
    run = play_back(
        step("b", "shop.keyed_by_keyed"),
        step("a", "shop.keyed_by_keyed", after=["b"]),
        step("p", "shop.pivot", after=["a"]),
    )
    run.call("b", applied({"id": "b"}))
    run.call("a", applied({"id": "a"}))
    deny_the_pivot(run)
    undo = run.performs()["undo/a"]
    run.begin(undo)
    run.resolve("p", 1, "applied")
    run.end(undo, applied())
    end = run.finish()

    assert (end.standing, end.undone) == (("b", "p"), ("a",))


def test_a_cancelled_run_asks_for_no_approval_that_nobody_can_give() -> None:
    asked = undoable("idempotent", name="shop.asked_put", approval="approver")
    run = play(step("a", "shop.asked_put"), more=(*ACTIONS, asked))
    run.grant(*run.ask())
    run.later(GATE_S - 1).call("a", uncertain())
    run.later(2).cancel("undo")

    assert not any(isinstance(each, OpenGate) for each in run.go())


def test_what_was_begun_before_the_pivot_was_known_is_told_beside_it() -> None:
    (told,) = [
        each
        for each in explained(gone_back_and_then_the_pivot_had_happened(applied({}))).notes
        if "pivot" in each
    ]

    assert told.startswith("nothing more is undone")


def test_a_list_of_which_some_items_are_undone_is_not_undone() -> None:
    run = play_back(
        step("a", "shop.keyed_by_keyed", ref("each", "x"), each="input/list"),
        step("p", "shop.pivot", after=["a"]),
        list=[1, 2],
    )
    for item in range(2):
        run.call(f"a[{item}]", applied({"id": item}))
    deny_the_pivot(run)
    undo = run.performs()["undo/a[1]"]
    run.begin(undo)
    run.resolve("p", 1, "applied")
    run.end(undo, applied())
    end = run.finish()

    assert (end.standing, end.undone) == (("a[0]", "p"), ("a[1]",))
    assert explain_step(run.accepted, run.state, "a", None).state != "undone"


NO = (
    PERMIT + 'forbid (principal, action, resource == Operation::"shop.take_keyed") when {'
    " context.run.writes >= 0 };"
)


def test_a_no_to_an_undo_waits_for_nothing_that_nobody_finds_out() -> None:
    run = play_back(
        step("b", "shop.keyed_by_keyed"),
        step("a", "lookup", after=["b"]),
        step("r"),
        judged_by=NO,
    )
    run.begin(run.performs()["r"])
    run.call("b", applied({"id": "b"}))
    failed_and_then_in_doubt(run)
    read_ends(run)
    end = run.finish()

    assert (end.status, end.standing) == ("compensation_incomplete", ("a", "b"))


def test_many_items_that_nothing_takes_back_wait_for_items_that_may_fail() -> None:
    run = play_back(
        step("x", "shop.final", ref("each", "x"), each="input/many"),
        step("y", "shop.keyed_by_keyed", ref("each", "x"), each="input/few"),
        many=[*range(40)],
        few=[1, 2],
    )

    assert run.performs().keys() == {"y[0]", "y[1]"}


def back_to_a() -> tuple[Play, Perform]:
    """What `a` did is about to be taken back; that `b`, after it, happened is not known yet."""
    run = play_back(step("a", "shop.blind_by_keyed"), step("b", "shop.blind_by_keyed", after=["a"]))
    run.call("a", applied({"id": "a"}))
    late = run.lose("b")
    run.later(60).resolve("b", 1, "absent")
    run.call("b", refused())
    assert [*run.performs()] == ["undo/a"]
    return run, late


def test_what_proves_to_have_happened_goes_before_what_it_depends_on() -> None:
    run, late = back_to_a()
    run.end_late(late, applied({"id": "b"}))
    undone = [*run.performs()]
    run.call("undo/b", applied())
    run.call("undo/a", applied())
    end = run.finish()

    assert undone == ["undo/b"]
    assert (end.status, end.undone) == ("undone", ("a", "b"))


def test_what_stands_keeps_what_it_depends_on_also_where_that_was_to_be_undone() -> None:
    run, late = back_to_a()
    run.end_late(late, applied({"id": "b"}))
    run.call("undo/b", refused())
    end = run.finish()
    ended = run.state.undos["a", ""].ended

    assert ended is not None
    assert (ended.code, ended.message) == ("undo-blocked", "b, which depends on it, was not undone")
    assert (end.status, end.standing) == ("compensation_incomplete", ("a", "b"))


def test_past_a_pivot_nothing_goes_first_any_more_and_what_depends_on_it_stays() -> None:
    run = play_back(
        step("a", "shop.blind_by_keyed"),
        step("b", "shop.blind_by_keyed", after=["a"]),
        step("p", "shop.pivot", after=["a"]),
        options=Options(on_failure="undo", on_uncertain="continue"),
    )
    run.call("a", applied({"id": "a"}))
    late = run.lose("b")
    deny_the_pivot(run)
    run.resolve("b", 1, "absent")
    assert [*run.performs()] == ["undo/a"]
    run.resolve("p", 1, "applied")
    run.end_late(late, applied({"id": "b"}))
    end = run.finish()
    ended = run.state.undos["a", ""].ended

    assert ended is not None
    assert ended.message == "b, which depends on it, stands, past a pivot"
    assert (end.status, end.standing) == ("compensation_incomplete", ("a", "b", "p"))


@pytest.mark.parametrize("cancels", [True, False])
def test_while_it_is_found_out_whether_a_pivot_happened_nothing_stands_for_good(
    *, cancels: bool
) -> None:
    slow = action("shop.slow_pivot", "keyed", pivot=True, status=STATUS)
    run = play(
        step("a", "shop.blind_by_keyed"),
        step("b", "shop.blind_by_keyed", after=["a"]),
        step("p", "shop.slow_pivot", after=["a"]),
        options=Options(on_failure="undo", on_uncertain="continue"),
        more=(*ACTIONS, slow),
    )
    run.call("a", applied({"id": "a"}))
    late = run.lose("b")
    run.lose("p")
    run.later(60).resolve("p", 1, "absent")
    run.resolve("b", 1, "absent")
    if cancels:
        run.cancel("undo")
    else:
        run.call("b", refused())
    assert [*run.performs()] == ["undo/a"]
    run.end_late(late, applied({"id": "b"}))
    pending = e.AttemptEnded(
        step="p", iteration="", n=1, state="applied_pending", handle="task", late=True
    )
    run.write(pending)
    (asked,) = run.go()
    run.resolve("p", 1, "absent", by="status")
    run.call("undo/b", applied())
    run.call("undo/a", applied())
    end = run.finish()

    assert isinstance(asked, Poll)
    assert (end.status, end.standing, end.undone) == ("undone", (), ("a", "b"))


def test_while_one_that_was_begun_waits_for_what_is_found_out_no_other_begins() -> None:
    run = play_back(
        step("c", "shop.keyed_by_keyed"),
        step("a", "shop.blind_by_keyed"),
        step("b", "shop.blind_by_keyed", after=["a"]),
    )
    run.call("c", applied({"id": "c"}))
    run.call("a", applied({"id": "a"}))
    late = run.lose("b")
    run.later(60).resolve("b", 1, "absent")
    run.cancel("undo")
    assert [*run.performs()] == ["undo/a"]
    run.end_late(late, UNREADABLE)
    for name, call in run.performs().items():
        assert name != "undo/a"
        run.begin(call)
    run.resolve("b", 1, "absent")

    assert [*run.performs(), *run.flying] == ["undo/a"]


@pytest.mark.parametrize("number", [20, 80])
def test_a_list_that_waits_to_be_taken_back_is_not_gone_through_for_each_of_its_items(
    number: int,
) -> None:
    run = play_back(
        step("a", "shop.beside", ref("each", "x"), each="input/list"),
        step("z", "blind", after=["a"]),
        list=[*range(number)],
    )
    while "z" not in (calls := run.performs()):
        for name in calls:
            run.call(name, applied({"id": name}))
    run.call("z", refused())
    run.go()
    assert len(run.state.undos) == number
    run.not_before["shop"] = Held(run.now + 100)
    times = 0

    class Counting(dict[Place, tuple[Attempt, ...]]):
        def __iter__(self) -> Iterator[Place]:
            nonlocal times
            times += 1
            return super().__iter__()

    run.state = replace(run.state, attempts=Counting(run.state.attempts))
    run.wait()

    assert times < 10
