"""Which objects a call is about, and what its answer tells of which."""

from typing import Any

import pytest

from connectors.spec import ActionSpec
from executor.check.objects import (
    Answer,
    answer_of,
    answers_as,
    is_trusted_at,
    nearest,
    objects_of,
    touched_by,
)
from executor.check.unknown import Unknown

READ: dict[str, Any] = {
    "name": "shop.get", "effect": "read", "reads_as": "trusted", "input_schema": {"type": "object"},
    "sinks": {"id": "resource_id", "lines/*/sku": "resource_id"},
    "answer_ids": ["user", "lines/*/sku", "refs/1"],
}  # fmt: skip


def action(**more: Any) -> ActionSpec:
    return ActionSpec.model_validate(READ | more)


WRITE = {
    "effect": "idempotent", "answers_as": {"action": "shop.get", "of": ["order/id", "ids/*"]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"id": "a"}, {"a"}),
        ({"id": 7}, {"7"}),
        ({"id": 7.0}, {"7"}),
        ({"id": 7.5}, {"7.5"}),
        ({"id": ["a", 1, None, True]}, {"a", "1"}),
        ({"id": {"x": "a", "y": ["b"]}}, {"a", "b"}),
        ({"lines": [{"sku": "s"}, {"sku": "t"}, {"no": "u"}]}, {"s", "t"}),
        ({"other": "x"}, set()),
        ({}, set()),
        ({"id": Unknown(None)}, None),
        ({"id": "a", "lines": Unknown(None)}, None),
        ({"id": ["a", Unknown(None)]}, None),
    ],
)
def test_a_call_is_about_the_values_at_its_ids(arguments: Any, found: Any) -> None:
    assert objects_of(action(), arguments) == found


@pytest.mark.parametrize(
    ("more", "operation"),
    [
        ({}, "shop.get"),
        ({"reads_as": "untrusted"}, None),
        ({"reads_as": "untrusted", "fields_read_as": {"a/b": "trusted"}}, "shop.get"),
        ({"effect": "idempotent", "answer_ids": []}, None),
        (WRITE, "shop.get"),
        (WRITE | {"reads_as": "untrusted"}, None),
    ],
)
def test_what_is_trusted_of_it_answers_as_a_read(more: Any, operation: str | None) -> None:
    assert answers_as(action(**more)) == operation


def test_an_answer_is_about_what_was_asked_else_about_what_it_names() -> None:
    output = {
        "user": "u",
        "lines": [{"sku": "s", "n": "no"}, {"sku": None}],
        "refs": ["p", "q"],
        "id": "z",
    }
    asked = answer_of(action(), {"id": "a"}, output, 3)
    listed = answer_of(action(), {}, output, 3)
    names = frozenset({"u", "s", "q"})

    assert asked == Answer("shop.get", frozenset({"a"}), names, output, 3)
    assert listed == Answer("shop.get", names, names, output, 3)
    assert answer_of(action(), {}, {"id": "z"}, 3) is None
    assert answer_of(action(reads_as="untrusted"), {"id": "a"}, output, 3) is None


def test_a_write_answers_about_the_objects_that_its_answer_is_of() -> None:
    output = {"order": {"id": "o"}, "ids": ["p", 2], "user": "u"}
    told = answer_of(action(**WRITE), {"id": "a"}, output, 1)

    assert told is not None
    assert (told.about, told.names) == ({"o", "p", "2"}, {"u"})
    assert touched_by(action(**WRITE), {"id": "a"}, output) == {"a", "o", "p", "2"}
    assert touched_by(action(), {"id": "a"}, output) == {"a"}
    assert touched_by(action(), {"id": Unknown(None)}, output) == set()


def test_of_an_answer_only_what_is_trusted_is_told_and_a_list_whole_or_not_at_all() -> None:
    fields = {"a/note": "untrusted", "list/*/note": "untrusted", "b": "untrusted"}
    told = answer_of(
        action(fields_read_as=fields), {"id": "a"},
        {"a": {"note": "n", "id": 1}, "list": [{"id": 1}, {"id": 2, "note": "x"}], "b": {"id": 1},
         "user": "u"}, 1,
    )  # fmt: skip

    assert told is not None
    assert told.output == {"a": {"id": 1}, "list": [{"id": 1}, {"id": 2}], "b": {}, "user": "u"}

    whole = {"list/*": "untrusted"}
    told = answer_of(action(fields_read_as=whole), {"id": "a"}, {"list": ["x"], "user": "u"}, 1)

    assert told is not None
    assert told.output == {"user": "u"}


def test_a_model_made_what_policy_does_not_see() -> None:
    untrusted = action(reads_as="untrusted", fields_read_as={"a/b": "trusted"})

    assert [is_trusted_at(untrusted, path) for path in (["a", "b"], ["a"], ["c"], [])] == [
        True, True, False, True,
    ]  # fmt: skip


def test_the_nearest_answer_of_an_operation_counts_and_of_one_object_the_last() -> None:
    def answer(operation: str, about: str, names: str, output: Any, began: int) -> Answer:
        return Answer(operation, frozenset(about), frozenset(names), output, began)

    order = answer("get", "o", "u", 1, 1)
    again = answer("get", "o", "u", 2, 2)
    user = answer("user", "u", "", 3, 0)
    other = answer("user", "x", "", 4, 9)
    two = answer("user", "v", "", 5, 1)

    assert nearest(frozenset("o"), [order, again, user, other]) == {"get": 2, "user": 3}
    assert nearest(frozenset("o"), [again, order]) == {"get": 2}
    assert nearest(frozenset("o"), [user]) == {}
    assert nearest(frozenset("ov"), [order, user, two]) == {"get": 1, "user": 5}
    assert nearest(frozenset("uv"), [user, two]) == {}
