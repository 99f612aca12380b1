"""The way back where what is to be taken back may still come about: not before it cannot."""

from math import inf
from typing import Any

import pytest
from run_cases import NOW, Play, applied, not_sent, play, refused, step, uncertain, value
from undo_cases import LATE_S, TIMEOUT_S, play_back

from executor.run import events as e
from executor.run.commands import LookUp, Perform, Poll
from executor.run.verdicts import Held

UNDO = "shop.keyed_by_keyed"


def _play(what: str) -> Play:
    """A step whose way back begins, while its own call is under way."""
    run = play_back(step("a", what, value(3, "x")), step("z", "blind"))
    both = run.performs()
    run.begin(both["a"])
    run.begin(both["z"])
    run.end(both["z"], refused())
    return run


def _of(run: Play) -> Perform:
    """The call of the step that is under way."""
    call = run.flying["a", ""]
    assert isinstance(call, Perform)
    return call


def test_what_may_still_come_through_is_taken_back_once_it_cannot_any_more() -> None:
    run = _play("shop.late")
    run.end(_of(run), uncertain())
    waiting = run.wait()
    early = run.later(LATE_S - 1).performs()
    run.later(1).call("undo/a", applied())
    end = run.finish()

    assert (waiting.waiting_for, waiting.until) == ("retry", NOW + LATE_S)
    assert early == {}
    assert (end.status, end.undone) == ("undone", ("a",))


def test_of_a_call_that_was_taken_over_nobody_knows_when_it_was_sent() -> None:
    run = _play("shop.late")
    run.later(5).crash()
    waiting = run.wait()

    assert waiting.until == NOW + TIMEOUT_S + LATE_S


def test_as_soon_as_it_is_known_to_have_happened_it_is_taken_back() -> None:
    run = _play("shop.late")
    run.end(_of(run), uncertain())
    run.wait()
    run.resolve("a", 1, "applied")

    assert [*run.performs()] == ["undo/a"]


def test_what_was_given_up_may_come_through_all_the_same() -> None:
    run = _play("shop.late")
    run.end(_of(run), uncertain())
    run.resolve("a", 1, "abandoned")

    assert run.wait().until == NOW + LATE_S


def test_what_a_service_has_accepted_and_somebody_gave_up_is_not_told_to_be_undone() -> None:
    run = _play("shop.slow")
    run.write(e.AttemptEnded(step="a", iteration="", n=1, state="applied_pending", handle="task"))
    run.flying.clear()
    run.resolve("a", 1, "abandoned")
    end = run.later(2 * LATE_S).finish()

    assert (end.status, end.uncertain, end.undone) == ("compensation_incomplete", ("a",), ())


def test_what_is_known_to_have_happened_is_taken_back_though_the_same_was_given_up() -> None:
    run = play_back(step("a", "shop.slow", value(3, "x")), step("z", "blind"))
    failing = run.performs()["z"]
    run.begin(failing)
    first = run.performs()["a"]
    run.begin(first)
    run.flying.pop(("a", ""))
    run.go()
    second = run.later(60).performs()["a"]
    run.begin(second)
    run.flying.pop(("a", ""))
    run.go()
    pending = e.AttemptEnded(
        step="a", iteration="", n=first.n, state="applied_pending", handle="task", late=True
    )
    run.write(pending)
    run.resolve("a", first.n, "abandoned")
    run.end_late(second, applied({"id": 1}))
    run.end(failing, refused())
    run.call("undo/a", applied())
    end = run.finish()

    assert (end.status, end.undone, end.uncertain) == ("undone", ("a",), ())


def test_what_a_service_has_accepted_and_not_done_is_found_out_before_it_is_taken_back() -> None:
    run = _play("shop.slow")
    run.write(e.AttemptEnded(step="a", iteration="", n=1, state="applied_pending", handle="task"))
    run.flying.clear()
    asked = run.later(2 * LATE_S).go()
    run.resolve("a", 1, "applied", by="status")

    assert [type(each) for each in asked] == [Poll]
    assert [*run.performs()] == ["undo/a"]


def _asked(name: str) -> e.AttemptEnded:
    """The call asks for something before it goes on."""
    asks: Any = {"sure": {"message": "Sure?", "schema": {}}}
    state: e.AttemptState = "applied_pending"
    return e.AttemptEnded(step=name, iteration="", n=1, state=state, handle="it", asks=asks)


@pytest.mark.parametrize("mode", ["", "undo"])
@pytest.mark.parametrize("resolution", ["answered", "abandoned", "applied"])
def test_what_a_call_asks_is_settled_before_what_it_depends_on_is_taken_back(
    resolution: str, mode: str
) -> None:
    run = play_back(step("a", UNDO), step("b", UNDO, after=["a"]), step("z", "blind", after=["a"]))
    run.call("a", applied({"id": 7}))
    both = run.performs()
    run.begin(both["b"])
    run.begin(both["z"])
    run.write(_asked("b"))
    run.end(both["z"], applied() if mode else refused())
    run.flying.clear()
    if mode:
        run.cancel(mode)
    waiting = run.wait()
    run.resolve("b", 1, resolution, {"id": 8})
    after = [*run.later(LATE_S).performs()]

    assert (waiting.waiting_for, waiting.steps) == ("reconcile", ("b",))
    assert after == {"answered": ["undo/a"], "abandoned": [], "applied": ["undo/b"]}[resolution]


def test_a_call_that_asks_before_a_run_fails_is_not_told_to_have_failed_without_effect() -> None:
    run = play(step("b", "blind"), step("z", "blind"))
    both = run.performs()
    run.begin(both["b"])
    run.begin(both["z"])
    run.write(_asked("b"))
    run.end(both["z"], refused())
    run.flying.clear()
    waiting = run.wait()
    run.resolve("b", 1, "answered")
    end = run.finish()

    assert waiting.waiting_for == "reconcile"
    assert (end.status, end.standing, end.uncertain) == ("failed", (), ())


def test_an_idempotent_call_that_comes_late_would_do_anew_what_was_taken_back() -> None:
    run = _play("shop.put")
    run.end(_of(run), uncertain())
    run.later(9).call("a", applied({"id": 7}))
    waiting = run.wait()

    assert waiting.until == NOW + LATE_S
    assert [*run.later(LATE_S - 9).performs()] == ["undo/a"]


def test_a_call_that_was_answered_is_taken_back_at_once() -> None:
    run = _play("shop.put")
    run.end(_of(run), applied({"id": 7}))

    assert [*run.performs()] == ["undo/a"]


def _brief() -> Play:
    """A step that is to be taken back within 30 s."""
    run = play_back(step("a", "shop.brief"), step("z", after=["a"]))
    run.call("a", applied({"id": 7}))
    run.call("z", refused())
    run.go()
    return run


def test_a_stop_does_not_use_up_the_time_of_what_is_to_be_taken_back() -> None:
    run = _brief()
    run.not_before["shop"] = Held(inf, "stop")
    waiting = run.wait()
    later = run.later(1000).wait()
    run.not_before.clear()
    run.call("undo/a", applied())

    assert (waiting.waiting_for, waiting.until) == ("stop", None)
    assert later == waiting
    assert run.finish().status == "undone"


def test_a_cancelled_run_does_not_end_while_a_stop_keeps_what_is_to_be_taken_back() -> None:
    run = play_back(step("a", "shop.brief"), step("z", after=["a"]))
    run.call("a", applied({"id": 7}))
    run.cancel("undo")
    run.go()
    run.not_before["shop"] = Held(inf, "stop")
    waiting = run.wait()
    run.not_before.clear()
    run.call("undo/a", applied())

    assert (waiting.waiting_for, waiting.until) == ("stop", None)
    assert run.finish().status == "undone"


def _doubtful(by: str) -> Play:
    """An undo that may have happened, of which a stop keeps everything from being found out."""
    run = play_back(step("a", f"shop.brief_{by}"), step("z", after=["a"]))
    run.call("a", applied({"id": 7}))
    run.call("z", refused())
    run.call("undo/a", uncertain())
    run.not_before["shop"] = Held(inf, "stop")
    return run.later(20)


@pytest.mark.parametrize("by", ["lookup", "keyed"])
def test_a_stop_does_not_use_up_the_time_in_which_an_undo_is_found_out(by: str) -> None:
    run = _doubtful(by)
    waiting = run.wait()
    later = run.later(40).wait()
    run.not_before.clear()
    run.resolve("undo/a", 1, "applied", by="lookup")

    assert waiting.waiting_for == "stop"
    assert later == waiting
    assert run.finish().status == "undone"


def test_once_a_stop_is_lifted_an_undo_in_doubt_is_looked_up_though_its_time_is_over() -> None:
    run = _doubtful("lookup")
    run.later(40)
    run.not_before.clear()
    (search,) = run.go()
    assert isinstance(search, LookUp)
    run.begin(search)
    run.flying.clear()
    run.ask_in_vain("undo/a", None)
    end = run.finish()
    ended = run.state.undos["a", ""].ended

    assert ended is not None
    assert (ended.code, ended.effect, end.uncertain) == ("undo-too-late", "unknown", ("a",))


def test_once_a_stop_is_lifted_an_undo_in_doubt_is_repeated_once_though_its_time_is_over() -> None:
    run = _doubtful("keyed")
    run.later(40)
    run.not_before.clear()
    run.call("undo/a", uncertain())
    end = run.finish()

    assert (end.status, end.uncertain) == ("compensation_incomplete", ("a",))


def test_what_nobody_was_there_to_take_back_in_its_time_is_tried_once() -> None:
    run = _brief()
    run.later(1000).call("undo/a", not_sent())
    ended = run.go() and run.state.undos["a", ""].ended

    assert ended is not None
    assert (ended.code, ended.effect) == ("undo-too-late", "no")


def test_a_service_that_is_down_for_too_long_ends_what_was_never_called() -> None:
    run = _brief()
    run.not_before["shop"] = Held(NOW + 1000, "service")
    waiting = run.wait()
    end = run.later(30).finish()

    assert (waiting.waiting_for, waiting.until) == ("service", NOW + 30)
    assert (end.status, end.standing) == ("compensation_incomplete", ("a",))
