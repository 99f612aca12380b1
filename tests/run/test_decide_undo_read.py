"""What takes back is judged by what was read of its object, as any other call is."""

from typing import Any

from run_cases import PERMIT, Play, action, applied, not_sent, play, ref, refused, step
from undo_cases import BACK

ID = {"sinks": {"id": "resource_id"}}
SHOP = {**ID, "reads_as": "trusted"}
UNDO = {"action": "shop.free", "args": [{"ref": "input/id", "to": "id"}]}
MORE = (
    action("shop.order", **SHOP),
    action("shop.free", "keyed", **ID),
    action("shop.hold", "keyed", **ID, undo=UNDO),
    action("shop.book", "keyed", **SHOP, undo=UNDO,
           answers_as={"action": "shop.order", "of": ["id"]}),
)  # fmt: skip


def taken_back(write: str, allowed: str, *after: dict[str, Any]) -> Play:
    """An order is read, held or booked, and that is taken back, where policy allows the state."""
    rule = (
        'forbid (principal, action, resource == Operation::"shop.free") unless {'
        f' context.read has "shop.order" && context.read["shop.order"].status == "{allowed}" }};'
    )
    run = play(
        step("look", "shop.order", ref("input/W1", "id")),
        step("write", f"shop.{write}", ref("input/W1", "id"), after=["look"]),
        *after,
        step("last", after=[after[-1]["id"] if after else "write"]),
        options=BACK, judged_by=PERMIT + rule, more=MORE, W1="W1",
    )  # fmt: skip
    run.call("look", applied({"id": "W1", "status": "free"}))
    run.call("write", applied({"id": "W1", "status": "booked"}))
    return run


def test_what_was_read_before_a_write_is_outdated_where_the_write_is_taken_back() -> None:
    run = taken_back("hold", "free")
    run.call("last", refused())
    run.go()

    assert run.finish().status == "compensation_incomplete"


def test_a_write_that_answers_as_a_read_tells_what_takes_it_back() -> None:
    run = taken_back("book", "booked")
    run.call("last", refused())

    assert [*run.performs()] == ["undo/write"]


def test_what_takes_back_is_not_counted_against_itself_where_it_is_tried_again() -> None:
    rule = (
        'forbid (principal, action, resource == Operation::"shop.free") when {'
        ' context.run.calls has "shop.free" && context.run.calls["shop.free"] > 1 };'
    )
    run = play(
        step("first", "shop.free", ref("input/W1", "id")),
        step("write", "shop.hold", ref("input/W1", "id"), after=["first"]),
        step("last", after=["write"]),
        options=BACK, judged_by=PERMIT + rule, more=MORE, W1="W1",
    )  # fmt: skip
    run.call("first", applied())
    run.call("write", applied())
    run.call("last", refused())
    run.call("undo/write", not_sent())
    run.later(60)

    assert [*run.performs()] == ["undo/write"]


def test_what_was_read_after_a_write_holds_where_it_is_taken_back() -> None:
    run = taken_back(
        "hold", "held", step("again", "shop.order", ref("input/W1", "id"), after=["write"])
    )
    run.call("again", applied({"id": "W1", "status": "held"}))
    run.call("last", refused())

    assert [*run.performs()] == ["undo/write"]
