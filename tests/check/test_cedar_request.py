"""One call as Cedar is asked about it: what policies look at is there, and nothing else."""

import json
from typing import Any

import pytest

from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.cedar_request import PolicyQuestion, Request, entities_around, request_of
from executor.check.unknown import Unknown

ACTION = ActionSpec.model_validate({"name": "pay.refund", "effect": "blind", "input_schema": {}})
WHO = Principal("me", "main", frozenset({"clerk"}))
OPEN = Unknown(frozenset({"integer"}))
UNSURE = Unknown(None)
TRUSTED = Label(Integrity.TRUSTED)


def labels(**of: str) -> dict[str, Label]:
    return {at.replace("_", "/"): Label(Integrity(each)) for at, each in of.items()}


GIVEN: dict[str, Any] = {
    "arguments": {"a": {"x": 1, "y": 2}, "b": 3}, "labels": labels(a_x="trusted", a_y="model"),
    "run": {"writes": 1, "succeeded": ["p"]}, "approvals": frozenset("dcba"),
    "read": {"shop.get": {"n": 1, "m": 2}}, "stale": {"shop.find": {"n": 3}},
}  # fmt: skip


def asked(paths: Any, **more: Any) -> Request:
    question = PolicyQuestion(WHO, ACTION, **GIVEN | more)
    return request_of(question, entities_around(WHO, ACTION, None), frozenset(paths))


def unknown(name: str) -> JsonObject:
    return {"__extn": {"fn": "unknown", "arg": name}}


@pytest.mark.parametrize(
    ("paths", "more", "context", "is_partial"),
    [
        ([], {}, {}, False),
        ([("principal", "roles")], {}, {}, False),
        ([("args", "b")], {}, {"args": {"b": 3}}, False),
        ([("args", "gone")], {}, {"args": {}}, False),
        ([("args",)], {}, {"args": GIVEN["arguments"]}, False),
        ([("args", "b")], {"arguments": {"b": OPEN}}, {"args": {"b": unknown("args/b")}}, True),
        ([("args", "b")], {"arguments": {"a": OPEN, "b": 1}}, {"args": {"b": 1}}, True),
        ([("args", "b")], {"arguments": {"a": UNSURE, "b": 1}}, {"args": unknown("args")}, True),
        ([("args", "b")], {"arguments": UNSURE}, {"args": unknown("args")}, True),
        ([("run", "writes")], {"arguments": {"a": OPEN}}, {"run": GIVEN["run"] | {
            "succeeded_count": 1}}, True),
        ([("run", "writes")], {"run": {"writes": OPEN}}, {"run": {
            "writes": unknown("run/writes")}}, True),
        ([("run", "writes")], {"run": UNSURE}, {"run": unknown("run")}, True),
        ([("run", "writes")], {"run": {}}, {"run": {}}, False),
        ([("read", "shop.get", "n")], {}, {"read": {"shop.get": {"n": 1}}}, False),
        ([("read", "shop.get", "n")], {"read": {}}, {"read": {}}, False),
        ([("read", "shop.get", "n")], {"read": UNSURE}, {"read": unknown("read")}, True),
        ([("read", "shop.get", "n")], {"read": {"shop.get": {"n": OPEN}}},
         {"read": {"shop.get": {"n": unknown("read/shop.get/n")}}}, True),
        ([("stale", "shop.find", "n")], {}, {"stale": {"shop.find": {"n": 3}}}, False),
        ([("stale", "shop.find", "n")], {"stale": UNSURE}, {"stale": unknown("stale")}, True),
        ([("approvals",)], {}, {"approvals": ["a", "b", "c", "d"]}, False),
        ([("labels", "a")], {}, {"labels": {"a": "model"}}, False),
        ([("labels", "a/x")], {}, {"labels": {"a/x": "trusted"}}, False),
        ([("labels", "b")], {}, {"labels": {}}, False),
        ([("labels",)], {}, {"labels": {"a": "model", "a/x": "trusted", "a/y": "model"}}, False),
        ([("labels",)], {"labels": {"": Label(Integrity.MODEL)}},
         {"labels": {"": "model", "a": "model", "b": "model"}}, False),
        ([("labels", "b")], {"labels": {"": Label(Integrity.MODEL)}}, {"labels": {"b": "model"}},
         False),
        ([("labels", "a/x")], {"labels": labels(a_x="untrusted") | {"a~1x": TRUSTED}},
         {"labels": {"a/x": "untrusted"}}, False),
        ([("labels", "a")], {"arguments": UNSURE}, {"labels": unknown("labels")}, True),
    ],
)  # fmt: skip
def test_of_a_call_cedar_is_given_what_policies_look_at(
    paths: Any, more: Any, context: Any, is_partial: bool
) -> None:
    found = asked(paths, **more)

    assert found.looked_at == json.loads(found.context) == context
    assert found.is_partial is is_partial


def test_all_of_a_call_is_looked_at_where_policy_names_the_context() -> None:
    found = asked([()])

    assert found.looked_at.keys() == {"args", "labels", "run", "read", "stale", "approvals"}
    assert found.looked_at["args"] == GIVEN["arguments"]
    assert found.request == {
        "principal": {"type": "Tenant::User", "id": "me"},
        "action": {"type": "Action", "id": "blind"},
        "resource": {"type": "Operation", "id": "pay.refund"},
        "context": found.context,
    }


def test_a_call_after_approvals_is_the_same_but_for_them() -> None:
    found = asked([("args", "b"), ("approvals",)])
    after = json.loads(str(found.with_approvals(frozenset("hgfe"))["context"]))
    whatever = json.loads(str(found.with_approvals(None)["context"]))

    assert after == {"args": {"b": 3}, "approvals": ["e", "f", "g", "h"]}
    assert whatever == {"args": {"b": 3}, "approvals": unknown("approvals")}
