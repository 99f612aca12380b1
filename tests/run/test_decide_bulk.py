"""A call that takes many items and happened for some: its step, what refers to it, and its undo."""

from typing import Any

from run_cases import UNREADABLE, Play, action, applied, play, ref, refused, step, uncertain

from connectors.by_item import all_happened, missed_items
from executor.check.certificate import Options
from executor.run import events as e
from executor.run.commands import LookUp
from executor.run.effects import effect_of_step
from executor.run.so_far import SoFar
from executor.trace.steps import explain_step

ITEMS = {"of": "lines", "at": "made", "failed_at": "error"}
TAKE = {
    "action": "shop.take_many",
    "args": [{"ref": "result/made", "to": "made"}, {"ref": "input/lines", "to": "lines"}],
}
ACTIONS = (
    action("shop.many", "keyed", items=ITEMS, undo=TAKE),
    action("shop.many_by_input", "keyed", items=ITEMS, undo=TAKE | {"args": TAKE["args"][1:]}),
    action("shop.take_many", "keyed", items=ITEMS),
    action("shop.many_found", "lookup", items=ITEMS),
)
ON = Options(on_failure="continue")
BACK = Options(on_failure="undo")


def many(name: str = "m", what: str = "shop.many", **more: Any) -> dict[str, Any]:
    return step(name, what, ref("input/lines", "lines"), **more)


def made(*errors: str | None) -> dict[str, Any]:
    return {"made": [{"id": n, "error": each} for n, each in enumerate(errors)]}


def run_of(*steps: dict[str, Any], options: Options | None = None) -> Play:
    return play(*steps, options=options or Options(), more=ACTIONS, lines=["a", "b", "c"])


def test_a_step_of_which_some_items_did_not_happen_fails_and_says_which() -> None:
    run = run_of(many(), step("after", "read", ref("m/made", "x")))
    run.call("m", applied(made(None, "sold out", None)))
    end = run.finish()
    failed = run.state.failed["m"]

    assert (failed.code, failed.effect) == ("items-refused", "yes")
    assert failed.message == "items that did not happen: 1: sold out"
    assert run.state.failed_items["m"] == {
        "1": e.ItemFailure(code="items-refused", message="sold out", effect="no")
    }
    assert (end.status, end.code, end.standing) == ("failed", "items-refused", ("m",))
    assert "after" not in run.state.attempts


def test_a_run_that_goes_on_goes_on_with_the_answer_and_the_items_stand_beside_it() -> None:
    run = run_of(many(), step("after", "blind", ref("m/made/0/id", "x")), options=ON)
    answer = made(None, "sold out", None)
    run.call("m", applied(answer))
    after = run.call("after", applied({}))
    end = run.finish()

    assert after.arguments == {"x": 0}
    assert run.state.done["m"] == answer
    assert [*run.state.failed_items["m"]] == ["1"]
    assert (end.status, end.code) == ("failed", "items-refused")


def test_what_is_expected_of_the_answer_is_asked_before_anything_goes_on() -> None:
    expects = [{"left": "result/made/1/error", "op": "==", "value": "late"}]
    run = run_of(many(expect=expects), options=ON)
    run.call("m", applied(made(None, "sold out", None)))
    run.go()
    failed = run.state.failed["m"]

    assert (failed.code, failed.effect, [*failed.failed_items]) == ("expect-failed", "yes", ["1"])


def test_only_what_happened_is_taken_back() -> None:
    run = run_of(many(), step("z", "blind", after=["m"]), options=BACK)
    run.call("m", applied(made(None, "sold out", None)))
    undo = run.call("undo/m", applied(made(None, None)))
    end = run.finish()

    assert undo.arguments["lines"] == ["a", "c"]
    assert [each["id"] for each in undo.arguments["made"]] == [0, 2]
    assert (end.status, end.undone, end.standing) == ("undone", ("m",), ())


def test_nothing_is_taken_back_before_it_is_known_which_items_happened() -> None:
    run = run_of(many(what="shop.many_by_input"), step("z", "blind"), options=BACK)
    both = run.performs()
    run.begin(both["z"])
    run.call("m", UNREADABLE)
    run.end(both["z"], refused())
    waiting = run.wait()
    run.resolve("m", 1, "applied", made(None, "sold out", None))

    assert waiting.waiting_for == "reconcile"
    assert run.performs()["undo/m"].arguments == {"lines": ["a", "c"]}


def test_what_happened_for_items_that_nobody_can_name_is_not_taken_back() -> None:
    run = run_of(many(what="shop.many_by_input"), step("z", "blind"), options=BACK)
    both = run.performs()
    run.begin(both["z"])
    run.call("m", UNREADABLE)
    run.end(both["z"], refused())
    run.resolve("m", 1, "applied")  # and no more is said
    end = run.finish()
    ended = run.state.undos["m", ""].ended

    assert ended is not None
    assert (ended.undone, ended.code) == (False, "items-untold")
    assert (end.status, end.undone) == ("compensation_incomplete", ())
    assert {*end.standing, *end.uncertain} == {"m"}


def test_what_is_taken_back_in_part_is_not_called_undone() -> None:
    run = run_of(many(), step("z", "blind", after=["m"]), options=BACK)
    run.call("m", applied(made(None, None, None)))
    run.call("z", refused())
    run.call("undo/m", applied(made(None, "gone", None)))
    end = run.finish()
    ended = run.state.undos["m", ""].ended

    assert ended is not None
    assert (ended.undone, ended.code, ended.effect) == (False, "items-refused", "yes")
    assert (end.status, end.undone) == ("compensation_incomplete", ())
    assert {*end.standing, *end.uncertain} == {"m"}


def test_an_each_step_tells_the_items_of_every_call_by_both_places() -> None:
    each = many(each="input/lines") | {"args": [ref("input/lines", "lines"), ref("each", "x")]}
    run = run_of(each, options=ON)
    for place, errors in (("m[0]", (None, None, None)), ("m[1]", (None, "no", "no")),
                          ("m[2]", (None, None, "no"))):  # fmt: skip
        run.call(place, applied(made(*errors)))
    run.finish()

    assert [*run.state.failed_items["m"]] == ["1/1", "1/2", "2/2"]


def test_what_a_search_found_tells_of_the_items_too_and_no_more_than_it_says() -> None:
    for found, code, items in (
        (made(None, "sold out", None), "items-refused", ["1"]),
        ({"made": [{"id": 1}]}, "items-untold", []),
    ):
        run = run_of(many(what="shop.many_found"))
        run.call("m", uncertain())
        (search,) = run.go()
        assert isinstance(search, LookUp)
        run.resolve("m", search.n, "applied", found, by="lookup")
        run.finish()
        failed = run.state.failed["m"]

        assert (failed.code, failed.effect, [*failed.failed_items]) == (code, "yes", items)


def test_a_call_that_happened_in_part_is_no_success_for_policy() -> None:
    run = run_of(many(), options=ON)
    whole = run_of(many(), options=ON)
    run.call("m", applied(made(None, "sold out", None)))
    whole.call("m", applied(made(None, None, None)))
    run.finish()
    whole.finish()
    asked = [SoFar(each.accepted, each.state).besides(("z", ""), ACTIONS[0], {})
             for each in (run, whole)]  # fmt: skip

    assert [each["succeeded"] for each in asked] == [[], ["shop.many"]]


def test_in_a_rehearsal_every_item_happens() -> None:
    for items in (ITEMS, ITEMS | {"failed_at": "why/text"}, {"of": "lines", "status_at": "status"}):
        bulk = action("shop.many", "keyed", items=items)
        given: dict[str, Any] = {"lines": ["a", "b", "c"]}
        output = all_happened(
            bulk, given, {"made": [{"id": 1, "error": "e", "why": {"text": "t"}}]}
        )

        assert missed_items(bulk, given, output) == {}


def test_the_trace_shows_what_happened_and_what_did_not() -> None:
    run = run_of(many())
    run.call("m", applied(made(None, "sold out", None)))
    run.finish()
    told = explain_step(run.accepted, run.state, "m", None)

    assert told.effect == "applied, but for items 1"
    assert told.failed_items["1"].message == "sold out"
    assert effect_of_step(run.accepted, run.state, run.accepted.plan.steps[0]) == told.effect


def test_an_answer_that_cannot_be_read_does_not_tell_whether_any_item_happened() -> None:
    run = run_of(many())
    run.call("m", UNREADABLE)
    run.cancel()
    end = run.finish()

    assert (end.status, end.standing, end.uncertain) == ("cancelled", (), ("m",))
    told = explain_step(run.accepted, run.state, "m", None)
    assert told.effect == "uncertain: it was taken, and nobody can tell for which items"


def test_the_trace_of_an_each_step_counts_such_an_answer_among_what_is_uncertain() -> None:
    each = many(each="input/lines") | {"args": [ref("input/lines", "lines"), ref("each", "x")]}
    run = run_of(each)
    run.call("m[0]", applied(made(None, None, None)))
    run.call("m[1]", UNREADABLE)

    told = explain_step(run.accepted, run.state, "m", None)
    assert told.effect == "applied for 1 of 2 items, uncertain for 1"
