"""A no that policy says by what the run did or read so far waits for what is under way."""

from typing import Any

import pytest
from run_cases import (
    NOW,
    PERMIT,
    Answer,
    Play,
    action,
    applied,
    play,
    policy,
    ref,
    refused,
    step,
    uncertain,
)
from undo_cases import BACK

from executor.check.certificate import Options
from executor.run.commands import LookUp, Perform, Wait

ID: dict[str, Any] = {"sinks": {"id": "resource_id"}}
SHOP = {**ID, "reads_as": "trusted"}
DEADLINE_S = 300.0
UNDO = {"action": "shop.free", "deadline_s": DEADLINE_S, "args": [{"ref": "input/id", "to": "id"}]}
MORE = (
    action("shop.order", **SHOP),
    action("shop.pay", "keyed", **ID),
    action("shop.book", "keyed", **ID),
    action("shop.hold", "keyed", **ID, undo=UNDO),
    action("shop.free", "keyed", **ID),
    action("shop.sell", "lookup", **ID),
)  # fmt: skip
FREE = (
    PERMIT + 'forbid (principal, action, resource == Operation::"shop.book") unless {'
    ' context.read has "shop.order" && context.read["shop.order"].status == "free" };'
)
ONCE = (
    PERMIT + 'forbid (principal, action, resource == Operation::"shop.book") when {'
    ' context.run.calls has "shop.pay" && context.run.writes > 0 };'
)
ORDER = {"id": "W1", "status": "free"}


def of(name: str, what: str, *after: str, number: str = "W1", **more: Any) -> dict[str, Any]:
    return step(name, what, ref(f"input/{number}", "id"), after=[*after], **more)


def drawn(*steps: dict[str, Any], rules: str = FREE, **more: Any) -> Play:
    inputs = {"W1": "W1", "W2": "W2", "orders": ["W1"]}
    return play(*steps, judged_by=rules, more=MORE, **inputs, **more)


def beside_a_write(rules: str = FREE, *, each: bool = False, **more: Any) -> Play:
    """An order is seen free, and is to be booked while a payment of it is under way."""
    listed = step("book", "shop.book", ref("each", "id"), each="input/orders", after=["wait"])
    run = drawn(
        of("look", "shop.order"), of("pay", "shop.pay", "look"), of("wait", "read", "look"),
        listed if each else of("book", "shop.book", "wait"), rules=rules, **more,
    )  # fmt: skip
    run.call("look", applied(ORDER))
    both = run.performs()
    assert {*both} == {"wait", "pay"}
    for each in both.values():
        run.begin(each)
    run.end(both["wait"], applied({"id": "W2"}))
    return run


def end(run: Play, name: str, answer: Answer) -> None:
    call = run.flying[name, ""]
    assert isinstance(call, Perform)
    run.end(call, answer)


@pytest.mark.parametrize("rules", [FREE, ONCE])
def test_a_call_denied_for_a_write_that_is_refused_later_is_made_then(rules: str) -> None:
    run = beside_a_write(rules)
    assert run.go() == (Wait("flight", None, ()),)
    end(run, "pay", refused(again=True))

    assert "book" in run.performs()


@pytest.mark.parametrize("rules", [FREE, ONCE])
def test_it_is_denied_once_the_write_has_happened(rules: str) -> None:
    run = beside_a_write(rules)
    end(run, "pay", applied())
    run.go()

    assert run.state.failed["book"].code == "policy-denied"


@pytest.mark.parametrize("rules", [FREE, ONCE])
@pytest.mark.parametrize("each", [False, True])
def test_while_the_write_is_in_doubt_the_no_waits_as_a_yes_would(rules: str, each: bool) -> None:
    known = {"applied": "policy-denied", "absent": None}
    for resolution, code in known.items():
        run = beside_a_write(rules, each=each)
        end(run, "pay", uncertain())
        assert run.wait().waiting_for == "retry"
        assert "book" not in run.state.failed
        run.resolve("pay", 1, resolution)
        if code is None:
            run.call("pay", refused(again=True))
            assert {name.partition("[")[0] for name in run.performs()} == {"book"}
        else:
            run.go()
            assert run.state.failed["book"].code == code


@pytest.mark.parametrize("rules", [FREE, ONCE])
def test_where_the_run_goes_on_beside_a_doubt_the_no_is_said_at_once(rules: str) -> None:
    run = beside_a_write(rules, options=Options(on_uncertain="continue"))
    end(run, "pay", uncertain())
    run.go()

    assert run.state.failed["book"].code == "policy-denied"


def test_a_read_waits_for_no_doubt_and_so_its_no_does_not_either() -> None:
    rule = PERMIT + (
        'forbid (principal, action, resource == Operation::"shop.order") when {'
        " context.run.writes > 0 };"
    )
    run = drawn(
        of("pay", "shop.pay"), of("look", "shop.order", "see"), of("see", "read"), rules=rule
    )
    both = run.performs()
    for each in both.values():
        run.begin(each)
    end(run, "pay", uncertain())
    run.end(both["see"], applied())
    run.go()

    assert run.state.failed["look"].code == "policy-denied"


def test_nothing_else_acts_while_a_no_waits_and_nobody_is_asked() -> None:
    run = drawn(
        of("look", "shop.order"), of("pay", "shop.pay", "look"), of("wait", "read", "look"),
        of("book", "shop.book", "wait"), of("other", "keyed", "wait"),
        step("asked", "asked_keyed", ref("wait/id", "id")), of("see", "read", "wait"),
    )  # fmt: skip
    run.call("look", applied(ORDER))
    both = run.performs()
    for each in both.values():
        run.begin(each)
    run.end(both["wait"], applied({"id": "W2"}))
    assert [each.step for each in run.go() if isinstance(each, Perform)] == ["see"]
    assert len(run.go()) == 1

    run.call("see", applied())
    end(run, "pay", applied())
    run.go()
    assert run.state.failed["book"].code == "policy-denied"


def test_a_no_waits_for_a_read_that_can_begin_with_it() -> None:
    run = drawn(of("look", "shop.order"), of("book", "shop.book"))
    assert [*run.performs()] == ["look"]
    run.call("look", applied(ORDER))

    assert [*run.performs()] == ["book"]


def test_a_no_that_no_end_of_a_call_can_change_is_said_at_once() -> None:
    run = beside_a_write(PERMIT)
    run.policy = policy(PERMIT + 'forbid (principal, action, resource == Operation::"shop.book");')
    run.go()

    assert run.state.failed["book"].code == "policy-denied"
    assert ("pay", "") in run.flying


@pytest.mark.parametrize("options", [Options(), Options(on_failure="continue")])
def test_the_no_to_an_item_waits_as_well(options: Options) -> None:
    book = step("book", "shop.book", ref("each", "id"), each="input/orders", after=["wait"])
    run = drawn(
        of("look", "shop.order"), of("pay", "shop.pay", "look"), of("wait", "read", "look"), book,
        options=options,
    )  # fmt: skip
    run.call("look", applied(ORDER))
    both = run.performs()
    for each in both.values():
        run.begin(each)
    run.end(both["wait"], applied())
    assert run.go() == (Wait("flight", None, ()),)
    end(run, "pay", refused(again=True))

    assert "book[0]" in run.performs()


def going_back() -> Play:
    """An order is held and seen, it may have been sold, and the hold is to be taken back."""
    rule = (
        'forbid (principal, action, resource == Operation::"shop.free") unless {'
        ' context.read has "shop.order" };'
    )
    run = drawn(
        of("hold", "shop.hold"), of("look", "shop.order", "hold"), of("sell", "shop.sell", "look"),
        of("fail", "read", "look"), rules=PERMIT + rule, options=BACK,
    )  # fmt: skip
    run.call("hold", applied())
    run.call("look", applied(ORDER))
    both = run.performs()
    run.begin(both["sell"])
    run.begin(both["fail"])
    run.end(both["sell"], uncertain())
    run.end(both["fail"], refused())
    return run


def test_the_no_to_what_takes_back_waits_for_what_is_in_doubt() -> None:
    run = going_back()
    search = next(each for each in run.go() if isinstance(each, LookUp))
    run.begin(search)
    assert run.wait().waiting_for == "flight"
    run.flying.clear()
    run.resolve("sell", 1, "absent", by="lookup")

    assert [*run.performs()] == ["undo/hold"]


def test_it_is_said_once_nothing_is_in_doubt_any_more_or_its_time_is_over() -> None:
    known, late = going_back(), going_back()
    known.go()
    known.resolve("sell", 1, "applied")
    late.go()
    late.later(DEADLINE_S).go()

    for run in (known, late):
        run.go()
        ended = run.state.undos["hold", ""].ended
        assert ended is not None
        assert ended.code == "policy-denied"


def test_a_cancelled_run_does_not_end_while_a_no_may_change() -> None:
    run = going_back()
    run.cancel("undo")
    search = next(each for each in run.go() if isinstance(each, LookUp))
    run.begin(search)
    run.flying.clear()
    run.ask_in_vain("sell", None)
    waiting = run.wait()

    assert waiting.waiting_for == "retry"
    assert waiting.until == NOW + DEADLINE_S
