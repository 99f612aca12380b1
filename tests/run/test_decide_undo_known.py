"""The way back where something was given up, could not be read, or is judged by what was read."""

import pytest
from run_cases import PERMIT, applied, refused, step, uncertain, value
from undo_cases import play_back

UNDO = "shop.keyed_by_keyed"


def test_what_was_given_up_and_is_undone_all_the_same_keeps_nothing_standing() -> None:
    run = play_back(
        step("a", UNDO), step("b", "shop.safe", value(3, "x"), after=["a"]), step("z", "blind")
    )
    both = run.performs()
    run.begin(both["z"])
    run.call("a", applied({"id": "a"}))
    run.call("b", uncertain())
    run.resolve("b", 1, "abandoned")
    run.end(both["z"], refused())
    run.call("undo/b", applied())
    run.call("undo/a", applied())
    end = run.finish()

    assert (end.status, end.standing, end.undone) == ("undone", (), ("a", "b"))


@pytest.mark.parametrize(
    ("by", "asks"),
    [
        ("read", 'context.read has "shop.read" && context.read["shop.read"].state == "late"'),
        ("run", "context.run.writes > 9"),
    ],
)
def test_what_a_policy_judges_by_the_run_is_not_taken_back_beside_anything(
    by: str, asks: str
) -> None:
    looks = (
        f' forbid (principal, action, resource == Operation::"shop.take_keyed") when {{ {asks} }};'
    )
    steps = [step(name, "shop.beside") for name in ("a", "b")]
    run = play_back(*steps, step("z", after=["a", "b"]), judged_by=PERMIT + looks)
    run.call("a", applied({"id": "a"}))
    run.call("b", applied({"id": "b"}))
    run.call("z", refused())

    assert [*run.performs()] == ["undo/b"]
