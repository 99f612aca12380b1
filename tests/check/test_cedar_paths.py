"""What policies look at of a call: the members that decide, and nothing beside them."""

from typing import Any

import pytest

from connectors.spec import ActionSpec
from executor.check.cedar_paths import Known, looked_at, members, roots, uses
from executor.check.unknown import Unknown

OPEN = Unknown(None)
GIVEN: dict[str, Any] = {
    "a": 1, "b": {"c": 1, "d": {"e": 2, "f": 3}}, "l": [{"x": 1, "y": 2}, 3, []],
    "m": {"k": 1, "n": 2}, "u": OPEN,
}  # fmt: skip
ACTION = ActionSpec.model_validate({"name": "pay.refund", "effect": "blind", "input_schema": {}})


def path(text: str) -> tuple[str, ...]:
    return tuple(text.split("/"))


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        (["args/a"], {"a": 1}),
        (["args/a", "args/b/c"], {"a": 1, "b": {"c": 1}}),
        (["args/b"], {"b": GIVEN["b"]}),
        (["args/b", "args/b/d/e"], {"b": {"d": {"e": 2}}}),
        (["args/a/deeper"], {"a": 1}),
        (["args/l"], {"l": GIVEN["l"]}),
        (["args/l/x"], {"l": GIVEN["l"]}),
        (["args/l_each/x"], {"l": [{"x": 1}, 3, []]}),
        (["args/l_each"], {"l": [{}, 3, []]}),
        (["args/l_count"], {"l": GIVEN["l"]}),
        (["args/a_inexact"], {"a": 1}),
        (["args/a_each/x"], {"a": 1}),
        (["args/m_keys"], {"m": {"k": True, "n": True}}),
        (["args/m_keys", "args/m/k"], {"m": GIVEN["m"]}),
        (["args/a_keys"], {"a": 1}),
        (["args/u/deeper"], {"u": OPEN}),
        (["args/u"], {"u": OPEN}),
        (["args/gone"], {}),
        (["args/a_other"], {}),
        (["run/a"], {}),
        (["args"], GIVEN),
        (["args", "args/a"], GIVEN),
    ],
)
def test_of_the_arguments_only_what_is_asked_for_is_left(asked: Any, seen: Any) -> None:
    assert looked_at(GIVEN, "args", frozenset(map(path, asked))) == seen
    assert looked_at(GIVEN, "args", frozenset({(), *map(path, asked)})) == GIVEN
    assert looked_at(OPEN, "args", frozenset(map(path, asked))) is OPEN


def test_what_is_asked_of_the_context_is_told_by_its_members() -> None:
    asked = frozenset({("args", "a"), ("args", "b", "c"), ("run", "writes")})

    assert roots(asked) == {"args", "run"}
    assert roots(asked | {()}) == {"args", "labels", "run", "read", "stale", "approvals"}
    assert members(asked, "args") == {"a", "b"}
    assert members(asked, "read") == frozenset()
    assert members(asked | {("args",)}, "args") is None
    assert members(asked | {()}, "args") is None


def of(root: Any, *names: str) -> Any:
    for name in names:
        root = {".": {"left": root, "attr": name}}
    return root


CONTEXT, PRINCIPAL = {"Var": "context"}, {"Var": "principal"}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (of(CONTEXT, "args", "a"), {("args", "a")}),
        ({"has": {"left": of(CONTEXT, "args"), "attr": "a"}}, {("args", "a")}),
        (CONTEXT, {()}),
        (of(PRINCIPAL, "roles"), set()),
        (of({"Record": {"x": of(CONTEXT, "run", "writes")}}, "x"), {("run", "writes")}),
        ({"Set": [of(CONTEXT, "a"), {"Value": 1}, of(CONTEXT, "b")]}, {("a",), ("b",)}),
    ],
)
def test_every_path_into_the_context_is_used_as_far_as_it_goes(condition: Any, found: Any) -> None:
    assert uses({"conditions": [{"kind": "when", "body": condition}]}) == found


@pytest.mark.parametrize(
    ("root", "names", "is_counted"),
    [
        ("context", ("args", "lines"), True),
        ("principal", ("args", "lines"), False),
        ("context", ("args", "other"), False),
    ],
)
def test_a_list_of_the_context_comes_with_its_count(
    root: str, names: tuple[str, ...], is_counted: bool
) -> None:
    known = Known(ACTION, None, frozenset({("args", "lines")}))
    *before, last = names
    left = of({"Var": root}, *before)
    has = {"has": {"left": left, "attr": last}}
    count = {"has": {"left": left, "attr": f"{last}_count"}}
    both = {"&&": {"left": has, "right": count}}

    assert known.settled({"conditions": [has]}) == {"conditions": [both if is_counted else has]}


def entity(kind: str, name: str) -> Any:
    return {"Value": {"__entity": {"type": kind, "id": name}}}


@pytest.mark.parametrize(
    ("word", "var", "right", "value"),
    [
        ("==", "resource", entity("Operation", "pay.refund"), True),
        ("==", "resource", entity("Operation", "pay.charge"), False),
        ("!=", "resource", entity("Operation", "pay.refund"), False),
        ("!=", "resource", entity("Operation", "pay.charge"), True),
        ("==", "action", entity("Action", "blind"), True),
        ("==", "action", entity("Action", "read"), False),
        ("==", "action", entity("Operation", "pay.refund"), None),
        ("==", "principal", entity("Action", "blind"), None),
        ("==", "resource", entity("Connection", "pay"), None),
        ("!=", "principal", entity("Action", "blind"), None),
        ("in", "resource", entity("Connection", "pay"), True),
        ("in", "resource", entity("Connection", "mail"), False),
        ("in", "resource", entity("Connector", "stripe"), True),
        ("in", "resource", entity("Connector", "other"), False),
        ("in", "resource", entity("Operation", "pay.refund"), True),
        ("in", "principal", entity("Connection", "pay"), None),
        ("in", "principal", entity("Connector", "stripe"), None),
        ("in", "action", {"Set": [entity("Action", "read"), entity("Action", "blind")]}, True),
        ("in", "action", {"Set": [entity("Action", "read")]}, False),
        ("in", "action", {"Set": []}, False),
        ("in", "action", {"Set": [entity("Action", "blind"), of(CONTEXT, "args", "x")]}, None),
    ],
)
def test_what_is_known_of_a_call_is_put_in(word: str, var: str, right: Any, value: Any) -> None:
    known = Known(ACTION, "stripe", frozenset())
    said = {word: {"left": {"Var": var}, "right": right}}
    found = known.settled({"conditions": [{"!": {"arg": said}}]})

    assert found == {"conditions": [{"!": {"arg": said if value is None else {"Value": value}}}]}


def test_a_connection_without_a_connector_is_in_no_group_of_one() -> None:
    said = {"in": {"left": {"Var": "resource"}, "right": entity("Connector", "stripe")}}
    found = Known(ACTION, None, frozenset()).settled({"conditions": [said]})

    assert found == {"conditions": [{"Value": False}]}


def test_what_an_operation_is_is_put_in() -> None:
    irreversible, egress = (of({"Var": "resource"}, each) for each in ("irreversible", "egress"))
    kept = ActionSpec.model_validate(
        ACTION.model_dump(by_alias=True)
        | {"effect": "idempotent", "irreversible": False, "egress": True}
    )
    found = Known(kept, None, frozenset()).settled({"conditions": [irreversible, egress]})

    assert found == {"conditions": [{"Value": False}, {"Value": True}]}
