"""A playbook's file is usable, or the error names the file, the place and what is wrong."""

from typing import Any

import pytest

from executor.check.playbook import PlaybookError, read_playbook

GOOD: dict[str, Any] = {
    "name": "order_status",
    "version": 1,
    "description": "says how an order stands",
    "utterances": ["how is order {order_id}"],
    "inputs": {"order_id": {"type": "string"}, "limit": {"type": "integer", "default": 3}},
    "plan": {"steps": [{"id": "a", "action": "orders.get"}]},
}


def test_inputs_are_required_unless_they_have_a_default() -> None:
    schema = read_playbook(GOOD, "a.yaml").inputs_schema

    assert schema["required"] == ["order_id"]
    assert schema["additionalProperties"] is False


def test_every_member_of_the_file_counts_in_its_digest() -> None:
    digests = {
        read_playbook(GOOD | change, "a.yaml").digest
        for change in ({}, {"version": 2}, {"description": "x"}, {"inputs": {}}, {"plan": {}})
    }

    assert len(digests) == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "Order-Status"}, "name"),
        ({"version": 0}, "version"),
        ({"utterances": []}, "utterances"),
        ({"approval": None}, "approval"),
        ({"plan": {"step": []}}, "plan/step: Extra inputs"),
        ({"plan": {"steps": [{"id": "A", "action": "x.y"}]}}, "plan/steps/0/id"),
        (
            {"plan": {"steps": [{"id": "input", "action": "x.y"}]}},
            "plan/steps/0/id: 'input' is res",
        ),
        (
            {"plan": {"steps": [{"id": "a.b", "action": "x.y"}]}},
            "plan/steps/0/id: 'a.b' is reserved",
        ),
        ({"inputs": {"A": {}}}, "inputs/A: a name is"),
        ({"inputs": {"a" * 41: {}}}, "a name is a-z, 0-9 and _, at most 40"),
        ({"inputs": {"playbook": {}}}, "inputs/playbook: the answer to it"),
        ({"inputs": {"a": {"type": "no such type"}}}, "no JSON Schema"),
        ({"inputs": {"a": {"maximum": 2**60}}}, "cannot carry"),
        ({"inputs": {"a": {"maximum": float("nan")}}}, "cannot carry"),
    ],
)
def test_an_unusable_file_says_what_and_where(change: dict[str, Any], says: str) -> None:
    with pytest.raises(PlaybookError, match=says) as caught:
        read_playbook(GOOD | change, "a.yaml")

    assert "a.yaml" in str(caught.value)


def test_the_day_is_there_without_being_declared() -> None:
    steps = [{"id": "a", "action": "x.y", "args": [{"ref": "input/today", "to": "day"},
                                                   {"ref": "input/gone", "to": "x"}]}]  # fmt: skip
    playbook = read_playbook(GOOD | {"plan": {"steps": steps}}, "a.yaml")

    assert [*playbook.undeclared] == ["input/gone"]


def test_a_file_that_is_no_object_is_said() -> None:
    with pytest.raises(PlaybookError) as caught:
        read_playbook(["x"], "a.yaml")

    assert str(caught.value) == "a.yaml: it should be an object"


def test_everything_that_is_wrong_with_a_file_is_said_in_few_words_and_no_value_of_it() -> None:
    with pytest.raises(PlaybookError) as caught:
        read_playbook({"name": "x", "version": "secret", "foo": "secret", "options": 1}, "a.yaml")

    told = str(caught.value).split("; ")
    assert [each.partition(": ")[0] for each in told] == [
        "a.yaml", "description", "utterances", "options", "plan", "foo",
    ]  # fmt: skip
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
