"""The Cedar types of an operation's calls: those of its catalogue entry, over what is looked at."""

from typing import Any

import pytest

from connectors.spec import ActionSpec
from executor.check.cedar_paths import Known
from executor.check.cedar_schema import MOST_CANDIDATES, candidates, counted, relevant, schema_of

LONG, STRING, BOOL = {"type": "Long"}, {"type": "String"}, {"type": "Boolean"}
DECIMAL = {"type": "Extension", "name": "decimal"}
OPEN_TYPES = 6  # text, number, boolean, decimal, and lists of the first two
MONEY: dict[str, Any] = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
}


def action(properties: Any, *required: str, **more: Any) -> ActionSpec:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    content = {"name": "pay.refund", "effect": "blind", "input_schema": schema}
    return ActionSpec.model_validate(content | more)


def paths(*texts: str) -> list[tuple[str, ...]]:
    return [tuple(text.split("/")) if text else () for text in texts]


def args(called: ActionSpec, *used: str) -> list[Any]:
    """The types that the used arguments may have, each with whether they are there."""
    found = candidates(called, paths(*used))
    return [each["attributes"]["args"]["attributes"] for each in found]


def one(node: Any, name: str = "x", *required: str, sinks: Any = None) -> list[Any]:
    """The types of one argument."""
    called = action({name: node}, *required, sinks=sinks or {})
    found = args(called, f"args/{name}")
    return [{k: v for k, v in each[name].items() if k != "required"} for each in found]


@pytest.mark.parametrize(
    ("node", "types"),
    [
        ({"type": "string"}, [STRING]),
        ({"type": "boolean"}, [BOOL]),
        ({"type": "integer"}, [LONG]),
        ({"type": "number"}, [LONG, DECIMAL]),
        ({"type": ["integer", "number"]}, [LONG, DECIMAL]),
        ({"type": "object", "properties": {"amount": {"type": "string"}, "currency": {}}},
         [{"type": "Record", "attributes": {"amount": STRING | {"required": False},
                                            "currency": each | {"required": False}}}
          for each in (STRING, LONG, BOOL, DECIMAL, {"type": "Set", "element": STRING},
                       {"type": "Set", "element": LONG})]),
        ({"type": ["string", "null"]}, [STRING]),
        ({"type": ["string", "integer"]}, [LONG, STRING]),
        ({"enum": ["a", 1]}, [LONG, STRING]),
        ({"type": "array", "items": {"type": "string"}}, [{"type": "Set", "element": STRING}]),
        ({"type": "array", "items": {"type": "number"}},
         [{"type": "Set", "element": LONG}, {"type": "Set", "element": DECIMAL}]),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
         [{"type": "Record", "attributes": {"a": STRING | {"required": True}}}]),
        ({"type": "object", "properties": {"a": {"type": "string"}}},
         [{"type": "Record", "attributes": {"a": STRING | {"required": False}}}]),
        ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
         [{"type": "Record", "attributes": {"a": STRING | {"required": False}}}]),
    ],
)  # fmt: skip
def test_an_argument_has_the_types_of_its_schema(node: Any, types: list[Any]) -> None:
    assert sorted(map(str, one(node))) == sorted(map(str, types))


def test_an_amount_is_money_or_a_decimal() -> None:
    amount = {"x": "amount"}
    money = {"type": "Record", "attributes": {"minor": LONG, "currency": STRING}}

    assert one(MONEY, sinks=amount) == [money]
    assert one({"type": "number"}, sinks=amount) == [DECIMAL]
    assert one({"type": "string"}, sinks=amount) == [DECIMAL]
    assert one({"type": "integer"}, sinks=amount) == [LONG]
    assert one({"type": "object", "properties": {"amount": {"type": "string"}}}, sinks=amount) == [
        {"type": "Record", "attributes": {"amount": STRING | {"required": False}}}
    ]
    assert one(
        {"type": "object", "properties": {"currency": {"type": "string"}}}, sinks=amount
    ) == [{"type": "Record", "attributes": {"currency": STRING | {"required": False}}}]
    texts = {"type": "array", "items": {"type": "string"}}
    assert one(texts, sinks={"x/*": "amount"}) == [{"type": "Set", "element": DECIMAL}]
    lines = {"type": "array", "items": {"type": "object", "properties": {"price": MONEY}}}
    (inside,) = one(lines, sinks={"x/*/price": "amount"})
    assert inside["element"]["attributes"]["price"] == money | {"required": False}


def test_the_prices_of_a_list_are_money_where_one_is() -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {"price": MONEY}}}
    called = action({"x": lines}, sinks={"x/*/price": "amount"})
    (found,) = args(called, "args/x_each/price")

    assert found["x_each"]["attributes"]["price"] == {
        "type": "Set",
        "element": {"type": "Record", "attributes": {"minor": LONG, "currency": STRING}},
    }


def test_where_nothing_is_declared_who_looks_may_know() -> None:
    called = action({"o": {"type": "object"}, "any": {}}, "o")
    of_object, of_any = args(called, "args/o/what"), args(called, "args/any/what")

    assert {each["o"]["attributes"]["what"]["required"] for each in of_object} == {True}
    assert {each["any"]["type"] for each in of_any} == {"Record"}
    assert {each["any"]["attributes"]["what"]["required"] for each in of_any} == {True}
    assert len(of_object) == len(of_any) == OPEN_TYPES


def test_a_type_that_holds_itself_is_told_to_some_depth() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    schema = {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/node"}},
        "$defs": {"node": node},
    }
    content = {"name": "a.b", "effect": "read", "input_schema": schema}

    assert args(ActionSpec.model_validate(content), "args/x")


def test_what_is_no_amount_is_what_its_schema_says() -> None:
    assert one({"type": "string"}, sinks={"x": "recipient"}) == [STRING]


def test_of_each_member_what_is_looked_at_has_a_type() -> None:
    pair = {"type": "object", "properties": {"m": {"type": "string"}, "n": {"type": "integer"}}}
    (found,) = args(action({"a": pair, "b": pair}), "args/a/m", "args/b/n")

    assert [*found["a"]["attributes"]] == ["m"]
    assert [*found["b"]["attributes"]] == ["n"]


def test_what_says_nothing_may_be_anything() -> None:
    assert len(one({})) == OPEN_TYPES
    assert {each["type"] for each in one({})} == {"String", "Long", "Boolean", "Extension", "Set"}


def test_an_argument_is_there_for_certain_only_if_it_is_required_and_never_null() -> None:
    called = action(
        {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": ["string", "null"]}},
        "a",
        "c",
    )
    (found,) = args(called, "args/a", "args/b", "args/c")

    assert {name: each["required"] for name, each in found.items()} == {
        "a": True, "b": False, "c": False,
    }  # fmt: skip


def test_only_what_is_looked_at_has_a_type() -> None:
    called = action({"a": {"type": "string"}, "b": {"type": "string"}})

    assert args(called, "args/a") == [{"a": STRING | {"required": False}}]
    assert args(called, "run/writes") == [{}]
    assert args(called, "args/gone") == [{}]
    assert [*args(called, "args")[0]] == ["a", "b"]
    assert [*args(called, "")[0]] == ["a", "b"]


def test_derived_members_are_there_where_their_origin_is() -> None:
    called = action(
        {"l": {"type": "array"}, "m": {"type": "array"}, "f": {"type": "number"},
         "t": {"type": "string"}, "n": {"type": "integer"}, "any": {}},
        "l", "f",
    )  # fmt: skip
    derived = "args/l_count", "args/m_count", "args/f_inexact", "args/t_count", "args/t_inexact"
    (found,) = args(called, *derived, "args/n_inexact", "args/gone_count", "args/any_count")

    assert found == {
        "l_count": LONG | {"required": True},
        "m_count": LONG | {"required": False},
        "f_inexact": BOOL | {"required": False},
        "any_count": LONG | {"required": False},
    }


def context(called: ActionSpec, *used: str) -> Any:
    (found,) = candidates(called, paths(*used))
    return found["attributes"]


def test_labels_are_there_for_required_arguments_and_may_be_for_places() -> None:
    called = action({"a": MONEY, "b": {"type": "string"}}, "a")
    used = [("labels", name) for name in ("a", "b", "a/amount", "a/gone", "gone", "gone/a")]
    used.append(("labels",))
    (found,) = candidates(called, used)
    labels: Any = found["attributes"]

    assert labels["labels"]["attributes"] == {
        "a": STRING | {"required": True},
        "b": STRING | {"required": False},
        "a/amount": STRING | {"required": False},
    }


def test_the_run_has_numbers_and_names_and_what_is_asked_of_each_operation() -> None:
    found = context(action({}), "run/calls/pay.refund", "run/sums/EUR", "run/calls")["run"]

    assert found["attributes"] == {
        "writes": LONG,
        "succeeded": {"type": "Set", "element": STRING},
        "succeeded_count": LONG,
        "same_object": {"type": "Set", "element": STRING},
        "same_object_count": LONG,
        "calls": {"type": "Record", "attributes": {"pay.refund": LONG | {"required": False}}},
        "sums": {"type": "Record", "attributes": {"EUR": LONG | {"required": False}}},
    }
    assert context(action({}))["approvals"] == {"type": "Set", "element": STRING}


def test_too_many_possible_types_are_none() -> None:
    several = {"type": ["string", "integer"]}
    six = action(dict.fromkeys("abcdef", several))
    seven = action(dict.fromkeys("abcdefg", several))

    assert len(candidates(six, paths(*(f"args/{name}" for name in "abcdef")))) == MOST_CANDIDATES
    assert candidates(seven, paths(*(f"args/{name}" for name in "abcdefg"))) == ()


def test_the_schema_says_who_asks_and_what_is_called() -> None:
    found: Any = schema_of(action({}), {"type": "Record", "attributes": {}})
    ours, tenant = found[""], found["Tenant"]

    assert [name for name, each in ours["actions"].items() if each] == ["blind"]
    assert ours["actions"]["blind"]["appliesTo"] == {
        "principalTypes": ["Tenant::User"],
        "resourceTypes": ["Operation"],
        "context": {"type": "Record", "attributes": {}},
    }
    assert ours["entityTypes"]["Operation"]["memberOfTypes"] == ["Connection"]
    assert ours["entityTypes"]["Connection"]["memberOfTypes"] == ["Connector"]
    assert ours["entityTypes"]["Operation"]["shape"]["attributes"] == {
        "irreversible": BOOL, "egress": BOOL,
    }  # fmt: skip
    assert tenant["entityTypes"]["User"]["shape"]["attributes"] == {
        "tenant": STRING, "roles": {"type": "Set", "element": STRING},
    }  # fmt: skip


def test_counts_that_are_asked_for_are_those_of_lists() -> None:
    called = action(
        {"l": {"type": "array"}, "o": {"type": "object", "properties": {"m": {"type": "array"}}},
         "t": {"type": "string"}, "own_count": {"type": "integer"}, "own": {"type": "array"},
         "any": {}}
    )  # fmt: skip
    asked = paths("args/l_count", "args/o/m_count", "args/t_count", "args/own_count",
                  "args/gone_count", "run/succeeded_count", "args/l", "args/any_count")  # fmt: skip

    assert counted(called, asked) == frozenset(paths("args/l", "args/o/m", "args/any"))


def test_operations_that_are_alike_in_what_is_looked_at_are_alike() -> None:
    one_way = action({"a": {"type": "string"}, "b": {"type": "string"}})
    other = action({"a": {"type": "string"}, "b": {"type": "integer"}})
    needed = action({"a": {"type": "string"}, "b": {"type": "string"}}, "a")
    moving = action({"a": {"type": "string"}}, sinks={"a": "amount"})

    def same(left: ActionSpec, right: ActionSpec, *used: str) -> bool:
        return relevant(left, paths(*used)) == relevant(right, paths(*used))

    assert same(one_way, other, "args/a")
    assert same(one_way, other, "labels/a")
    assert same(one_way, other, "run/writes")
    assert not same(one_way, other, "args/b")
    assert not same(one_way, other, "args/b_count")
    assert not same(one_way, other, "args")
    assert not same(one_way, other, "labels/b/0")
    assert not same(one_way, other, "")
    assert not same(one_way, needed, "args/a")
    assert not same(one_way, moving, "args/a")
    assert relevant(one_way, paths("run/writes")) == ""


def test_definitions_count_where_they_are_referred_to() -> None:
    def called(of: str) -> ActionSpec:
        schema = {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": of}}}
        content = {"name": "a.b", "effect": "read", "input_schema": schema}
        return ActionSpec.model_validate(content)

    assert relevant(called("string"), paths("args/a")) != relevant(
        called("integer"), paths("args/a")
    )


def settled(node: Any, connector: str | None = "stripe") -> Any:
    known = Known(action({}), connector, frozenset({("args", "l")}))
    return known.settled({"conditions": [node]})["conditions"][0]


def entity(kind: str, name: str) -> Any:
    return {"Value": {"__entity": {"type": kind, "id": name}}}


def compare(op: str, var: str, right: Any) -> Any:
    return {op: {"left": {"Var": var}, "right": right}}


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (compare("==", "resource", entity("Operation", "pay.refund")), True),
        (compare("==", "resource", entity("Operation", "pay.get")), False),
        (compare("!=", "resource", entity("Operation", "pay.refund")), False),
        (compare("!=", "resource", entity("Operation", "pay.get")), True),
        (compare("==", "action", entity("Action", "blind")), True),
        (compare("==", "action", entity("Action", "read")), False),
        (compare("in", "resource", entity("Connection", "pay")), True),
        (compare("in", "resource", entity("Connection", "mail")), False),
        (compare("in", "resource", entity("Connector", "stripe")), True),
        (compare("in", "resource", entity("Connector", "smtp")), False),
        (compare("in", "resource", entity("Operation", "pay.refund")), True),
        (compare("in", "action", entity("Action", "blind")), True),
        (compare("in", "action", {"Set": [entity("Action", "read"), entity("Action", "blind")]}),
         True),
        (compare("in", "action", {"Set": [entity("Action", "read")]}), False),
        (compare("in", "action", {"Set": []}), False),
        ({".": {"left": {"Var": "resource"}, "attr": "irreversible"}}, True),
        ({".": {"left": {"Var": "resource"}, "attr": "egress"}}, True),
    ],
)  # fmt: skip
def test_what_is_known_of_an_operation_is_put_in(node: Any, value: bool) -> None:
    assert settled(node) == {"Value": value}
    assert settled({"&&": {"left": node, "right": node}}) == {
        "&&": {"left": {"Value": value}, "right": {"Value": value}}
    }
    assert settled([node]) == [{"Value": value}]


@pytest.mark.parametrize(
    "node",
    [
        compare("==", "resource", entity("Tenant::User", "me")),
        compare("==", "action", entity("Operation", "pay.refund")),
        compare("==", "resource", entity("Action", "blind")),
        compare("in", "action", entity("Connection", "pay")),
        compare("in", "action", entity("Connector", "stripe")),
        compare("in", "resource", {"Set": [entity("Connection", "pay"), {"Var": "principal"}]}),
        compare("!=", "principal", entity("Tenant::User", "me")),
        {".": {"left": {"Var": "principal"}, "attr": "egress"}},
        {".": {"left": {"Var": "resource"}, "attr": "name"}},
    ],
)
def test_what_is_not_known_is_left_as_it_stands(node: Any) -> None:
    assert settled(node) == node


def test_an_operation_without_a_connector_is_in_none() -> None:
    node = compare("in", "resource", entity("Connector", "stripe"))

    assert settled(node, connector=None) == {"Value": False}


def test_a_list_and_its_count_come_together() -> None:
    def has(name: str) -> Any:
        inside = {".": {"left": {"Var": "context"}, "attr": "args"}}
        return {"has": {"left": inside, "attr": name}}

    assert settled(has("l")) == {"&&": {"left": has("l"), "right": has("l_count")}}
    assert settled(has("m")) == has("m")
