"""A run that goes back takes back what happened, last thing first, and says what it could not."""

import pytest
from run_cases import NOW, UNREADABLE, Play, applied, not_sent, ref, refused, step, uncertain, value
from undo_cases import BACK, play_back

from executor.check.certificate import Options
from executor.run.commands import Abort, LookUp, Perform

UNDO = "shop.keyed_by_keyed"


def _failed(run: Play, *names: str, last: str = "z") -> Play:
    """These steps have acted, and the last one is refused."""
    for name in names:
        run.call(name, applied({"id": name}))
    run.call(last, refused())
    return run


def test_everything_that_happened_is_taken_back_in_the_reverse_order() -> None:
    run = play_back(step("a", UNDO), step("b", UNDO, after=["a"]), step("z", "blind", after=["b"]))
    _failed(run, "a", "b")
    first = run.call("undo/b", applied())
    second = run.call("undo/a", applied())
    end = run.finish()

    assert (first.action.name, first.arguments) == ("shop.take_keyed", {"id": "b"})
    assert second.arguments == {"id": "a"}
    assert (end.status, end.code) == ("undone", "invalid")
    assert (end.standing, end.uncertain, end.undone) == ((), (), ("a", "b"))


def test_of_independent_effects_the_one_goes_first_that_happened_last_whatever_the_clock_says() -> (
    None
):
    run = play_back(step("a", UNDO), step("b", UNDO), step("z", "blind", after=["a", "b"]))
    run.call("b", applied({"id": "b"}))
    run.later(-500)
    run.call("a", applied({"id": "a"}))
    run.call("z", refused())

    assert [*run.performs()] == ["undo/a"]


def test_only_where_their_manifests_allow_it_are_effects_taken_back_beside_each_other() -> None:
    steps = [step(name, "shop.beside") for name in ("a", "b")]
    run = _failed(play_back(*steps, step("z", after=["a", "b"])), "a", "b")

    assert {*run.performs()} == {"undo/a", "undo/b"}


def test_a_run_whose_first_step_fails_has_nothing_to_undo_and_failed() -> None:
    run = play_back(step("z", UNDO), step("a", UNDO, after=["z"]))
    end = _failed(run).finish()

    assert (end.status, end.standing, end.undone) == ("failed", (), ())


def test_what_cannot_be_undone_stands_and_holds_nobody_up() -> None:
    run = play_back(step("a", UNDO), step("b", "shop.final", after=["a"]), step("z", after=["b"]))
    _failed(run, "a", "b")
    run.call("undo/a", applied())
    end = run.finish()

    assert (end.status, end.standing, end.undone) == ("compensation_incomplete", ("b",), ("a",))


def test_after_a_pivot_nothing_is_undone_and_the_run_goes_forward() -> None:
    run = play_back(
        step("a", UNDO), step("p", "shop.pivot", after=["a"]),
        step("z", "blind", after=["p"]), step("c", "blind", after=["p"]),
    )  # fmt: skip
    _failed(run, "a", "p")
    run.call("c", applied())
    end = run.finish()

    assert (end.status, end.standing, end.undone) == ("failed", ("a", "c", "p"), ())


def test_while_nobody_knows_whether_a_pivot_happened_nothing_is_undone() -> None:
    run = play_back(step("a", UNDO), step("p", "shop.pivot", after=["a"]))
    run.call("a", applied({"id": 1}))
    run.call("p", uncertain())
    run.later(10).call("p", refused())
    waiting = run.wait()
    run.resolve("p", 1, "absent")

    assert waiting.waiting_for == "reconcile"
    assert run.state.failed == {}  # it may be sent again, and is


def test_a_pivot_that_turns_out_not_to_have_happened_leaves_the_way_back_open() -> None:
    run = play_back(step("a", UNDO), step("p", "shop.pivot", after=["a"]), step("z", after=["a"]))
    run.call("a", applied({"id": 1}))
    run.call("z", refused())

    assert [*run.performs()] == ["undo/a"]


def test_an_effect_in_doubt_is_found_out_before_it_is_taken_back() -> None:
    run = play_back(step("a", "shop.blind_by_keyed"), step("z", "blind"))
    both = run.performs()
    run.begin(both["a"])
    run.begin(both["z"])
    run.end(both["a"], uncertain())
    run.end(both["z"], refused())
    waiting = run.wait()
    run.resolve("a", 1, "applied", {"id": 7})

    assert waiting.waiting_for == "reconcile"
    assert run.performs()["undo/a"].arguments == {"id": 7}


def test_where_an_undo_is_safe_when_absent_nobody_has_to_find_out_first() -> None:
    run = play_back(step("a", "shop.safe", value(3, "x")), step("z", "blind"))
    both = run.performs()
    run.begin(both["a"])
    run.begin(both["z"])
    run.end(both["a"], uncertain())
    run.end(both["z"], refused())
    undo = run.call("undo/a", applied())
    end = run.finish()

    assert undo.arguments == {"x": 3}
    assert (end.status, end.undone, end.uncertain) == ("undone", ("a",), ())


def test_an_undo_that_needs_the_answer_waits_for_it_where_it_could_not_be_read() -> None:
    run = play_back(step("a", UNDO), step("z", "blind"))
    both = run.performs()
    run.begin(both["a"])
    run.begin(both["z"])
    run.end(both["a"], UNREADABLE)
    run.end(both["z"], refused())
    waiting = run.wait()
    run.resolve("a", 1, "applied", {"id": 5})

    assert waiting.waiting_for == "reconcile"
    assert run.performs()["undo/a"].arguments == {"id": 5}


def test_an_undo_without_its_value_is_not_called_and_the_effect_stands() -> None:
    run = play_back(step("a", UNDO), step("z", after=["a"]))
    run.call("a", applied({"other": 1}))
    run.call("z", refused())
    end = run.finish()

    assert (end.status, end.standing) == ("compensation_incomplete", ("a",))
    assert run.state.undos["a", ""].ended is not None
    assert run.state.undos["a", ""].ended.code == "missing-value"


def test_a_compensation_is_tried_again_under_its_own_key_until_it_happens() -> None:
    run = _failed(play_back(step("a", "shop.keyed_by_idempotent"), step("z", after=["a"])), "a")
    for answer in [*[not_sent()] * 12, uncertain(), applied()]:
        run.call("undo/a", answer)
        run.later(100)
    end = run.finish()
    keys = {each.intent.key for each in run.state.attempts["undo/a", ""]}

    assert len(keys) == 1
    assert keys != {run.state.attempts["a", ""][0].intent.key}
    assert (end.status, end.undone) == ("undone", ("a",))


def test_what_depends_on_an_effect_that_could_not_be_undone_keeps_it_and_the_rest_goes_on() -> None:
    run = play_back(
        step("a", UNDO), step("b", UNDO, after=["a"]), step("c", UNDO),
        step("z", after=["b", "c"]),
    )  # fmt: skip
    _failed(run, "a", "b", "c")
    run.call("undo/c", applied())
    run.call("undo/b", refused("conflict"))
    end = run.finish()
    ended = run.state.undos["a", ""].ended

    assert ended is not None
    assert ended.code == "undo-blocked"
    assert (end.status, end.standing) == ("compensation_incomplete", ("a", "b"))
    assert end.undone == ("c",)


def test_a_compensation_that_does_not_come_about_in_its_time_is_given_up() -> None:
    run = _failed(play_back(step("a", "shop.brief"), step("z", after=["a"])), "a")
    run.call("undo/a", not_sent())
    run.call("undo/a", uncertain()) if run.later(5).performs() else None
    run.later(60).call("undo/a", uncertain())  # nobody was there to settle it in time
    end = run.finish()
    ended = run.state.undos["a", ""].ended

    assert ended is not None
    assert (ended.code, ended.effect) == ("undo-too-late", "unknown")
    assert (end.status, end.uncertain) == ("compensation_incomplete", ("a",))


def test_a_wait_within_a_compensation_ends_with_its_time() -> None:
    run = _failed(play_back(step("a", "shop.brief"), step("z", after=["a"])), "a")
    run.call("undo/a", refused("rate_limited", again=True, at=NOW + 500))

    assert run.wait().until == NOW + 30


def test_items_are_taken_back_one_by_one_and_listed_by_item() -> None:
    run = play_back(step("a", UNDO, ref("each", "n"), each="input/list"), list=[1, 2, 3])
    calls = run.performs()
    for command in calls.values():
        run.begin(command)
    run.end(calls["a[0]"], applied({"id": 10}))
    run.end(calls["a[1]"], refused())
    run.end(calls["a[2]"], applied({"id": 12}))
    first = run.call("undo/a[2]", applied())
    run.call("undo/a[0]", refused())
    end = run.finish()

    assert first.arguments == {"id": 12}
    assert (end.standing, end.undone) == (("a[0]",), ("a[2]",))


def test_the_effect_of_a_step_that_was_not_what_the_plan_expects_is_taken_back_too() -> None:
    expect = [{"left": "result/ok", "op": "==", "value": True}]
    run = play_back(step("a", UNDO, expect=expect))
    run.call("a", applied({"id": 1, "ok": False}))
    run.call("undo/a", applied())

    assert run.finish().status == "undone"


def test_policy_is_asked_about_an_undo_and_its_no_leaves_the_effect_standing() -> None:
    rules = """permit (principal, action, resource);
    forbid (principal, action, resource == Operation::"shop.take_keyed");"""
    run = play_back(step("a", UNDO), step("z", after=["a"]), rules=rules, judged_by=rules)
    end = _failed(run, "a").finish()

    assert (end.status, end.standing) == ("compensation_incomplete", ("a",))
    assert run.state.undos["a", ""].ended is not None
    assert run.state.undos["a", ""].ended.code == "policy-denied"


def test_an_approval_that_policy_asks_of_an_undo_was_given_with_the_plan() -> None:
    rules = """permit (principal, action, resource);
    @approval("treasurer") forbid (principal, action, resource == Operation::"shop.take_keyed")
    unless { context.approvals.contains("treasurer") };"""
    run = play_back(step("a", UNDO), step("z", after=["a"]), rules=rules, judged_by=rules)

    assert [*_failed(run, "a").performs()] == ["undo/a"]


def test_a_process_that_ends_within_a_compensation_goes_on_with_it_and_repeats_nothing() -> None:
    run = _failed(play_back(step("a", UNDO), step("z", after=["a"])), "a")
    lost = run.lose("undo/a")
    again = run.later(10).call("undo/a", applied(replayed=True))

    assert (again.n, again.arguments) == (lost.n + 1, lost.arguments)
    assert again.key == run.state.attempts["undo/a", ""][0].intent.key
    assert run.finish().status == "undone"


def test_a_cancel_that_asks_to_undo_takes_back_what_happened() -> None:
    run = play_back(step("a", UNDO), step("b", after=["a"]), options=Options())
    run.call("a", applied({"id": 1}))
    run.cancel("undo")
    run.call("undo/a", applied())
    end = run.finish()

    assert (end.status, end.code, end.undone) == ("undone", "cancelled", ("a",))


def test_a_cancel_that_asks_to_stop_ends_the_way_back_and_tells_what_stands() -> None:
    run = play_back(step("a", UNDO), step("b", UNDO, after=["a"]), step("z", after=["b"]))
    _failed(run, "a", "b").call("undo/b", applied())
    run.cancel()
    end = run.finish()

    assert (end.status, end.standing) == ("compensation_incomplete", ("a",))


def test_a_cancel_that_finds_nothing_done_has_nothing_to_undo() -> None:
    run = play_back(step("a", UNDO), options=Options())
    run.cancel("undo")

    assert run.finish().status == "cancelled"


def test_after_a_pivot_a_cancel_that_asks_to_undo_only_stops() -> None:
    run = play_back(
        step("a", UNDO), step("p", "shop.pivot", after=["a"]), step("b", after=["p"]),
        options=Options(),
    )  # fmt: skip
    run.call("a", applied({"id": 1}))
    run.call("p", applied({}))
    run.cancel("undo")
    end = run.finish()

    assert (end.status, end.standing) == ("cancelled", ("a", "p"))


@pytest.mark.parametrize("mode", ["stop", "undo"])
def test_a_read_under_way_is_cut_off_at_a_cancel_and_a_write_is_waited_for(mode: str) -> None:
    run = play_back(step("r"), step("w", UNDO), options=Options())
    both = run.performs()
    for command in both.values():
        run.begin(command)
    run.cancel(mode)
    (abort,) = run.go()
    del run.flying["r", ""]
    waiting = run.wait()

    assert abort == Abort("r", "")
    assert waiting.waiting_for == "flight"
    assert run.state.attempts["r", ""][0].ended is not None


def test_a_write_in_doubt_is_settled_after_a_cancel_only_if_that_is_to_undo_it() -> None:
    for mode, name, settles in [("stop", UNDO, False), ("undo", UNDO, True),
                                ("undo", "shop.keyed", False)]:  # fmt: skip
        run = play_back(step("a", name), options=Options())
        run.call("a", uncertain())
        run.cancel(mode)
        commands = run.later(10).go()

        assert isinstance(commands[0], Perform) is settles, (mode, name)


def test_a_lookup_finds_out_what_is_to_be_undone() -> None:
    run = play_back(step("a", "shop.lookup_by_lookup"), step("b"), options=BACK)
    run.call("a", uncertain())
    run.cancel("undo")

    assert isinstance(run.later(20).go()[0], LookUp)


def test_after_a_pivot_an_item_that_fails_leaves_the_others_to_go_on() -> None:
    more = step("a", "blind", ref("each", "n"), each="input/list", after=["p"])
    run = play_back(step("p", "shop.pivot"), more, list=[1, 2])
    run.call("p", applied())
    items = run.performs()
    for each in items.values():
        run.begin(each)
    run.end(items["a[0]"], refused())
    run.end(items["a[1]"], applied({"id": 2}))
    end = run.finish()

    assert run.state.done["a"] == [None, {"id": 2}]
    assert [*run.state.failed_items["a"]] == ["0"]
    assert (end.status, end.code, end.standing) == ("failed", "invalid", ("a", "p"))
